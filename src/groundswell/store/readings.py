"""Every reading of every video: the snapshots we appended, and the counters that now stand in scraped_videos."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import sqlalchemy as sa

from groundswell import parsing
from groundswell.frames import MOMENT
from groundswell.store import tables
from groundswell.store.columns import counter, of_keys, of_metadata, pairs_of, text_of, with_keys
from groundswell.store.database import Columns, Database
from groundswell.store.moments import moments

_VIDEOS = tables.scraped_videos.c
_SNAPSHOTS = tables.snapshots.c
_COLUMNS = ("views", "likes", "comments", "shares")
#: Our keys of `metadata` that hold counters.
_IN_METADATA = {"saves": "bookmarks", "author_followers": "followers"}
_COUNTERS = (*_COLUMNS, *_IN_METADATA)
READINGS_SCHEMA: Columns = {"key": pl.String, "observed_at": MOMENT, **dict.fromkeys(_COUNTERS, pl.Int64)}
_CURRENT: Columns = {
    **dict.fromkeys(("id", "platform", "platform_video_id", "observed_at"), pl.String),
    **dict.fromkeys(_COLUMNS, pl.Int64),
    **dict.fromkeys(_IN_METADATA, pl.String),
}


def readings(database: Database, keys: list[str] | None = None, since: datetime | None = None) -> pl.DataFrame:
    """Return every reading, or those of the keys: one row a video and moment, in the order of both (unknown first).

    With `since` only those observed then or later are returned.

    Of several readings of a video at one moment, the unknown one included, the one with most views is returned. The
    columns are those of READINGS_SCHEMA.
    """
    snapshots = _snapshots(database, keys, since)
    # What stands in scraped_videos may be put together from several readings: of a moment that was recorded, the
    # record counts, unless there are more views now. Rows that somebody else wrote have no record.
    recorded = snapshots.select("key", "observed_at", pl.col("views").alias("recorded_views"), known=True)
    marked = _current(database, keys).join(recorded, on=["key", "observed_at"], how="left", nulls_equal=False)
    if since is not None:
        marked = marked.filter(pl.col("observed_at") >= since)
    current = marked.filter(pl.col("known").is_null() | (pl.col("views") > pl.col("recorded_views")))
    every = pl.concat([snapshots, current.select(READINGS_SCHEMA.keys())])
    most = [pl.col(name) for name in _COUNTERS]
    ordered = every.sort(
        "key",
        "observed_at",
        *most,
        descending=[False, False, *(True for _ in most)],
        nulls_last=[False, False, *(True for _ in most)],
    )
    moment = pl.struct("key", "observed_at")
    return ordered.filter(moment.ne_missing(moment.shift(1)).fill_null(value=True))


def _snapshots(database: Database, keys: list[str] | None, since: datetime | None) -> pl.DataFrame:
    statement = sa.select(
        _SNAPSHOTS.platform + ":" + _SNAPSHOTS.platform_video_id,
        sa.type_coerce(_SNAPSHOTS.observed_at, sa.Text),
        *(_SNAPSHOTS[name] for name in _COUNTERS),
    )
    if keys is not None:
        pair = sa.tuple_(_SNAPSHOTS.platform, _SNAPSHOTS.platform_video_id)
        statement = statement.where(pair.in_(pairs_of(database, keys)))
    if since is not None:
        statement = statement.where(_SNAPSHOTS.observed_at >= since)
    if database.is_postgres:
        return database.read_frame(statement, READINGS_SCHEMA)
    raw = database.read_frame(statement, READINGS_SCHEMA | {"observed_at": pl.String})
    return raw.with_columns(moments(raw["observed_at"]))


def _current(database: Database, keys: list[str] | None) -> pl.DataFrame:
    """Return the counters in scraped_videos, observed when the row was scraped last; garbage is null."""
    statement = sa.select(
        text_of(database, _VIDEOS.id),
        _VIDEOS.platform,
        _VIDEOS.platform_video_id,
        of_metadata(database, "scraped_at"),
        *(counter(database, _VIDEOS[name]) for name in _COLUMNS),
        *(of_metadata(database, name) for name in _IN_METADATA.values()),
    ).where(*of_keys(database, keys))
    raw = database.read_frame(statement, _CURRENT)
    return (
        with_keys(raw)
        .with_columns(moments(raw["observed_at"]), *(_counts(raw[name]) for name in _IN_METADATA))
        .select(READINGS_SCHEMA.keys())
    )


def _counts(texts: pl.Series) -> pl.Series:
    """Return the counts in a column of texts: the usual ones at once, the others one by one, leniently."""
    usual = texts.cast(pl.Int64, strict=False)
    unusual = texts.filter(usual.is_null() & texts.is_not_null()).unique()
    if not unusual.is_empty():
        one_by_one = {text: parsing.lenient(parsing.count, text) for text in unusual}
        usual = usual.fill_null(texts.replace_strict(one_by_one, default=None, return_dtype=pl.Int64))
    return pl.select(pl.when(usual >= 0).then(usual)).to_series().alias(texts.name)
