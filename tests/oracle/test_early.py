"""What readings say of a video so far, against a loop over one video's readings written from the catalogue's words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.stages.features.early import LESSONS, add_early, lessons
from tests.made_up import law
from tests.made_up_posts import DAY, HOUR, READINGS, START, Post, framed, posts, readings_of, targets_of

COUNTERS = ("views", "likes", "comments", "shares")
Told = dict[str, Any]
#: Readings as a list of (hours since the posting, views).
counts = st.lists(st.tuples(st.floats(0, 24), st.integers(0, 10**9)), min_size=1, max_size=8)


def slow_order(reading: Post) -> tuple[Any, ...]:
    return (reading["observed_at"], *(-1 if reading[name] is None else reading[name] for name in COUNTERS))


def told_in_time(readings: Sequence[Post], posted_at: datetime, until: datetime) -> list[Post]:
    """The readings that count, one a moment, in the order of time."""
    usable = [
        reading
        for reading in readings
        if reading["views"] is not None
        and reading["observed_at"] is not None
        and posted_at <= reading["observed_at"] <= until
    ]
    best: dict[datetime, Post] = {}
    for reading in usable:
        other = best.get(reading["observed_at"])
        if other is None or slow_order(reading) > slow_order(other):
            best[reading["observed_at"]] = reading
    return [best[at] for at in sorted(best)]


def slope(later: tuple[float, float], earlier: tuple[float, float]) -> float | None:
    aged = math.log(max(later[0], 0.1) / max(earlier[0], 0.1))
    return (math.log1p(later[1]) - math.log1p(earlier[1])) / aged if aged > 0.01 else None


def slow_early(readings: Sequence[Post], posted_at: datetime) -> Told | None:
    """What the readings that count say at the last of them; None where there are none."""
    if not readings:
        return None
    points = [((reading["observed_at"] - posted_at) / HOUR, reading["views"]) for reading in readings]
    (age, views), before, first = points[-1], points[-2] if len(points) > 1 else None, points[0]
    acceleration = None
    if before is not None:
        acceleration = (views - before[1]) / max(age - before[0], 0.1) - before[1] / max(before[0], 0.1)
    return {
        "early_age_hours": age,
        **{f"early_{name}": readings[-1][name] for name in COUNTERS},
        "early_readings": len(points),
        "early_first_views": first[1],
        "early_first_age_hours": first[0],
        "early_velocity": views / max(age, 0.1),
        "early_acceleration": acceleration,
        "early_growth": slope(points[-1], before) if before else None,
        "early_growth_overall": slope(points[-1], first),
    }


def assert_told(row: Told, slow: Told) -> None:
    assert slow.keys() <= row.keys()
    for name, value in slow.items():
        assert (row[name] is None) == (value is None), name
        assert value is None or row[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("hours", [0, 1, 6, 24])
@pytest.mark.parametrize("seed", range(6))
def test_early_readings_equal_their_loop(seed: int, hours: int) -> None:
    past = posts(40, seed)
    readings = readings_of(past, seed)
    late = [timedelta(hours=int(number)) for number in np.random.default_rng(seed).integers(0, 48, len(past))]
    moments = pl.Series("moment", [post["posted_at"] + by for post, by in zip(past, late, strict=True)])
    targets = targets_of(past).with_columns(moments.dt.replace_time_zone("UTC"))
    found = {row["key"]: row for row in add_early(targets, readings, timedelta(hours=hours)).to_dicts()}
    for post, by in zip(past, late, strict=True):
        own = [row for row in readings.to_dicts() if row["key"] == post["key"]]
        until = post["posted_at"] + min(by, timedelta(hours=hours))
        slow = slow_early(told_in_time(own, post["posted_at"], until), post["posted_at"])
        assert (slow is None) == (post["key"] not in found)
        if slow is not None:
            assert_told(found[post["key"]], slow)
    assert list(found) == [post["key"] for post in past if post["key"] in found]
    assert found or hours == 0


@pytest.mark.parametrize("hours", [1, 24, 72])
@pytest.mark.parametrize("seed", range(4))
def test_a_lesson_is_what_the_readings_up_to_it_say(seed: int, hours: int) -> None:
    past = posts(25, seed)
    targets, readings = targets_of(past, DAY), readings_of(past, seed, most=12)
    found = lessons(targets, readings, timedelta(hours=hours))
    assert found["key"].is_in(targets["key"].to_list()).all()
    for (key,), own in found.group_by("key"):
        post = next(post for post in past if post["key"] == key)
        usable = told_in_time(
            readings.filter(pl.col("key") == key).to_dicts(),
            post["posted_at"],
            post["posted_at"] + timedelta(hours=hours),
        )
        assert own.height == min(LESSONS, len(usable))
        assert own["early_readings"].n_unique() == own.height
        for row in own.to_dicts():
            last = usable[row["early_readings"] - 1]["observed_at"]
            assert_told(row, slow_early(usable[: row["early_readings"]], post["posted_at"]) or {})
            alone = targets.filter(pl.col("key") == key).with_columns(moment=pl.lit(last, READINGS["observed_at"]))
            known = readings.filter(pl.col("observed_at") <= last)
            same = add_early(alone, known, timedelta(hours=hours)).to_dicts()[0]
            assert {**same, "moment": None} == {**row, "moment": None}
    without = set(targets["key"]) - set(found["key"])
    told = add_early(targets.with_columns(moment=pl.col("posted_at") + 9 * DAY), readings, timedelta(hours=hours))
    assert without == set(targets["key"]) - set(told["key"])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 40])
def test_lessons_are_spread_over_all_ages(count: int) -> None:
    post = posts(1, 1)[0]
    found = lessons(targets_of([post]), at_hours(post, [(number, 1) for number in range(count)]), 99 * HOUR)
    numbers = found["early_readings"].to_list()
    assert len(numbers) == min(count, LESSONS)
    assert numbers[0] == 1
    steps = [later - earlier for earlier, later in pairwise(numbers)]
    assert not steps or max(steps) - min(steps) <= 1


def at_hours(post: Post, read: Sequence[tuple[float, int | None]]) -> pl.DataFrame:
    """Readings of a post, each as hours since its posting and views."""
    rows = [
        {"key": post["key"], "observed_at": post["posted_at"] + timedelta(hours=hours), "views": views}
        for hours, views in read
    ]
    return framed(rows, READINGS)


def early_of(read: Sequence[tuple[float, int | None]], hours: float = 24) -> Told | None:
    post = posts(1, 1)[0]
    found = add_early(targets_of([post], timedelta(hours=hours)), at_hours(post, read), timedelta(hours=hours))
    return found.to_dicts()[0] if found.height else None


@pytest.mark.parametrize("read", [[], [(-1, 5)], [(25, 5)], [(24.001, 5)], [(-0.001, 5)], [(3, None)]], ids=str)
def test_a_video_without_a_reading_in_the_window_is_left_out(read: list[tuple[float, int | None]]) -> None:
    assert early_of(read) is None


@pytest.mark.parametrize("others", [[(-1, 99)], [(24.1, 99)], [(5, None)], [(-1, 99), (30, 9), (1, None)]])
def test_readings_that_do_not_count_change_nothing(others: list[tuple[float, int | None]]) -> None:
    counted: list[tuple[float, int | None]] = [(2, 10), (4, 30)]
    assert early_of([*counted, *others]) == early_of([*others, *counted]) == early_of(counted)


def test_readings_at_both_ends_of_the_window_count() -> None:
    found = early_of([(24, 50), (0, 3)])
    assert found is not None
    assert (found["early_first_age_hours"], found["early_age_hours"], found["early_views"]) == (0, 24, 50)


def test_a_reading_at_the_posting_itself_has_a_finite_speed() -> None:
    found = early_of([(0, 7)])
    assert found is not None
    assert (found["early_age_hours"], found["early_views"], found["early_readings"]) == (0, 7, 1)
    assert found["early_velocity"] == pytest.approx(70)
    assert [found[name] for name in ("early_acceleration", "early_growth", "early_growth_overall")] == [None] * 3


def test_of_two_readings_at_one_moment_the_one_of_more_views_stays() -> None:
    for read in ([(3, 5), (3, 9), (3, 7)], [(3, 9), (3, 5), (3, 9)]):
        found = early_of(list(read))
        assert found is not None
        assert (found["early_views"], found["early_readings"]) == (9, 1)


def test_a_count_that_fell_stands_as_it_was_read_last() -> None:
    found = early_of([(1, 100), (2, 900), (3, 400)])
    assert found is not None
    assert found["early_views"] == 400
    assert found["early_growth"] < 0 < found["early_growth_overall"]
    assert found["early_acceleration"] == pytest.approx(-500 - 450)


def test_an_unknown_time_and_an_unknown_posting_say_nothing() -> None:
    post = posts(1, 1)[0]
    timeless = framed([{"key": post["key"], "observed_at": None, "views": 5}], READINGS)
    assert add_early(targets_of([post], DAY), timeless, DAY).is_empty()
    assert lessons(targets_of([post], DAY), timeless, DAY).is_empty()
    known = at_hours(post, [(0, 5)])
    unposted = targets_of([{**post, "posted_at": None}]).with_columns(moment=pl.lit(START, READINGS["observed_at"]))
    assert add_early(unposted, known, DAY).is_empty()


def test_other_counters_may_be_unknown() -> None:
    found = early_of([(1, 5)])
    assert found is not None
    assert [found[f"early_{name}"] for name in COUNTERS] == [5, None, None, None]


@law
@given(counts)
def test_speeds_are_finite_or_unknown_and_have_the_right_sign(read: list[tuple[float, int]]) -> None:
    found = early_of(list(read))
    assert found is not None
    numbers = ("early_velocity", "early_acceleration", "early_growth", "early_growth_overall")
    assert all(found[name] is None or math.isfinite(found[name]) for name in numbers)
    assert found["early_velocity"] >= 0
    growth = found["early_growth_overall"]
    rose = found["early_views"] - found["early_first_views"]
    assert growth is None or np.sign(growth) == np.sign(rose)
    assert (found["early_acceleration"] is None) == (found["early_readings"] == 1)


@law
@given(st.integers(1, 10**6), st.integers(2, 8))
def test_a_steady_stream_neither_speeds_up_nor_slows_down(an_hour: int, readings: int) -> None:
    found = early_of([(hours, an_hour * hours) for hours in range(1, readings + 1)])
    assert found is not None
    assert found["early_velocity"] == pytest.approx(an_hour)
    assert found["early_acceleration"] == pytest.approx(0, abs=1e-6)
    assert found["early_growth_overall"] == pytest.approx(1, abs=1 / an_hour)
    still = early_of([(hours, an_hour) for hours in range(1, readings + 1)])
    assert still is not None
    assert (still["early_growth"], still["early_growth_overall"]) == (0, 0)
    assert still["early_acceleration"] < 0
