"""The server: a socket that is ours, and the app behind it, in one process or several, until it is told to stop."""

from __future__ import annotations

import functools
import math
import os
import socket
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors import Multiprocess

from groundswell.errors import GroundswellError
from groundswell.settings import Settings
from groundswell.telemetry import METRICS_FOLDER
from groundswell.web.guard.protocol import BoundedProtocol

if TYPE_CHECKING:
    from fastapi import FastAPI

#: A worker that says nothing for so long is replaced. A retrain on all cores may well keep it silent for seconds.
_HUNG_SECONDS = 20


def serve(settings: Settings, host: str, port: int, listening: Callable[[str], None], scheduler: bool = False) -> None:
    """Serve until a signal ends it; `listening` is called with the URL once the port is taken (0 takes a free one).

    With `scheduler`, what is due is run here, by one process of all that share the database. Raises GroundswellError
    where the address cannot be had.
    """
    with _bind(host, port) as taken:
        named = f"[{host}]" if ":" in host else host
        listening(f"http://{named}:{taken.getsockname()[1]}")
        config = uvicorn.Config(
            functools.partial(make_app, settings, scheduler),
            factory=True,
            http=BoundedProtocol,
            ws="none",
            server_header=False,
            log_config=None,
            access_log=False,
            workers=settings.workers,
            # Whoever asks slowly does not hold up the end, whereas a run under way may come to its own.
            timeout_graceful_shutdown=math.ceil(max(settings.request_seconds, settings.time_limit_seconds)) + 5,
            timeout_worker_healthcheck=_HUNG_SECONDS,
        )
        if settings.workers == 1:
            os.environ.pop(METRICS_FOLDER, None)
            uvicorn.Server(config).run(sockets=[taken])
            return
        with tempfile.TemporaryDirectory(prefix="groundswell-metrics-") as folder:
            os.environ[METRICS_FOLDER] = folder
            Multiprocess(config, [taken]).run()


def make_app(settings: Settings, scheduler: bool) -> FastAPI:
    """Return the app of this process; the supervisor of several has no need of it, and so does not import it."""
    from groundswell.logs import configure_logs
    from groundswell.web.app import create_app

    configure_logs("INFO", settings.log_format)
    return create_app(settings, scheduler)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise GroundswellError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.", "Name a free one with --host and --port."
        ) from None
