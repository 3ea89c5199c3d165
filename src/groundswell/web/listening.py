"""The server: a socket that is ours, and the app behind it until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from groundswell.errors import GroundswellError
from groundswell.settings import Settings
from groundswell.web.app import create_app


def serve(settings: Settings, host: str, port: int, listening: Callable[[str], None]) -> None:
    """Serve until a signal ends it; `listening` is called with the URL once the port is taken (0 takes a free one).

    Raises GroundswellError where the address cannot be had.
    """
    with _bind(host, port) as taken:
        named = f"[{host}]" if ":" in host else host
        listening(f"http://{named}:{taken.getsockname()[1]}")
        uvicorn.Server(uvicorn.Config(create_app(settings), log_config=None)).run(sockets=[taken])


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise GroundswellError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.", "Name a free one with --host and --port."
        ) from None
