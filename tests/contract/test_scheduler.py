"""The scheduler: one process of all runs what is due, once, on both databases; the tests move the clock."""

from __future__ import annotations

import queue
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from groundswell.crontab import read_cron
from groundswell.errors import LeaseLostError
from groundswell.jobs.context import Context, Report
from groundswell.scheduling import scheduler
from groundswell.scheduling.plan import Planned
from groundswell.scheduling.scheduler import GRACE, LEASE, Due, Scheduler, leader, run_once
from groundswell.store import runs, tables, workers
from groundswell.store.database import Database
from groundswell.store.runs import AlreadyRunningError
from tests.contract.clock import AT, Clock
from tests.made_up import context_of

HARVEST = Planned("harvest", None, read_cron("* * * * *"))
ONE, TWO = (str(uuid.UUID(int=number)) for number in (1, 2))


@pytest.fixture
def either(tmp_path: Path, database: Database) -> Context:
    """A context on either database."""
    return context_of(tmp_path / "home", database)


@contextmanager
def leads(context: Context, worker: str) -> Iterator[runs.Lease]:
    with runs.lease(context.database, LEASE, worker) as held:
        yield held


def dead_leader(context: Context, renewed_at: datetime) -> None:
    """Leave behind the lease of a leader that was killed."""
    with context.database.begin() as connection:
        connection.execute(sa.insert(tables.leases), {"name": LEASE, "holder": ONE, "renewed_at": renewed_at})


def test_what_is_due_is_run_as_its_command_runs_it(either: Context, clock: Clock) -> None:
    with leads(either, ONE) as held:
        report = run_once(either, held, HARVEST, AT)
    assert report is not None
    assert report.status == "completed"
    (run,) = runs.recent(either.database)
    assert (run["kind"], run["status"]) == ("harvest", "completed")


def test_two_leaders_in_succession_run_it_once(either: Context, clock: Clock) -> None:
    with leads(either, ONE) as held:
        assert run_once(either, held, HARVEST, AT) is not None
    clock.move(3)
    with leads(either, TWO) as held:
        assert run_once(either, held, HARVEST, AT) is None
        clock.move(20)
        assert run_once(either, held, HARVEST, AT + timedelta(seconds=20)) is not None
    assert len(runs.recent(either.database)) == 2


def test_a_run_of_another_window_does_not_stand_for_it(either: Context, clock: Clock) -> None:
    with runs.running(either.database, kind="retrain", window="publish"):
        pass
    assert runs.started_since(either.database, "retrain", "observed", AT) is None
    assert runs.started_since(either.database, "retrain", None, AT) is None
    assert runs.started_since(either.database, "retrain", "publish", AT) is not None
    assert runs.started_since(either.database, "retrain", "publish", AT + timedelta(microseconds=1)) is None


def test_who_lost_the_lead_runs_nothing(either: Context, clock: Clock) -> None:
    with leads(either, ONE) as held:
        clock.move(31)
        with leads(either, TWO), pytest.raises(LeaseLostError):
            run_once(either, held, HARVEST, AT)
    assert runs.recent(either.database) == []


def test_only_one_leads(either: Context, clock: Clock) -> None:
    with leads(either, ONE), pytest.raises(AlreadyRunningError):
        Scheduler(either.settings, lambda: either, TWO)._lead(either)


def test_who_leads_can_be_seen(either: Context, clock: Clock) -> None:
    assert leader(either) is None
    with leads(either, ONE):
        assert leader(either) == ONE
        workers.beat(either.database, ONE, "host", 7, {})
        found = leader(either)
        assert isinstance(found, workers.Worker)
        assert (found.id, found.pid) == (ONE, 7)
        clock.move(31)
        assert leader(either) is None


@pytest.mark.parametrize(
    ("seconds", "left"), [(29, None), (31, timedelta(seconds=31)), (45, timedelta(seconds=45)), (7_200, GRACE)]
)
def test_what_fell_due_while_a_dead_leader_was_waited_for_is_not_missed(
    either: Context, clock: Clock, seconds: int, left: timedelta | None
) -> None:
    dead_leader(either, AT - timedelta(seconds=seconds))
    assert scheduler._left_at(either) == (left and AT - left)


def test_what_was_missed_before_is_not_made_up_for() -> None:
    due: queue.SimpleQueue[Due] = queue.SimpleQueue()
    old = datetime.now(UTC) - timedelta(minutes=3)
    hourly = Planned("audit", None, read_cron(f"{(old - timedelta(minutes=1)).minute} * * * *"))
    timer = scheduler._timer((hourly,), None, due)
    try:
        (job,) = timer.get_jobs()
        assert job.next_run_time > datetime.now(UTC)
    finally:
        timer.shutdown()
    assert due.empty()


def test_a_new_leader_begins_with_what_fell_due_since() -> None:
    due: queue.SimpleQueue[Due] = queue.SimpleQueue()
    left_at = datetime.now(UTC) - timedelta(seconds=59.9)
    timer = scheduler._timer((HARVEST,), left_at, due)
    try:
        found = due.get(timeout=30)
    finally:
        timer.shutdown()
    assert found is not None
    job, moment = found
    assert job == HARVEST
    assert left_at <= moment
    assert (moment.second, moment.microsecond) == (0, 0)


def test_a_scheduler_runs_what_is_due_and_leaves_the_lead(
    tmp_path: Path, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(tmp_path / "home", sqlite_database, schedule_harvest="* * * * *")
    dead_leader(context, datetime.now(UTC) - timedelta(seconds=59.9))
    ran: queue.SimpleQueue[str] = queue.SimpleQueue()

    def run(job: Planned, _context: Context) -> Report:
        ran.put(job.name)
        return Report("completed", {})

    monkeypatch.setattr(scheduler, "_run", run)
    running = Scheduler(context.settings, lambda: context, TWO)
    running.start()
    try:
        assert ran.get(timeout=60) == "harvest"
    finally:
        running.stop()
    assert runs.holder(context.database, LEASE) is None
