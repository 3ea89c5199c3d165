"""Our own indexed copy of what was posted and how it fared, in which the history of a planned video is looked up.

The user's `scraped_videos` has no index on author, sound or hashtag and never gets one from us. These tables are made
from it and from the snapshots, and may be made anew at any time.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from typing import Any

import polars as pl
import sqlalchemy as sa

from groundswell.frames import MOMENT
from groundswell.store import bulk, direct, tables
from groundswell.store.database import Columns, Database, Driver, collect
from groundswell.store.tables import SCHEMA

POSTS_SCHEMA: Columns = {
    "key": pl.String,
    "platform": pl.String,
    "author": pl.String,
    "sound_name": pl.String,
    "posted_at": MOMENT,
    "views": pl.Int64,
    "engagement": pl.Float64,
}
TAGS_SCHEMA: Columns = {"platform": pl.String, "hashtag": pl.String, "posted_at": MOMENT, "key": pl.String}
PAST_TAGS_SCHEMA: Columns = {**TAGS_SCHEMA, "views": pl.Int64}
_STATE = tables.posts_state.c
_STATE_AND_NEWEST = """
select label_age_seconds, label_age_max_seconds, last_snapshot, (select max(id) from {schema}snapshots)
from {schema}posts_state"""
_NAMES = ("author", "sound_name")
#: In bytes. Somebody else's table may hold whole captions in any column, and PostgreSQL refuses an entry of an index
#: beyond 2,704: a longer name is unknown, a post with a longer key or a longer hashtag is left out.
_LONGEST_NAME = 500
#: More new rows than this, and more than there were: on SQLite, the indexes are made after them, not with each.
_MANY_ROWS = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """What the stored posts were made with: the label ages, and the newest snapshot that was looked at."""

    label_age_seconds: int
    label_age_max_seconds: int | None
    last_snapshot: int


def state(database: Database) -> State | None:
    """Return what the stored posts were made with, None where there are none yet."""
    with database.read() as connection:
        return _state(connection)


def state_and_newest_snapshot(driver: Driver) -> tuple[State | None, int]:
    """Return what the stored posts were made with (None: there are none yet), and the newest snapshot there is."""
    is_postgres = not isinstance(driver, sqlite3.Connection)
    (rows,) = direct.select(driver, [(direct.filled(_STATE_AND_NEWEST, (), is_postgres), {})])
    for age, most, last, newest in rows:
        return State(age, most, last), newest or 0
    return None, 0


def changed_since(database: Database, snapshot: int) -> tuple[list[str], int]:
    """Return the keys of the videos with snapshots newer than that, and the newest snapshot to go on from next time.

    While somebody is still writing snapshots, the one to go on from stays where it is: numbers are given before a
    transaction ends, so that a lower one may yet appear.
    """
    # The order counts: a number up to `newest` that is unseen below belongs to somebody who was writing at this time.
    newest = _newest_snapshot(database)
    busy = database.is_postgres and _somebody_writes_snapshots(database)
    later = tables.snapshots.c.id > snapshot
    key = tables.snapshots.c.platform + ":" + tables.snapshots.c.platform_video_id
    with database.read() as connection:
        keys = list(connection.execute(sa.select(key).where(later).distinct()).scalars())
    return sorted(keys), snapshot if busy else max(newest, snapshot)


def write(database: Database, posts: pl.DataFrame, tags: pl.DataFrame, state: State, *, everything: bool) -> bool:
    """Store posts (POSTS_SCHEMA) and their tags (TAGS_SCHEMA) with the state they lead to; return whether it was done.

    With `everything` these are all there are; else they are added, each post with its tags in place of those it had.
    A part made with other label ages than what is stored meanwhile is left out: nothing is done. Tags of posts
    without an outcome are never looked up and so not kept, nor are posts without a posting time. A tag's platform and
    posting time are those of its post.
    """
    posts = _storable(posts)
    tags = _storable_tags(tags, posts)
    with database.begin() as connection:
        if database.is_postgres:  # on SQLite, a write transaction is alone anyway
            connection.exec_driver_sql("select pg_advisory_xact_lock(hashtext('groundswell posts'))")
        if not everything and not _same_label_ages(_state(connection), state):
            return False
        if everything:
            _replace(database, connection, posts, "posts", ["key"])
            _replace(database, connection, tags, "post_tags", list(TAGS_SCHEMA))
        else:
            bulk.upsert(connection, f"{SCHEMA}.posts", posts, ["key"])
            bulk.delete(connection, f"{SCHEMA}.post_tags", posts.select("key"))
            bulk.upsert(connection, f"{SCHEMA}.post_tags", tags, list(TAGS_SCHEMA))
        _store_state(database, connection, state)
    return True


def _state(connection: sa.Connection) -> State | None:
    columns = (_STATE.label_age_seconds, _STATE.label_age_max_seconds, _STATE.last_snapshot)
    row = connection.execute(sa.select(*columns)).one_or_none()
    return State(*row) if row else None


def _store_state(database: Database, connection: sa.Connection, state: State) -> None:
    values = dataclasses.asdict(state)
    statement = database.insert(tables.posts_state).values(id=1, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def _same_label_ages(stored: State | None, state: State) -> bool:
    return stored is None or dataclasses.replace(stored, last_snapshot=state.last_snapshot) == state


def _newest_snapshot(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.max(tables.snapshots.c.id))).scalar() or 0


def _somebody_writes_snapshots(database: Database) -> bool:
    statement = sa.text(
        "select exists (select from pg_locks where relation = to_regclass(:name) and mode = 'RowExclusiveLock'"
        " and database = (select oid from pg_database where datname = current_database()))"
    )
    with database.read() as connection:
        return bool(connection.execute(statement, {"name": f"{SCHEMA}.snapshots"}).scalar())


def _storable(posts: pl.DataFrame) -> pl.DataFrame:
    """Return the posts that can be stored, in the order of the table: neighbours are then written together."""
    frame = posts.select(POSTS_SCHEMA.keys()).cast(pl.Schema(POSTS_SCHEMA)).drop_nulls(["key", "platform", "posted_at"])
    names = (pl.when(pl.col(name).str.len_bytes() <= _LONGEST_NAME).then(name).alias(name) for name in _NAMES)
    short = frame.filter(pl.all_horizontal(pl.col("key", "platform").str.len_bytes() <= _LONGEST_NAME))
    return short.with_columns(*names, pl.col("engagement").fill_nan(None)).unique("key", keep="last").sort("key")


def _storable_tags(tags: pl.DataFrame, posts: pl.DataFrame) -> pl.DataFrame:
    """Return the tags of those of the posts that have an outcome, with it, in the order of the table."""
    frame = tags.select(TAGS_SCHEMA.keys()).cast(pl.Schema(TAGS_SCHEMA))
    short = frame.filter(pl.col("hashtag").str.len_bytes() <= _LONGEST_NAME).select("hashtag", "key")
    known = posts.select("key", "platform", "posted_at", "views").drop_nulls("views")
    return short.unique().join(known, on="key").select(PAST_TAGS_SCHEMA.keys()).sort(TAGS_SCHEMA.keys())


def _replace(database: Database, connection: sa.Connection, frame: pl.DataFrame, table: str, key: list[str]) -> None:
    """Make the frame the whole content of the table, writing only what differs."""
    before = _content(database, connection, table)
    gone = before.join(frame, on=key, how="anti").select(key)
    new = frame.join(before, on=frame.columns, how="anti", nulls_equal=True, maintain_order="left")
    bulk.delete(connection, f"{SCHEMA}.{table}", gone)
    # Taking indexes away would lock readers out on PostgreSQL; on SQLite they go on reading what was there.
    indexes = tables.own.tables[f"{SCHEMA}.{table}"].indexes
    apart = not database.is_postgres and new.height > max(_MANY_ROWS, before.height)
    for index in indexes if apart else ():
        index.drop(connection)
    bulk.upsert(connection, f"{SCHEMA}.{table}", new, key)
    for index in indexes if apart else ():
        index.create(connection)
    if database.is_postgres:  # else the server plans for the tables as they were
        connection.exec_driver_sql(f"analyze {SCHEMA}.{table}")


def _content(database: Database, connection: sa.Connection, table: str) -> pl.DataFrame:
    """Return all rows of the table as they stand in the transaction, which has not changed them yet."""
    schema = POSTS_SCHEMA if table == "posts" else PAST_TAGS_SCHEMA
    columns = tables.own.tables[f"{SCHEMA}.{table}"].c
    stored: list[sa.ColumnElement[Any]] = [sa.type_coerce(columns[name], sa.Text) for name in schema]
    statement: sa.Select[Any] = sa.select(*stored)
    if database.is_postgres:
        return database.read_frame(statement, schema)
    texts = schema | {"posted_at": pl.String}
    return _with_times(collect(connection.execute(statement).cursor, texts))


def _with_times(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with UTC times for the texts in which SQLite keeps them."""
    time = pl.col("posted_at").str.to_datetime("%Y-%m-%d %H:%M:%S%.6f", time_unit="us")
    return frame.with_columns(time.dt.replace_time_zone("UTC"))
