"""Made-up posts, readings and followers: seeded, with ties in time, gaps, shared names and tags in two letter cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from groundswell.boosting import Check
from groundswell.frames import MOMENT, STORED_VIDEO_SCHEMA
from groundswell.heads import Fitting, Outcomes
from groundswell.stages.features.history import History, tags_of
from groundswell.store.posts import POSTS_SCHEMA
from groundswell.store.posts_lookup import FOLLOWERS_SCHEMA
from tests.made_up import never

Post = dict[str, Any]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LABEL_AGE = 3 * DAY
START = datetime(2025, 1, 1, tzinfo=UTC)
#: What a planned video holds beside its key and its moment.
PLANNED = {name: STORED_VIDEO_SCHEMA[name] for name in ("key", "platform", "author", "description", "sound_name")} | {
    name: STORED_VIDEO_SCHEMA[name] for name in ("hashtags", "duration_seconds", "posted_at")
}
READINGS: dict[str, pl.DataType | type[pl.DataType]] = {
    "key": pl.String,
    "observed_at": MOMENT,
    **dict.fromkeys(("views", "likes", "comments", "shares"), pl.Int64),
}


def posts(count: int, seed: int, *, days: float = 60, authors: int = 6, busiest: float = 1 / 6) -> list[Post]:
    """Return posts on two platforms at whole hours, so that many fall together; one author has the `busiest` share.

    Every name is used on both platforms; a tenth of authors, sounds, lists of hashtags and outcomes is unknown.
    """
    generator = np.random.default_rng(seed)
    hours = generator.integers(0, max(1, int(days * 24)), count)
    author = np.where(generator.random(count) < busiest, 0, generator.integers(0, authors, count))
    known = generator.random((count, 5)) > 0.1
    views = np.exp(generator.normal(6 + author, 2)).astype(np.int64) * (generator.random(count) > 0.05)
    order = generator.permutation(count)
    return [
        {
            "key": f"post{order[row]:05}",
            "platform": "youtube" if generator.random() < 0.3 else "tiktok",
            "author": f"author{author[row]}" if known[row, 0] else None,
            "description": "What a day! #fyp @ann 123 ñ",
            "sound_name": f"sound{generator.integers(0, 3)}" if known[row, 1] else None,
            "hashtags": _hashtags(generator) if known[row, 2] else None,
            "duration_seconds": int(generator.integers(5, 100)),
            "posted_at": START + timedelta(hours=int(hours[row])),
            "views": int(views[row]) if known[row, 3] else None,
            "engagement": float(generator.random()) if known[row, 3] and known[row, 4] else None,
        }
        for row in range(count)
    ]


def _hashtags(generator: np.random.Generator) -> list[str | None]:
    names = ["fyp", "FYP", "Fyp", "dänce", "DÄNCE", "cat", "Dog", None]
    many = 40 if generator.random() < 0.02 else 6
    return [names[number] for number in generator.integers(0, len(names), int(generator.integers(0, many)))]


def follower_readings(count: int, seed: int, authors: int = 6) -> list[Post]:
    """Return readings of followers, at whole days so that some fall together."""
    generator = np.random.default_rng(seed)
    return [
        {
            "platform": "youtube" if generator.random() < 0.3 else "tiktok",
            "author": f"author{generator.integers(0, authors)}" if generator.random() > 0.05 else None,
            "observed_at": START + int(generator.integers(0, 60)) * DAY if generator.random() > 0.05 else None,
            "author_followers": int(generator.integers(0, 10**6)),
        }
        for _ in range(count)
    ]


def framed(rows: Iterable[Mapping[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows as a frame; what a row does not name is null."""
    listed = list(rows)
    return pl.DataFrame({name: [row.get(name) for row in listed] for name in schema}, schema=dict(schema))


def history_of(past: Sequence[Post], followers: Sequence[Post] = (), seed: int | None = None) -> History:
    """Return what is known of the posts, in the order given, or shuffled by a seed."""
    frame = framed(past, PLANNED | {"views": pl.Int64, "engagement": pl.Float64})
    known = History(frame.select(*POSTS_SCHEMA), tags_of(frame), framed(followers, FOLLOWERS_SCHEMA))
    if seed is None:
        return known
    return History(*(each.sample(fraction=1, shuffle=True, seed=seed) for each in parts_of(known)))


def parts_of(history: History) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return posts, tags and followers."""
    return history.posts, history.tags, history.followers


def targets_of(rows: Iterable[Post], age: timedelta = timedelta(0)) -> pl.DataFrame:
    """Return the posts as videos to predict when they are of the age."""
    return framed(rows, PLANNED).with_columns((pl.col("posted_at") + age).alias("moment"))


def readings_of(past: Sequence[Post], seed: int, most: int = 7) -> pl.DataFrame:
    """Return up to `most` readings of each post within two days, at whole hours, in no order.

    Counts may fall; some are unknown, as are some times; some readings come before the posting.
    """
    generator = np.random.default_rng(seed)
    rows = []
    for post in past:
        for _ in range(int(generator.integers(0, most + 1))):
            counts = generator.integers(0, 5_000, 4)
            known = generator.random(5) > 0.12
            at = post["posted_at"] + timedelta(hours=int(generator.integers(-3, 48)))
            rows.append(
                {
                    "key": post["key"],
                    "observed_at": at if known[4] else None,
                    **{
                        name: int(counts[number]) if known[number] else None
                        for number, name in enumerate(("views", "likes", "comments", "shares"))
                    },
                }
            )
    return framed([rows[number] for number in generator.permutation(len(rows))], READINGS)


def outcomes(count: int, seed: int, signal: float, columns: int = 5) -> Outcomes:
    """Return rows whose log-views hold `signal` times the sum of the columns; a tenth of the features is unknown."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, columns))
    log_views = 8 + signal * features.sum(axis=1) + generator.normal(size=count)
    features[generator.random(features.shape) < 0.1] = np.nan
    return Outcomes(features, tiers_of(log_views), log_views, np.arange(count))


def cuts_of(log_views: Any) -> tuple[float, ...]:
    """Return the log-views at which the upper four of five even tiers begin."""
    return tuple(float(cut) for cut in np.quantile(log_views, (0.2, 0.4, 0.6, 0.8)))


def tiers_of(log_views: Any) -> Any:
    """Return tiers of even shares."""
    return (1 + np.searchsorted(cuts_of(log_views), log_views)).astype(np.int64)


def fitting_of(rows: Outcomes, seed: int = 7, check: Check = never) -> Fitting:
    """Return what a fit of the rows needs, on one thread."""
    return Fitting(cuts_of(rows.log_views), seed, 1, check)
