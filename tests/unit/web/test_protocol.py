"""A head that does not come: the connection is closed when its time is up."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from groundswell.web.guard import protocol


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nX:"])
def test_whoever_sends_no_head_is_cut_off(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    config = uvicorn.Config(answering, http=protocol.BoundedProtocol, log_config=None, lifespan="off")
    config.load()

    async def scene() -> tuple[bytes, bytes]:
        def made() -> protocol.BoundedProtocol:
            return protocol.BoundedProtocol(config=config, server_state=ServerState(), app_state={})

        server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
        async with server:
            address = server.sockets[0].getsockname()[:2]
            reader, writer = await asyncio.open_connection(*address)
            writer.write(sent)
            late = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            whole = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            return late, whole

    late, whole = asyncio.run(scene())
    assert late == b""
    assert whole.startswith(b"HTTP/1.1 204")


async def reading(scope: Any, receive: Any, send: Any) -> None:
    """Answer once the whole body has come; to a connection that ends before, nothing."""
    message: dict[str, Any] = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
    if message["type"] == "http.request":
        await answering(scope, receive, send)


def talk(sent: bytes, parts: int = 1, app: Any = answering) -> bytes:
    """Return all that is answered before the connection ends, to what is sent so many times over."""
    config = uvicorn.Config(app, http=protocol.BoundedProtocol, log_config=None, lifespan="off")
    config.load()

    async def scene() -> bytes:
        def made() -> protocol.BoundedProtocol:
            return protocol.BoundedProtocol(config=config, server_state=ServerState(), app_state={})

        server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            with contextlib.suppress(ConnectionError):
                for _ in range(parts):
                    writer.write(sent)
                    await writer.drain()
            answered = b""
            with contextlib.suppress(ConnectionError):
                answered = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            return answered

    return asyncio.run(scene())


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_body_that_nobody_wants_to_its_end_ends_the_connection() -> None:
    answered = talk(CHUNKED + b"5\r\na")
    assert answered.startswith(b"HTTP/1.1 204"), "and read() came to its end, so the connection did too"


def test_what_follows_a_body_does_not_gather() -> None:
    trailer = b"a:" + b"b" * 1_000 + b"\r\n"
    ended = CHUNKED.replace(b"Host: x", b"Host: x\r\nConnection: close") + b"0\r\n" + 10 * trailer + b"\r\n"
    assert talk(ended, app=reading).startswith(b"HTTP/1.1 204"), "a few trailers are read, and end"
    assert talk(CHUNKED + b"0\r\n" + 200 * trailer, app=reading) == b"", "those that do not end are cut off"


def test_requests_in_a_row_are_all_answered() -> None:
    one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    assert talk(2 * one + last).count(b"HTTP/1.1 204") == 3
