"""A server of several processes: a promotion reaches all of them, and whoever is killed is replaced."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.process import VIDEO, Place, Server, expire_lease, made_up, until, write_export

LENIENT = {"GROUNDSWELL_MARGIN": "1"}


@pytest.fixture(scope="module")
def twice_trained(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with two versions, of which the second serves: look, do not touch."""
    place = Place(tmp_path_factory.mktemp("twice"))
    place.run("ingest", str(write_export(place.folder / "export.jsonl", made_up(600))))
    for version in (1, 2):
        assert place.json("retrain", environment=LENIENT)["modelVersion"] == version
    return place


@pytest.fixture
def place(twice_trained: Place, tmp_path: Path) -> Place:
    return twice_trained.copy(tmp_path)


@contextmanager
def served(place: Place, *arguments: str) -> Iterator[Any]:
    """Yield a server's process and its URL; whatever happens, it is gone afterwards."""
    process = place.start("serve", "--port", "0", "--json", *arguments)
    try:
        assert process.stdout is not None
        yield process, Server(json.loads(process.stdout.readline())["url"])
    finally:
        process.kill()
        process.communicate()


def present(place: Place) -> dict[int, Any]:
    """Return what each worker in the list says it serves, by its process."""
    return {pid: json.loads(serving) for pid, serving in place.sql("select pid, serving from workers")}


def all_serve(place: Place, version: int, n: int) -> bool:
    return list(present(place).values()) == [{"observed": version}] * n


def seconds_to_completion(place: Place) -> float:
    ((moved, completed),) = place.sql("select moved_at, completed_at from aliases")
    return (datetime.fromisoformat(completed) - datetime.fromisoformat(moved)).total_seconds()


def test_a_promotion_reaches_every_worker_and_is_complete_only_then(place: Place) -> None:
    with served(place, "--no-scheduler", "--workers", "2") as (process, server):
        until(lambda: all_serve(place, 2, 2), "two workers serve version 2")
        assert server.predict(VIDEO)[0]["modelVersion"] == 2
        first, second = present(place)
        os.kill(first, signal.SIGSTOP)
        try:
            place.run("models", "rollback")
            until(lambda: present(place).get(second) == {"observed": 1}, "the other worker serves version 1")
            assert place.sql("select version, completed_at from aliases") == [(1, None)]
        finally:
            os.kill(first, signal.SIGCONT)
        until(lambda: place.sql("select completed_at from aliases") != [(None,)], "the promotion is complete")
        assert all_serve(place, 1, 2)
        place.run("models", "promote", "2")
        until(lambda: place.sql("select completed_at from aliases") != [(None,)], "the promotion is complete")
        assert all_serve(place, 2, 2)
        assert seconds_to_completion(place) < 5
        assert {server.predict(VIDEO)[0]["modelVersion"] for _ in range(20)} == {2}
        process.terminate()
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, b""), err.decode()
        assert "Traceback" not in err.decode(), err.decode()
    assert present(place) == {}


def test_a_worker_that_was_killed_is_replaced(place: Place) -> None:
    with served(place, "--no-scheduler", "--workers", "2") as (process, server):
        until(lambda: all_serve(place, 2, 2), "two workers serve version 2")
        killed, left = present(place)
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(set(present(place)) - {killed}) == 2, "there is a new worker")
        assert left in present(place)
        assert server.predict(VIDEO)[0]["modelVersion"] == 2
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_workers_whose_supervisor_was_killed_end_too(place: Place) -> None:
    with served(place, "--no-scheduler", "--workers", "2") as (process, _server):
        until(lambda: all_serve(place, 2, 2), "two workers serve version 2")
        process.kill()
        until(lambda: present(place) == {}, "the workers have left")


def test_another_process_leads_when_the_leader_is_killed(place: Place) -> None:
    def leader() -> int | None:
        found = place.sql("select w.pid from leases l join workers w on w.id = l.holder where l.name = 'scheduler'")
        return found[0][0] if found else None

    with ExitStack() as stack:
        processes = {}
        for _ in range(2):
            process, _server = stack.enter_context(served(place))
            processes[process.pid] = process
        until(lambda: len(present(place)) == 2 and leader() is not None, "one of two leads")
        killed = leader()
        assert killed is not None
        processes.pop(killed).kill()
        expire_lease(place)
        (heir,) = processes
        until(lambda: leader() == heir, "the other leads")
        processes[heir].terminate()
        processes[heir].communicate(timeout=60)
    assert place.sql("select * from leases") == []


def test_any_worker_tells_the_metrics_of_all(place: Place) -> None:
    def count(server: Server) -> float:
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        (sample,) = re.findall(r'^groundswell_request_seconds_count\{.*route="/healthz".*\} (.*)$', text, re.MULTILINE)
        return float(sample)

    with served(place, "--no-scheduler", "--workers", "2") as (process, server):
        until(lambda: all_serve(place, 2, 2), "two workers serve version 2")
        for _ in range(40):
            assert server.get("/healthz").status == 200
        until(lambda: count(server) == 40, "all forty are counted")
        killed, _ = present(place)
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(set(present(place)) - {killed}) == 2, "there is a new worker")
        assert count(server) == 40
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 0
