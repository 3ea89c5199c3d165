"""Runs that need no lease: what was taken in is noted once it is done, or has failed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from groundswell.records import as_json
from groundswell.store import tables
from groundswell.store.database import Database


def now(database: Database) -> datetime:
    """Return the time by the clock that all processes share."""
    with database.read() as connection:
        return database.now(connection)


def note_run(database: Database, kind: str, status: str, report: Mapping[str, Any], started_at: datetime) -> str:
    """Return the id under which a run that has just ended was recorded, with its report."""
    run_id = str(uuid.uuid4())
    with database.begin() as connection:
        ended = {
            "id": run_id,
            "kind": kind,
            "window": None,
            "status": status,
            "started_at": started_at,
            "finished_at": database.now(connection),
            "report": as_json(report),
        }
        connection.execute(sa.insert(tables.runs), ended)
    return run_id
