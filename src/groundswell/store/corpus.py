"""The stored videos as the stages read them: typed rows out of a table that may be somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
import polars as pl
import sqlalchemy as sa

from groundswell import parsing
from groundswell.frames import STORED_VIDEO_SCHEMA, list_series
from groundswell.store import tables
from groundswell.store.columns import counter, listed_ids, of_keys, of_metadata, text_of, with_keys
from groundswell.store.database import Columns, Database, frame_of
from groundswell.store.moments import moments

_VIDEOS = tables.scraped_videos.c
_TEXTS = ("platform", "platform_video_id", "author", "description", "sound_name")
_NUMBERS = ("views", "likes", "shares", "comments", "duration_seconds")
_RAW: Columns = {
    "id": pl.String,
    **dict.fromkeys(_TEXTS, pl.String),
    **dict.fromkeys(_NUMBERS, pl.Int64),
    "hashtags": pl.String,
    "metadata": pl.String,
    "created_at": pl.String,
}
_POSTED: Columns = {
    "id": pl.String,
    **dict.fromkeys(_TEXTS, pl.String),
    "duration_seconds": pl.Int64,
    **dict.fromkeys(("hashtags", "posted_at", "source", "created_at"), pl.String),
}
#: A JSON list of hashtags that needs no cleaning: no escape, no blank and no # in any of them.
_PLAIN_TAGS = r'^\[("[^"\\\s#]+"(,\s*"[^"\\\s#]+")*)?\]$'
_DATED: Columns = dict.fromkeys(("id", "key", "created_at", "posted_at", "scraped_at"), pl.String)


def count_by_prefix(database: Database, prefix: str) -> tuple[int, int]:
    """Return how many stored videos have an id that begins with the prefix, and how many have another."""
    own = sa.func.coalesce(_VIDEOS.platform_video_id, "").startswith(prefix, autoescape=True)
    counts = (sa.func.count(sa.case((condition, 1))) for condition in (own, ~own))
    with database.read() as connection:
        row = connection.execute(sa.select(*counts).select_from(tables.scraped_videos)).one()
    return int(row[0]), int(row[1])


def count(database: Database) -> tuple[int, int]:
    """Return how many videos are stored, and how many of them a retrain of window `observed` may use."""
    usable = sa.select(sa.func.count()).where(*_usable(database)).scalar_subquery()
    stored = sa.select(sa.func.count()).select_from(tables.scraped_videos).scalar_subquery()
    with database.read() as connection:
        row = connection.execute(sa.select(stored, usable)).one()
    return int(row[0]), int(row[1])


def newest(database: Database, limit: int, as_of: datetime) -> pl.DataFrame:
    """Return at most `limit` usable videos, newest `created_at` first, ties by newest posting time, then by key.

    Only videos that were observed (scraped, else created) and posted by `as_of` are returned. The columns are
    those of `frames.STORED_VIDEO_SCHEMA`.
    """
    texts = database.read_frame(_dated(database, limit, as_of), _DATED)
    dated = texts.with_columns(moments(texts[name]) for name in ("created_at", "posted_at", "scraped_at"))
    known = dated.filter(
        pl.coalesce("scraped_at", "created_at").fill_null(as_of) <= as_of,
        pl.col("posted_at").fill_null(as_of) <= as_of,
    )
    order = ["created_at", "posted_at", "key"]
    chosen = known.sort(order, descending=True, nulls_last=True).head(limit)["id"].to_list()
    rows = _typed(database.read_frame(_selected(database, chosen), _RAW))
    return rows.sort(order, descending=True, nulls_last=True)


def batches(database: Database, size: int) -> Iterator[pl.DataFrame]:
    """Yield the non-archived videos `size` at a time, all as they stood at one moment, in no particular order."""
    statement = _raw(database).where(_VIDEOS.archived_at.is_(None))
    with database.read() as connection:
        result = connection.execution_options(stream_results=True).execute(statement)
        while rows := result.fetchmany(size):
            yield _typed(frame_of(rows, _RAW))


def posted(database: Database, keys: list[str] | None = None) -> pl.DataFrame:
    """Return every stored video, or those of the keys, without its counters: what was posted, by whom and when.

    The columns are those of `frames.STORED_VIDEO_SCHEMA` that do not change after posting, in its order; archived
    videos are among the rows, and those whose posting time is unknown.
    """
    statement = sa.select(
        text_of(database, _VIDEOS.id),
        *(_VIDEOS[name] for name in _TEXTS),
        counter(database, _VIDEOS.duration_seconds),
        _json(database, _VIDEOS.hashtags),
        of_metadata(database, "uploaded_at"),
        of_metadata(database, "source"),
        _text_moment(database),
    ).where(*of_keys(database, keys))
    raw = database.read_frame(statement, _POSTED)
    return with_keys(raw).select(
        "key",
        *_TEXTS,
        _tags(raw["hashtags"]),
        "duration_seconds",
        moments(raw["posted_at"]),
        "source",
        moments(raw["created_at"]),
    )


def _usable(database: Database) -> tuple[sa.ColumnElement[bool], ...]:
    """Return what a row needs for a retrain of window `observed`: counts that are counts."""
    bounds = (_VIDEOS.views > 0, _VIDEOS.likes >= 0)
    if database.is_postgres:
        return bounds
    # SQLite keeps whatever somebody wrote into a column, and orders any text above any number.
    return (*bounds, *(sa.func.typeof(column) == "integer" for column in (_VIDEOS.views, _VIDEOS.likes)))


def _dated(database: Database, limit: int, as_of: datetime) -> sa.Select[Any]:
    """Select id, key and dates of the rows that can be among the newest."""
    key = sa.func.coalesce(_VIDEOS.platform, "tiktok") + ":" + _VIDEOS.platform_video_id
    statement = sa.select(
        text_of(database, _VIDEOS.id),
        sa.func.coalesce(key, text_of(database, _VIDEOS.id)),
        _text_moment(database),
        of_metadata(database, "uploaded_at"),
        of_metadata(database, "scraped_at"),
    ).where(*_usable(database))
    order = _moment_order(database)
    with database.read() as connection:
        last = connection.execute(sa.select(text_of(database, sa.func.max(order)))).scalar()
        if last and as_of < (parsing.lenient(parsing.moment, last) or as_of):
            return statement  # some rows were created later: every one has to be looked at
        ordered = sa.select(order).where(*_usable(database)).order_by(order.desc().nulls_last())
        edge = connection.execute(ordered.offset(limit - 1).limit(1)).scalar()
    return statement if edge is None else statement.where(order >= edge)


def _selected(database: Database, ids: list[str]) -> sa.Select[Any]:
    return _raw(database).where(_VIDEOS.id.in_(listed_ids(database, ids)))


def _raw(database: Database) -> sa.Select[Any]:
    return sa.select(
        text_of(database, _VIDEOS.id),
        *(_VIDEOS[name] for name in (*_TEXTS, *_NUMBERS)),
        _json(database, _VIDEOS.hashtags),
        _json(database, _VIDEOS.metadata),
        _text_moment(database),
    )


def _json(database: Database, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the column as JSON text: text[] and jsonb alike on PostgreSQL; SQLite keeps it as text already."""
    if database.is_postgres:
        return sa.cast(sa.func.to_jsonb(column), sa.Text)
    return sa.type_coerce(column, sa.Text)


def _text_moment(database: Database) -> sa.ColumnElement[Any]:
    return text_of(database, sa.type_coerce(_VIDEOS.created_at, sa.Text))


def _moment_order(database: Database) -> sa.ColumnElement[Any]:
    """Return what orders rows by created_at; on SQLite ISO text, be it written with a blank or a T."""
    if database.is_postgres:
        return _VIDEOS.created_at
    return sa.func.replace(sa.type_coerce(_VIDEOS.created_at, sa.Text), "T", " ")


def _typed(raw: pl.DataFrame) -> pl.DataFrame:
    """Return the canonical columns; what cannot be read in somebody else's row is unknown, not an error."""
    metadata = [_object(text) for text in raw["metadata"]]
    return (
        with_keys(raw)
        .with_columns(
            *(pl.when(pl.col(name) >= 0).then(pl.col(name)).alias(name) for name in _NUMBERS),
            _tags(raw["hashtags"]),
            _counts("saves", [entry.get("bookmarks") for entry in metadata]),
            _counts("author_followers", [entry.get("followers") for entry in metadata]),
            _moments("posted_at", [entry.get("uploaded_at") for entry in metadata]),
            _moments("scraped_at", [entry.get("scraped_at") for entry in metadata]),
            _moments("created_at", raw["created_at"].to_list()),
            pl.Series(
                "source", [parsing.lenient(parsing.text, entry.get("source")) for entry in metadata], dtype=pl.String
            ),
            *(pl.lit(None, pl.String).alias(name) for name in ("video_url", "author_url", "sound_url", "category")),
        )
        .select(*STORED_VIDEO_SCHEMA)
    )


def _object(text: str | None) -> dict[str, Any]:
    """Return the JSON object in the text, an empty one for anything else (null, "text", [], malformed)."""
    try:
        value = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _tags(texts: pl.Series) -> pl.Series:
    """Return a column of JSON texts as lists of hashtags: the plain ones at once, the others one by one, leniently."""
    plain = texts.str.contains(_PLAIN_TAGS)
    decoded = pl.select(pl.when(plain).then(texts)).to_series().str.json_decode(pl.List(pl.String))
    odd = texts.filter(~plain).unique()
    if odd.is_empty():
        return decoded.alias("hashtags")
    one_by_one = list_series("read", [parsing.lenient(parsing.tags, text) for text in odd])
    read = texts.to_frame("hashtags").join(
        pl.DataFrame({"hashtags": odd, "read": one_by_one}), on="hashtags", how="left", maintain_order="left"
    )["read"]
    return pl.select(pl.when(plain).then(decoded).otherwise(read)).to_series().alias("hashtags")


def _counts(name: str, values: list[Any]) -> pl.Series:
    return pl.Series(name, [parsing.lenient(parsing.count, value) for value in values], dtype=pl.Int64)


def _moments(name: str, values: list[Any]) -> pl.Series:
    """Return a column of UTC times out of JSON values: ISO texts or epochs, anything else unknown."""
    texts = [value if isinstance(value, str) else str(value) if isinstance(value, int) else None for value in values]
    return moments(pl.Series(name, texts, dtype=pl.String)).alias(name)
