"""Errors become responses here, in one table at the edge: what went wrong, and what to do next.

An answer shows neither stack nor schema nor secrets: what a database or a store says goes into the log alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundswell.errors import ArtifactError, DatabaseError, GroundswellError
from groundswell.web.bodies import Json
from groundswell.web.guard.refusals import UnauthorizedError

log = structlog.stdlib.get_logger("web")
_REFERENCE = "See the API reference at /docs."
_LONGEST = 400
_MOST_PROBLEMS = 5
#: What is said of errors whose own words may name hosts, files, tables or statements.
_IN_GENERAL: Mapping[type[GroundswellError], str] = {
    DatabaseError: "The database is away or refused the request.",
    ArtifactError: "A stored model cannot be read or written.",
}
#: Paths that programs ask for; what else is not under /api is asked for by people.
_FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static/")


def told(error: GroundswellError) -> str:
    """Return what may be shown of an error; where that is not all, the rest is logged."""
    for kind, said in _IN_GENERAL.items():
        if isinstance(error, kind):
            log.error(f"{type(error).__name__}: {error}")
            return said
    return shortened(str(error))


def shortened(text: str) -> str:
    """Return a message of bearable length: it may repeat what was sent.

    >>> len(shortened("x" * 1_000_000)), shortened("short")
    (401, 'short')
    """
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def add_error_table(app: FastAPI) -> None:
    """Make every error of the app an answer: JSON for programs, a page for people."""
    app.add_exception_handler(UnauthorizedError, _unauthorized)
    app.add_exception_handler(GroundswellError, _groundswell)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


class LastResort:
    """An app around the app: what nobody foresaw becomes a 500 that shows nothing; the log has the stack."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens."""
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            log.error("Unexpected error", exc_info=error)
            answer = _answer(Request(scope), 500, "Internal error", "The server's log says more.")
            await answer(scope, receive, send)


def _unauthorized(request: Request, _error: Exception) -> Response:
    if _is_page(request):
        from groundswell.web.guard.login import to_login

        return to_login(request)
    return Json({"error": "Unauthorized"}, 401, headers={"WWW-Authenticate": "Bearer"})


def _groundswell(request: Request, error: Exception) -> Response:
    assert isinstance(error, GroundswellError)  # noqa: S101
    return _answer(request, error.http_status, told(error), error.hint)


def _invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in problems[:_MOST_PROBLEMS]]
    return _answer(request, 422, shortened("; ".join(said)), _REFERENCE)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return _answer(request, error.status_code, str(error.detail), _REFERENCE, error.headers)


def _answer(request: Request, status: int, said: str, hint: str, headers: Mapping[str, str] | None = None) -> Response:
    if _is_page(request):
        from groundswell.web.rendering import error_page

        answer: Response = error_page(request, status, said, hint)
    else:
        body: dict[str, Any] = {"error": said, "hint": hint}
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if status >= 500 and request_id:
            body["requestId"] = request_id
        answer = Json(body, status)
    answer.headers.update(headers or {})
    return answer


def _is_page(request: Request) -> bool:
    """Return whether people asked: for a page that there is, or with a browser for one that there is not."""
    if request.url.path.startswith(_FOR_PROGRAMS):
        return False
    is_ours = getattr(request.scope.get("route"), "include_in_schema", None) is False
    return is_ours or "text/html" in request.headers.get("accept", "")
