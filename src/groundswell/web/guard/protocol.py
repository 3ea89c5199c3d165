"""HTTP as the server speaks it: uvicorn's own protocol, with an end to how large and how slow the head of a request is.

uvicorn holds headers of any size, and waits for them for ever; nothing behind it ever sees such a request.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Ours are of a few hundred bytes; proxies add some, and the form of a planned video stands in the address.
MOST_HEAD_BYTES = 65_536
HEAD_SECONDS = 30.0
_TOO_LARGE = b'{"error":"The head of the request is too large.","hint":"Send less in headers and address."}'


class BoundedProtocol(HttpToolsProtocol):
    """A connection that ends with 431 where a head is too large, and with nothing where it does not come."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head = self._is_whole = True
        self._head_bytes = 0
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has become too large."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse()

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._in_head, self._head_bytes, self._is_whole = True, 0, False
        if self._patience is None:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        """End a head, and let the request begin if that was not too large either."""
        self._in_head, self._head_bytes = False, 0
        self._stop_waiting()
        if sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES:
            self._refuse()
            return
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header, or one of those that may follow a body in chunks: they count as well."""
        if not self._in_head:
            self._head_bytes += len(name) + len(value)
            if self._head_bytes > MOST_HEAD_BYTES:
                self.transport.close()
            return  # nobody here asks for what follows a body
        super().on_header(name, value)

    def on_response_complete(self) -> None:
        """End a connection whose body was not wanted to its end: what is left of it could come for ever."""
        is_of_the_next = bool(self.pipeline)
        super().on_response_complete()
        if not self._is_whole and not is_of_the_next and not self.transport.is_closing():
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Read a part of the body, unless the request was refused."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request, unless it was refused."""
        self._is_whole = True
        if not self.transport.is_closing():
            super().on_message_complete()

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _refuse(self) -> None:
        length = b"%d" % len(_TOO_LARGE)
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncontent-length: "
            + length
            + b"\r\nconnection: close\r\n\r\n"
            + _TOO_LARGE
        )
        self.transport.close()
