"""Who calls, and what they may do: a key as bearer, or the session of somebody who logged in with one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from groundswell.access import EVERY_ROLE, Role, key_of
from groundswell.web.errors import ForbiddenError, UnauthorizedError
from groundswell.web.state import state_of


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it was, and what it may do."""

    name: str
    roles: frozenset[Role]


#: Who calls while no key is set, which `serve` allows on loopback only.
ANYBODY = Caller("anybody", EVERY_ROLE)


def caller(request: Request) -> Caller:
    """Return who calls; raises UnauthorizedError where that is nobody we know."""
    keys = state_of(request).settings.keys
    if not keys:
        return ANYBODY
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = key_of(keys, token)
    if key is None or scheme.lower() != "bearer":
        raise UnauthorizedError
    return Caller(key.name, key.roles)


def allow(request: Request, role: Role) -> Caller:
    """Return who calls; raises UnauthorizedError, or ForbiddenError where the key has another role."""
    known = caller(request)
    if role not in known.roles:
        raise ForbiddenError(role, known.name)
    return known


def guarded(role: Role) -> type[APIRoute]:
    """Return the class of routes that ask for a role before they so much as read the body."""

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def ask_then_answer(request: Request) -> Response:
                request.state.caller = allow(request, role)
                return await answer(request)

            return ask_then_answer

    return GuardedRoute
