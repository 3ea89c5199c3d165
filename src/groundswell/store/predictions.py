"""The predictions: every one that was served, with what it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from groundswell.store import tables
from groundswell.store.database import Database


def log(database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store predictions that were served: all of them, or none; each row has the columns of `tables.predictions`."""
    if not rows:
        return
    with database.begin() as connection:
        connection.execute(sa.insert(tables.predictions), [dict(row) for row in rows])
