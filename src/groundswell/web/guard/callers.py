"""Who calls, and what they may do: a key as bearer, or the session of somebody who logged in with one."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from groundswell.access import EVERY_ROLE, Role, key_of
from groundswell.web.guard.origins import SAFE_METHODS, from_own_page
from groundswell.web.guard.refusals import ForbiddenError, ForeignRequestError, UnauthorizedError
from groundswell.web.guard.sessions import COOKIE, session_of
from groundswell.web.state import state_of


class Proof(enum.StrEnum):
    """What a caller showed: the key itself, the cookie of a session, or nothing, while no key is set."""

    KEY = "key"
    SESSION = "session"
    NOTHING = "nothing"


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it was, what it may do, and what was shown of it."""

    name: str
    roles: frozenset[Role]
    proof: Proof = Proof.KEY


#: Who calls while no key is set, which `serve` allows on loopback only.
ANYBODY = Caller("anybody", EVERY_ROLE, Proof.NOTHING)


def caller(request: Request) -> Caller:
    """Return who calls; raises UnauthorizedError where that is nobody we know."""
    keys = state_of(request).settings.keys
    if not keys:
        return ANYBODY
    authorization = request.headers.get("authorization")
    if authorization is None:
        session = session_of(request)
        if session is None:
            raise UnauthorizedError
        return Caller(session.key.name, session.key.roles, Proof.SESSION)
    scheme, _, token = authorization.partition(" ")
    key = key_of(keys, token)
    if key is None or scheme.lower() != "bearer":
        raise UnauthorizedError
    return Caller(key.name, key.roles)


def allow(request: Request, role: Role) -> Caller:
    """Return who calls; raises UnauthorizedError, or ForbiddenError where the key has another role.

    A change without the key itself is one that a browser may have been made to send by a foreign page: it raises
    ForeignRequestError unless it comes from ours.
    """
    known = caller(request)
    if role not in known.roles:
        raise ForbiddenError(role, known.name)
    if request.method not in SAFE_METHODS and known.proof is not Proof.KEY:
        _check_own(request, known.proof)
    return known


def guarded(role: Role) -> type[APIRoute]:
    """Return the class of routes that ask for a role before they so much as read the body."""

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def ask_then_answer(request: Request) -> Response:
                request.state.caller = await _allow(request, role)
                return await answer(request)

            return ask_then_answer

    return GuardedRoute


async def _allow(request: Request, role: Role) -> Caller:
    """Return what `allow` says; whether a session was ended is looked up in a thread where that may take its time."""
    by_session = "authorization" not in request.headers and COOKIE in request.cookies
    if by_session and not state_of(request).is_near():
        return await run_in_threadpool(allow, request, role)
    return allow(request, role)


def _check_own(request: Request, proof: Proof) -> None:
    own = from_own_page(request, state_of(request).settings)
    # Every browser says where a change comes from; what says nothing is a program, and without keys it needs none.
    if own is False or (own is None and proof is Proof.SESSION):
        raise ForeignRequestError("The change did not come from a page of this service.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if proof is Proof.SESSION and request.url.path.startswith("/api/") and kind not in {"", "application/json"}:
        raise ForeignRequestError(
            "A change by cookie is sent as application/json.", "Set Content-Type to application/json."
        )
