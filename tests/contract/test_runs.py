"""Runs and leases: at most one of a kind at a time, on both databases; the tests move the clock."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from groundswell.errors import DatabaseError, LeaseLostError
from groundswell.store import registry, runs, tables
from groundswell.store.database import Database
from tests.contract.clock import AT, Clock


def newest(database: Database) -> dict[str, Any]:
    return runs.recent(database, 1)[0]


def leases(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(tables.leases)).scalar_one()


def begun(database: Database, kind: str, window: str | None, at: datetime) -> str:
    """Record a run that says `running`, without a lease; return its id."""
    run_id = str(uuid.uuid4())
    with database.begin() as connection:
        runs._insert(connection, run_id, kind, window, at)
    return run_id


def abandon(database: Database, kind: str = "retrain", window: str | None = "observed") -> str:
    """Leave behind what a killed process leaves: a held lease and a run that says `running`."""
    run_id = begun(database, kind, window, AT)
    with database.begin() as connection:
        runs._take(database, connection, f"{kind}:{window}", run_id)
    return run_id


def test_a_run_is_recorded_from_start_to_end(database: Database, clock: Clock) -> None:
    with runs.running(database, kind="retrain", window="observed") as run:
        assert newest(database) == {
            "id": run.id,
            "kind": "retrain",
            "window": "observed",
            "status": "running",
            "started_at": AT,
            "finished_at": None,
            "report": None,
        }
        assert leases(database) == 1
        clock.move(7)
        run.finish("completed", {"test_accuracy": 0.61, "at": AT, "loss": float("nan")})
    ended = newest(database)
    assert (ended["status"], ended["finished_at"]) == ("completed", AT + timedelta(seconds=7))
    assert ended["report"] == {"test_accuracy": 0.61, "at": "2026-03-01T12:00:00Z", "loss": None}
    assert leases(database) == 0


def test_a_second_run_is_told_who_runs(database: Database) -> None:
    with runs.running(database, kind="retrain", window="observed") as run:
        with (
            pytest.raises(runs.AlreadyRunningError, match=run.id) as caught,
            runs.running(database, kind="retrain", window="observed"),
        ):
            pass
        assert caught.value.run_id == run.id
        run.lease.check()
        run.finish("completed", {})
    assert len(runs.recent(database)) == 1


def test_other_kinds_and_windows_run_beside_it(database: Database) -> None:
    with (
        runs.running(database, kind="retrain", window="observed") as first,
        runs.running(database, kind="retrain", window="publish") as second,
        runs.running(database, kind="audit") as third,
    ):
        for run in (first, second, third):
            run.lease.check()
            run.finish("completed", {})
    assert {run["status"] for run in runs.recent(database)} == {"completed"}


def test_after_a_run_the_next_one_may_begin(database: Database) -> None:
    for _ in range(2):
        with runs.running(database, kind="audit") as run:
            run.finish("skipped", {"reason": "Insufficient outcome data"})
    assert [run["status"] for run in runs.recent(database)] == ["skipped", "skipped"]


@pytest.mark.parametrize("error", [ValueError("boom"), KeyboardInterrupt()])
def test_a_run_that_raises_is_failed_and_gives_the_lease_back(database: Database, error: BaseException) -> None:
    with pytest.raises(type(error)), runs.running(database, kind="audit"):
        raise error
    assert newest(database)["status"] == "failed"
    assert newest(database)["report"] == {"error": str(error) or "KeyboardInterrupt"}
    assert leases(database) == 0


def test_a_run_without_a_report_is_failed(database: Database) -> None:
    with runs.running(database, kind="audit"):
        pass
    assert newest(database)["status"] == "failed"


def test_a_lease_is_held_until_30_seconds_after_its_last_renewal(database: Database, clock: Clock) -> None:
    killed = abandon(database)
    clock.move(29.9)
    with pytest.raises(runs.AlreadyRunningError) as caught, runs.running(database, kind="retrain", window="observed"):
        pass
    assert caught.value.run_id == killed
    clock.move(0.1)
    with runs.running(database, kind="retrain", window="observed") as run:
        run.finish("completed", {})
    states = {row["id"]: (row["status"], row["report"]) for row in runs.recent(database)}
    assert states == {killed: ("failed", {"error": "lease expired"}), run.id: ("completed", {})}


def test_a_clock_set_back_does_not_block_the_next_run(database: Database, clock: Clock) -> None:
    abandon(database)
    clock.move(-3600)
    with runs.running(database, kind="retrain", window="observed") as run:
        run.finish("completed", {})


def test_only_runs_of_the_same_kind_and_window_are_given_up(database: Database, clock: Clock) -> None:
    other = begun(database, "retrain", "publish", AT)
    with runs.running(database, kind="retrain", window="observed") as run:
        run.finish("completed", {})
    assert {row["id"]: row["status"] for row in runs.recent(database)}[other] == "running"


def test_a_renewal_extends_the_lease(database: Database, clock: Clock) -> None:
    with runs.running(database, kind="audit") as run:
        clock.move(20)
        run.lease.renew()
        clock.move(20)
        run.lease.check()
        run.finish("completed", {})


def test_an_expired_lease_is_lost_even_if_nobody_took_it(database: Database, clock: Clock) -> None:
    with runs.lease(database, "audit", "first") as held:
        clock.move(30)
        for attempt in (held.renew, held.check):
            with pytest.raises(LeaseLostError, match="nothing was published"):
                attempt()


def test_a_lease_taken_by_another_is_lost_and_left_to_it(database: Database, clock: Clock) -> None:
    with runs.lease(database, "audit", "first") as first:
        clock.move(31)
        with runs.lease(database, "audit", "second") as second:
            with pytest.raises(LeaseLostError):
                first.check()
            first.release()
            second.check()


def test_a_promotion_without_its_lease_publishes_nothing(database: Database, clock: Clock) -> None:
    with runs.lease(database, "retrain:observed", "first") as held:
        clock.move(31)
        with pytest.raises(LeaseLostError):
            registry.promote(
                database,
                window="observed",
                artifact="a",
                training_rows="t",
                source="scraped_videos",
                lineage={},
                evaluation={},
                decision={},
                expected=None,
                at=AT,
                lease=held,
            )
    assert registry.versions(database) == []


def test_of_many_starting_at_once_one_runs(database: Database) -> None:
    barrier, done = threading.Barrier(4), threading.Barrier(4)

    def attempt(_number: int) -> str | None:
        barrier.wait()
        try:
            with runs.running(database, kind="retrain", window="observed") as run:
                done.wait(20)
                run.finish("completed", {})
                return None
        except runs.AlreadyRunningError as error:
            done.wait(20)
            return error.run_id

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(attempt, range(4)))
    (only,) = runs.recent(database)
    assert sorted(told, key=str) == sorted([None, only["id"], only["id"], only["id"]], key=str)


def test_the_thread_renews_and_outlives_an_outage(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two renewals fail as in an outage; the thread goes on and renews when the database is back."""
    monkeypatch.setattr(runs, "RENEW_SECONDS", 0.001)
    renewed, tries = threading.Event(), iter(range(1_000_000))
    renew = runs.Lease.renew

    def unsteady(lease: runs.Lease) -> None:
        if next(tries) < 2:
            raise DatabaseError("the server is away")
        renew(lease)
        renewed.set()

    monkeypatch.setattr(runs.Lease, "renew", unsteady)
    with runs.lease(database, "audit", "11111111-1111-1111-1111-111111111111") as held:
        assert renewed.wait(20)
        held.check()


def test_the_thread_ends_when_the_lease_is_lost_or_released(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RENEW_SECONDS", 0.001)
    with runs.lease(database, "audit", "first") as held:
        clock.move(31)
        held._thread.join(20)
        assert not held._thread.is_alive()
    monkeypatch.setattr(runs, "RENEW_SECONDS", 1000)
    with runs.lease(database, "harvest", "second") as held:
        pass
    assert not held._thread.is_alive()


def test_recent_runs_come_newest_first_and_no_more_than_asked(database: Database) -> None:
    ids = [begun(database, "ingest", None, AT + timedelta(seconds=n)) for n in range(3)]
    with database.begin() as connection:
        runs._finish(connection, ids[2], "completed", {"read": 5}, AT)
    assert [run["id"] for run in runs.recent(database, 2)] == [ids[2], ids[1]]
    assert runs.recent(database, 1)[0]["report"] == {"read": 5}


ENDED = ("completed", "skipped", "failed")


def test_reports_are_those_of_a_kind_that_has_ended_newest_first(database: Database) -> None:
    ids = [begun(database, "audit", None, AT + timedelta(seconds=n)) for n in range(4)]
    begun(database, "harvest", None, AT)
    assert runs.reports(database, "audit", ENDED, 9) == []
    for n in (0, 1, 3):
        with database.begin() as connection:
            runs._finish(connection, ids[n], "completed", {"n": n}, AT)
    assert [run["id"] for run in runs.reports(database, "audit", ENDED, 9)] == [ids[3], ids[1], ids[0]]
    assert [run["report"] for run in runs.reports(database, "audit", ENDED, 2)] == [{"n": 3}, {"n": 1}]
    assert runs.reports(database, "harvest", ENDED, 9) == []


def test_a_run_is_found_by_its_id(database: Database) -> None:
    run_id = begun(database, "audit", None, AT)
    found = runs.find(database, run_id.upper())
    assert found is not None
    assert (found["id"], found["kind"], found["report"], found["started_at"]) == (run_id, "audit", None, AT)
    for unknown in (str(uuid.UUID(int=9)), "nine", "", "\x00"):
        assert runs.find(database, unknown) is None


def test_whatever_lost_its_lease_is_failed_once_and_what_holds_one_runs_on(database: Database, clock: Clock) -> None:
    killed = abandon(database)
    clock.move(29)
    with runs.running(database, kind="audit"):
        assert runs.fail_abandoned(database) == []
        clock.move(1)
        assert runs.fail_abandoned(database) == [(killed, "retrain", "observed")]
        assert runs.fail_abandoned(database) == []
    ended = runs.find(database, killed)
    assert ended is not None
    assert (ended["status"], ended["report"]) == ("failed", {"error": "lease expired"})
    assert newest(database)["kind"] == "audit"
    assert runs.fail_abandoned(database) == []


def test_a_run_whose_lease_another_took_is_abandoned(database: Database, clock: Clock) -> None:
    killed = abandon(database)
    clock.move(31)
    with runs.lease(database, "retrain:observed", "another"):
        assert runs.fail_abandoned(database) == [(killed, "retrain", "observed")]
