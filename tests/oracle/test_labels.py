"""Cut-points, tiers, WES and class weights against loops over sorted lists."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.learners import class_weights
from groundswell.stages.labels import Label, tier_distribution, views_cut_points, weighted_engagement_score
from tests.made_up import law, stored, stored_rows

view_counts = st.lists(st.integers(1, 6) | st.integers(1, 10**9), min_size=1, max_size=60)


def slow_cut_points(views: list[int]) -> list[int]:
    return [sorted(views)[math.floor(Fraction(p, 100) * (len(views) - 1))] for p in (20, 40, 60, 80)]


@law
@given(view_counts)
def test_cut_points_and_tiers_of_views_equal_their_loops(views: list[int]) -> None:
    cuts = views_cut_points(np.array(views, dtype=float))
    slow = slow_cut_points(views)
    assert list(cuts) == slow
    tiers = Label("views", cuts).tiers(np.array(views, dtype=float))
    assert tiers.tolist() == [1 + sum(cut < own for cut in slow) for own in views]
    assert tier_distribution(tiers) == [tiers.tolist().count(tier) for tier in (1, 2, 3, 4, 5)]


@law
@given(view_counts, st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_move_a_cut_point(views: list[int], seed: int) -> None:
    values = np.array(views, dtype=float)
    assert views_cut_points(np.random.default_rng(seed).permutation(values)) == views_cut_points(values)


@pytest.mark.parametrize("n", [2, 3, 5, 6, 11, 26, 36, 10_000, 10_001])
def test_floor_is_exact_at_every_size(n: int) -> None:
    views = list(range(n))
    assert list(views_cut_points(np.array(views, dtype=float))) == slow_cut_points(views)


def test_equal_views_are_all_of_the_first_tier() -> None:
    views = np.full(20, 7.0)
    assert Label("views", views_cut_points(views)).tiers(views).tolist() == [1] * 20


def test_a_wes_on_a_boundary_belongs_to_the_upper_tier() -> None:
    label = Label("wes", (0.1, 0.2, 0.3, 0.4))
    below = np.nextafter(label.cut_points, 0)
    assert label.tiers(np.array(label.cut_points)).tolist() == [2, 3, 4, 5]
    assert label.tiers(below).tolist() == [1, 2, 3, 4]


@law
@given(st.lists(stored_rows, min_size=1, max_size=8))
def test_wes_equals_its_formula(rows: list[dict[str, int | None]]) -> None:
    viewed = [row for row in rows if row["views"]]
    slow = [
        ((row["likes"] or 0) + 2 * (row["comments"] or 0) + 3 * (row["shares"] or 0)) / (row["views"] or 1)
        for row in viewed
    ]
    assert weighted_engagement_score(stored(viewed)).tolist() == pytest.approx(slow)


@law
@given(st.lists(st.sampled_from([1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 5]), min_size=1, max_size=80))
def test_class_weights_equal_their_formula(tiers: list[int]) -> None:
    counts = Counter(tiers)
    raw = {tier: len(tiers) / (5 * count) for tier, count in counts.items()}
    capped = {tier: min(weight, 3 * min(raw.values())) for tier, weight in raw.items()}
    assert class_weights(np.array(tiers)) == pytest.approx(capped)
