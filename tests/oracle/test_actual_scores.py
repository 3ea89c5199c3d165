"""The actual score of a matured video: against a loop that counts training videos of its tier (DESIGN §1)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.jobs.context import Context
from groundswell.jobs.judging import judge_of
from groundswell.stages.labels import Label
from groundswell.training_rows import TrainingRows
from tests.made_up import law
from tests.made_up_loop import CUT_POINTS, training_rows, version

RANGES = {1: (0, 25), 2: (25, 45), 3: (45, 65), 4: (65, 80), 5: (80, 100)}
few = st.sampled_from([0.0, 50.0, 100.0, 150.0, 250.0, 350.0, 400.0, 401.0, 9e15])
quantities = st.lists(few | st.floats(0, 1_000), max_size=30)


def slow_score(tier: int, value: float, training: Sequence[tuple[int, float]]) -> float:
    """From the design's words: linear in the share below and half the equal, among the videos of the tier."""
    low, high = RANGES[tier]
    own = [quantity for its_tier, quantity in training if its_tier == tier]
    if not own:
        return (low + high) / 2
    below = sum(quantity < value for quantity in own)
    equal = sum(quantity == value for quantity in own)
    place = (Fraction(below) + Fraction(equal, 2)) / len(own)
    return float(low + place * (high - low))


def tier_of(value: float) -> int:
    return 1 + sum(cut < value for cut in CUT_POINTS)


@law
@given(quantities, quantities.filter(bool))
def test_actual_scores_equal_their_loop(learnt: list[float], asked: list[float]) -> None:
    training = [(tier_of(value), value) for value in learnt]
    rows = training_rows([tier for tier, _ in training], learnt)
    tiers = Label("views", CUT_POINTS).tiers(np.array(asked))
    found = rows.actual_scores(tiers, np.array(asked))
    assert tiers.tolist() == [tier_of(value) for value in asked]
    assert found == pytest.approx([slow_score(tier_of(value), value, training) for value in asked])


@law
@given(quantities, quantities.filter(bool))
def test_a_score_lies_in_its_tiers_range_and_rises_with_the_quantity(learnt: list[float], asked: list[float]) -> None:
    rows = training_rows([tier_of(value) for value in learnt], learnt)
    ordered = np.sort(np.array(asked))
    tiers = Label("views", CUT_POINTS).tiers(ordered)
    found = rows.actual_scores(tiers, ordered)
    assert (np.diff(found) >= 0).all()
    for tier, score in zip(tiers.tolist(), found.tolist(), strict=True):
        assert RANGES[tier][0] <= score <= RANGES[tier][1]


def test_rows_of_unknown_quantity_are_not_counted() -> None:
    rows = training_rows([1, 1, 1, 2], [10.0, float("nan"), 30.0, float("nan")])
    assert rows.actual_scores(np.array([1, 2]), np.array([20.0, 150.0])).tolist() == [12.5, 35.0]


def test_training_rows_that_know_only_tiers_give_the_middle() -> None:
    rows = TrainingRows(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0))
    assert rows.actual_scores(np.arange(1, 6), np.arange(5.0)).tolist() == [12.5, 35, 55, 72.5, 90]
    assert rows.actual_scores(np.zeros(0, np.int64), np.zeros(0)).tolist() == []


# --- as a version judges counters ---

COUNTERS = ("views", "likes", "comments", "shares")


def counters(*rows: tuple[int | None, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict.fromkeys(COUNTERS, pl.Int64), orient="row")


def test_views_are_judged_by_the_versions_cut_points(context: Context) -> None:
    learnt = [(1, 10.0), (1, 90.0), (3, 210.0), (3, 250.0), (3, 290.0), (5, 500.0)]
    number = version(context, training_rows(*map(list, zip(*learnt, strict=True))))
    judged = judge_of(context, number).judge(
        counters((0, 0, 0, 0), (100, 9, 9, 9), (101, None, None, None), (250, 1, 1, 1), (10**9, 0, 0, 0))
    )
    assert judged.quantity.tolist() == [0, 100, 101, 250, 10**9]
    assert judged.tiers.tolist() == [1, 1, 2, 3, 5]
    expected = [slow_score(*one, learnt) for one in zip(judged.tiers.tolist(), judged.quantity.tolist(), strict=True)]
    assert judged.scores == pytest.approx(expected)


def test_engagement_is_judged_by_a_version_of_wes_labels(context: Context) -> None:
    learnt = [(1, 0.01), (2, 0.06), (2, 0.08), (5, 0.9)]
    number = version(
        context, training_rows(*map(list, zip(*learnt, strict=True))), label="wes", cutPoints=[0.05, 0.1, 0.2, 0.5]
    )
    # (likes + 2 comments + 3 shares) / views
    judged = judge_of(context, number).judge(
        counters((100, 1, 1, 1), (100, 7, 0, 0), (100, 0, None, 30), (0, 0, 0, 0), (100, None, 5, 0))
    )
    # Of a video whose likes are unknown nobody can tell.
    assert judged.quantity[:3] == pytest.approx([0.06, 0.07, 0.9])
    assert judged.tiers.tolist() == [2, 2, 5, 0, 0]
    assert judged.scores[:3] == pytest.approx([30, 35, 90])
    assert np.isnan(judged.scores[3:]).all()
    assert np.isnan(judged.quantity[3:]).all()


def test_a_wes_on_a_boundary_belongs_to_the_upper_tier(context: Context) -> None:
    number = version(context, label="wes", cutPoints=[0.05, 0.1, 0.2, 0.5])
    judged = judge_of(context, number).judge(counters((100, 5, 0, 0), (1_000, 49, 0, 0), (100, 50, 0, 0)))
    assert judged.tiers.tolist() == [2, 1, 5]


@pytest.mark.parametrize("lineage", [{"cutPoints": None}, {"cutPoints": []}], ids=["null", "empty"])
def test_a_version_without_cut_points_judges_nothing(context: Context, lineage: dict[str, Any]) -> None:
    found = judge_of(context, version(context, **lineage))
    judged = found.judge(counters((100, 1, 1, 1)))
    assert (found.label, judged.tiers.tolist()) == (None, [0])
    assert np.isnan([*judged.scores, *judged.quantity]).all()


def test_a_version_that_is_gone_judges_nothing(context: Context) -> None:
    found = judge_of(context, 99)
    assert found.judge(counters((100, 1, 1, 1))).tiers.tolist() == [0]
    assert found.label_age.age == context.settings.label_age


@pytest.mark.parametrize(
    ("settings", "hours", "most"),
    [
        ({}, 72, None),
        ({"label_age": "PT48H"}, 48, None),
        ({"label_age": "PT48H", "label_age_max": None}, 48, None),
        ({"label_age": "P2D", "label_age_max": "PT96H"}, 48, 96),
    ],
)
def test_the_label_age_is_that_under_which_the_version_was_trained(
    context: Context, settings: dict[str, Any], hours: int, most: int | None
) -> None:
    age = judge_of(context, version(context, settings=settings)).label_age
    assert age.age.total_seconds() == hours * 3_600
    assert (age.most and age.most.total_seconds()) == (most and most * 3_600)
