"""How many rows there are, by day, platform and source: counts that read a whole table, so ask for them rarely."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from groundswell.store import tables
from groundswell.store.columns import of_metadata, text_of
from groundswell.store.database import Columns, Database

_VIDEOS, _SNAPSHOTS, _PREDICTIONS = tables.scraped_videos.c, tables.snapshots.c, tables.predictions.c
_VIDEO_COUNTS: Columns = {
    "day": pl.String,
    "platform": pl.String,
    "source": pl.String,
    "archived": pl.Int64,
    "n": pl.Int64,
}


def count_videos(database: Database) -> pl.DataFrame:
    """Return how many videos were stored by day (UTC, null where unknown), platform, source and whether archived."""
    archived = sa.case((_VIDEOS.archived_at.is_not(None), 1), else_=0)
    platform = sa.func.coalesce(_VIDEOS.platform, "tiktok")
    by = (_day(database, _VIDEOS.created_at), platform, of_metadata(database, "source"), archived)
    return _counted(database, by, _VIDEO_COUNTS)


def count_readings(database: Database) -> pl.DataFrame:
    """Return how many readings were recorded by day (UTC)."""
    return _counted(database, (_day(database, _SNAPSHOTS.recorded_at),), {"day": pl.String, "n": pl.Int64})


def count_predictions(database: Database, since: datetime) -> pl.DataFrame:
    """Return how many predictions were made since then, by day (UTC) and window."""
    by = (_day(database, _PREDICTIONS.predicted_at), _PREDICTIONS.window)
    schema: Columns = {"day": pl.String, "window": pl.String, "n": pl.Int64}
    return _counted(database, by, schema, _PREDICTIONS.predicted_at >= since)


def _counted(
    database: Database, by: tuple[sa.ColumnElement[Any], ...], schema: Columns, *where: sa.ColumnElement[bool]
) -> pl.DataFrame:
    named = [column.label(name) for column, name in zip(by, schema, strict=False)]
    inner = sa.select(*named).where(*where).subquery()
    statement = sa.select(*inner.c, sa.func.count()).group_by(*inner.c)
    with database.read() as connection:
        rows = [tuple(row) for row in connection.execute(statement)]
    return pl.DataFrame(rows, pl.Schema(schema), orient="row").sort(list(schema), nulls_last=True)


def _day(database: Database, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    if database.is_postgres:
        return sa.func.to_char(sa.func.timezone(sa.literal("UTC", sa.Text), column), "YYYY-MM-DD")
    return sa.func.substr(text_of(database, sa.type_coerce(column, sa.Text)), 1, 10)


def any_video(database: Database) -> bool:
    """Return whether a video is stored at all."""
    with database.read() as connection:
        return connection.execute(sa.select(_VIDEOS.id).limit(1)).first() is not None
