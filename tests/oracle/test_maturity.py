"""Which reading is a video's outcome, and why another video has none: against a loop over one video's readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.frames import MOMENT
from groundswell.stages.maturity import (
    IMMATURE,
    MATURE,
    NO_POSTING_TIME,
    NOT_READ_SINCE,
    READ_BEFORE_POSTED,
    READ_TOO_LATE,
    TOO_YOUNG,
    UNUSABLE,
    LabelAge,
    add_outcomes,
    find_outcomes,
)
from tests.made_up import law
from tests.made_up_posts import DAY, HOUR, LABEL_AGE, READINGS, START, Post, framed

POSTS = {"key": pl.String, "posted_at": MOMENT}
AS_OF = START + 10 * DAY
INSTANT = timedelta(microseconds=1)
ANY_LATER = LabelAge(LABEL_AGE)
WITHIN_A_DAY = LabelAge(LABEL_AGE, LABEL_AGE + DAY)
both_labels = pytest.mark.parametrize("label", [ANY_LATER, WITHIN_A_DAY], ids=["any later", "within a day"])
known_counts = st.none() | st.integers(0, 50)
#: Ages at which a video is read, the label ages and what is just beside them among them.
ages = st.sampled_from([LABEL_AGE, LABEL_AGE + DAY]).flatmap(
    lambda age: st.sampled_from([age, age - INSTANT, age + INSTANT])
) | st.integers(-30, 240).map(lambda hours: hours * HOUR)
read = st.lists(st.tuples(st.none() | ages, known_counts, known_counts), max_size=5)
#: Videos as (hours from the first of the year to the posting, readings).
videos = st.lists(st.tuples(st.none() | st.integers(0, 240), read), min_size=1, max_size=6)


def slow_outcome(
    posted_at: datetime | None, readings: Sequence[Post], label: LabelAge, as_of: datetime
) -> tuple[str, int | None, float | None]:
    """The state of a video with its views and its likes a view, written from the design's words."""
    if posted_at is None:
        return NO_POSTING_TIME, None, None
    readings = [row for row in readings if row["views"] is not None]
    timed = sorted(
        (row for row in readings if row["observed_at"] is not None),
        key=lambda row: (row["observed_at"], row["views"], row["likes"] is None, row["likes"] or 0),
    )
    if readings and len(timed) == len(readings) and all(row["observed_at"] < posted_at for row in timed):
        return READ_BEFORE_POSTED, None, None
    if posted_at + label.age > as_of:
        return TOO_YOUNG, None, None
    late = [row for row in timed if row["observed_at"] >= posted_at + label.age]
    counting = [row for row in late if label.most is None or row["observed_at"] <= posted_at + label.most]
    chosen = counting[0] if counting else None
    if not timed and len(readings) == 1:
        chosen = readings[0]
    if chosen is None:
        return READ_TOO_LATE if late else NOT_READ_SINCE, None, None
    known = chosen["views"] > 0 and chosen["likes"] is not None
    return MATURE, chosen["views"], min(chosen["likes"] / chosen["views"], 1.0) if known else None


def made(rows: Sequence[tuple[int | None, Sequence[tuple[Any, ...]]]]) -> tuple[list[Post], list[Post]]:
    found, readings = [], []
    for number, (hours, own) in enumerate(rows):
        posted_at = None if hours is None else START + hours * HOUR
        found.append({"key": f"video{number}", "posted_at": posted_at})
        for age, views, likes in own:
            at = None if age is None else (posted_at or START) + age
            readings.append({"key": f"video{number}", "observed_at": at, "views": views, "likes": likes})
    return found, readings


def told(posts: Sequence[Post], readings: Sequence[Post], label: LabelAge, as_of: datetime) -> pl.DataFrame:
    return add_outcomes(framed(posts, POSTS), framed(readings, READINGS), label, as_of)


def outcome_of(*own: tuple[Any, ...], label: LabelAge = ANY_LATER, as_of: datetime = AS_OF) -> tuple[Any, ...]:
    """The state, views and engagement of a video posted at START that was read so: (age, views, likes)."""
    return told(*made([(0, own)]), label, as_of).select("maturity", "views", "engagement").row(0)


@both_labels
@law
@given(videos, st.integers(0, 300))
def test_outcomes_equal_their_loop(label: LabelAge, rows: Any, until: int) -> None:
    posts, readings = made(rows)
    as_of = START + until * HOUR
    found = told(posts, readings, label, as_of)
    assert found["key"].to_list() == [post["key"] for post in posts]
    for row, post in zip(found.to_dicts(), posts, strict=True):
        own = [reading for reading in readings if reading["key"] == post["key"]]
        state, views, engagement = slow_outcome(post["posted_at"], own, label, as_of)
        assert (row["maturity"], row["views"]) == (state, views)
        assert row["engagement"] == (None if engagement is None else pytest.approx(engagement))


@both_labels
@law
@given(videos, st.integers(0, 300), st.integers(0, 99))
def test_every_video_has_one_state_and_an_outcome_only_when_mature(
    label: LabelAge, rows: Any, until: int, seed: int
) -> None:
    posts, readings = made(rows)
    found = told(posts, readings, label, START + until * HOUR)
    states = found["maturity"].to_list()
    assert sum(states.count(state) for state in (MATURE, *IMMATURE, *UNUSABLE)) == len(posts)
    assert (found["views"].is_not_null() == (found["maturity"] == MATURE)).all()
    order = np.random.default_rng(seed).permutation(len(readings))
    assert told(posts, [readings[k] for k in order], label, START + until * HOUR).equals(found)
    turned = told(posts[::-1], readings, label, START + until * HOUR)
    assert turned.equals(found[::-1])


@both_labels
@law
@given(videos, st.integers(0, 300), st.integers(0, 300))
def test_an_earlier_as_of_never_makes_a_video_mature_or_changes_an_outcome(
    label: LabelAge, rows: Any, first: int, second: int
) -> None:
    posts, readings = made(rows)
    early, late = (told(posts, readings, label, START + hours * HOUR) for hours in sorted([first, second]))
    mature = early["maturity"] == MATURE
    assert early.filter(mature).equals(late.filter(mature))
    never = late["maturity"].is_in(UNUSABLE)
    assert early.filter(never).equals(late.filter(never))


@law
@given(videos, st.integers(0, 300))
def test_a_most_only_takes_outcomes_away(rows: Any, until: int) -> None:
    posts, readings = made(rows)
    free, bound = (told(posts, readings, label, START + until * HOUR) for label in (ANY_LATER, WITHIN_A_DAY))
    mature = bound["maturity"] == MATURE
    assert bound.filter(mature).equals(free.filter(mature))
    assert set(free.filter(~mature & (free["maturity"] == MATURE))["key"]) == set(
        bound.filter(bound["maturity"] == READ_TOO_LATE)["key"]
    )
    assert READ_TOO_LATE not in free["maturity"].to_list()


@pytest.mark.parametrize(
    ("as_of", "state"), [(LABEL_AGE - INSTANT, TOO_YOUNG), (LABEL_AGE, MATURE), (LABEL_AGE + INSTANT, MATURE)]
)
def test_a_video_is_mature_from_the_moment_at_which_it_has_the_label_age(as_of: timedelta, state: str) -> None:
    assert outcome_of((LABEL_AGE, 9, 3), as_of=START + as_of)[0] == state


def test_the_first_reading_at_or_after_the_label_age_is_the_outcome() -> None:
    assert outcome_of((LABEL_AGE, 9, 3), (LABEL_AGE - INSTANT, 1, 1)) == (MATURE, 9, pytest.approx(1 / 3))
    assert outcome_of((9 * DAY, 50, 5), (4 * DAY, 10, 1), (2 * DAY, 1, 1)) == (MATURE, 10, pytest.approx(0.1))
    assert outcome_of((LABEL_AGE - INSTANT, 9, 3)) == (NOT_READ_SINCE, None, None)


def test_a_reading_beyond_the_most_does_not_count_and_one_at_it_does() -> None:
    most = LABEL_AGE + DAY
    assert outcome_of((most, 9, 9), label=WITHIN_A_DAY) == (MATURE, 9, 1)
    assert outcome_of((most + INSTANT, 9, 9), label=WITHIN_A_DAY) == (READ_TOO_LATE, None, None)
    assert outcome_of((9 * DAY, 9, 9), label=ANY_LATER) == (MATURE, 9, 1)


def test_an_only_reading_of_unknown_time_is_the_outcome_and_one_of_several_is_not() -> None:
    assert outcome_of((None, 9, None)) == (MATURE, 9, None)
    assert outcome_of((None, 9, None), label=WITHIN_A_DAY)[0] == MATURE
    assert outcome_of((None, 9, 1), (None, 8, 1)) == (NOT_READ_SINCE, None, None)
    assert outcome_of((None, 9, 1), (DAY, 8, 1)) == (NOT_READ_SINCE, None, None)
    assert outcome_of((None, 9, 1), (4 * DAY, 8, 1))[:2] == (MATURE, 8)
    # Not even a reading of unknown time speaks of a video that is too young.
    assert outcome_of((None, 9, 1), as_of=START + DAY) == (TOO_YOUNG, None, None)


def test_a_reading_without_views_is_none() -> None:
    assert outcome_of((4 * DAY, None, 5)) == (NOT_READ_SINCE, None, None)
    assert outcome_of((4 * DAY, None, 5), (5 * DAY, 10, 5)) == (MATURE, 10, 0.5)
    assert outcome_of((4 * DAY, None, 5), (None, 10, 5)) == (MATURE, 10, 0.5)


def test_a_video_read_only_before_it_was_posted_cannot_be_used() -> None:
    assert outcome_of((-HOUR, 9, 1)) == (READ_BEFORE_POSTED, None, None)
    assert outcome_of((-HOUR, 9, 1), (-2 * HOUR, 9, 1))[0] == READ_BEFORE_POSTED
    assert outcome_of((-HOUR, 9, 1), (4 * DAY, 9, 1))[0] == MATURE
    assert outcome_of((-HOUR, 9, 1), (None, 9, 1))[0] == NOT_READ_SINCE
    assert outcome_of((timedelta(0), 9, 1))[0] == NOT_READ_SINCE


def test_without_posting_time_readings_or_videos_there_is_no_outcome() -> None:
    assert (
        told(*made([(None, [(4 * DAY, 9, 1)]), (None, [])]), ANY_LATER, AS_OF)["maturity"].to_list()
        == [NO_POSTING_TIME] * 2
    )
    assert outcome_of() == (NOT_READ_SINCE, None, None)
    assert told([], [], ANY_LATER, AS_OF).is_empty()


def test_engagement_is_likes_a_view_one_at_most_and_unknown_without_views() -> None:
    found = [outcome_of((4 * DAY, views, likes))[2] for views, likes in ((10, 2), (10, 20), (0, 0), (0, 5), (10, None))]
    assert found == [0.2, 1, None, None, None]


# --- the reading itself, as a harvest wants it ---


@both_labels
@law
@given(videos, st.integers(0, 300))
def test_the_counters_of_an_outcome_are_those_of_one_reading(label: LabelAge, rows: Any, until: int) -> None:
    posts, readings = made(rows)
    as_of = START + until * HOUR
    found = find_outcomes(framed(posts, POSTS), framed(readings, READINGS), label, as_of, ("views", "likes"))
    assert found.columns == ["key", "posted_at", "maturity", "views", "likes", "read_at"]
    for row, post in zip(found.to_dicts(), posts, strict=True):
        own = [reading for reading in readings if reading["key"] == post["key"]]
        state, views, _ = slow_outcome(post["posted_at"], own, label, as_of)
        assert (row["maturity"], row["views"]) == (state, views)
        told_by = [one for one in own if one["observed_at"] == row["read_at"] and one["views"] == views]
        if state == MATURE:
            assert row["likes"] in [one["likes"] for one in told_by]
            assert row["read_at"] is None or row["read_at"] >= post["posted_at"] + label.age
        else:
            assert (row["likes"], row["read_at"]) == (None, None)


def test_a_counter_that_was_not_read_is_unknown() -> None:
    posts, readings = made([(0, [(4 * DAY, 9, None), (5 * DAY, 10, 3)])])
    found = find_outcomes(framed(posts, POSTS), framed(readings, READINGS), ANY_LATER, AS_OF, ("views", "likes"))
    assert found.select("views", "likes", "read_at").row(0) == (9, None, START + 4 * DAY)
