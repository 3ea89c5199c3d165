"""A wire between a client and a server, which a test can cut and mend: the network, as it fails in production."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from pathlib import Path


class Wire:
    """Listens on a port of loopback and passes on whatever comes to a socket in the file system, until it is cut."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start()

    def cut(self) -> None:
        """Refuse new connections and end those that are open."""
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def mend(self) -> None:
        """Accept connections again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start()

    def _start(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._target))
            self._open += [client, server]
            threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    opposite = {one: other, other: one}
    with contextlib.suppress(OSError, ValueError):
        while True:
            for ready in select.select(list(opposite), [], [])[0]:
                data = ready.recv(65_536)
                if not data:
                    return
                opposite[ready].sendall(data)
    one.close()
    other.close()
