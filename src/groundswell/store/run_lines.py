"""What runs logged: lines are only ever added, in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from groundswell.store import tables
from groundswell.store.database import Database


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line of a run's log; `number` counts them from 1."""

    number: int
    at: datetime
    level: str
    said: str


def add(database: Database, run_id: str, lines: Sequence[Line]) -> None:
    """Store lines of a run: all of them, or none."""
    if not lines:
        return
    with database.begin() as connection:
        connection.execute(
            sa.insert(tables.run_lines), [{"run_id": run_id, **dataclasses.asdict(one)} for one in lines]
        )
