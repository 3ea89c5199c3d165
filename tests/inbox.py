"""A channel that alerts are sent to: a server on this machine that keeps what arrives."""

from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Inbox:
    """A channel of the kind json://, and what arrived there."""

    def __init__(self, status: int = 200) -> None:
        self.arrived: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.hold = threading.Event()
        self.hold.set()
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.hold.wait(60)
                inbox.arrived.put(json.loads(body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://ann:s3cret@127.0.0.1:{self.server.server_port}/hook-t0ken"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.hold.set()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def titles(self) -> list[str]:
        found = []
        while not self.arrived.empty():
            found.append(str(self.arrived.get()["title"]))
        return found
