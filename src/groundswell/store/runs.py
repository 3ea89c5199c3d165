"""The runs: what each job did and when, and the leases that let only one of a kind run at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from groundswell.errors import DatabaseError, GroundswellError, LeaseLostError
from groundswell.records import as_json
from groundswell.store import tables
from groundswell.store.database import Database

RENEW_SECONDS = 5.0
EXPIRES_AFTER = timedelta(seconds=30)
#: A renewal under way when the lease is released is given this long; a hung database must not hang the run's end.
_STOP_SECONDS = 10.0

_leases, _runs = tables.leases, tables.runs


class AlreadyRunningError(GroundswellError):
    """A run of the same kind holds the lease; `run_id` names it."""

    hint = "Wait for it to end; if its process was killed, its lease expires 30 seconds after the last renewal."
    http_status = 409

    def __init__(self, name: str, run_id: str) -> None:
        super().__init__(f"A run of {name} is under way: {run_id}.")
        self.run_id = run_id


class Lease:
    """The right of one run to work under a name, kept alive by a thread until it is released."""

    def __init__(self, database: Database, name: str, holder: str) -> None:
        self.name = name
        self.holder = holder
        self._database = database
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease of {name}", daemon=True)

    def start_renewing(self) -> None:
        """Begin to renew the lease every 5 s."""
        self._thread.start()

    def check(self, connection: sa.Connection | None = None) -> None:
        """Raise LeaseLostError unless the lease is still ours.

        With the connection of a write transaction nobody can take the lease before that transaction ends.
        """
        if connection is None:
            with self._database.read() as own:
                row = own.execute(self._mine()).first()
                now = self._database.now(own)
        else:
            row = connection.execute(self._mine().with_for_update()).first()
            now = self._database.now(connection)
        if row is None or _expired(row.renewed_at, now):
            raise LeaseLostError(f"The lease of {self.name} was lost by run {self.holder}; nothing was published.")

    def renew(self) -> None:
        """Extend the lease to 30 s from now; raises LeaseLostError, or DatabaseError where it cannot be told."""
        with self._database.begin() as connection:
            self.check(connection)
            renewed = {"renewed_at": self._database.now(connection)}
            connection.execute(sa.update(_leases).filter_by(name=self.name).values(renewed))

    def release(self) -> None:
        """Give the lease back, if it is still ours, and end the renewals."""
        self._released.set()
        self._thread.join(_STOP_SECONDS)
        with self._database.begin() as connection:
            connection.execute(sa.delete(_leases).filter_by(name=self.name, holder=self.holder))

    def _mine(self) -> sa.Select[tuple[datetime]]:
        return sa.select(_leases.c.renewed_at).filter_by(name=self.name, holder=self.holder)

    def _keep(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            try:
                self.renew()
            except LeaseLostError:
                return  # `check` tells the run before it publishes anything
            except (DatabaseError, sa.exc.SQLAlchemyError):
                continue  # the database may be back before the lease expires


@dataclasses.dataclass(slots=True)
class Run:
    """A run under way: its id, what it is, and the lease that makes it the only one."""

    id: str
    kind: str
    window: str | None
    lease: Lease
    status: str = "running"
    report: Mapping[str, Any] | None = None

    def finish(self, status: str, report: Mapping[str, Any]) -> None:
        """Say how the run ended (`completed`, `skipped`, `failed`); it is stored as the run is left."""
        self.status, self.report = status, report


@contextlib.contextmanager
def lease(database: Database, name: str, holder: str) -> Iterator[Lease]:
    """Hold the lease of that name for the block; raises AlreadyRunningError with the holder's run id.

    A lease that expired, 30 s after its last renewal, is taken over.
    """
    with database.begin() as connection:
        _take(database, connection, name, holder)
    held = Lease(database, name, holder)
    held.start_renewing()
    try:
        yield held
    finally:
        with contextlib.suppress(DatabaseError):  # then it expires by itself
            held.release()


def holder(database: Database, name: str) -> tuple[str, datetime] | None:
    """Return who holds the lease of that name and when it was renewed last; None where nobody does.

    A lease that expired, and that nobody has taken over yet, is returned as well.
    """
    with database.read() as connection:
        row = connection.execute(sa.select(_leases.c.holder, _leases.c.renewed_at).filter_by(name=name)).first()
        return None if row is None else (row.holder, row.renewed_at)


def is_current(renewed_at: datetime, now: datetime) -> bool:
    """Return whether a lease that was renewed then is still held."""
    return not _expired(renewed_at, now)


def started_since(database: Database, kind: str, window: str | None, moment: datetime) -> str | None:
    """Return the id of a run of that kind and window that began at that moment or later; None where none did."""
    begun = sa.select(_runs.c.id).filter_by(kind=kind).where(_runs.c.started_at >= moment)
    begun = begun.where(_runs.c.window.is_not_distinct_from(window and str(window)))
    with database.read() as connection:
        found = connection.execute(begun.order_by(_runs.c.started_at).limit(1)).scalar()
        return None if found is None else str(found)


def fail_abandoned(database: Database) -> list[tuple[str, str, str | None]]:
    """Store as failed whatever claims to run without holding its lease; return id, kind and window of each, once.

    Its process was killed, or stalled for longer than a lease lasts.
    """
    under_way = sa.select(_runs.c.id, _runs.c.kind, _runs.c.window).filter_by(status="running")
    with database.read() as connection:
        if connection.execute(under_way.limit(1)).first() is None:
            return []
    with database.begin() as connection:
        now = database.now(connection)
        held = {row.holder for row in connection.execute(sa.select(_leases)) if not _expired(row.renewed_at, now)}
        gone = [str(row.id) for row in connection.execute(under_way) if str(row.id) not in held]
        ended = sa.update(_runs).filter_by(status="running").where(_runs.c.id.in_(gone)).values(_abandoned(now))
        failed = connection.execute(ended.returning(_runs.c.id, _runs.c.kind, _runs.c.window)) if gone else ()
        return [(str(row.id), row.kind, row.window) for row in failed]


@contextlib.contextmanager
def running(database: Database, *, kind: str, window: str | None = None) -> Iterator[Run]:
    """Record the block as a run, the only one of its kind and window; raises AlreadyRunningError if there is one.

    Left without `finish`, or by an exception, the run is stored as `failed`; so is one that a killed process left
    `running`, by the next that takes its lease.
    """
    run_id = str(uuid.uuid4())
    name = kind if window is None else f"{kind}:{window}"
    with lease(database, name, holder=run_id) as held:
        with database.begin() as connection:
            now = database.now(connection)
            _fail_abandoned(connection, kind, window, now)
            _insert(connection, run_id, kind, window, now)
        run = Run(run_id, kind, window, held)
        try:
            yield run
        except BaseException as error:
            with contextlib.suppress(DatabaseError):  # the first error says more
                _finish_now(database, run_id, "failed", {"error": str(error) or type(error).__name__})
            raise
        if run.report is None:
            run.finish("failed", {"error": "the run ended without a report"})
        _finish_now(database, run_id, run.status, run.report or {})


def recent(database: Database, limit: int = 20) -> list[dict[str, Any]]:
    """Return the newest runs, newest first: id, kind, window, status, started_at, finished_at, report."""
    statement = sa.select(_runs).order_by(_runs.c.started_at.desc(), _runs.c.id).limit(limit)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def reports(database: Database, kind: str, statuses: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Return the newest runs of a kind that ended in one of these ways, newest first, with all columns."""
    ended = sa.select(_runs).filter_by(kind=kind).where(_runs.c.status.in_(statuses), _runs.c.report.is_not(None))
    with database.read() as connection:
        rows = connection.execute(ended.order_by(_runs.c.started_at.desc(), _runs.c.id).limit(limit)).mappings()
        return [dict(row) for row in rows]


def find(database: Database, run_id: str) -> dict[str, Any] | None:
    """Return the run of that id with all columns; None where there is none."""
    try:
        known = str(uuid.UUID(run_id))
    except ValueError:
        return None
    with database.read() as connection:
        row = connection.execute(sa.select(_runs).filter_by(id=known)).mappings().first()
        return dict(row) if row else None


def _take(database: Database, connection: sa.Connection, name: str, holder: str) -> None:
    held = sa.select(_leases.c.holder, _leases.c.renewed_at).filter_by(name=name)
    before = connection.execute(held.with_for_update()).first()
    now = database.now(connection)
    mine = {"holder": holder, "renewed_at": now}
    if before is None:
        added = database.insert(_leases).values(name=name, **mine).on_conflict_do_nothing()
        # Somebody else may have been first since we looked.
        if connection.execute(added.returning(_leases.c.name)).first() is None:
            raise AlreadyRunningError(name, connection.execute(held).one().holder)
    elif _expired(before.renewed_at, now):
        connection.execute(sa.update(_leases).filter_by(name=name).values(mine))
    else:
        raise AlreadyRunningError(name, before.holder)


def _expired(renewed_at: datetime, now: datetime) -> bool:
    # A renewal far in the future is one by a clock that was set back since: no more to be trusted.
    return abs(now - renewed_at) >= EXPIRES_AFTER


def _insert(connection: sa.Connection, run_id: str, kind: str, window: str | None, at: datetime) -> None:
    row = {"id": run_id, "kind": kind, "window": window and str(window), "status": "running", "started_at": at}
    connection.execute(sa.insert(_runs), row)


def _fail_abandoned(connection: sa.Connection, kind: str, window: str | None, now: datetime) -> None:
    # Whoever holds the lease is the only one of its kind: what else claims to run was killed.
    abandoned = sa.update(_runs).filter_by(kind=kind, status="running")
    abandoned = abandoned.where(_runs.c.window.is_not_distinct_from(window and str(window)))
    connection.execute(abandoned.values(_abandoned(now)))


def _abandoned(now: datetime) -> dict[str, Any]:
    return {"status": "failed", "finished_at": now, "report": {"error": "lease expired"}}


def _finish(connection: sa.Connection, run_id: str, status: str, report: Mapping[str, Any], at: datetime) -> None:
    ended = {"status": status, "report": as_json(report), "finished_at": at}
    connection.execute(sa.update(_runs).filter_by(id=run_id).values(ended))


def _finish_now(database: Database, run_id: str, status: str, report: Mapping[str, Any]) -> None:
    with database.begin() as connection:
        _finish(connection, run_id, status, report, database.now(connection))
