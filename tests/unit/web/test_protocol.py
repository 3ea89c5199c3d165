"""A head that does not come: the connection is closed when its time is up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from groundswell.web import protocol


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
