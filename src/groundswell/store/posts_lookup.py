"""The past of several videos, looked up among the stored posts, as frames."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast

import polars as pl
import sqlalchemy as sa

from groundswell.frames import MOMENT
from groundswell.store import posts_sql as sql
from groundswell.store.database import Columns, Database
from groundswell.store.posts import PAST_TAGS_SCHEMA, POSTS_SCHEMA
from groundswell.store.tables import SCHEMA, moment_text

FOLLOWERS_SCHEMA: Columns = {
    "platform": pl.String,
    "author": pl.String,
    "observed_at": MOMENT,
    "author_followers": pl.Int64,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How many of the newest posts are looked up: of an author (any, or with an outcome), with a sound, and so on."""

    author: int = 600
    matured: int = 500
    sound: int = 200
    tag: int = 50
    platform: int = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """What was found: `posts` (POSTS_SCHEMA), and `tags` (TAGS_SCHEMA and `views`), each row once."""

    posts: pl.DataFrame
    tags: pl.DataFrame


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
            *_newest(connection, sql.posts(sql.BY_AUTHOR), authors, limits.author),
            *_newest(connection, sql.posts(f"{sql.BY_AUTHOR} and {sql.HAS}"), matured, limits.matured),
            *_newest(connection, sql.posts(f"{sql.BY_SOUND} and {sql.HAS}"), sounds, limits.sound),
            *_newest(connection, sql.posts(sql.HAS), platforms, limits.platform),
        ]
        tags = _newest(connection, sql.TAGS, hashtags, limits.tag)
    once = {row[0]: row for row in posts}
    return Past(_found(once.values(), POSTS_SCHEMA), _found(dict.fromkeys(tags), PAST_TAGS_SCHEMA))


def followers(database: Database, targets: pl.DataFrame, posts: int = 50) -> pl.DataFrame:
    """Return the newest reading of each target's author's followers up to its moment, as FOLLOWERS_SCHEMA.

    Targets have platform, author and moment (UTC). The readings are those of the author's newest `posts` posts by
    then. Readings found for several moments of one author stand together: each has its own time.
    """
    authors = targets.select("platform", "author", "moment").rows()
    with database.read() as connection:
        found = _newest(connection, sql.FOLLOWERS, authors, posts)
    return _found(dict.fromkeys(found), FOLLOWERS_SCHEMA)


def _newest(connection: sa.Connection, wanted: str, targets: Iterable[tuple[Any, ...]], limit: int) -> list[Any]:
    """Return the rows of the wanted select for every (platform, name, moment) in which nothing is null."""
    known = list(dict.fromkeys(target for target in targets if None not in target))
    if not known:
        return []
    if connection.dialect.name == "postgresql":
        return _newest_postgres(connection, wanted, known, limit)
    statement = wanted.format(platform="?1", name="?2", moment="?3", limit="?4", schema="", plain="", **sql.TEXT_TIMES)
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
        plain=sql.PLAIN,
        **sql.NUMBER_TIMES,
    )
    statement = f"""select f.* from unnest(%s::text[], %s::text[], %s::timestamptz[]) as w (platform, name, moment)
        cross join lateral ({filled}) f"""  # noqa: S608
    columns = [list(column) for column in zip(*targets, strict=True)]
    cursor = connection.exec_driver_sql(statement, (*columns, limit)).cursor
    return list(cursor.fetchall()) if cursor is not None else []


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
    return pl.Series(name, sql.microseconds(values), dtype=pl.Int64).cast(MOMENT)
