"""Features of five million rows, against the same formulas in pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl

from bench.measure import Row, peak_megabytes, resident_megabytes, seconds
from groundswell.frames import MOMENT
from groundswell.stages import features

ROWS = 5_000_000
_PART = 50_000


def five_million() -> list[Row]:
    """Time and memory of `features.compute`, and the time of pandas on the same rows."""
    videos = _videos()
    features.compute(videos.head(1_000))
    before = resident_megabytes()
    peak = peak_megabytes(lambda: features.compute(videos)) - before
    ours = seconds(lambda: features.compute(videos))
    frame = _to_pandas(videos)
    theirs = seconds(lambda: in_pandas(frame), runs=1)
    ratio = theirs / ours
    return [
        Row("features of 5,000,000 rows, against pandas", "≥ 5×", f"{ratio:.1f}× ({ours:.2f} s)", ratio >= 5),
        Row("… peak memory beyond the input", "< 1,500 MB", f"{peak:.0f} MB", peak < 1_500),
    ]


def _videos() -> pl.DataFrame:
    generator = np.random.default_rng(0)
    views = np.floor(np.exp(generator.normal(9, 2, _PART))) + 1
    likes = np.floor(views * generator.beta(2, 20, _PART))
    posted = pl.Series(1_700_000_000 + generator.integers(0, 30_000_000, _PART)) * 1_000_000
    tags = [["fyp", "diy", "food"][: int(k)] for k in generator.integers(0, 4, _PART)]
    part = pl.DataFrame(
        {
            "views": views.astype(np.int64),
            "likes": likes.astype(np.int64),
            "shares": np.floor(likes * 0.05).astype(np.int64),
            "comments": np.floor(likes * 0.02).astype(np.int64),
            "saves": pl.Series(np.floor(likes * 0.1).astype(np.int64)).replace(0, None),
            "author_followers": pl.Series(generator.integers(0, 2_000_000, _PART)),
            "duration_seconds": generator.integers(5, 180, _PART),
            "hashtags": tags,
            "sound_name": ["original sound" if k else None for k in generator.integers(0, 5, _PART)],
            "description": ["how to fold a paper crane " * int(k) for k in generator.integers(0, 5, _PART)],
            "posted_at": posted.cast(MOMENT),
            "created_at": posted.cast(MOMENT),
        }
    )
    return pl.concat([part] * (ROWS // _PART), rechunk=True)


def _to_pandas(videos: pl.DataFrame) -> pd.DataFrame:
    lists = videos["hashtags"].to_list()
    return videos.drop("hashtags").to_pandas().assign(hashtags=lists)


def in_pandas(v: pd.DataFrame) -> pd.DataFrame:
    """The formulas of window `observed` as one would write them in pandas."""
    posted = v["posted_at"].fillna(v["created_at"])
    followers = v["author_followers"]
    tier = np.select(
        [followers.isna(), followers < 1e4, followers < 1e5, followers < 5e5, followers < 1e6],
        [0.5, 0.1, 0.3, 0.5, 0.7],
        0.9,
    )
    likes = v["likes"].where(v["likes"] > 0)
    return pd.DataFrame(
        {
            "shareRate": v["shares"] / v["views"],
            "commentRate": v["comments"] / v["views"],
            "likeRate": v["likes"] / v["views"],
            "saveRate": v["saves"].fillna(0.15 * v["likes"]) / v["views"],
            "shareToLikeRatio": (v["shares"] / likes).fillna(0),
            "commentToLikeRatio": (v["comments"] / likes).fillna(0),
            "durationSeconds": v["duration_seconds"].fillna(30) / 180,
            "hashtagCount": v["hashtags"].str.len().fillna(0) / 30,
            "hasTrendingSound": (v["sound_name"].fillna("").str.strip() != "").astype(float),
            "captionLength": v["description"].fillna("").str.len() / 2000,
            "hasFollowerData": followers.notna().astype(float),
            "followerTier": tier,
            "viewsPerFollower": (v["views"] / followers.where(followers > 0) / 50).fillna(0),
            "weekdayPosted": (posted.dt.dayofweek + 1) % 7 / 6,
            "hourPosted": posted.dt.hour / 23,
        }
    ).clip(0, 1)
