"""The past as it is kept for looking up: made from videos and readings, brought up to date, asked for a few videos."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from groundswell.stages.features.history import (
    CREATOR_POSTS,
    HASHTAG_POSTS,
    PLATFORM_POSTS,
    SOUND_POSTS,
    History,
    hashtags_of,
    tags_of,
)
from groundswell.stages.features.single import PastOfOne
from groundswell.stages.maturity import LabelAge, add_outcomes
from groundswell.store import corpus, posts_lookup, posts_of_one
from groundswell.store import posts as stored
from groundswell.store.database import Database, Driver
from groundswell.store.readings import readings

#: Newest posts of a creator among whose readings the last known followers are looked for.
_READ_POSTS = 200
#: Posts between the posting and the end of its window are looked up beside those that are counted.
_BETWEEN = 100
_LIMITS = posts_lookup.Limits(CREATOR_POSTS + _BETWEEN, CREATOR_POSTS, SOUND_POSTS, HASHTAG_POSTS, PLATFORM_POSTS)
#: An outcome is stored as soon as it is read; that its video has matured by the moment is asked when it is looked up.
_ALWAYS = datetime(9999, 1, 1, tzinfo=UTC)


def store(database: Database, posts: pl.DataFrame, every_reading: pl.DataFrame, label: LabelAge) -> None:
    """Make these posts and their outcomes all that can be looked up."""
    _, newest = stored.changed_since(database, _newest_known(database, label))
    _write(database, add_outcomes(posts, every_reading, label, _ALWAYS), _state(label, newest), everything=True)


def refresh(database: Database, label: LabelAge) -> None:
    """Bring what can be looked up in line with the readings that came since: all of it where nothing is there yet."""
    with database.direct() as driver:
        if is_current(driver, label):
            return
    known = stored.state(database)
    if known is None or known != _state(label, known.last_snapshot):
        store(database, corpus.posted(database), readings(database), label)
        return
    keys, newest = stored.changed_since(database, known.last_snapshot)
    if keys:
        changed = add_outcomes(corpus.posted(database, keys), readings(database, keys), label, _ALWAYS)
        _write(database, changed, _state(label, newest), everything=False)


def is_current(driver: Driver, label: LabelAge) -> bool:
    """Return whether `refresh` would find nothing to do, from one small select."""
    known, newest = stored.state_and_newest_snapshot(driver)
    return known is not None and known == _state(label, known.last_snapshot) and newest <= known.last_snapshot


def look_up(database: Database, targets: pl.DataFrame, label: LabelAge) -> History:
    """Return what was known of other posts at the moment of each target (platform, author, sound_name, hashtags)."""
    tags = [hashtags_of(own) for own in targets["hashtags"].to_list()]
    asked = targets.with_columns(pl.Series("hashtags", tags, dtype=pl.List(pl.String)))
    found = posts_lookup.look_up(database, asked, _LIMITS, label.age)
    return History(found.posts, found.tags, posts_lookup.followers(database, asked, _READ_POSTS))


def look_up_one(
    driver: Driver, video: Mapping[str, Any], moment: datetime, label: LabelAge, *, followers: bool = True
) -> PastOfOne:
    """Return what was known of other posts at the moment of one video (platform, author, sound_name, hashtags).

    The creator's followers are looked up where they are asked for.
    """
    asked = posts_of_one.Asked(
        video["platform"], video["author"], video["sound_name"], hashtags_of(video["hashtags"]), moment
    )
    found = posts_of_one.look_up_one(driver, asked, _LIMITS, label.age, _READ_POSTS if followers else 0)
    return PastOfOne(
        found.posted_at[::-1],
        found.views[::-1],
        found.engagement[::-1],
        found.sound_views[::-1],
        found.platform_views[::-1],
        [views[::-1] for views in found.hashtag_views],
        found.followers,
    )


def _state(label: LabelAge, snapshot: int) -> stored.State:
    most = None if label.most is None else round(label.most.total_seconds())
    return stored.State(round(label.age.total_seconds()), most, snapshot)


def _newest_known(database: Database, label: LabelAge) -> int:
    known = stored.state(database)
    return known.last_snapshot if known and known == _state(label, known.last_snapshot) else 0


def _write(database: Database, posts: pl.DataFrame, state: stored.State, *, everything: bool) -> None:
    stored.write(database, posts, tags_of(posts), state, everything=everything)
