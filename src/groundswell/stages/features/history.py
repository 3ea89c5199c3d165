"""What the past says about a video at its moment of prediction: its creator, its sound, its hashtags, its platform.

Each computation runs over the matured posts of one creator (sound, hashtag, platform) in the order in which they
matured, and a video takes the last value before its moment. So a later post changes nothing, whatever is added or
removed. Every computation reaches back over a fixed number of posts, which is what lets a live request look up those
few and get, by the same code, what training saw.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import polars as pl

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

_log_views = pl.col("log_views")
_matured_so_far = pl.int_range(1, pl.len() + 1)

#: Over a creator's matured posts; each reaches back over CREATOR_POSTS at most.
CREATOR: Mapping[str, pl.Expr] = {
    "creator_videos": _matured_so_far.clip(upper_bound=CREATOR_POSTS),
    "creator_mean": _log_views.rolling_mean(CREATOR_POSTS, min_samples=1),
    "creator_median": _log_views.rolling_median(_RECENT, min_samples=1),
    "creator_lower_quartile": _log_views.rolling_quantile(0.25, "linear", window_size=_RECENT, min_samples=1),
    "creator_upper_quartile": _log_views.rolling_quantile(0.75, "linear", window_size=_RECENT, min_samples=1),
    "creator_spread": _log_views.rolling_std(_RECENT, min_samples=3),
    "creator_last_few": _log_views.rolling_mean(_LAST_FEW, min_samples=1),
    "creator_last": _log_views,
    "creator_second_last": _log_views.shift(1),
    "creator_best": _log_views.rolling_max(CREATOR_POSTS, min_samples=1),
    "creator_worst": _log_views.rolling_min(CREATOR_POSTS, min_samples=1),
    "creator_low": _log_views.rolling_quantile(0.1, "linear", window_size=_LONG, min_samples=1),
    "creator_high": _log_views.rolling_quantile(0.9, "linear", window_size=_LONG, min_samples=1),
    "creator_median_long": _log_views.rolling_median(_LONG, min_samples=1),
    "creator_spread_long": _log_views.rolling_std(_LONG, min_samples=3),
    "creator_best_lately": _log_views.rolling_max(_LAST_FEW, min_samples=1),
    "creator_worst_lately": _log_views.rolling_min(_LAST_FEW, min_samples=1),
    "creator_just_now": _log_views.ewm_mean(half_life=1),
    "creator_weighted": _log_views.ewm_mean(half_life=3),
    "creator_weighted_long": _log_views.ewm_mean(half_life=10),
    "creator_long_run": _log_views.ewm_mean(half_life=20),
    "creator_matured_at": pl.col("posted_at"),
    "creator_engagement": pl.col("engagement").ewm_mean(half_life=10, ignore_nulls=True).forward_fill(),
    "creator_engagement_last": pl.col("engagement"),
    "creator_engagement_lately": pl.col("engagement").rolling_mean(_LAST_FEW, min_samples=1),
}
SOUND: Mapping[str, pl.Expr] = {
    "sound_videos": _matured_so_far.clip(upper_bound=SOUND_POSTS),
    "sound_total": _log_views.rolling_sum(SOUND_POSTS, min_samples=1),
}
HASHTAG: Mapping[str, pl.Expr] = {
    "hashtag_videos": _matured_so_far.clip(upper_bound=HASHTAG_POSTS),
    "hashtag_total": _log_views.rolling_sum(HASHTAG_POSTS, min_samples=1),
}
PLATFORM: Mapping[str, pl.Expr] = {
    "platform_level": _log_views.rolling_mean(PLATFORM_POSTS, min_samples=1),
    "platform_level_lately": _log_views.rolling_mean(PLATFORM_POSTS // 5, min_samples=1),
    "platform_level_now": _log_views.rolling_mean(PLATFORM_POSTS // 20, min_samples=1),
}
#: Posts a row, from which on the posts of creators that are not asked about are left out first.
_FEW = 10
#: How far back the number of posts counts.
_POSTING_DAYS = 30
#: So that the last digits of a running sum, which depend on where it began, do not reach a feature.
_DIGITS = 9


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
    smoothed = _smoothed("sound").round(_DIGITS).alias("sound_lift")
    return rows.sort("row").drop("row").with_columns(smoothed)


def _matured(posts: pl.DataFrame, label_age: timedelta) -> pl.DataFrame:
    """Return the posts that have an outcome, in the order in which they matured."""
    return (
        posts.filter(pl.col("views").is_not_null(), pl.col("posted_at").is_not_null())
        .with_columns((pl.col("posted_at") + label_age).alias("matured_at"), pl.col("views").log1p().alias("log_views"))
        .sort("matured_at", "key")
    )


def _last_before(
    rows: pl.DataFrame, matured: pl.DataFrame, by: tuple[str, ...], running: Mapping[str, pl.Expr]
) -> pl.DataFrame:
    """Return the rows with the value that each computation had when the last post matured before their moment."""
    known = _asked_about(matured, rows, by)
    # Groups cost more than the computations where there is but one: a live request asks about one creator.
    grouped = known.select(by).n_unique() > 1
    expressions = ((expression.over(by) if grouped else expression).alias(name) for name, expression in running.items())
    values = known.select(*by, "matured_at", *expressions).unique([*by, "matured_at"], keep="last", maintain_order=True)
    return _as_of(rows, values, ("moment", "matured_at"), by)


def _asked_about(posts: pl.DataFrame, rows: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Return the posts of the rows' own creators (sounds, hashtags); of all that are named, where most are asked about.

    For one live request this leaves a hundred times fewer groups to run over.
    """
    if rows.height * _FEW > posts.height:
        return posts.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in by))
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
        lift.mean().round(_DIGITS).alias("hashtag_lift"),
        lift.max().round(_DIGITS).alias("hashtag_lift_best"),
        lift.min().round(_DIGITS).alias("hashtag_lift_worst"),
        pl.col("hashtag_videos").fill_null(0).log1p().mean().round(_DIGITS).alias("hashtag_uses"),
    )
    return rows.join(told, on="row", how="left")


def _smoothed(entity: str) -> pl.Expr:
    """Return the mean log-views above the platform's level, shrunk as if PRIOR_POSTS posts stood at the level."""
    count, total = pl.col(f"{entity}_videos").fill_null(0), pl.col(f"{entity}_total").fill_null(0.0)
    return (total - count * pl.col("platform_level")) / (count + PRIOR_POSTS)


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
        _matured_so_far.over(by).alias("count"),
    ).unique([*by, "counted_at"], keep="last", maintain_order=True)
    rows = rows.with_columns(
        (pl.col("moment") - label_age).alias("label_age_before"),
        (pl.col("posted_at") - timedelta(days=_POSTING_DAYS)).alias("month_before"),
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
