"""The features of one video without a frame, its past looked up among a million posts."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from bench.measure import Row
from groundswell.frames import MOMENT
from groundswell.predictor.inputs import OneInput, forecast_inputs_of_one
from groundswell.predictor.requested import NO_ID, REQUEST_FIELDS
from groundswell.records import Window
from groundswell.stages.maturity import LabelAge
from groundswell.store import posts
from groundswell.store.database import Database

POSTS = 1_000_000
_TAGS_EACH = 3
_NEWEST = datetime(2025, 6, 1, tzinfo=UTC)
_YEAR = 365 * 24 * 3600
_LABEL_AGE = timedelta(days=3)
_RUNS = 1_000
_STATE = posts.State(int(_LABEL_AGE.total_seconds()), None, 0)


def million_posts() -> list[Row]:
    """Time to store a million posts with their hashtags, to store them again, and to tell the features of one video."""
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'posts.db'}")
        database.prepare()
        rows = in_database(database)
        database.dispose()
    return rows


def in_database(database: Database, count: int = POSTS) -> list[Row]:
    """The measurements, in any prepared database without posts."""
    made, tags = made_up(count)
    first = _write(database, made, tags)
    again = _write(database, made, tags)
    add_snapshots(database, made)
    what = f"one video among {count:,} posts and {tags.height:,} tags"
    return [
        Row(f"storing the posts of {what}", "for scale", f"{first:.0f} s", True),
        Row("… again, unchanged", "for scale", f"{again:.0f} s", True),
        *_one_video(database, what),
    ]


def _one_video(database: Database, what: str) -> list[Row]:
    """The features of a planned video and of one read an hour after its posting, each of a busy and a usual creator."""
    (target,) = live_target().to_dicts()
    at: datetime = target.pop("moment")
    planned = dict.fromkeys(REQUEST_FIELDS.values()) | target
    planned |= {"platform_video_id": NO_ID, "description": "How to fold a paper crane! #tag0 #tag1", "posted_at": at}
    usual = {"author": "author31", "sound_name": "sound99", "hashtags": ["tag50", "tag700", "unheard"]}
    read = {"platform_video_id": "1", "posted_at": at - timedelta(hours=3), "views": 500}
    read |= {"scraped_at": at - timedelta(hours=2)}
    cases = (
        ("the busiest creator, 10 busy hashtags, `publish`", planned, Window.PUBLISH, 4.0),
        ("… 6h, with an id", planned | read, Window.HOUR_6, 4.0),
        ("… a usual creator, 3 hashtags, `publish`", planned | usual, Window.PUBLISH, 4.0),
    )
    return [_timed(database, f"{what}: {name}", video, window, asked) for name, video, window, asked in cases]


def _timed(database: Database, what: str, video: dict[str, Any], window: Window, asked: float) -> Row:
    at, taken = _NEWEST, []
    for _ in range(20 + _RUNS):
        start = time.perf_counter()
        found = forecast_inputs_of_one(database, video, window, LabelAge(_LABEL_AGE), at)
        taken.append(1_000 * (time.perf_counter() - start))
    assert isinstance(found, OneInput), found
    middle, late = (float(value) for value in np.quantile(taken[20:], (0.5, 0.99)))
    reached = f"{middle:.1f} ms, p99 {late:.1f} ms (n {_RUNS:,}, {len(found.values)} features)"
    return Row(what, f"p50 < {asked:g} ms", reached, middle < asked)


def live_target(hashtags: int = 10) -> pl.DataFrame:
    """The video: of the busiest author, with the busiest sound and the busiest hashtags."""
    tags = [f"tag{number}" for number in range(hashtags)]
    row = {"platform": "tiktok", "author": "author0", "sound_name": "sound0", "hashtags": tags, "moment": _NEWEST}
    return pl.DataFrame([row]).with_columns(pl.col("moment").cast(MOMENT))


def made_up(count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Posts of a year by authors, with sounds and hashtags of which few are very busy; three tags a post."""
    generator = np.random.default_rng(0)
    posted = pl.Series(int(_NEWEST.timestamp()) - generator.integers(0, _YEAR, count)) * 1_000_000
    made = pl.DataFrame(
        {
            "key": pl.Series(generator.permutation(count) + 7_000_000_000_000_000_000).cast(pl.String),
            "author": pl.Series(_skewed(generator, 50_000, count)).cast(pl.String),
            "sound_name": pl.Series(_skewed(generator, 100_000, count)).cast(pl.String),
            "posted_at": posted.cast(MOMENT),
            "views": np.floor(np.exp(generator.normal(9, 2, count))).astype(np.int64),
            "engagement": generator.random(count),
        }
    ).select(
        pl.format("tiktok:{}", "key").alias("key"),
        pl.lit("tiktok").alias("platform"),
        pl.format("author{}", "author").alias("author"),
        pl.format("sound{}", "sound_name").alias("sound_name"),
        "posted_at",
        pl.when(pl.col("posted_at") < _NEWEST - _LABEL_AGE).then("views").alias("views"),
        "engagement",
    )
    tags = pl.concat([made.select("platform", "posted_at", "key")] * _TAGS_EACH).with_columns(
        ("tag" + pl.Series(_skewed(generator, 200_000, count * _TAGS_EACH)).cast(pl.String)).alias("hashtag")
    )
    return made, tags.select(posts.TAGS_SCHEMA.keys()).unique()


def add_snapshots(database: Database, made: pl.DataFrame) -> None:
    """Add readings of the busiest author's posts, with followers."""
    from groundswell.store.videos import append_snapshots

    mine = made.filter(pl.col("author") == "author0")
    readings = pl.concat(
        mine.select(
            "platform",
            pl.col("key").str.strip_prefix("tiktok:").alias("platform_video_id"),
            (pl.col("posted_at") + timedelta(hours=hours)).alias("scraped_at"),
            *(pl.lit(hours, pl.Int64).alias(name) for name in ("views", "likes", "shares", "comments", "saves")),
            pl.lit(1_000 + hours, pl.Int64).alias("author_followers"),
        )
        for hours in (1, 6, 24, 72)
    )
    with database.begin() as connection:
        append_snapshots(connection, readings, _NEWEST)


def _skewed(generator: np.random.Generator, names: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return numbers of names, of which the first are far busier than the last."""
    return np.floor(names ** generator.random(count)).astype(np.int64) - 1


def _write(database: Database, made: pl.DataFrame, tags: pl.DataFrame) -> float:
    start = time.perf_counter()
    posts.write(database, made, tags, _STATE, everything=True)
    return time.perf_counter() - start
