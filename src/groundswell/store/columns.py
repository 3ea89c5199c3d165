"""The rows of `scraped_videos`, a table that may be somebody else's, as SQL that both databases understand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from groundswell.store import tables
from groundswell.store.database import Database

_VIDEOS = tables.scraped_videos.c


def with_keys(videos: pl.DataFrame) -> pl.DataFrame:
    """Return stored videos with the platform that is meant where none is named, and each one's key."""
    platform = pl.col("platform").fill_null("tiktok")
    return videos.with_columns(
        platform.alias("platform"), pl.coalesce(platform + ":" + pl.col("platform_video_id"), pl.col("id")).alias("key")
    )


def of_keys(database: Database, keys: list[str] | None) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the condition that a stored video has one of the keys; none for None.

    It goes by the table's unique columns and not by the key itself, of which a user's table has no index.
    """
    if keys is None:
        return ()
    pairs = pairs_of(database, keys)
    own = keys if not database.is_postgres else [key for key in keys if _is_uuid(key)]
    unnamed = [key.removeprefix("tiktok:") for key in keys if key.startswith("tiktok:")]
    found = sa.union_all(
        sa.select(_VIDEOS.id).where(sa.tuple_(_VIDEOS.platform, _VIDEOS.platform_video_id).in_(pairs)),
        sa.select(_VIDEOS.id).where(
            _VIDEOS.platform.is_(None),
            _VIDEOS.platform_video_id.in_(_listed(database, unnamed)),
        ),
        sa.select(_VIDEOS.id).where(_VIDEOS.platform_video_id.is_(None), _VIDEOS.id.in_(listed_ids(database, own))),
    )
    return (_VIDEOS.id.in_(found),)


def pairs_of(database: Database, keys: list[str]) -> sa.Select[Any]:
    """Select (platform, platform_video_id) of the keys: both sides of each colon, as either may hold one."""
    pairs = [(key[:at], key[at + 1 :]) for key in keys for at, letter in enumerate(key) if letter == ":"]
    each = _each(database, pairs)
    if database.is_postgres:
        return sa.select(each.op("->>")(0), each.op("->>")(1))
    return sa.select(sa.func.json_extract(each, "$[0]"), sa.func.json_extract(each, "$[1]"))


def counter(database: Database, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the column where it holds a whole number of at least 0, else null."""
    if database.is_postgres:
        return sa.case((column >= 0, column))
    return sa.case((sa.and_(sa.func.typeof(column) == "integer", column >= 0), column))


def of_metadata(database: Database, name: str) -> sa.ColumnElement[Any]:
    """Return one entry of the metadata as text; null where metadata is no object, or is not even JSON."""
    if database.is_postgres:
        return sa.func.to_jsonb(_VIDEOS.metadata).op("->>")(name)
    text = sa.type_coerce(_VIDEOS.metadata, sa.Text)
    # SQLite gives true and false as numbers, which would pass for counts.
    plain = sa.and_(sa.func.json_valid(text) == 1, sa.func.json_type(text, f"$.{name}").not_in(("true", "false")))
    return sa.case((plain, sa.cast(sa.func.json_extract(text, f"$.{name}"), sa.Text)))


def text_of(database: Database, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the column as text; SQLite keeps every time and id as text already."""
    return sa.cast(column, sa.Text) if database.is_postgres else column


def listed_ids(database: Database, ids: list[str]) -> sa.Select[Any]:
    """Select the ids of rows, in the type of the column; each must be one."""
    listed = _listed(database, ids)
    return sa.select(sa.cast(listed.selected_columns[0], postgresql.UUID)) if database.is_postgres else listed


def _listed(database: Database, texts: list[str]) -> sa.Select[Any]:
    each = _each(database, texts)
    return sa.select(each.op("#>>")("{}").label("value") if database.is_postgres else each)


def _each(database: Database, values: Sequence[Any]) -> sa.ColumnElement[Any]:
    """Return the values as a column that a select can range over."""
    # One JSON parameter instead of ten thousand: SQLite and PostgreSQL both take a list apart themselves.
    listed = sa.literal(orjson.dumps(values).decode(), sa.Text)
    if database.is_postgres:
        return sa.func.jsonb_array_elements(sa.cast(listed, postgresql.JSONB)).table_valued("value").c.value
    return sa.func.json_each(listed).table_valued("value").c.value


def _is_uuid(key: str) -> bool:
    try:
        return str(UUID(key)) == key
    except ValueError:
        return False
