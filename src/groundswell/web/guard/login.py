"""Logging in with a key, and out again."""

from __future__ import annotations

import math
from typing import Annotated
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from groundswell.access import Role, key_of
from groundswell.errors import DatabaseError
from groundswell.store import logins
from groundswell.web.guard import sessions
from groundswell.web.guard.attempts import Attempts
from groundswell.web.guard.forms import check_csrf
from groundswell.web.guard.origins import from_own_page
from groundswell.web.guard.refusals import ForeignRequestError, StillLoggedInError
from groundswell.web.rendering import render
from groundswell.web.state import Here, State

log = structlog.stdlib.get_logger("web")
router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request, state: Here, next: str = "/") -> Response:  # noqa: A002
    """Answer the form that asks for a key, or that none is needed."""
    return _page(request, state, 200, own_path(next))


@router.post("/login")
def log_in(
    request: Request,
    state: Here,
    key: Annotated[str, Form(max_length=500)] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Answer with the cookie of a session, and lead on; a wrong key is 401, and after ten of them 429."""
    if from_own_page(request, state.settings) is False:
        raise ForeignRequestError("The form did not come from a page of this service.")
    path, keys, attempts = own_path(next), state.settings.keys, attempts_of(request)
    address = request.client.host if request.client else None
    wait = attempts.begin(address) if keys else 0.0
    if wait > 0:
        answer = _page(request, state, 429, path, f"Too many wrong keys: wait {math.ceil(wait / 60)} minutes.")
        answer.headers["Retry-After"] = str(math.ceil(wait))
        return answer
    found = key_of(keys, key.strip())
    if keys and found is None:
        return _page(request, state, 401, path, "That key is not known here.")
    # Who may only predict would be turned away from every other page.
    may_read = found is None or Role.READ in found.roles
    redirect = RedirectResponse(path if may_read else "/try", 303)
    if found is not None:
        attempts.succeed(address)
        sessions.begin(redirect, found, secure=sessions.is_secure(request, state.settings))
    return redirect


@router.post("/logout")
def log_out(request: Request, state: Here, csrf: Annotated[str, Form(max_length=500)] = "") -> Response:
    """End the session in every process, and lead to the login.

    While the database takes nothing that cannot be done: the answer says so, and the browser keeps the session.
    """
    redirect = RedirectResponse("/login", 303)
    session = sessions.session_of(request)
    if session is not None:
        check_csrf(request, csrf)
        _end_everywhere(state, session)
        sessions.end(redirect, secure=sessions.is_secure(request, state.settings))
    return redirect


def _end_everywhere(state: State, session: sessions.Session) -> None:
    try:
        logins.end_session(state.context().database, session.id, sessions.KEPT)
    except DatabaseError as error:
        log.error(f"A log-out could not be stored: {error}")
        raise StillLoggedInError from error


def attempts_of(request: Request) -> Attempts:
    """Return the failed logins of late."""
    attempts: Attempts = request.app.state.attempts
    return attempts


def to_login(request: Request) -> Response:
    """Return the way to the login, and from there back to what was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = own_path(asked) if request.method == "GET" else "/"
    return RedirectResponse(f"/login?{urlencode({'next': back})}" if back != "/" else "/login", 303)


def own_path(path: str) -> str:
    r"""Return the path if it leads nowhere but here, else `/`.

    >>> own_path("/runs?kind=audit"), own_path("//evil.example"), own_path("/\\evil.example"), own_path("https://x")
    ('/runs?kind=audit', '/', '/', '/')
    >>> own_path("/\t/evil.example"), own_path(""), own_path("/login?next=/")
    ('/', '/', '/')
    """
    odd = "\\" in path or any(not character.isprintable() or character.isspace() for character in path)
    if odd or not path.startswith("/") or path.startswith(("//", "/login", "/logout")) or len(path) > 2_000:
        return "/"
    return path


def _page(request: Request, state: State, status: int, path: str, problem: str = "") -> Response:
    return render(request, "login.html", status, next=path, problem=problem, needed=bool(state.settings.keys))
