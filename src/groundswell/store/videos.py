"""Scraped videos and their snapshots: how what an export says is found again, written and appended.

`scraped_videos` belongs to the user's product. We fill its columns and five keys of its `metadata`, and leave
every other key as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson
import polars as pl
import sqlalchemy as sa

from groundswell import parsing
from groundswell.frames import KEY, MOMENT, VIDEO_SCHEMA, list_series
from groundswell.store import bulk
from groundswell.store.tables import SCHEMA, moment_text

#: Our keys in `metadata`, and the canonical columns they hold.
METADATA = {
    "bookmarks": "saves",
    "followers": "author_followers",
    "uploaded_at": "posted_at",
    "scraped_at": "scraped_at",
    "source": "source",
}
#: The canonical columns that are columns of the table.
COLUMNS = tuple(name for name in VIDEO_SCHEMA if name not in METADATA.values())
_READERS: dict[str, Callable[[Any], Any]] = {
    name: parsing.count if dtype == pl.Int64 else parsing.moment if dtype == MOMENT else parsing.text
    for name, dtype in VIDEO_SCHEMA.items()
} | {"hashtags": parsing.tags, "duration_seconds": parsing.seconds}
_ISO = "%Y-%m-%dT%H:%M:%S%.fZ"
_SNAPSHOTS = f"{SCHEMA}.snapshots"
_SNAPSHOT_COLUMNS = (*KEY, "observed_at", "views", "likes", "shares", "comments", "saves", "author_followers")


def stored(connection: sa.Connection, videos: pl.DataFrame) -> pl.DataFrame:
    """Return the stored form of those of the videos that are stored: VIDEO_SCHEMA, and `metadata` as raw JSON text.

    A value that somebody else wrote and that we cannot read is null here, and stays as it is in the table.
    """
    rows = bulk.select_by_key(connection, "scraped_videos", (*COLUMNS, "metadata"), videos.select(KEY).rows())
    found = dict(zip((*COLUMNS, "metadata"), zip(*rows, strict=True), strict=True)) if rows else {}
    metadata = [_text(value) for value in found.pop("metadata", ())]
    objects = [_object(value) for value in metadata]
    values: dict[str, Iterable[Any]] = dict(found)
    values |= {column: [value.get(name) for value in objects] for name, column in METADATA.items()}
    columns = [_series(name, list(values.get(name, ()))) for name in VIDEO_SCHEMA]
    return pl.DataFrame([*columns, pl.Series("metadata", metadata, dtype=pl.String)])


def insert(connection: sa.Connection, videos: pl.DataFrame, moment: datetime) -> None:
    """Add videos that are not stored yet, created and updated at the moment."""
    if videos.is_empty():
        return
    at = _stamp(connection, moment)
    metadata = [_merged(None, own) for own in _own(videos)]
    rows = [
        (str(uuid4()), *row, own, at, at) for row, own in zip(_table_rows(connection, videos), metadata, strict=True)
    ]
    bulk.insert(connection, "scraped_videos", ("id", *COLUMNS, "metadata", "created_at", "updated_at"), rows)


def update(connection: sa.Connection, videos: pl.DataFrame, before: pl.DataFrame, moment: datetime) -> None:
    """Give stored videos their new form; `before` is what `stored` returned for them."""
    if videos.is_empty():
        return
    olds = videos.select(KEY).join(before, on=KEY, how="left", maintain_order="left")["metadata"]
    metadata = [_merged(old, own) for old, own in zip(olds, _own(videos), strict=True)]
    at = _stamp(connection, moment)
    rows = [(*row, own, at) for row, own in zip(_table_rows(connection, videos), metadata, strict=True)]
    bulk.update(connection, "scraped_videos", (*COLUMNS, "metadata", "updated_at"), rows)


def append_snapshots(connection: sa.Connection, readings: pl.DataFrame, moment: datetime) -> int:
    """Append readings and return how many were new; of a moment that is there already the stored one stays."""
    if readings.is_empty():
        return 0
    rows = _snapshot_rows(connection, readings, moment)
    return bulk.insert(connection, _SNAPSHOTS, (*_SNAPSHOT_COLUMNS, "recorded_at"), rows)


def correct_snapshots(connection: sa.Connection, readings: pl.DataFrame, moment: datetime) -> int:
    """Correct the stored readings of the same video and moment that had fewer views; return how many those were.

    Of two readings of one moment the one with more views holds, in whatever order they come.
    """
    if readings.is_empty():
        return 0
    rows = _snapshot_rows(connection, readings, moment)
    return bulk.raise_counts(
        connection, _SNAPSHOTS, (*_SNAPSHOT_COLUMNS, "recorded_at"), rows, key=(*KEY, "observed_at"), by="views"
    )


def _series(column: str, values: Sequence[Any]) -> pl.Series:
    """Return stored values as a column: at once where all are as we write them, else one by one, leniently."""
    try:
        return _written_by_us(column, values)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        read = [parsing.lenient(_READERS[column], value) for value in values]
    return list_series(column, read) if column == "hashtags" else pl.Series(column, read, dtype=VIDEO_SCHEMA[column])


def _written_by_us(column: str, values: Sequence[Any]) -> pl.Series:
    if VIDEO_SCHEMA[column] == MOMENT:
        texts = pl.Series(column, values, dtype=pl.String)
        return texts.str.to_datetime(_ISO, time_unit="us", strict=True).dt.replace_time_zone("UTC")
    if column != "hashtags":
        return pl.Series(column, values, dtype=VIDEO_SCHEMA[column], strict=True)
    if any(isinstance(value, list) for value in values):
        return list_series(column, values)
    return pl.Series(column, values, dtype=pl.String).str.json_decode(pl.List(pl.String))


def _text(metadata: Any) -> str | None:
    return metadata if metadata is None or isinstance(metadata, str) else str(metadata)


def _object(metadata: str | None) -> dict[str, Any]:
    value = _json(metadata)
    return value if isinstance(value, dict) else {}


def _json(metadata: str | None) -> Any:
    try:
        return orjson.loads(metadata) if metadata else None
    except orjson.JSONDecodeError:
        return metadata


def _merged(metadata: str | None, own: dict[str, Any]) -> str:
    """Return metadata with our keys in it; what is there and is no object is kept under `previous`.

    >>> _merged('{"team": 3, "bookmarks": 1}', {"bookmarks": 2, "followers": None})
    '{"team":3,"bookmarks":2}'
    >>> _merged('"text"', {"bookmarks": 2})
    '{"previous":"text","bookmarks":2}'
    """
    before = _json(metadata)
    if not isinstance(before, dict):
        before = {"previous": before} if before else {}
    return orjson.dumps(before | {name: value for name, value in own.items() if value is not None}).decode()


def _own(videos: pl.DataFrame) -> list[dict[str, Any]]:
    """Return our keys of `metadata` of each video, times in ISO 8601 UTC."""
    times = pl.col("posted_at", "scraped_at").dt.strftime(_ISO)
    return videos.with_columns(times).select(pl.col(column).alias(name) for name, column in METADATA.items()).to_dicts()


def _table_rows(connection: sa.Connection, videos: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return the values of COLUMNS row by row; a list is JSON text on SQLite."""
    if connection.dialect.name == "postgresql":
        return videos.select(COLUMNS).rows()
    tags = [None if value is None else orjson.dumps(value).decode() for value in videos["hashtags"].to_list()]
    return videos.select(COLUMNS).with_columns(pl.Series("hashtags", tags, dtype=pl.String)).rows()


def _times_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with its times as text that both databases read: microseconds, in UTC."""
    return frame.with_columns(pl.col("observed_at").dt.strftime("%Y-%m-%d %H:%M:%S%.6f"))


def _snapshot_rows(connection: sa.Connection, readings: pl.DataFrame, moment: datetime) -> list[tuple[Any, ...]]:
    lacking = (
        [pl.lit(None, dtype=pl.Int64).alias("author_followers")] if "author_followers" not in readings.columns else []
    )
    frame = readings.rename({"scraped_at": "observed_at"}).with_columns(lacking).select(_SNAPSHOT_COLUMNS)
    at = _stamp(connection, moment)
    return [(*row, at) for row in _times_as_text(frame).rows()]


def _stamp(connection: sa.Connection, moment: datetime) -> str:
    text = moment_text(moment)
    return f"{text}+00" if connection.dialect.name == "postgresql" else text
