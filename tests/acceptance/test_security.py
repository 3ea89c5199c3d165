"""The server on its guard: who may reach it, what it takes, and what it says of itself, over a real connection."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.conftest import API_KEY, CRON
from tests.acceptance.process import VIDEO, Place, Server, serving

BEARER = f"Authorization: Bearer {API_KEY}"
MEGABYTE = 1_000_000
#: How long a body may take; an answer, too, on a machine that has other work.
LIMIT_SECONDS = 4


@pytest.fixture(scope="module")
def guarded(furnished: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a key, that waits four seconds at most and takes 4 MB."""
    place = furnished.copy(
        tmp_path_factory.mktemp("guarded"),
        CRON_SECRET=CRON,
        GROUNDSWELL_API_KEY=API_KEY,
        GROUNDSWELL_REQUEST_SECONDS=f"{LIMIT_SECONDS}",
        GROUNDSWELL_MAX_BODY_MB="4",
    )
    with serving(place) as running:
        yield running


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        yield connection


def head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", "")).encode()


def answered(connection: socket.socket) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and body of the one answer on a connection."""
    file = connection.makefile("rb")
    status = int(file.readline().split()[1])
    headers = {}
    while (line := file.readline().strip()) != b"":
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    return status, headers, file.read(int(headers["content-length"]))


def memory(server: Server) -> int:
    """Return the most memory that the server's process ever held, in bytes."""
    port = urlsplit(server.url).port
    inode = next(
        line.split()[9]
        for name in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(name).read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    )
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(f"socket:[{inode}]" in str(entry.readlink()) for entry in (process / "fd").iterdir()):
                peak = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM"))
                return int(peak.split()[1]) * 1_024
    raise AssertionError("the server has no process")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_beyond_loopback_it_does_not_listen_without_keys(place: Place, host: str) -> None:
    refused = place.run("serve", "--host", host, "--port", "0", code=1)
    assert "no key is set" in refused.err
    assert "GROUNDSWELL_API_KEY" in refused.err
    assert not refused.out


def test_beyond_loopback_it_listens_with_keys(place: Place) -> None:
    process = place.start(
        "serve", "--host", "0.0.0.0", "--port", "0", "--json", environment={"GROUNDSWELL_API_KEY": API_KEY}
    )
    try:
        assert process.stdout
        assert json.loads(process.stdout.readline())["status"] == "listening"
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_a_hundred_megabytes_is_413_and_costs_no_memory(guarded: Server, chunked: bool) -> None:
    with connected(guarded) as connection:  # what a large but allowed body costs anyway
        connection.sendall(
            head("POST", "/api/predict", BEARER, f"Content-Length: {4 * MEGABYTE}") + b" " * 4 * MEGABYTE
        )
        assert answered(connection)[0] == 422
    before = memory(guarded)
    size = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {100 * MEGABYTE}"
    with connected(guarded) as connection:
        connection.sendall(head("POST", "/api/predict", BEARER, "Content-Type: application/json", size))
        part = b" " * MEGABYTE
        for _ in range(100):
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        status, headers, body = answered(connection)
    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(body)["error"] == "The body is larger than 4 MB."
    assert "content-security-policy" in headers
    assert memory(guarded) - before < 20 * MEGABYTE


def test_a_report_in_one_file_runs_nothing_and_loads_nothing(guarded: Server) -> None:
    run_id = guarded.get("/api/cron/calibration-audit", authorization=f"Bearer {CRON}").body["runId"]
    with connected(guarded) as connection:
        connection.sendall(head("GET", f"/api/audits/{run_id}?format=html", BEARER))
        status, headers, page = answered(connection)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<style>" in page
    policy = headers["content-security-policy"]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("path", ["/api/predict", "/api/outcomes"])
def test_a_slow_client_is_408_and_others_are_answered_meanwhile(guarded: Server, path: str) -> None:
    with connected(guarded) as connection:
        connection.sendall(head("POST", path, BEARER, "Content-Type: application/json", "Content-Length: 1000") + b"{")
        begun = time.monotonic()
        (answer,) = guarded.predict(VIDEO, authorization=f"Bearer {API_KEY}")
        assert answer["modelVersion"] == 1
        status, _, body = answered(connection)
        assert status == 408
        assert LIMIT_SECONDS - 0.5 < time.monotonic() - begun < 30
        assert set(json.loads(body)) == {"error", "hint"}


def test_a_slow_stranger_is_told_without_being_waited_for(guarded: Server) -> None:
    with connected(guarded) as connection:
        connection.sendall(head("POST", "/api/predict", "Content-Type: application/json", "Content-Length: 1000"))
        assert answered(connection)[0] == 401  # who is waited for gets 408


@pytest.mark.parametrize("headers", [["X: " + "x" * 66_000], [f"X-{n}: {'x' * 1_000}" for n in range(100)]])
def test_a_head_that_is_too_large_is_431(guarded: Server, headers: list[str]) -> None:
    with connected(guarded) as connection:
        connection.sendall(head("GET", "/healthz", *headers))
        status, said, body = answered(connection)
    assert (status, said["connection"]) == (431, "close")
    assert set(json.loads(body)) == {"error", "hint"}


def test_a_head_without_end_costs_no_memory(guarded: Server) -> None:
    before = memory(guarded)
    with connected(guarded) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        for _ in range(100):
            connection.sendall(b"x" * MEGABYTE)
    assert memory(guarded) - before < 20 * MEGABYTE
    assert guarded.get("/healthz").status == 200


def test_an_address_of_a_long_caption_is_read(guarded: Server) -> None:
    assert guarded.get(f"/api/today?{'x' * 40_000}", authorization=f"Bearer {API_KEY}").status == 200


def test_one_connection_asks_often(guarded: Server) -> None:
    with connected(guarded) as connection:
        for _ in range(200):
            connection.sendall(head("GET", "/healthz", "X: " + "x" * 1_000))
            assert answered(connection)[0] == 200


def test_ten_wrong_keys_at_the_door(furnished: Place, tmp_path: Path) -> None:
    with serving(furnished.copy(tmp_path, GROUNDSWELL_API_KEY=API_KEY)) as server:
        parts = urlsplit(server.url)

        def log_in(key: str) -> tuple[int, dict[str, str]]:
            with connected(server) as connection:
                form = f"key={key}".encode()
                kind = "Content-Type: application/x-www-form-urlencoded"
                connection.sendall(head("POST", "/login", kind, f"Content-Length: {len(form)}") + form)
                status, headers, _ = answered(connection)
                return status, headers

        results: list[int] = []
        guessers = [threading.Thread(target=lambda: results.append(log_in("wrong")[0])) for _ in range(15)]
        for guesser in guessers:
            guesser.start()
        for guesser in guessers:
            guesser.join()
        assert sorted(results) == [401] * 10 + [429] * 5, "guesses at once are counted too"
        status, headers = log_in(API_KEY)
        assert status == 429
        assert 200 < int(headers["retry-after"]) <= 300
        assert parts.port


def test_the_key_is_never_logged(furnished: Place, tmp_path: Path) -> None:
    place = furnished.copy(
        tmp_path, GROUNDSWELL_API_KEY=API_KEY, CRON_SECRET=CRON, GROUNDSWELL_WEBHOOK_SECRET="hook-secret-1"
    )
    process = place.start("serve", "--port", "0", "--no-scheduler", "--json")
    assert process.stdout
    server = Server(json.loads(process.stdout.readline())["url"])
    try:
        server.predict(VIDEO, authorization=f"Bearer {API_KEY}")
        server.post("/api/webhooks/apify?secret=hook-secret-1&runId=r", [])
        server.get(f"/api/cron/calibration-audit?secret={CRON}", authorization=f"Bearer {CRON}")
        server.get(f"/api/today?key={API_KEY}")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert "request" in err.decode()
    for secret in (API_KEY, CRON, "hook-secret-1"):
        assert secret not in err.decode()
