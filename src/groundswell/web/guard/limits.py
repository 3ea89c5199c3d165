"""Limits of a request: how large its body is, how long it may take to arrive, and how long its answer may take."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundswell.web.bodies import Json

#: A body that is too large is still read, and thrown away, so that its sender hears why; but not for ever.
_DRAIN_SECONDS = 10.0
_DRAIN_BYTES = 2**30
_BROKEN_OFF = "Send it again on a better line."


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """The largest body in bytes, the seconds for it to arrive and for an answer, and paths whose answer may last."""

    most_bytes: int
    seconds: float
    lasting: tuple[str, ...] = ()


class Limits:
    """An app around the app: 413 for a body too large, 408 for one too slow, 503 for an answer that takes too long.

    No body is held here: a larger one is refused by what it says of its length, or as soon as too much has come. Work
    that takes too long cannot be stopped, since it runs in a thread; its answer is dropped when it comes.
    """

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self._app, self._bounds = app, bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._bounds)
        if exchange.says_too_much:
            await exchange.refuse_body()
            return
        exchange.start_clock()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            await exchange.stop_clock()


class _Exchange:
    """One request and its answer: what came, whether the answer has begun, and the clock that runs."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, bounds: Bounds) -> None:
        self._scope, self._receive, self._send, self._bounds = scope, receive, send, bounds
        headers = Headers(scope=scope)
        self._length = _whole(headers.get("content-length"))
        self._awaits_continue = headers.get("expect", "").lower() == "100-continue"
        self._arriving = bool(self._length) or "transfer-encoding" in headers
        self._lasting = scope["path"].startswith(bounds.lasting) if bounds.lasting else False
        self._came = 0
        self._answering = False
        self._refused = False
        self._clock: asyncio.TimerHandle | None = None
        self._late: asyncio.Task[None] | None = None

    @property
    def says_too_much(self) -> bool:
        """Whether the request says that its body is too large."""
        return (self._length or 0) > self._bounds.most_bytes

    def start_clock(self) -> None:
        """Give the body, or the answer, its time from now on."""
        if self._clock is not None:
            self._clock.cancel()
        if self._arriving or not self._lasting:
            self._clock = asyncio.get_running_loop().call_later(self._bounds.seconds, self._run_out)

    async def stop_clock(self) -> None:
        """End the clock, and let a refusal that is on its way be sent."""
        if self._clock is not None:
            self._clock.cancel()
        if self._late is not None:
            await self._late

    async def receive(self) -> Message:
        """Return what came next; that the caller is gone, where the body was refused."""
        message = await self._receive()
        if self._refused:
            return {"type": "http.disconnect"}
        if message["type"] != "http.request" or not self._arriving:
            return message
        self._came += len(message.get("body", b""))
        if self._came > self._bounds.most_bytes:
            await self.refuse_body(draining=bool(message.get("more_body")))
            return {"type": "http.disconnect"}
        if not message.get("more_body"):
            self._arriving = False
            self.start_clock()
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, unless another was given already."""
        if self._refused:
            return
        self._answering = True
        await self._send(message)

    async def refuse_body(self, *, draining: bool = True) -> None:
        """Say that the body is too large, after what is on its way was thrown away."""
        if self._answering or self._refused:
            return
        self._refused = True
        if self._clock is not None:
            self._clock.cancel()
        if draining and not self._awaits_continue:
            await self._drain()
        most = self._bounds.most_bytes / 1e6
        await self._say(
            413, f"The body is larger than {most:g} MB.", "Send it in parts, or raise GROUNDSWELL_MAX_BODY_MB."
        )

    async def _drain(self) -> None:
        end, came = time.monotonic() + _DRAIN_SECONDS, 0
        while came < _DRAIN_BYTES and (left := end - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), left)
            except TimeoutError:
                return
            if message["type"] != "http.request" or not message.get("more_body"):
                return
            came += len(message.get("body", b""))

    def _run_out(self) -> None:
        if not self._answering and not self._refused:
            self._refused = True
            self._late = asyncio.get_running_loop().create_task(self._say_late())

    async def _say_late(self) -> None:
        seconds = f"{self._bounds.seconds:g} s"
        if self._arriving:
            await self._say(408, f"The body did not arrive within {seconds}.", _BROKEN_OFF)
        else:
            hint = "What was begun may still be done: look before you ask again, ask for less, or raise the limit."
            await self._say(503, f"There was no answer within {seconds}.", hint)

    async def _say(self, status: int, error: str, hint: str) -> None:
        headers = {"Connection": "close"}
        if status == 503:
            headers["Retry-After"] = str(math.ceil(self._bounds.seconds))
        await Json({"error": error, "hint": hint}, status, headers)(self._scope, self._receive, self._send)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
