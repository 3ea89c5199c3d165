"""Names that are not ours: while no key is set, only requests for this machine by its own name are answered."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from groundswell.web.bodies import Json
from groundswell.web.guard.origins import is_loopback_name
from groundswell.web.guard.refusals import MisdirectedError

#: Who asks whether the process is up may call it what they like.
_OPEN = frozenset({"/healthz", "/readyz"})


class OwnNames:
    """An app around the app that answers 421 to other names.

    A foreign page can make its own name point to this machine, and would then be of one origin with us.
    """

    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        self._app = app
        self._public = urlsplit(public_url or "").netloc.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for this machine."""
        if scope["type"] == "http" and scope["path"] not in _OPEN:
            host = Headers(scope=scope).get("host", "").lower()
            if not is_loopback_name(host) and not (self._public and host == self._public):
                error = MisdirectedError()
                answer = Json({"error": str(error), "hint": error.hint}, error.http_status)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
