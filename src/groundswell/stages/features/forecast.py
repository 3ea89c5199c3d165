"""The features of the forecast windows: what a plan says, what the past says, and how the video was received so far.

Unlike those of `observed` they may be unknown (null): a creator's first video has no median before it.
"""

from __future__ import annotations

import polars as pl

from groundswell.records import Window
from groundswell.stages.features.feature import Feature

_caption = pl.col("description").fill_null("")
_weekday = pl.col("posted_at").dt.weekday()
_hour = pl.col("posted_at").dt.hour()


def _number(expression: pl.Expr) -> pl.Expr:
    return expression.cast(pl.Float64)


def _signed_log(expression: pl.Expr) -> pl.Expr:
    return expression.sign() * expression.abs().log1p()


def _at_publish(name: str, expression: pl.Expr, unit: str, theme: str, sentence: str) -> Feature:
    return Feature(name, _number(expression).alias(name), Window.PUBLISH, unit, sentence, theme)


def _early(name: str, expression: pl.Expr, unit: str, sentence: str) -> Feature:
    return Feature(name, _number(expression).alias(name), Window.HOUR_1, unit, sentence, "reception")


_LOG = "log(1 + views)"
#: How many times as much, as a logarithm.
_RATIO = "log ratio"

PLAN = (
    _at_publish("duration", pl.col("duration_seconds"), "seconds", "length", "Length of the video."),
    _at_publish("captionLength", _caption.str.len_chars(), "characters", "caption", "Length of the caption."),
    _at_publish("captionWords", _caption.str.count_matches(r"\S+"), "words", "caption", "Words in the caption."),
    _at_publish(
        "captionMarks", _caption.str.count_matches(r"[!?]"), "marks", "caption", "Exclamation and question marks."
    ),
    _at_publish(
        "captionMentions", _caption.str.count_matches("@"), "mentions", "caption", "People mentioned in the caption."
    ),
    _at_publish("captionDigits", _caption.str.count_matches(r"\d"), "digits", "caption", "Digits in the caption."),
    _at_publish(
        "captionSymbols",
        _caption.str.count_matches(r"[^\x00-\x7F]"),
        "characters",
        "caption",
        "Emoji and letters beyond ASCII in the caption.",
    ),
    _at_publish(
        "hashtagCount", pl.col("hashtags").list.len().fill_null(0), "hashtags", "hashtags", "Number of hashtags."
    ),
    _at_publish("weekday", _weekday % 7, "days from Sunday", "time", "UTC weekday of the posting."),
    _at_publish("hour", _hour, "hours", "time", "UTC hour of the posting."),
)
CREATOR = (
    _at_publish(
        "creatorVideos",
        pl.col("creator_videos").fill_null(0),
        "videos",
        "creator",
        "Number of the creator's matured videos, 500 at most.",
    ),
    _at_publish("creatorMean", pl.col("creator_mean"), _LOG, "creator", "Mean of the creator's matured videos."),
    _at_publish(
        "creatorMedian", pl.col("creator_median"), _LOG, "creator", "Median of the creator's last 20 matured videos."
    ),
    _at_publish(
        "creatorLowerQuartile",
        pl.col("creator_lower_quartile"),
        _LOG,
        "creator",
        "Lower quartile of the creator's last 20 matured videos.",
    ),
    _at_publish(
        "creatorUpperQuartile",
        pl.col("creator_upper_quartile"),
        _LOG,
        "creator",
        "Upper quartile of the creator's last 20 matured videos.",
    ),
    _at_publish(
        "creatorSpread",
        pl.col("creator_spread"),
        _RATIO,
        "creator",
        "Spread (standard deviation) of the creator's last 20 matured videos.",
    ),
    _at_publish(
        "creatorLastFew", pl.col("creator_last_few"), _LOG, "creator", "Mean of the creator's last 5 matured videos."
    ),
    _at_publish("creatorLast", pl.col("creator_last"), _LOG, "creator", "The creator's last matured video."),
    _at_publish(
        "creatorSecondLast",
        pl.col("creator_second_last"),
        _LOG,
        "creator",
        "The creator's matured video before the last.",
    ),
    _at_publish("creatorBest", pl.col("creator_best"), _LOG, "creator", "The creator's best matured video."),
    _at_publish("creatorWorst", pl.col("creator_worst"), _LOG, "creator", "The creator's weakest matured video."),
    _at_publish(
        "creatorWeighted",
        pl.col("creator_weighted"),
        _LOG,
        "creator",
        "Mean of the creator's matured videos, recent ones first (half-life 3 videos).",
    ),
    _at_publish(
        "creatorWeightedLong",
        pl.col("creator_weighted_long"),
        _LOG,
        "creator",
        "Mean of the creator's matured videos, recent ones first (half-life 10 videos).",
    ),
    _at_publish(
        "creatorLow", pl.col("creator_low"), _LOG, "creator", "Lowest tenth of the creator's last 50 matured videos."
    ),
    _at_publish(
        "creatorHigh", pl.col("creator_high"), _LOG, "creator", "Highest tenth of the creator's last 50 matured videos."
    ),
    _at_publish(
        "creatorMedianLong",
        pl.col("creator_median_long"),
        _LOG,
        "creator",
        "Median of the creator's last 50 matured videos.",
    ),
    _at_publish(
        "creatorSpreadLong",
        pl.col("creator_spread_long"),
        _RATIO,
        "creator",
        "Spread (standard deviation) of the creator's last 50 matured videos.",
    ),
    _at_publish(
        "creatorBestLately",
        pl.col("creator_best_lately"),
        _LOG,
        "creator",
        "Best of the creator's last 5 matured videos.",
    ),
    _at_publish(
        "creatorWorstLately",
        pl.col("creator_worst_lately"),
        _LOG,
        "creator",
        "Weakest of the creator's last 5 matured videos.",
    ),
    _at_publish(
        "creatorJustNow",
        pl.col("creator_just_now"),
        _LOG,
        "creator",
        "Mean of the creator's matured videos, recent ones first (half-life 1 video).",
    ),
    _at_publish(
        "creatorLongRun",
        pl.col("creator_long_run"),
        _LOG,
        "creator",
        "Mean of the creator's matured videos, recent ones first (half-life 20 videos).",
    ),
    _at_publish(
        "creatorEngagementLast",
        pl.col("creator_engagement_last"),
        "likes a view",
        "creator",
        "Likes a view of the creator's last matured video.",
    ),
    _at_publish(
        "creatorEngagementLately",
        pl.col("creator_engagement_lately"),
        "likes a view",
        "creator",
        "Likes a view of the creator's last 5 matured videos.",
    ),
    _at_publish(
        "creatorTrend",
        pl.col("creator_last_few") - pl.col("creator_mean"),
        _RATIO,
        "creator",
        "The creator's last 5 matured videos above the creator's mean.",
    ),
    _at_publish(
        "creatorAboveLevel",
        pl.col("creator_weighted_long") - pl.col("platform_level"),
        _RATIO,
        "creator",
        "The creator above the platform's level.",
    ),
    _at_publish(
        "creatorEngagement",
        pl.col("creator_engagement"),
        "likes a view",
        "creator",
        "Likes a view of the creator's matured videos, recent ones first.",
    ),
    _at_publish(
        "followers",
        pl.col("followers").log1p(),
        "log(1 + followers)",
        "creator",
        "Followers as last observed before the moment of prediction.",
    ),
    _at_publish("daysSincePost", pl.col("days_since_post"), "days", "rhythm", "Days since the creator's last post."),
    _at_publish(
        "creatorPosts",
        pl.col("creator_posts"),
        "videos",
        "rhythm",
        "Number of the creator's posts before, 500 at most.",
    ),
    _at_publish(
        "daysSinceMatured",
        pl.col("days_since_matured"),
        "days",
        "rhythm",
        "Days since the creator's last matured video was posted.",
    ),
    _at_publish(
        "immaturePosts",
        pl.col("immature_posts"),
        "videos",
        "rhythm",
        "Number of the creator's posts that have not matured yet.",
    ),
    _at_publish(
        "postsLately",
        pl.col("posts_lately"),
        "videos",
        "rhythm",
        "Number of the creator's posts in the 30 days before.",
    ),
)
SURROUNDINGS = (
    _at_publish(
        "platformLevel", pl.col("platform_level"), _LOG, "platform", "Mean of the platform's last 1,000 matured videos."
    ),
    _at_publish(
        "platformLevelLately",
        pl.col("platform_level_lately"),
        _LOG,
        "platform",
        "Mean of the platform's last 200 matured videos.",
    ),
    _at_publish(
        "platformLevelNow",
        pl.col("platform_level_now"),
        _LOG,
        "platform",
        "Mean of the platform's last 50 matured videos.",
    ),
    _at_publish("soundNamed", pl.col("sound_name").is_not_null(), "0 or 1", "sound", "Whether a sound is named."),
    _at_publish(
        "soundOriginal",
        pl.col("sound_name").fill_null("").str.contains("(?i)original"),
        "0 or 1",
        "sound",
        "Whether the sound calls itself original.",
    ),
    _at_publish(
        "soundVideos",
        pl.col("sound_videos").fill_null(0),
        "videos",
        "sound",
        "Matured videos with the sound, 200 at most.",
    ),
    _at_publish(
        "soundLift",
        pl.col("sound_lift"),
        _RATIO,
        "sound",
        "Videos with the sound above the platform's level, smoothed.",
    ),
    _at_publish(
        "hashtagLift",
        pl.col("hashtag_lift"),
        _RATIO,
        "hashtags",
        "Videos with these hashtags above the platform's level, smoothed.",
    ),
    _at_publish(
        "hashtagLiftBest",
        pl.col("hashtag_lift_best"),
        _RATIO,
        "hashtags",
        "Videos with the best of the hashtags above the platform's level, smoothed.",
    ),
    _at_publish(
        "hashtagLiftWorst",
        pl.col("hashtag_lift_worst"),
        _RATIO,
        "hashtags",
        "Videos with the weakest of the hashtags above the platform's level, smoothed.",
    ),
    _at_publish(
        "hashtagUses",
        pl.col("hashtag_uses"),
        "log(1 + videos)",
        "hashtags",
        "Matured videos with these hashtags, 50 at most each.",
    ),
)
EARLY = (
    _early("earlyAge", pl.col("early_age_hours").log1p(), "log(1 + hours)", "Age at the last reading."),
    _early("earlyViews", pl.col("early_views").log1p(), _LOG, "Views at the last reading."),
    _early(
        "earlyVelocity", pl.col("early_velocity").log1p(), "log(1 + views an hour)", "Views an hour since the posting."
    ),
    _early(
        "earlyAcceleration",
        _signed_log(pl.col("early_acceleration")),
        "signed log of views an hour",
        "How much faster views came after the last but one reading than before.",
    ),
    _early(
        "earlyGrowth",
        pl.col("early_growth"),
        "power of the age",
        "How views grew with age between the last two readings: 1 is a steady stream, 0 a standstill.",
    ),
    _early(
        "earlyGrowthOverall",
        pl.col("early_growth_overall"),
        "power of the age",
        "How views grew with age from the first reading to the last: 1 is a steady stream, 0 a standstill.",
    ),
    _early("earlyFirstAge", pl.col("early_first_age_hours").log1p(), "log(1 + hours)", "Age at the first reading."),
    _early("earlyFirstViews", pl.col("early_first_views").log1p(), _LOG, "Views at the first reading."),
    _early("earlyReadings", pl.col("early_readings"), "readings", "Readings so far."),
    _early("earlyLikes", pl.col("early_likes").log1p(), "log(1 + likes)", "Likes at the last reading."),
    _early("earlyComments", pl.col("early_comments").log1p(), "log(1 + comments)", "Comments at the last reading."),
    _early("earlyShares", pl.col("early_shares").log1p(), "log(1 + shares)", "Shares at the last reading."),
    _early(
        "earlyLikeRate",
        pl.when(pl.col("early_views") > 0).then(pl.col("early_likes") / pl.col("early_views")),
        "likes a view",
        "Likes a view at the last reading.",
    ),
    _early(
        "earlyAboveCreator",
        pl.col("early_views").log1p() - pl.col("creator_weighted_long"),
        _RATIO,
        "Views so far above what the creator's videos reach.",
    ),
)
FORECAST = (*PLAN, *CREATOR, *SURROUNDINGS, *EARLY)
