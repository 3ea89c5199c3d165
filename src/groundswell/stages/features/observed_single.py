"""The 15 features of window `observed` for one video, without a frame: a live request cannot wait for one.

The declarations in `observed` are what training uses and what the docs are made of; a test holds the two together on
any video that can be stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from groundswell.calibration.scores import Floats
from groundswell.stages.features.observed import FOLLOWER_STEPS, MOST_FOLLOWERS_STEP, UNKNOWN_FOLLOWERS_STEP


def observed_values(video: Mapping[str, Any]) -> Floats:
    """Return the features of one cleaned video (its canonical columns), shape (1, 15), in the order of `OBSERVED`."""
    views, likes, shares, comments = (float(video[name] or 0) for name in ("views", "likes", "shares", "comments"))
    saves, followers, duration = video["saves"], video["author_followers"], video["duration_seconds"]
    posted = video["posted_at"]
    values = (
        _per(shares, views),
        _per(comments, views),
        _per(likes, views),
        _per(0.15 * likes if saves is None else float(saves), views),
        _per(shares, likes),
        _per(comments, likes),
        (30.0 if duration is None else float(duration)) / 180,
        len(video["hashtags"] or ()) / 30,
        float(video["sound_name"] is not None),
        len(video["description"] or "") / 2000,
        float(followers is not None),
        _step(followers),
        _per(views, float(followers or 0)) / 50,
        0.5 if posted is None else posted.isoweekday() % 7 / 6,
        0.5 if posted is None else posted.hour / 23,
    )
    return np.array([values]).clip(0.0, 1.0)


def _per(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else 0.0


def _step(followers: int | None) -> float:
    if followers is None:
        return UNKNOWN_FOLLOWERS_STEP
    return next((step for end, step in FOLLOWER_STEPS if followers < end), MOST_FOLLOWERS_STEP)
