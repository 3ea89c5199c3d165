"""Parts in time order: who trains, calibrates and judges, and nobody whose outcome came after the judging began."""

from __future__ import annotations

import math
from datetime import timedelta
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.frames import MOMENT
from groundswell.stages.timeline import Timeline, split_by_time
from tests.made_up import law
from tests.made_up_posts import DAY, HOUR, START

#: Hours from the first of the year to each posting; many fall together.
postings = st.lists(st.integers(0, 20) | st.integers(0, 2_000), max_size=60).map(sorted)
embargoes = st.integers(0, 200).map(lambda hours: hours * HOUR)


def times(hours: list[int]) -> pl.Series:
    return pl.Series("posted_at", [START + number * HOUR for number in hours], dtype=MOMENT)


def parts_of(found: Timeline) -> list[list[int]]:
    return [part.tolist() for part in (found.train, found.calibration, found.embargo, found.holdout)]


@law
@given(postings, embargoes)
def test_parts_are_disjoint_in_time_order_and_hold_every_row(hours: list[int], embargo: timedelta) -> None:
    found = split_by_time(times(hours), embargo)
    assert [row for part in parts_of(found) for row in part] == list(range(len(hours)))
    assert [*found.before_holdout.tolist(), *found.holdout.tolist()] == list(range(len(hours)))


@law
@given(postings, embargoes)
def test_the_latest_fifth_judges(hours: list[int], embargo: timedelta) -> None:
    found = split_by_time(times(hours), embargo)
    assert len(found.holdout) == math.floor(Fraction(1, 5) * len(hours))
    assert all(hours[row] >= hours[other] for row in found.holdout[:1] for other in found.before_holdout)


@law
@given(postings, embargoes)
def test_what_is_learnt_from_had_matured_when_the_holdout_began(hours: list[int], embargo: timedelta) -> None:
    posted = times(hours)
    found = split_by_time(posted, embargo)
    if not len(found.holdout):
        assert parts_of(found) == [list(range(len(hours))), [], [], []]
        return
    began = posted[int(found.holdout[0])]
    learnt = [*found.train.tolist(), *found.calibration.tolist()]
    assert all(posted[row] + embargo <= began for row in learnt)
    # And none more is left out than must be.
    assert all(posted[row] + embargo > began for row in found.embargo.tolist())
    assert len(found.calibration) == math.floor(Fraction(15, 100) * len(learnt))


@pytest.mark.parametrize("n", range(8))
def test_of_few_rows_the_holdout_has_a_row_from_the_fifth_on(n: int) -> None:
    found = split_by_time(times(list(range(n))), timedelta(0))
    assert len(found.holdout) == n // 5
    assert len(found.train) == n - n // 5
    assert all(part.dtype == np.int64 for part in (found.train, found.calibration, found.embargo, found.holdout))


def test_the_floors_are_exact_at_every_size() -> None:
    for n in range(0, 1_500, 7):
        found = split_by_time(times(list(range(n))), timedelta(0))
        assert len(found.holdout) == n // 5
        if n >= 5:
            assert len(found.calibration) == (n - n // 5) * 15 // 100


def test_rows_posted_all_at_once_are_all_in_the_embargo_or_judge() -> None:
    assert [len(part) for part in parts_of(split_by_time(times([7] * 20), DAY))] == [0, 0, 16, 4]
    assert [len(part) for part in parts_of(split_by_time(times([7] * 20), timedelta(0)))] == [14, 2, 0, 4]


def test_a_row_whose_outcome_matured_as_the_holdout_began_is_used() -> None:
    for hours, usable in ((24, 4), (25, 3)):
        found = split_by_time(times([0, 0, 0, 1, 25]), hours * HOUR)
        assert (len(found.train), len(found.embargo), len(found.holdout)) == (usable, 4 - usable, 1)
