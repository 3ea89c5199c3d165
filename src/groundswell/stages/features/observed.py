"""The 15 features of window `observed`, each clipped to [0, 1]: what a video's counters say of it after the fact."""

from __future__ import annotations

import dataclasses

import polars as pl

from groundswell.records import Window
from groundswell.stages.features.feature import Feature

_views = pl.col("views").fill_null(0).cast(pl.Float64)
_likes = pl.col("likes").fill_null(0).cast(pl.Float64)
_shares = pl.col("shares").fill_null(0).cast(pl.Float64)
_comments = pl.col("comments").fill_null(0).cast(pl.Float64)
_saves = pl.col("saves").cast(pl.Float64)
_followers = pl.col("author_followers")
# The posting time, else the time the row was created; never the clock, or a retrain would teach the hour it ran at.
_posted = pl.coalesce("posted_at", "created_at")


def _per(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Return a ratio, 0 where there is nothing to divide by."""
    return pl.when(denominator > 0).then(numerator / denominator).otherwise(0.0)


#: Followers below which a creator is of a size, and the feature's value for it; for more, and where they are unknown.
FOLLOWER_STEPS = ((10_000, 0.1), (100_000, 0.3), (500_000, 0.5), (1_000_000, 0.7))
MOST_FOLLOWERS_STEP, UNKNOWN_FOLLOWERS_STEP = 0.9, 0.5
_FOLLOWER_TIER = pl.coalesce(
    *(pl.when(_followers < end).then(pl.lit(step)) for end, step in FOLLOWER_STEPS),
    pl.when(_followers.is_not_null()).then(pl.lit(MOST_FOLLOWERS_STEP)),
    pl.lit(UNKNOWN_FOLLOWERS_STEP),
)

_DECLARED = (
    Feature(
        "shareRate",
        _per(_shares, _views),
        Window.OBSERVED,
        "shares a view",
        "How often a view led to a share.",
        "reception",
    ),
    Feature(
        "commentRate",
        _per(_comments, _views),
        Window.OBSERVED,
        "comments a view",
        "How often a view led to a comment.",
        "reception",
    ),
    Feature(
        "likeRate",
        _per(_likes, _views),
        Window.OBSERVED,
        "likes a view",
        "How often a view led to a like.",
        "reception",
    ),
    Feature(
        "saveRate",
        pl.coalesce(_per(_saves, _views), _per(0.15 * _likes, _views)),
        Window.OBSERVED,
        "bookmarks a view",
        "How often a view led to a bookmark; 15 % of the likes where bookmarks are unknown.",
        "reception",
    ),
    Feature(
        "shareToLikeRatio",
        _per(_shares, _likes),
        Window.OBSERVED,
        "shares a like",
        "Shares for each like; 0 without.",
        "reception",
    ),
    Feature(
        "commentToLikeRatio",
        _per(_comments, _likes),
        Window.OBSERVED,
        "comments a like",
        "Comments for each like; 0 without.",
        "reception",
    ),
    Feature(
        "durationSeconds",
        pl.col("duration_seconds").fill_null(30).cast(pl.Float64) / 180,
        Window.PUBLISH,
        "3 minutes",
        "Length of the video; 30 s where it is unknown.",
        "length",
    ),
    Feature(
        "hashtagCount",
        pl.col("hashtags").list.len().fill_null(0).cast(pl.Float64) / 30,
        Window.PUBLISH,
        "30 hashtags",
        "Number of hashtags.",
        "hashtags",
    ),
    Feature(
        "hasTrendingSound",
        (pl.col("sound_name").fill_null("").str.contains(r"\S")).cast(pl.Float64),
        Window.PUBLISH,
        "0 or 1",
        "Whether a sound is named.",
        "sound",
    ),
    Feature(
        "captionLength",
        pl.col("description").str.len_chars().fill_null(0).cast(pl.Float64) / 2000,
        Window.PUBLISH,
        "2,000 characters",
        "Length of the caption.",
        "caption",
    ),
    Feature(
        "hasFollowerData",
        _followers.is_not_null().cast(pl.Float64),
        Window.OBSERVED,
        "0 or 1",
        "Whether the creator's followers are known.",
        "creator",
    ),
    Feature(
        "followerTier", _FOLLOWER_TIER, Window.OBSERVED, "step", "Creator size: .1 under 10k to .9 over 1M.", "creator"
    ),
    Feature(
        "viewsPerFollower",
        pl.when(_followers > 0).then(_views / _followers.cast(pl.Float64) / 50).otherwise(0.0),
        Window.OBSERVED,
        "50 views a follower",
        "Views for each follower of the creator; 0 where followers are unknown or none.",
        "reception",
    ),
    Feature(
        "weekdayPosted",
        (_posted.dt.weekday().cast(pl.Float64) % 7 / 6).fill_null(0.5),
        Window.PUBLISH,
        "week from Sunday",
        "UTC weekday of the posting.",
        "time",
    ),
    Feature(
        "hourPosted",
        (_posted.dt.hour().cast(pl.Float64) / 23).fill_null(0.5),
        Window.PUBLISH,
        "day",
        "UTC hour of the posting.",
        "time",
    ),
)

#: In the order of the design; the names and the order are part of every stored model.
OBSERVED = tuple(
    dataclasses.replace(feature, expression=feature.expression.clip(0.0, 1.0).alias(feature.name))
    for feature in _DECLARED
)
