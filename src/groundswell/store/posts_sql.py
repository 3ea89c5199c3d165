"""Selects of the newest posts of an author, with a sound or of a platform, as both databases understand them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from groundswell.store.tables import SCHEMA

_ASKED = ("platform", "name", "moment", "limit")
#: Each selects the newest `limit` rows for one (platform, name, moment); both databases fill in the braces.
HAS = "p.views is not null"
BY_AUTHOR, BY_SOUND = "p.author = {name}", "p.sound_name = {name}"
_POSTS = """
select {columns} from {{schema}}posts p
where p.platform = {{platform}} and {where} and p.posted_at <= {{moment}}
order by p.posted_at desc, p.key desc limit {{limit}}"""
_EVERY_COLUMN = "p.key, p.platform, p.author, p.sound_name, {time_p}, p.views, p.engagement"
TAGS = """
select t.platform, t.hashtag, {time_t}, t.key, t.views from {schema}post_tags t
where t.platform = {platform} and t.hashtag = {name} and t.posted_at <= {moment}
order by t.posted_at desc, t.key desc limit {limit}"""
FOLLOWERS = """
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


def posts(where: str, columns: str = _EVERY_COLUMN) -> str:
    """Return the select of the columns of posts for which the condition holds."""
    return _POSTS.format(where=where, columns=columns)


TEXT_TIMES = {"time_p": "p.posted_at", "time_t": "t.posted_at", "time_s": "s.observed_at"}
#: The order of texts in `snapshots`: in that of the posts' texts, its index could not be used.
PLAIN = 'collate "default"'
NUMBER_TIMES = {
    name: f"(extract(epoch from {column}) * 1000000)::bigint as {column[2:]}" for name, column in TEXT_TIMES.items()
}


@functools.cache
def in_sqlite(text: str) -> str:
    """Return a select as SQLite's driver takes it, with named parameters."""
    return text.format(schema="", plain="", **{name: f":{name}" for name in _ASKED}, **TEXT_TIMES)


@functools.cache
def in_postgres(text: str) -> str:
    """Return a select as PostgreSQL's driver takes it, with named parameters."""
    asked = {name: f"%({name})s" for name in _ASKED}
    return text.format(schema=f"{SCHEMA}.", plain=PLAIN, **asked, **NUMBER_TIMES)


def microseconds(times: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Return microseconds since 1970 for those, or for the texts in which SQLite keeps times."""
    texts = bool(times) and isinstance(times[0], str)
    return np.array(times, "datetime64[us]").astype(np.int64) if texts else np.array(times, np.int64)
