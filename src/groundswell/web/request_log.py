"""Around every request: an id that all its log lines carry, one line that says how it ended, and its time."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from urllib.parse import quote

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.stdlib.get_logger("web")
#: What a caller may name its request; anything else could write lines of its own into the log.
_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_LONGEST_PATH = 500
#: How requests are counted that no route answers: their paths are whatever somebody tried.
UNMATCHED = "unmatched"

#: Called with the method and template of the route, the status and the seconds of each request.
Observer = Callable[[str, str, int, float], None]


class RequestLog:
    """An app around the app; the outermost, so that no answer leaves without its id."""

    def __init__(self, app: ASGIApp, observe: Observer) -> None:
        self._app, self._observe = app, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and say how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        # Each request is answered in a context of its own, and so are the threads it works in.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status, begun = 500, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - begun
            method, route = _route(scope)
            self._observe(method, route, status, seconds)
            path = _path(scope)
            log.info("request", method=scope["method"], path=path, status=status, ms=round(1_000 * seconds, 1))


def _request_id(given: str | None) -> str:
    return given if given and _SANE.fullmatch(given) else uuid.uuid4().hex


def _path(scope: Scope) -> str:
    """Return the path as it was sent, where nothing can end the line; the query may hold a secret and is left out."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    return str(raw.decode("ascii", "replace").partition("?")[0][:_LONGEST_PATH])


def _route(scope: Scope) -> tuple[str, str]:
    template = getattr(scope.get("route"), "path", None)
    return (scope["method"], template) if template else (UNMATCHED, UNMATCHED)
