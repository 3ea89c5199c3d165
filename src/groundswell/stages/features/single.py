"""One video's past and readings without a frame: what `add_history` and `add_early` say of it, in plain numbers.

For one row a frame costs a hundred times what the arithmetic does. What is computed comes from the same declarations
(`history.CREATOR` and its like, the catalogue) and constants; what is chosen is held against the frames by tests.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from groundswell.stages.features.early import LEAST_AGED, SECONDS_AN_HOUR, SHORTEST_HOURS, acceleration
from groundswell.stages.features.history import (
    CREATOR,
    CREATOR_POSTS,
    DIGITS,
    HASHTAG,
    PLATFORM,
    POSTING_DAYS,
    SOUND,
    above_level,
)
from groundswell.stages.features.running import LOG_VIEWS, Floats, Posts, at_last
from groundswell.stages.features.term import UNKNOWN

#: When a video was observed, and its views, likes, comments and shares then.
Reading = tuple[datetime, int | None, int | None, int | None, int | None]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECONDS_A_DAY = 86_400


@dataclasses.dataclass(frozen=True, slots=True)
class PastOfOne:
    """What was known of other posts at the moment of one video; every array runs from the oldest post to the newest.

    Of its creator's posts up to the moment, matured or not: when they were posted (microseconds since 1970), and their
    `views` and `engagement` (NaN while they have none). Of its sound, its platform and each of its hashtags: the
    views of the posts that had matured. `followers` are the creator's as last observed.
    """

    posted_at: npt.NDArray[np.int64]
    views: Floats
    engagement: Floats
    sound_views: Floats
    platform_views: Floats
    hashtag_views: Sequence[Floats]
    followers: int | None


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970.

    >>> microseconds(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (moment - _EPOCH) // _MICROSECOND


def history_of_one(past: PastOfOne, posted_at: datetime, moment: datetime, label_age: timedelta) -> dict[str, float]:
    """Return the columns that `add_history` adds, for a video posted then and predicted at the moment; NaN is unknown.

    Only posts matured by the moment speak: posted_at + label_age <= moment.
    """
    posted, label_age_before = microseconds(posted_at), microseconds(moment - label_age)
    matured = (past.posted_at <= label_age_before) & ~np.isnan(past.views)
    creator = at_last(
        CREATOR,
        {
            LOG_VIEWS: np.log1p(past.views[matured]),
            "engagement": past.engagement[matured],
            "posted_at": past.posted_at[matured].astype(np.float64),
        },
    )
    platform = at_last(PLATFORM, _log_views(past.platform_views))
    sound = at_last(SOUND, _log_views(past.sound_views))
    level = platform["platform_level"]
    return {
        **platform,
        **creator,
        **sound,
        "sound_lift": round(_smoothed(sound, "sound", level), DIGITS),
        **_hashtags(past.hashtag_views, level),
        **_posting(past.posted_at, posted, label_age_before),
        "days_since_matured": _days(posted - creator["creator_matured_at"]),
        "followers": UNKNOWN if past.followers is None else float(past.followers),
    }


def _log_views(views: Floats) -> Posts:
    return {LOG_VIEWS: np.log1p(views)}


def _hashtags(views: Sequence[Floats], level: float) -> dict[str, float]:
    found = [at_last(HASHTAG, _log_views(each)) for each in views]
    names = ("hashtag_lift", "hashtag_lift_best", "hashtag_lift_worst", "hashtag_uses")
    if not found:
        return dict.fromkeys(names, UNKNOWN)
    lifts = [_smoothed(each, "hashtag", level) for each in found]
    uses = [math.log1p(_or_zero(each["hashtag_videos"])) for each in found]
    values = (sum(lifts) / len(lifts), max(lifts), min(lifts), sum(uses) / len(uses))
    return dict(zip(names, (round(value, DIGITS) for value in values), strict=True))


def _smoothed(found: dict[str, float], entity: str, level: float) -> float:
    return above_level(_or_zero(found[f"{entity}_total"]), _or_zero(found[f"{entity}_videos"]), level)


def _posting(times: npt.NDArray[np.int64], posted: int, label_age_before: int) -> dict[str, float]:
    """Return when the creator posted last, how many posts are immature, and how many came in a month."""
    month_before = posted - timedelta(days=POSTING_DAYS) // _MICROSECOND
    before = int(np.searchsorted(times, posted))
    matured, older = np.searchsorted(times, (label_age_before, month_before), side="right").tolist()
    return {
        "immature_posts": float(min(max(before - matured, 0), CREATOR_POSTS)),
        "posts_lately": float(min(max(before - older, 0), CREATOR_POSTS)),
        "creator_posts": float(min(before, CREATOR_POSTS)),
        "days_since_post": _days(posted - int(times[before - 1])) if before else UNKNOWN,
    }


def _days(since: float) -> float:
    """Return microseconds as days of whole seconds."""
    return UNKNOWN if math.isnan(since) else math.trunc(since / 1_000_000) / _SECONDS_A_DAY


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def early_of_one(
    readings: Iterable[Reading], posted_at: datetime, moment: datetime, window: timedelta
) -> dict[str, float] | None:
    """Return the columns that `add_early` adds, NaN for unknown; None where the video was not read within the window.

    A reading counts from the posting on until the window's end and never after the moment. Of several at one moment
    the one of more views stays (then of more likes, comments, shares).
    """
    most: dict[datetime, tuple[float, ...]] = {}
    until = min(posted_at + window, moment)
    for observed_at, *counts in readings:
        if counts[0] is not None and posted_at <= observed_at <= until:
            # Below zero stands what is unknown, until the greatest has been found.
            ranked = tuple(-1.0 if count is None else float(count) for count in counts)
            most[observed_at] = max(most.get(observed_at, ranked), ranked)
    if not most:
        return None
    told = [(_age_hours(observed_at - posted_at), most[observed_at]) for observed_at in sorted(most)]
    (age, last), (first_age, first) = told[-1], told[0]
    age_before, before = told[-2] if len(told) > 1 else (UNKNOWN, (UNKNOWN,))
    views, likes, comments, shares = (UNKNOWN if count < 0 else count for count in last)
    since = max(age - age_before, SHORTEST_HOURS)
    return {
        "early_age_hours": age,
        "early_views": views,
        "early_likes": likes,
        "early_comments": comments,
        "early_shares": shares,
        "early_readings": float(len(told)),
        "early_first_views": first[0],
        "early_first_age_hours": first_age,
        "early_velocity": views / max(age, SHORTEST_HOURS),
        "early_acceleration": acceleration(views, since, before[0], max(age_before, SHORTEST_HOURS)),
        "early_growth": _growth(views, age, before[0], age_before),
        "early_growth_overall": _growth(views, age, first[0], first_age),
    }


def _age_hours(age: timedelta) -> float:
    """Return an age in hours, of whole milliseconds."""
    return age // timedelta(milliseconds=1) / 1_000 / SECONDS_AN_HOUR


def _growth(views: float, age: float, before: float, age_before: float) -> float:
    """Return the slope of log-views over log-age since an earlier reading; NaN without one, or without time since."""
    aged = math.log(max(age, SHORTEST_HOURS) / max(age_before, SHORTEST_HOURS))
    return (math.log1p(views) - math.log1p(before)) / aged if aged > LEAST_AGED else UNKNOWN
