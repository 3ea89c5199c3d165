"""One video without a frame gives the numbers that the frames give: terms, running computations, history, readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from groundswell.frames import MOMENT
from groundswell.records import Window
from groundswell.stages import features
from groundswell.stages.features import history as of_frames
from groundswell.stages.features.early import add_early
from groundswell.stages.features.history import add_history, hashtags_of
from groundswell.stages.features.running import LOG_VIEWS, at_last
from groundswell.stages.features.single import PastOfOne, Reading, early_of_one, history_of_one, microseconds
from tests.made_up_posts import (
    DAY,
    HOUR,
    LABEL_AGE,
    READINGS,
    START,
    Post,
    follower_readings,
    framed,
    history_of,
    posts,
    readings_of,
    targets_of,
)

law = limits(deadline=None, derandomize=True, max_examples=40)
forecast_windows = [window for window in Window if window.is_forecast]
seeds = st.integers(0, 2**32 - 1)
#: A running variance loses digits that a variance has: the square root of 1e-16.
LOOSE = {"creatorSpread": 1e-6, "creatorSpreadLong": 1e-6, "creator_spread": 1e-6, "creator_spread_long": 1e-6}


def differing(found: dict[str, float], expected: dict[str, float | None]) -> dict[str, tuple[Any, Any]]:
    """Return what differs by more than a billionth, with both values."""
    return {
        name: (found[name], value)
        for name, value in expected.items()
        if not np.isclose(
            found[name], np.nan if value is None else value, rtol=1e-9, atol=LOOSE.get(name, 2e-9), equal_nan=True
        )
    }


def of_one(target: Post, past: Sequence[Post], followers: Sequence[Post], moment: datetime) -> PastOfOne:
    """Return what is known of the past at the moment, said in the words of the record."""
    here = sorted(
        (post for post in past if post["platform"] == target["platform"]),
        key=lambda post: (post["posted_at"], post["key"]),
    )
    own = [post for post in here if is_same(post, target, "author") and post["posted_at"] <= moment]
    matured = [post for post in here if post["views"] is not None and post["posted_at"] + LABEL_AGE <= moment]
    seen = [
        (row["observed_at"], row["author_followers"])
        for row in followers
        if row["platform"] == target["platform"] and is_same(row, target, "author")
        if row["observed_at"] is not None and row["observed_at"] <= moment
    ]
    return PastOfOne(
        np.array([microseconds(post["posted_at"]) for post in own], np.int64),
        np.array([post["views"] for post in own], float),
        np.array([post["engagement"] for post in own], float),
        views_of(post for post in matured if is_same(post, target, "sound_name")),
        views_of(matured),
        [views_of(post for post in matured if tag in hashtags_of(post["hashtags"])) for tag in tags_of(target)],
        max(seen)[1] if seen else None,
    )


def is_same(post: Post, target: Post, name: str) -> bool:
    return target[name] is not None and post[name] == target[name]


def tags_of(target: Post) -> list[str]:
    return hashtags_of(target["hashtags"])


def views_of(chosen: Any) -> Any:
    return np.array([post["views"] for post in chosen], float)


def plain(readings: pl.DataFrame, key: str) -> list[Reading]:
    own = readings.filter(pl.col("key") == key, pl.col("observed_at").is_not_null())
    return own.select("observed_at", "views", "likes", "comments", "shares").rows()


@law
@given(
    seeds,
    st.integers(1, 150),
    st.sampled_from([1, 20, 200]),
    st.sampled_from(forecast_windows),
    st.booleans(),
    st.data(),
)
def test_one_video_is_told_what_a_frame_tells_it(
    seed: int, count: int, days: int, window: Window, planned: bool, data: Any
) -> None:
    past, followers = posts(count, seed, days=days, authors=2), follower_readings(20, seed)
    target = data.draw(st.sampled_from(past))
    if planned:
        target = {**target, "key": "planned", "posted_at": target["posted_at"] + data.draw(st.integers(0, 90)) * DAY}
    moment = target["posted_at"] + min(window.age, data.draw(st.integers(0, 30)) * HOUR)
    readings = readings_of([target], seed)
    frame = targets_of([target]).with_columns(pl.lit(moment, MOMENT).alias("moment"))
    frame = add_history(frame, history_of(past, followers, seed=seed % 1_000), LABEL_AGE)
    early: dict[str, float] | None = {}
    if window.age:
        frame = add_early(frame, readings, window.age)
        early = early_of_one(plain(readings, target["key"]), target["posted_at"], moment, window.age)
    assert (early is None) == frame.is_empty()
    if early is None:
        return
    history = history_of_one(of_one(target, past, followers, moment), target["posted_at"], moment, LABEL_AGE)
    columns = frame.drop("creator_matured_at").row(0, named=True)
    assert differing(history | early, {name: columns[name] for name in (*history, *early) if name in columns}) == {}
    told = features.of_one(target | history | early, features.of_window(window))
    (row,) = features.compute(frame, features.of_window(window)).to_dicts()
    assert told.dtype == np.float64
    assert differing(dict(zip(features.names(features.of_window(window)), told.tolist(), strict=True)), row) == {}
    assert list(row) == list(features.names(features.of_window(window)))


@law
@given(seeds, st.integers(0, 700), st.sampled_from([0.0, 0.3, 1.0]))
def test_a_running_computation_ends_as_it_says(seed: int, count: int, unknown: float) -> None:
    generator = np.random.default_rng(seed)
    log_views = np.log1p(np.floor(np.exp(generator.normal(7, 3, count))))
    engagement = np.where(generator.random(count) < unknown, np.nan, generator.random(count))
    arrays = {LOG_VIEWS: log_views, "engagement": engagement, "posted_at": np.arange(count, dtype=float)}
    frame = pl.DataFrame(arrays, schema=dict.fromkeys(arrays, pl.Float64)).fill_nan(None)
    for running in (of_frames.CREATOR, of_frames.SOUND, of_frames.HASHTAG, of_frames.PLATFORM):
        found = at_last(running, arrays)
        rows = frame.select(each.expression.alias(name) for name, each in running.items())
        expected = rows.row(count - 1, named=True) if count else dict.fromkeys(running)
        assert differing(found, expected) == {}


@law
@given(st.none() | st.text(max_size=60), st.none() | st.text(max_size=12), st.none() | st.lists(st.none() | st.text()))
@example("a\x1cb\x85c\u2003d\u180ee", "OR\u0130GINAL", [])
@example("\u0663\U00011f50\U0001d7ce\u00b2 @ann!? \U0001f600", "an Original sound", None)
@example("", "or\u0131ginal", [None, "", "A", "a"])
def test_a_plan_is_read_the_same(description: str | None, sound: str | None, hashtags: list[str | None] | None) -> None:
    target = {
        "key": "planned",
        "platform": "tiktok",
        "description": description,
        "sound_name": sound,
        "hashtags": hashtags,
        "posted_at": START + timedelta(hours=101),
    }
    plan = tuple(one for one in features.FORECAST if one.theme in {"caption", "time", "length"} or "Named" in one.name)
    plan += tuple(one for one in features.FORECAST if one.name in {"hashtagCount", "soundOriginal"})
    known = dict.fromkeys(("author", "duration_seconds")) | target
    found = dict(zip(features.names(plan), features.of_one(known, plan).tolist(), strict=True))
    assert differing(found, features.compute(targets_of([known]), plan).row(0, named=True)) == {}


def test_every_letter_is_read_the_same() -> None:
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    frame = pl.DataFrame({"description": ["".join(letters), *("".join(letters[at::97]) for at in range(97))]})
    captions = tuple(one for one in features.FORECAST if one.theme == "caption")
    assert len(captions) == 6
    told = [features.of_one({"description": text}, captions).tolist() for text in frame["description"]]
    assert [tuple(row) for row in told] == features.compute(frame, captions).rows()
    digits, blanks = (frame.select(pl.col("description").str.count_matches(kind)).item(0, 0) for kind in (r"\d", r"\s"))
    assert (digits, blanks) == (760, 25), "the classes of this version of polars"


@pytest.mark.parametrize("known", [{"early_views": 0.0, "early_likes": 3.0}, {"early_views": None, "early_likes": 1.0}])
def test_a_rate_of_nothing_is_unknown(known: dict[str, Any]) -> None:
    rate = tuple(one for one in features.FORECAST if one.name == "earlyLikeRate")
    assert np.isnan(features.of_one(known, rate)).all()


def test_every_feature_of_a_forecast_can_be_had_without_a_frame() -> None:
    assert all(one.of_one is not None for one in features.FORECAST)


def test_of_readings_at_one_moment_the_one_of_more_views_counts() -> None:
    at = START + HOUR
    rows: list[Reading] = [(at, 5, None, 2, 1), (at, 7, 1, None, None), (at, 7, 1, 0, None), (at, None, 99, 9, 9)]
    found = early_of_one(rows, START, START + DAY, DAY)
    assert found is not None
    assert (found["early_views"], found["early_likes"], found["early_comments"]) == (7, 1, 0)
    assert np.isnan(found["early_shares"])
    assert found["early_readings"] == 1
    frame = framed([dict(zip(READINGS, ("k", *row), strict=True)) for row in rows], READINGS)
    target = {"key": "k", "platform": "tiktok", "posted_at": START}
    (expected,) = add_early(targets_of([target], DAY), frame, DAY).to_dicts()
    assert differing(found, {name: expected[name] for name in found}) == {}
