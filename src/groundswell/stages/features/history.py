"""What the past says about a video at its moment of prediction: its creator, its sound, its hashtags, its platform.

Each computation runs over the matured posts of one creator (sound, hashtag, platform) in the order in which they
matured, and a video takes the last value before its moment. So a later post changes nothing, whatever is added or
removed. Every computation reaches back over a fixed number of posts, which is what lets a live request look up those
few and get, by the same declarations, what training saw: a batch in frames like these, one video in `single`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import polars as pl

from groundswell.stages.features.running import (
    LOG_VIEWS,
    Running,
    count,
    highest,
    latest,
    lowest,
    mean,
    quantile,
    spread,
    total,
    weighted,
)

#: Posts that each computation may reach back over.
CREATOR_POSTS = 500
SOUND_POSTS = 200
HASHTAG_POSTS = 50
PLATFORM_POSTS = 1_000
#: Hashtags of one video that are looked at, in their order.
MOST_HASHTAGS = 30
#: Posts at the platform's level that a sound or a hashtag is smoothed with.
PRIOR_POSTS = 10
_LONG, _RECENT, _LAST_FEW = 50, 20, 5

#: Over a creator's matured posts; each reaches back over CREATOR_POSTS at most.
CREATOR: Mapping[str, Running] = {
    "creator_videos": count(CREATOR_POSTS),
    "creator_mean": mean(LOG_VIEWS, CREATOR_POSTS),
    "creator_median": quantile(LOG_VIEWS, 0.5, _RECENT),
    "creator_lower_quartile": quantile(LOG_VIEWS, 0.25, _RECENT),
    "creator_upper_quartile": quantile(LOG_VIEWS, 0.75, _RECENT),
    "creator_spread": spread(LOG_VIEWS, _RECENT),
    "creator_last_few": mean(LOG_VIEWS, _LAST_FEW),
    "creator_last": latest(LOG_VIEWS),
    "creator_second_last": latest(LOG_VIEWS, before=1),
    "creator_best": highest(LOG_VIEWS, CREATOR_POSTS),
    "creator_worst": lowest(LOG_VIEWS, CREATOR_POSTS),
    "creator_low": quantile(LOG_VIEWS, 0.1, _LONG),
    "creator_high": quantile(LOG_VIEWS, 0.9, _LONG),
    "creator_median_long": quantile(LOG_VIEWS, 0.5, _LONG),
    "creator_spread_long": spread(LOG_VIEWS, _LONG),
    "creator_best_lately": highest(LOG_VIEWS, _LAST_FEW),
    "creator_worst_lately": lowest(LOG_VIEWS, _LAST_FEW),
    "creator_just_now": weighted(LOG_VIEWS, half_life=1),
    "creator_weighted": weighted(LOG_VIEWS, half_life=3),
    "creator_weighted_long": weighted(LOG_VIEWS, half_life=10),
    "creator_long_run": weighted(LOG_VIEWS, half_life=20),
    "creator_matured_at": latest("posted_at"),
    "creator_engagement": weighted("engagement", half_life=10),
    "creator_engagement_last": latest("engagement"),
    "creator_engagement_lately": mean("engagement", _LAST_FEW),
}
SOUND: Mapping[str, Running] = {
    "sound_videos": count(SOUND_POSTS),
    "sound_total": total(LOG_VIEWS, SOUND_POSTS),
}
HASHTAG: Mapping[str, Running] = {
    "hashtag_videos": count(HASHTAG_POSTS),
    "hashtag_total": total(LOG_VIEWS, HASHTAG_POSTS),
}
PLATFORM: Mapping[str, Running] = {
    "platform_level": mean(LOG_VIEWS, PLATFORM_POSTS),
    "platform_level_lately": mean(LOG_VIEWS, PLATFORM_POSTS // 5),
    "platform_level_now": mean(LOG_VIEWS, PLATFORM_POSTS // 20),
}
#: How far back the number of posts counts.
POSTING_DAYS = 30
#: So that the last digits of a running sum, which depend on where it began, do not reach a feature.
DIGITS = 9
Number = TypeVar("Number", float, pl.Expr)


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """What is known of other posts: `posts` and `tags` with their outcome (`views`, null while there is none),
    `followers` as they were observed.

    posts: key, platform, author, sound_name, posted_at, views, engagement; tags: key, platform, hashtag, posted_at,
    views; followers: platform, author, observed_at, author_followers. A post may miss its own tags.
    """

    posts: pl.DataFrame
    tags: pl.DataFrame
    followers: pl.DataFrame


def hashtags_of(listed: Sequence[str | None] | None) -> list[str]:
    """Return the hashtags of one video that are looked at: the first MOST_HASHTAGS, in lower case, each once.

    >>> hashtags_of(["FYP", "cat", "fyp", None]), hashtags_of(None)
    (['fyp', 'cat'], [])
    """
    return list(dict.fromkeys(tag.lower() for tag in (listed or ())[:MOST_HASHTAGS] if tag is not None))


def tags_of(posts: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each hashtag of each post, the first MOST_HASHTAGS of them, each once a post."""
    return (
        posts.select(
            "key", "platform", pl.col("hashtags").list.head(MOST_HASHTAGS).alias("hashtag"), "posted_at", "views"
        )
        .explode("hashtag", empty_as_null=True)
        .filter(pl.col("hashtag").is_not_null())
        .with_columns(pl.col("hashtag").str.to_lowercase())
        .unique(["key", "hashtag"], maintain_order=True)
    )


def add_history(targets: pl.DataFrame, history: History, label_age: timedelta) -> pl.DataFrame:
    """Return the targets in their order with the columns of CREATOR, SOUND, HASHTAG and PLATFORM, and those of posting.

    Targets have key, platform, author, sound_name, hashtags, posted_at and `moment`, the moment of prediction. Only
    posts matured by the moment speak: posted_at + label_age <= moment.
    """
    rows = targets.with_row_index("row")
    matured = _matured(history.posts, label_age)
    rows = _last_before(rows, matured, ("platform",), PLATFORM)
    rows = _last_before(rows, matured, ("platform", "author"), CREATOR)
    rows = _last_before(rows, matured, ("platform", "sound_name"), SOUND)
    rows = _hashtags(rows, _matured(history.tags, label_age))
    rows = _posting(rows, history.posts, label_age)
    rows = _followers(rows, history.followers)
    smoothed = _smoothed("sound").round(DIGITS).alias("sound_lift")
    return rows.sort("row").drop("row").with_columns(smoothed)


def _matured(posts: pl.DataFrame, label_age: timedelta) -> pl.DataFrame:
    """Return the posts that have an outcome, in the order in which they matured."""
    return (
        posts.filter(pl.col("views").is_not_null(), pl.col("posted_at").is_not_null())
        .with_columns((pl.col("posted_at") + label_age).alias("matured_at"), pl.col("views").log1p().alias(LOG_VIEWS))
        .sort("matured_at", "key")
    )


def _last_before(
    rows: pl.DataFrame, matured: pl.DataFrame, by: tuple[str, ...], running: Mapping[str, Running]
) -> pl.DataFrame:
    """Return the rows with the value that each computation had when the last post matured before their moment."""
    known = _asked_about(matured, rows, by)
    expressions = (each.expression.over(by).alias(name) for name, each in running.items())
    values = known.select(*by, "matured_at", *expressions).unique([*by, "matured_at"], keep="last", maintain_order=True)
    return _as_of(rows, values, ("moment", "matured_at"), by)


def _asked_about(posts: pl.DataFrame, rows: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Return the posts of the rows' own creators (sounds, hashtags): for a small batch a hundred times fewer groups."""
    return posts.join(rows.select(by).unique(), on=list(by), how="semi", maintain_order="left")


def _as_of(
    rows: pl.DataFrame, values: pl.DataFrame, times: tuple[str, str], by: tuple[str, ...], *, including: bool = True
) -> pl.DataFrame:
    """Return the rows, each with the values known last at its time; `times` names the column of each side."""
    at, known = times
    return (
        rows.sort(at)
        .join_asof(
            values.sort(known),
            left_on=at,
            right_on=known,
            by=list(by),
            strategy="backward",
            allow_exact_matches=including,
            check_sortedness=False,
        )
        .drop(known, strict=False)
    )


def _hashtags(rows: pl.DataFrame, matured: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with how often their hashtags were used before, and how far above the level those posts came."""
    own = rows.with_columns(pl.col("row").cast(pl.String).alias("key"), pl.lit(None, pl.Int64).alias("views"))
    asked = tags_of(own).select(pl.col("key").cast(pl.UInt32).alias("row"), "platform", "hashtag")
    asked = asked.join(rows.select("row", "moment", "platform_level"), on="row")
    found = _last_before(asked, matured, ("platform", "hashtag"), HASHTAG)
    lift = _smoothed("hashtag")
    told = found.group_by("row").agg(
        lift.mean().round(DIGITS).alias("hashtag_lift"),
        lift.max().round(DIGITS).alias("hashtag_lift_best"),
        lift.min().round(DIGITS).alias("hashtag_lift_worst"),
        pl.col("hashtag_videos").fill_null(0).log1p().mean().round(DIGITS).alias("hashtag_uses"),
    )
    return rows.join(told, on="row", how="left")


def above_level(log_views: Number, videos: Number, level: Number) -> Number:
    """Return by how much the mean of log-views (their sum over videos) lies above the level of the platform.

    It is shrunk as if PRIOR_POSTS more videos stood at the level. Takes numbers or expressions.

    >>> above_level(30.0, 3.0, 7.0)  # nine above in all, over three and ten
    0.6923076923076923
    """
    return (log_views - videos * level) / (videos + PRIOR_POSTS)


def _smoothed(entity: str) -> pl.Expr:
    """Return the `above_level` of the rows' sounds or hashtags."""
    videos, log_views = pl.col(f"{entity}_videos").fill_null(0), pl.col(f"{entity}_total").fill_null(0.0)
    return above_level(log_views, videos, pl.col("platform_level"))


def _days_since(moment: str) -> pl.Expr:
    return (pl.col("posted_at") - pl.col(moment)).dt.total_seconds() / 86_400


def _posting(rows: pl.DataFrame, posts: pl.DataFrame, label_age: timedelta) -> pl.DataFrame:
    """Return the rows with when the creator posted last, how many posts are immature, how many came in a month."""
    by = ("platform", "author")
    known = _asked_about(posts, rows, by).filter(pl.col("posted_at").is_not_null()).sort("posted_at", "key")
    counted = known.select(
        *by,
        pl.col("posted_at").alias("last_posted_at"),
        pl.col("posted_at").alias("counted_at"),
        pl.int_range(1, pl.len() + 1).over(by).alias("count"),
    ).unique([*by, "counted_at"], keep="last", maintain_order=True)
    rows = rows.with_columns(
        (pl.col("moment") - label_age).alias("label_age_before"),
        (pl.col("posted_at") - timedelta(days=POSTING_DAYS)).alias("month_before"),
    )
    rows = _as_of(rows, counted.rename({"count": "posts"}), ("posted_at", "counted_at"), by, including=False)
    counts = counted.drop("last_posted_at")
    rows = _as_of(rows, counts.rename({"count": "posts_matured"}), ("label_age_before", "counted_at"), by)
    rows = _as_of(rows, counts.rename({"count": "posts_before_month"}), ("month_before", "counted_at"), by)
    posted = pl.col("posts").fill_null(0)
    return rows.with_columns(
        (posted - pl.col("posts_matured").fill_null(0)).clip(0, CREATOR_POSTS).alias("immature_posts"),
        (posted - pl.col("posts_before_month").fill_null(0)).clip(0, CREATOR_POSTS).alias("posts_lately"),
        posted.clip(upper_bound=CREATOR_POSTS).alias("creator_posts"),
        _days_since("last_posted_at").alias("days_since_post"),
        _days_since("creator_matured_at").alias("days_since_matured"),
    ).drop("label_age_before", "month_before", "posts", "posts_matured", "posts_before_month", "last_posted_at")


def _followers(rows: pl.DataFrame, followers: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with the creator's followers as last observed by their moment."""
    by = ("platform", "author")
    known = followers.filter(pl.all_horizontal(pl.col("author", "observed_at", "author_followers").is_not_null())).sort(
        "observed_at", "author_followers"
    )
    latest = known.select(*by, "observed_at", pl.col("author_followers").alias("followers")).unique(
        [*by, "observed_at"], keep="last", maintain_order=True
    )
    return _as_of(rows, latest, ("moment", "observed_at"), by)
