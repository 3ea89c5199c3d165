"""Parts of long lists, newest first: runs, versions, what a run logged, what the ledger says of a window."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from groundswell.records import LedgerEntry, ModelVersion, Window
from groundswell.store import ledger, tables
from groundswell.store.database import Database

_runs, _versions, _lines = tables.runs, tables.model_versions, tables.run_lines
_NEWEST = (_runs.c.started_at.desc(), _runs.c.id)
#: What a run is known by; its report may be long.
_HEAD = (_runs.c.id, _runs.c.kind, _runs.c.window, _runs.c.status, _runs.c.started_at, _runs.c.finished_at)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is asked for: at most `limit` entries after the first `offset`."""

    limit: int = 50
    offset: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """How many runs of a kind ended in one way."""

    kind: str
    status: str
    n: int


def runs_of(
    database: Database,
    part: Part,
    kind: str | None = None,
    statuses: Sequence[str] | None = None,
    window: str | None = None,
) -> list[dict[str, Any]]:
    """Return that part of the runs, newest first, with all columns."""
    chosen = sa.select(_runs).order_by(*_NEWEST).limit(part.limit).offset(part.offset)
    chosen = chosen if kind is None else chosen.filter_by(kind=kind)
    chosen = chosen if statuses is None else chosen.where(_runs.c.status.in_(statuses))
    chosen = chosen if window is None else chosen.filter_by(window=window)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(chosen).mappings()]


def count_runs(database: Database) -> list[Counted]:
    """Return how many runs there are of each kind and end."""
    counted = sa.select(_runs.c.kind, _runs.c.status, sa.func.count()).group_by(_runs.c.kind, _runs.c.status)
    with database.read() as connection:
        return [Counted(*row) for row in connection.execute(counted.order_by(_runs.c.kind, _runs.c.status))]


def last_runs(database: Database) -> list[dict[str, Any]]:
    """Return the newest run of each kind and window, without its report, newest first."""
    place = sa.func.row_number().over(partition_by=(_runs.c.kind, _runs.c.window), order_by=_NEWEST).label("place")
    ranked = sa.select(*_HEAD, place).subquery()
    newest = sa.select(ranked).where(ranked.c.place == 1).order_by(ranked.c.started_at.desc(), ranked.c.id)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(newest).mappings()]


def run_at(database: Database, kinds: Sequence[str], window: str, at: datetime) -> str | None:
    """Return the id of the run of the window that was under way at the moment; None where none is known."""
    before = sa.select(_runs.c.id, _runs.c.finished_at).filter_by(window=str(window)).where(_runs.c.kind.in_(kinds))
    before = before.where(_runs.c.started_at <= at).order_by(*_NEWEST).limit(1)
    with database.read() as connection:
        row = connection.execute(before).first()
    return None if row is None or (row.finished_at is not None and row.finished_at < at) else str(row.id)


def lines_of(database: Database, run_id: str, limit: int) -> list[dict[str, Any]]:
    """Return the last lines that a run logged, in their order: number, at, level and said."""
    columns = (_lines.c.number, _lines.c.at, _lines.c.level, _lines.c.said)
    wanted = sa.select(*columns).filter_by(run_id=str(uuid.UUID(run_id))).order_by(_lines.c.number.desc()).limit(limit)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()][::-1]


def versions_of(database: Database, part: Part, window: str | None = None) -> list[ModelVersion]:
    """Return that part of the versions of the window, or of all of them, newest first."""
    chosen = sa.select(_versions).order_by(_versions.c.version.desc()).limit(part.limit).offset(part.offset)
    chosen = chosen if window is None else chosen.filter_by(window=str(window))
    with database.read() as connection:
        rows = connection.execute(chosen).mappings()
        return [ModelVersion(**{**row, "window": Window(row["window"])}) for row in rows]


def count_versions(database: Database) -> dict[str, int]:
    """Return how many versions each window has."""
    counted = sa.select(_versions.c.window, sa.func.count().label("n")).group_by(_versions.c.window)
    with database.read() as connection:
        return {row.window: row.n for row in connection.execute(counted)}


def moves_of(database: Database, window: str, limit: int = 200) -> list[dict[str, Any]]:
    """Return the newest moves of a window's champion as the ledger has them, newest first, with `at` and `kind`."""
    own, kinds = tables.ledger.c, (ledger.PROMOTE, ledger.ROLLBACK)
    # The window stands inside the payload's canonical text, quoted.
    said = own.payload.contains(f'"window":"{window}"', autoescape=True)
    chosen = sa.select(tables.ledger).where(own.kind.in_(kinds), said).order_by(own.seq.desc()).limit(limit)
    with database.read() as connection:
        entries = [LedgerEntry(**row) for row in connection.execute(chosen).mappings()]
    return [{**ledger.payload_of(entry), "at": entry.at, "kind": entry.kind} for entry in entries]
