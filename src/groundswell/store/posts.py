"""Our own indexed copy of what was posted and how it fared, in which the history of a planned video is looked up.

The user's `scraped_videos` has no index on author, sound or hashtag and never gets one from us. These tables are made
from it and from the snapshots, and may be made anew at any time.
"""

from __future__ import annotations

import dataclasses
import functools
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import sqlalchemy as sa

from groundswell.frames import MOMENT
from groundswell.store import bulk, direct, tables
from groundswell.store.database import Columns, Database, collect
from groundswell.store.tables import SCHEMA, moment_text

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
FOLLOWERS_SCHEMA: Columns = {
    "platform": pl.String,
    "author": pl.String,
    "observed_at": MOMENT,
    "author_followers": pl.Int64,
}
_PAST_TAGS_SCHEMA: Columns = {**TAGS_SCHEMA, "views": pl.Int64}
Floats = npt.NDArray[np.float64]
_STATE = tables.posts_state.c
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


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How many of the newest posts are looked up: of an author (any, or with an outcome), with a sound, and so on."""

    author: int = 600
    matured: int = 500
    sound: int = 200
    tag: int = 50
    platform: int = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One video whose past is looked up, at the moment (UTC) of its prediction; hashtags as they are stored."""

    platform: str
    author: str | None
    sound_name: str | None
    hashtags: Sequence[str]
    moment: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """What was found: `posts` (POSTS_SCHEMA), and `tags` (TAGS_SCHEMA and `views`), each row once."""

    posts: pl.DataFrame
    tags: pl.DataFrame


@dataclasses.dataclass(frozen=True, slots=True)
class PastOfOne:
    """What was found for one video, in plain arrays from the newest post to the oldest.

    Of its author's posts, matured or not, when they were posted (microseconds since 1970), `views` and `engagement`
    (NaN where unknown); of its sound, its platform and each of its hashtags the views of matured posts; and the
    author's followers.
    """

    posted_at: npt.NDArray[np.int64]
    views: Floats
    engagement: Floats
    sound_views: Floats
    platform_views: Floats
    hashtag_views: list[Floats]
    followers: int | None


def state(database: Database) -> State | None:
    """Return what the stored posts were made with, None where there are none yet."""
    with database.read() as connection:
        return _state(connection)


def state_and_newest_snapshot(connection: sa.Connection) -> tuple[State | None, int]:
    """Return what the stored posts were made with (None: there are none yet), and the newest snapshot there is."""
    (rows,) = _each(connection, [(_STATE_AND_NEWEST, {})])
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


def look_up(database: Database, targets: pl.DataFrame, limits: Limits, label_age: timedelta) -> Past:
    """Return what was known, at the moment of each target, of other posts of its author, sound, hashtags and platform.

    Targets have platform, author, sound_name, hashtags (a list or null) and moment (UTC). Looked up are the newest
    posts of the author up to the moment, with or without an outcome, and those with an outcome of the author, of the
    sound, of each hashtag and of the platform up to the moment less the label age; of posts of one time the greater
    key comes first. What is found for several targets is returned together.
    """
    rows = targets.select("platform", "author", "sound_name", "hashtags", "moment").rows()
    authors = ((platform, author, moment) for platform, author, _, _, moment in rows)
    matured = ((platform, author, moment - label_age) for platform, author, _, _, moment in rows)
    sounds = ((platform, sound, moment - label_age) for platform, _, sound, _, moment in rows)
    hashtags = ((platform, tag, moment - label_age) for platform, *_, tags, moment in rows for tag in tags or ())
    platforms = ((platform, "", moment - label_age) for platform, *_, moment in rows)
    with database.read() as connection:
        posts = [
            *_newest(connection, _posts(_BY_AUTHOR), authors, limits.author),
            *_newest(connection, _posts(f"{_BY_AUTHOR} and {_HAS}"), matured, limits.matured),
            *_newest(connection, _posts(f"{_BY_SOUND} and {_HAS}"), sounds, limits.sound),
            *_newest(connection, _posts(_HAS), platforms, limits.platform),
        ]
        tags = _newest(connection, _TAGS, hashtags, limits.tag)
    once = {row[0]: row for row in posts}
    return Past(_found(once.values(), POSTS_SCHEMA), _found(dict.fromkeys(tags), _PAST_TAGS_SCHEMA))


def followers(database: Database, targets: pl.DataFrame, posts: int = 50) -> pl.DataFrame:
    """Return the newest reading of each target's author's followers up to its moment, as FOLLOWERS_SCHEMA.

    Targets have platform, author and moment (UTC). The readings are those of the author's newest `posts` posts by
    then. Readings found for several moments of one author stand together: each has its own time.
    """
    authors = targets.select("platform", "author", "moment").rows()
    with database.read() as connection:
        found = _newest(connection, _FOLLOWERS, authors, posts)
    return _found(dict.fromkeys(found), FOLLOWERS_SCHEMA)


def look_up_one(
    connection: sa.Connection, asked: Asked, limits: Limits, label_age: timedelta, read_posts: int = 50
) -> PastOfOne:
    """Return what `look_up` and `followers` find for one video, without a frame and without what one has no use for.

    With 0 `read_posts` the followers, the dearest of all, are not looked for.
    """
    now, matured = ({"moment": direct.moment(connection, at)} for at in (asked.moment, asked.moment - label_age))
    of_author, of_sound = ({"platform": asked.platform, "name": name} for name in (asked.author, asked.sound_name))
    own, sound, platform, read, *tagged = _each(
        connection,
        [
            (_OWN, of_author | now | {"limit": limits.author}),
            (_OF_SOUND, of_sound | matured | {"limit": limits.sound}),
            (_OF_PLATFORM, {"platform": asked.platform, "limit": limits.platform} | matured),
            (_FOLLOWERS, of_author | now | {"limit": read_posts}),
            *(
                (_OF_TAG, {"platform": asked.platform, "name": tag, "limit": limits.tag} | matured)
                for tag in asked.hashtags
            ),
        ],
    )
    posted_at, views, engagement = _own_columns(own)
    with_outcome = np.count_nonzero((posted_at <= _microsecond(asked.moment - label_age)) & ~np.isnan(views))
    if len(own) == limits.author and with_outcome < limits.matured:  # older posts than these may have one
        (older,) = _each(connection, [(_OWN_MATURED, of_author | matured | {"limit": limits.matured})])
        # The first of them are those with an outcome among the newest: both go from the newest on.
        beyond = _own_columns(older[with_outcome:])
        posted_at, views, engagement = (
            np.concatenate(both) for both in zip((posted_at, views, engagement), beyond, strict=True)
        )
    return PastOfOne(
        posted_at,
        views,
        engagement,
        _column(sound),
        _column(platform),
        [_column(rows) for rows in tagged],
        read[0][3] if read else None,
    )


def _own_columns(rows: Sequence[tuple[Any, ...]]) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """Return times, views and engagement of the rows of _OWN."""
    times, views, engagement = zip(*rows, strict=True) if rows else ((), (), ())
    return _microseconds(times), np.array(views, np.float64), np.array(engagement, np.float64)


def _microsecond(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _column(rows: list[tuple[Any, ...]]) -> Floats:
    return np.array([row[0] for row in rows], np.float64)


def _each(connection: sa.Connection, wanted: Sequence[tuple[str, dict[str, Any]]]) -> list[list[tuple[Any, ...]]]:
    fill = _in_postgres if connection.dialect.name == "postgresql" else _in_sqlite
    return direct.select(connection, [(fill(text), parameters) for text, parameters in wanted])


@functools.cache
def _in_sqlite(text: str) -> str:
    return text.format(schema="", plain="", **{name: f":{name}" for name in _ASKED}, **_TEXT_TIMES)


@functools.cache
def _in_postgres(text: str) -> str:
    asked = {name: f"%({name})s" for name in _ASKED}
    return text.format(schema=f"{SCHEMA}.", plain=_PLAIN, **asked, **_NUMBER_TIMES)


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
    return short.unique().join(known, on="key").select(_PAST_TAGS_SCHEMA.keys()).sort(TAGS_SCHEMA.keys())


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
    schema = POSTS_SCHEMA if table == "posts" else _PAST_TAGS_SCHEMA
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


_ASKED = ("platform", "name", "moment", "limit")
#: Each selects the newest `limit` rows for one (platform, name, moment); both databases fill in the braces.
_HAS = "p.views is not null"
_BY_AUTHOR, _BY_SOUND = "p.author = {name}", "p.sound_name = {name}"
_POSTS = """
select {columns} from {{schema}}posts p
where p.platform = {{platform}} and {where} and p.posted_at <= {{moment}}
order by p.posted_at desc, p.key desc limit {{limit}}"""
_EVERY_COLUMN = "p.key, p.platform, p.author, p.sound_name, {time_p}, p.views, p.engagement"
_TAGS = """
select t.platform, t.hashtag, {time_t}, t.key, t.views from {schema}post_tags t
where t.platform = {platform} and t.hashtag = {name} and t.posted_at <= {moment}
order by t.posted_at desc, t.key desc limit {limit}"""
_FOLLOWERS = """
select p.platform, p.author, {time_s}, s.author_followers from (
    select q.platform {plain} as platform, q.author, substr(q.key, length(q.platform) + 2) {plain} as platform_video_id
    from {schema}posts q
    where q.platform = {platform} and q.author = {name} and q.posted_at <= {moment}
    and substr(q.key, 1, length(q.platform) + 1) = q.platform || ':'
    order by q.posted_at desc, q.key desc limit {limit}
) p join {schema}snapshots s on s.id = (
    select n.id from {schema}snapshots n
    where n.platform = p.platform and n.platform_video_id = p.platform_video_id
    and n.author_followers is not null and n.observed_at <= {moment} order by n.observed_at desc limit 1)
order by s.observed_at desc, s.author_followers desc limit 1"""


def _posts(where: str, columns: str = _EVERY_COLUMN) -> str:
    return _POSTS.format(where=where, columns=columns)


#: The same for one video, of which less need be read.
_OWN_COLUMNS = "{time_p}, p.views, p.engagement"
_OWN = _posts(_BY_AUTHOR, _OWN_COLUMNS)
_OWN_MATURED = _posts(f"{_BY_AUTHOR} and {_HAS}", _OWN_COLUMNS)
_OF_SOUND = _posts(f"{_BY_SOUND} and {_HAS}", "p.views")
_OF_PLATFORM = _posts(_HAS, "p.views")
_OF_TAG = _TAGS.replace("t.platform, t.hashtag, {time_t}, t.key, t.views", "t.views")
_STATE_AND_NEWEST = """
select label_age_seconds, label_age_max_seconds, last_snapshot, (select max(id) from {schema}snapshots)
from {schema}posts_state"""


def _newest(connection: sa.Connection, wanted: str, targets: Iterable[tuple[Any, ...]], limit: int) -> list[Any]:
    """Return the rows of the wanted select for every (platform, name, moment) in which nothing is null."""
    known = list(dict.fromkeys(target for target in targets if None not in target))
    if not known:
        return []
    if connection.dialect.name == "postgresql":
        return _newest_postgres(connection, wanted, known, limit)
    statement = wanted.format(platform="?1", name="?2", moment="?3", limit="?4", schema="", plain="", **_TEXT_TIMES)
    # The driver itself: a statement costs it a tenth of what it costs SQLAlchemy, and there is one for each hashtag.
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    rows: list[Any] = []
    for platform, name, moment in known:
        parameters = (platform, name, moment_text(moment), limit)
        rows += driver.execute(statement, parameters).fetchall()
    return rows


def _newest_postgres(connection: sa.Connection, wanted: str, targets: list[Any], limit: int) -> list[Any]:
    # One round trip for all targets; the times as numbers, which are cheaper to read than a datetime each.
    filled = wanted.format(
        platform="w.platform",
        name="w.name",
        moment="w.moment",
        limit="%s",
        schema=f"{SCHEMA}.",
        plain=_PLAIN,
        **_NUMBER_TIMES,
    )
    statement = f"""select f.* from unnest(%s::text[], %s::text[], %s::timestamptz[]) as w (platform, name, moment)
        cross join lateral ({filled}) f"""  # noqa: S608
    columns = [list(column) for column in zip(*targets, strict=True)]
    cursor = connection.exec_driver_sql(statement, (*columns, limit)).cursor
    return list(cursor.fetchall()) if cursor is not None else []


_TEXT_TIMES = {"time_p": "p.posted_at", "time_t": "t.posted_at", "time_s": "s.observed_at"}
#: The order of texts in `snapshots`: in that of the posts' texts, its index could not be used.
_PLAIN = 'collate "default"'
_NUMBER_TIMES = {
    name: f"(extract(epoch from {column}) * 1000000)::bigint as {column[2:]}" for name, column in _TEXT_TIMES.items()
}


def _found(rows: Iterable[tuple[Any, ...]], schema: Columns) -> pl.DataFrame:
    """Return the rows as a frame of the schema. Series alone: an expression of polars costs half a millisecond here."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if not columns:
        return pl.DataFrame(schema=schema)
    return pl.DataFrame(
        [
            _times(name, values) if dtype == MOMENT else pl.Series(name, values, dtype=dtype)
            for (name, dtype), values in zip(schema.items(), columns, strict=True)
        ]
    )


def _times(name: str, values: list[Any]) -> pl.Series:
    return pl.Series(name, _microseconds(values), dtype=pl.Int64).cast(MOMENT)


def _microseconds(times: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Return microseconds since 1970 for those, or for the texts in which SQLite keeps times."""
    texts = bool(times) and isinstance(times[0], str)
    return np.array(times, "datetime64[us]").astype(np.int64) if texts else np.array(times, np.int64)
