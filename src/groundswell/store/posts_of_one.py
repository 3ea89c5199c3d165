"""The past of one video, looked up among the stored posts, in plain arrays."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from groundswell.store import direct
from groundswell.store import posts_sql as sql
from groundswell.store.database import Driver
from groundswell.store.posts_lookup import Limits

Floats = npt.NDArray[np.float64]
#: What `look_up` reads for several videos, of which less need be read for one.
_OWN_COLUMNS = "{time_p}, p.views, p.engagement"
_OWN = sql.posts(sql.BY_AUTHOR, _OWN_COLUMNS)
_OWN_MATURED = sql.posts(f"{sql.BY_AUTHOR} and {sql.HAS}", _OWN_COLUMNS)
_OF_SOUND = sql.posts(f"{sql.BY_SOUND} and {sql.HAS}", "p.views")
_OF_PLATFORM = sql.posts(sql.HAS, "p.views")
_OF_TAG = sql.TAGS.replace("t.platform, t.hashtag, {time_t}, t.key, t.views", "t.views")


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One video whose past is looked up, at the moment (UTC) of its prediction; hashtags as they are stored."""

    platform: str
    author: str | None
    sound_name: str | None
    hashtags: Sequence[str]
    moment: datetime


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


def look_up_one(driver: Driver, asked: Asked, limits: Limits, label_age: timedelta, read_posts: int = 50) -> PastOfOne:
    """Return what `look_up` and `followers` find for one video, without a frame and without what one has no use for.

    With 0 `read_posts` the followers, the dearest of all, are not looked for.
    """
    now, matured = ({"moment": direct.moment(driver, at)} for at in (asked.moment, asked.moment - label_age))
    of_author, of_sound = ({"platform": asked.platform, "name": name} for name in (asked.author, asked.sound_name))
    own, sound, platform, read, *tagged = _each(
        driver,
        [
            (_OWN, of_author | now | {"limit": limits.author}),
            (_OF_SOUND, of_sound | matured | {"limit": limits.sound}),
            (_OF_PLATFORM, {"platform": asked.platform, "limit": limits.platform} | matured),
            (sql.FOLLOWERS, of_author | now | {"limit": read_posts}),
            *(
                (_OF_TAG, {"platform": asked.platform, "name": tag, "limit": limits.tag} | matured)
                for tag in asked.hashtags
            ),
        ],
    )
    posted_at, views, engagement = _own_columns(own)
    with_outcome = np.count_nonzero((posted_at <= _microsecond(asked.moment - label_age)) & ~np.isnan(views))
    if len(own) == limits.author and with_outcome < limits.matured:  # older posts than these may have one
        (older,) = _each(driver, [(_OWN_MATURED, of_author | matured | {"limit": limits.matured})])
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
    return sql.microseconds(times), np.array(views, np.float64), np.array(engagement, np.float64)


def _microsecond(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _column(rows: list[tuple[Any, ...]]) -> Floats:
    return np.array([row[0] for row in rows], np.float64)


def _each(driver: Driver, wanted: Sequence[tuple[str, dict[str, Any]]]) -> list[list[tuple[Any, ...]]]:
    fill = sql.in_sqlite if isinstance(driver, sqlite3.Connection) else sql.in_postgres
    return direct.select(driver, [(fill(text), parameters) for text, parameters in wanted])
