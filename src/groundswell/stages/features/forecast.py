"""The features of the forecast windows: what a plan says, what the past says, and how the video was received so far.

Unlike those of `observed` they may be unknown (null): a creator's first video has no median before it.
"""

from __future__ import annotations

import polars as pl

from groundswell.records import Window
from groundswell.stages.features.feature import Feature
from groundswell.stages.features.term import (
    BLANKS,
    DIGITS,
    Term,
    column,
    hour,
    items,
    length,
    matches,
    named,
    says,
    weekday,
)


def _at_publish(name: str, term: Term, unit: str, theme: str, sentence: str) -> Feature:
    return _declared(name, term, Window.PUBLISH, unit, sentence, theme)


def _early(name: str, term: Term, unit: str, sentence: str) -> Feature:
    return _declared(name, term, Window.HOUR_1, unit, sentence, "reception")


def _declared(name: str, term: Term, known_at: Window, unit: str, sentence: str, theme: str) -> Feature:
    expression = term.expression.cast(pl.Float64).alias(name)
    return Feature(name, expression, known_at, unit, sentence, theme, term.of_one)


_LOG = "log(1 + views)"
#: How many times as much, as a logarithm.
_RATIO = "log ratio"

PLAN = (
    _at_publish("duration", column("duration_seconds"), "seconds", "length", "Length of the video."),
    _at_publish("captionLength", length("description"), "characters", "caption", "Length of the caption."),
    _at_publish("captionWords", matches("description", f"[^{BLANKS}]+"), "words", "caption", "Words in the caption."),
    _at_publish("captionMarks", matches("description", "[!?]"), "marks", "caption", "Exclamation and question marks."),
    _at_publish(
        "captionMentions", matches("description", "@"), "mentions", "caption", "People mentioned in the caption."
    ),
    _at_publish("captionDigits", matches("description", f"[{DIGITS}]"), "digits", "caption", "Digits in the caption."),
    _at_publish(
        "captionSymbols",
        matches("description", r"[^\x00-\x7F]"),
        "characters",
        "caption",
        "Emoji and letters beyond ASCII in the caption.",
    ),
    _at_publish("hashtagCount", items("hashtags"), "hashtags", "hashtags", "Number of hashtags."),
    _at_publish("weekday", weekday("posted_at"), "days from Sunday", "time", "UTC weekday of the posting."),
    _at_publish("hour", hour("posted_at"), "hours", "time", "UTC hour of the posting."),
)
CREATOR = (
    _at_publish(
        "creatorVideos",
        column("creator_videos").or_zero(),
        "videos",
        "creator",
        "Number of the creator's matured videos, 500 at most.",
    ),
    _at_publish("creatorMean", column("creator_mean"), _LOG, "creator", "Mean of the creator's matured videos."),
    _at_publish(
        "creatorMedian", column("creator_median"), _LOG, "creator", "Median of the creator's last 20 matured videos."
    ),
    _at_publish(
        "creatorLowerQuartile",
        column("creator_lower_quartile"),
        _LOG,
        "creator",
        "Lower quartile of the creator's last 20 matured videos.",
    ),
    _at_publish(
        "creatorUpperQuartile",
        column("creator_upper_quartile"),
        _LOG,
        "creator",
        "Upper quartile of the creator's last 20 matured videos.",
    ),
    _at_publish(
        "creatorSpread",
        column("creator_spread"),
        _RATIO,
        "creator",
        "Spread (standard deviation) of the creator's last 20 matured videos.",
    ),
    _at_publish(
        "creatorLastFew", column("creator_last_few"), _LOG, "creator", "Mean of the creator's last 5 matured videos."
    ),
    _at_publish("creatorLast", column("creator_last"), _LOG, "creator", "The creator's last matured video."),
    _at_publish(
        "creatorSecondLast",
        column("creator_second_last"),
        _LOG,
        "creator",
        "The creator's matured video before the last.",
    ),
    _at_publish("creatorBest", column("creator_best"), _LOG, "creator", "The creator's best matured video."),
    _at_publish("creatorWorst", column("creator_worst"), _LOG, "creator", "The creator's weakest matured video."),
    _at_publish(
        "creatorWeighted",
        column("creator_weighted"),
        _LOG,
        "creator",
        "Mean of the creator's matured videos, recent ones first (half-life 3 videos).",
    ),
    _at_publish(
        "creatorWeightedLong",
        column("creator_weighted_long"),
        _LOG,
        "creator",
        "Mean of the creator's matured videos, recent ones first (half-life 10 videos).",
    ),
    _at_publish(
        "creatorLow", column("creator_low"), _LOG, "creator", "Lowest tenth of the creator's last 50 matured videos."
    ),
    _at_publish(
        "creatorHigh", column("creator_high"), _LOG, "creator", "Highest tenth of the creator's last 50 matured videos."
    ),
    _at_publish(
        "creatorMedianLong",
        column("creator_median_long"),
        _LOG,
        "creator",
        "Median of the creator's last 50 matured videos.",
    ),
    _at_publish(
        "creatorSpreadLong",
        column("creator_spread_long"),
        _RATIO,
        "creator",
        "Spread (standard deviation) of the creator's last 50 matured videos.",
    ),
    _at_publish(
        "creatorBestLately",
        column("creator_best_lately"),
        _LOG,
        "creator",
        "Best of the creator's last 5 matured videos.",
    ),
    _at_publish(
        "creatorWorstLately",
        column("creator_worst_lately"),
        _LOG,
        "creator",
        "Weakest of the creator's last 5 matured videos.",
    ),
    _at_publish(
        "creatorJustNow",
        column("creator_just_now"),
        _LOG,
        "creator",
        "Mean of the creator's matured videos, recent ones first (half-life 1 video).",
    ),
    _at_publish(
        "creatorLongRun",
        column("creator_long_run"),
        _LOG,
        "creator",
        "Mean of the creator's matured videos, recent ones first (half-life 20 videos).",
    ),
    _at_publish(
        "creatorEngagementLast",
        column("creator_engagement_last"),
        "likes a view",
        "creator",
        "Likes a view of the creator's last matured video.",
    ),
    _at_publish(
        "creatorEngagementLately",
        column("creator_engagement_lately"),
        "likes a view",
        "creator",
        "Likes a view of the creator's last 5 matured videos.",
    ),
    _at_publish(
        "creatorTrend",
        column("creator_last_few") - column("creator_mean"),
        _RATIO,
        "creator",
        "The creator's last 5 matured videos above the creator's mean.",
    ),
    _at_publish(
        "creatorAboveLevel",
        column("creator_weighted_long") - column("platform_level"),
        _RATIO,
        "creator",
        "The creator above the platform's level.",
    ),
    _at_publish(
        "creatorEngagement",
        column("creator_engagement"),
        "likes a view",
        "creator",
        "Likes a view of the creator's matured videos, recent ones first.",
    ),
    _at_publish(
        "followers",
        column("followers").log1p(),
        "log(1 + followers)",
        "creator",
        "Followers as last observed before the moment of prediction.",
    ),
    _at_publish("daysSincePost", column("days_since_post"), "days", "rhythm", "Days since the creator's last post."),
    _at_publish(
        "creatorPosts",
        column("creator_posts"),
        "videos",
        "rhythm",
        "Number of the creator's posts before, 500 at most.",
    ),
    _at_publish(
        "daysSinceMatured",
        column("days_since_matured"),
        "days",
        "rhythm",
        "Days since the creator's last matured video was posted.",
    ),
    _at_publish(
        "immaturePosts",
        column("immature_posts"),
        "videos",
        "rhythm",
        "Number of the creator's posts that have not matured yet.",
    ),
    _at_publish(
        "postsLately",
        column("posts_lately"),
        "videos",
        "rhythm",
        "Number of the creator's posts in the 30 days before.",
    ),
)
SURROUNDINGS = (
    _at_publish(
        "platformLevel", column("platform_level"), _LOG, "platform", "Mean of the platform's last 1,000 matured videos."
    ),
    _at_publish(
        "platformLevelLately",
        column("platform_level_lately"),
        _LOG,
        "platform",
        "Mean of the platform's last 200 matured videos.",
    ),
    _at_publish(
        "platformLevelNow",
        column("platform_level_now"),
        _LOG,
        "platform",
        "Mean of the platform's last 50 matured videos.",
    ),
    _at_publish("soundNamed", named("sound_name"), "0 or 1", "sound", "Whether a sound is named."),
    _at_publish(
        "soundOriginal",
        says("sound_name", "original"),
        "0 or 1",
        "sound",
        "Whether the sound calls itself original.",
    ),
    _at_publish(
        "soundVideos",
        column("sound_videos").or_zero(),
        "videos",
        "sound",
        "Matured videos with the sound, 200 at most.",
    ),
    _at_publish(
        "soundLift",
        column("sound_lift"),
        _RATIO,
        "sound",
        "Videos with the sound above the platform's level, smoothed.",
    ),
    _at_publish(
        "hashtagLift",
        column("hashtag_lift"),
        _RATIO,
        "hashtags",
        "Videos with these hashtags above the platform's level, smoothed.",
    ),
    _at_publish(
        "hashtagLiftBest",
        column("hashtag_lift_best"),
        _RATIO,
        "hashtags",
        "Videos with the best of the hashtags above the platform's level, smoothed.",
    ),
    _at_publish(
        "hashtagLiftWorst",
        column("hashtag_lift_worst"),
        _RATIO,
        "hashtags",
        "Videos with the weakest of the hashtags above the platform's level, smoothed.",
    ),
    _at_publish(
        "hashtagUses",
        column("hashtag_uses"),
        "log(1 + videos)",
        "hashtags",
        "Matured videos with these hashtags, 50 at most each.",
    ),
)
EARLY = (
    _early("earlyAge", column("early_age_hours").log1p(), "log(1 + hours)", "Age at the last reading."),
    _early("earlyViews", column("early_views").log1p(), _LOG, "Views at the last reading."),
    _early(
        "earlyVelocity", column("early_velocity").log1p(), "log(1 + views an hour)", "Views an hour since the posting."
    ),
    _early(
        "earlyAcceleration",
        column("early_acceleration").signed_log(),
        "signed log of views an hour",
        "How much faster views came after the last but one reading than before.",
    ),
    _early(
        "earlyGrowth",
        column("early_growth"),
        "power of the age",
        "How views grew with age between the last two readings: 1 is a steady stream, 0 a standstill.",
    ),
    _early(
        "earlyGrowthOverall",
        column("early_growth_overall"),
        "power of the age",
        "How views grew with age from the first reading to the last: 1 is a steady stream, 0 a standstill.",
    ),
    _early("earlyFirstAge", column("early_first_age_hours").log1p(), "log(1 + hours)", "Age at the first reading."),
    _early("earlyFirstViews", column("early_first_views").log1p(), _LOG, "Views at the first reading."),
    _early("earlyReadings", column("early_readings"), "readings", "Readings so far."),
    _early("earlyLikes", column("early_likes").log1p(), "log(1 + likes)", "Likes at the last reading."),
    _early("earlyComments", column("early_comments").log1p(), "log(1 + comments)", "Comments at the last reading."),
    _early("earlyShares", column("early_shares").log1p(), "log(1 + shares)", "Shares at the last reading."),
    _early(
        "earlyLikeRate",
        column("early_likes").per(column("early_views")),
        "likes a view",
        "Likes a view at the last reading.",
    ),
    _early(
        "earlyAboveCreator",
        column("early_views").log1p() - column("creator_weighted_long"),
        _RATIO,
        "Views so far above what the creator's videos reach.",
    ),
)
FORECAST = (*PLAN, *CREATOR, *SURROUNDINGS, *EARLY)
