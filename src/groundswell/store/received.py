"""Calls of a scraper that were taken in: each run of it once, with what became of its items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from groundswell.records import as_json
from groundswell.store import tables
from groundswell.store.database import Database

_received = tables.received


def find(database: Database, source: str, run_id: str) -> dict[str, Any] | None:
    """Return what became of a run's items; None where that run was not taken in."""
    with database.read() as connection:
        return _find(connection, source, run_id)


def note(database: Database, source: str, run_id: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report that stands for the run from now on: this one, unless another was noted before."""
    with database.begin() as connection:
        row = {
            "source": source,
            "run_id": run_id,
            "received_at": database.now(connection),
            "report": as_json(report),
        }
        connection.execute(database.insert(_received).values(row).on_conflict_do_nothing())
        found = _find(connection, source, run_id)
        assert found is not None  # noqa: S101 # it was written in this transaction, or before it
        return found


def _find(connection: sa.Connection, source: str, run_id: str) -> dict[str, Any] | None:
    report = connection.execute(sa.select(_received.c.report).filter_by(source=source, run_id=run_id)).scalar()
    return None if report is None else dict(report)
