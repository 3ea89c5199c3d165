"""The test of perfect calibration: its draws against slow ones, its size, and its power against that of the ECE."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from groundswell.calibration.grouped import Integers
from groundswell.calibration.resampling import evidence, form_of, resampling_test, statistic, unit_of
from groundswell.calibration.scores import Floats
from tests.made_up import law


def slow_statistic(predicted: Floats, actual: Floats, variance_of: Floats) -> float:
    """Σ D²/V over bins, and half of (bins − 2) times the squared overall gap and tilt, with V of independent pairs."""
    sums, spread = [0.0] * 10, [0.0] * 10
    for p, y, v in zip(predicted.tolist(), actual.tolist(), variance_of.tolist(), strict=True):
        k = min(int(p * 10 + 1e-9), 9)
        sums[k] += y - p
        spread[k] += v
    held = [k for k in range(10) if spread[k] > 0]
    centre = sum(spread[k] * (k + 0.5) / 10 for k in held) / sum(spread)
    level = sum(sums) ** 2 / sum(spread)
    tilt = [(k + 0.5) / 10 - centre for k in range(10)]
    tilted = sum(sums[k] * tilt[k] for k in held) ** 2 / max(1e-9, sum(spread[k] * tilt[k] ** 2 for k in held))
    return sum(sums[k] ** 2 / spread[k] for k in held) + max(0, len(held) - 2) / 2 * (level + tilted)


chances = st.integers(5, 95).map(lambda k: k / 100)


@law
@given(st.lists(st.tuples(chances, st.sampled_from([0.0, 1.0])), min_size=1, max_size=30))
def test_the_statistic_of_hits_equals_its_loop(found: list[tuple[float, float]]) -> None:
    predicted, actual = (np.array(side) for side in zip(*found, strict=True))
    ours = resampling_test(predicted, actual, 1, 1)
    assert ours.method == "bernoulli"
    assert ours.statistic == pytest.approx(slow_statistic(predicted, actual, predicted * (1 - predicted)), rel=1e-6)


@law
@given(st.lists(st.tuples(chances, st.sampled_from([0.115, 0.335, 0.555])), min_size=1, max_size=30))
def test_the_statistic_of_shares_equals_its_loop(found: list[tuple[float, float]]) -> None:
    predicted, actual = (np.array(side) for side in zip(*found, strict=True))
    ours = resampling_test(predicted, actual, 1, 1)
    assert ours.method == "bernoulli and sign_flip"
    squares = (actual - predicted) ** 2
    coins = predicted * (1 - predicted)
    by_flips = slow_statistic(predicted, actual, squares)
    by_coins = slow_statistic(predicted, actual, coins * squares.sum() / coins.sum())
    assert min(abs(ours.statistic / by_flips - 1), abs(ours.statistic / by_coins - 1)) < 1e-4


def drawn(n: int, seed: int, kind: str) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    chance = generator.beta(2, 2, n)
    if kind == "hits":
        return chance, (generator.random(n) < chance).astype(float)
    return chance, generator.beta(10 * chance, 10 * (1 - chance))


@pytest.mark.parametrize("n", [50, 500])
def test_the_p_value_of_hits_is_that_of_pairs_drawn_one_by_one(n: int) -> None:
    predicted, actual = drawn(n, 3, "hits")
    ours = resampling_test(predicted, actual, 4_000, 1)
    form = form_of(evidence(predicted, actual, None).laws[0].covariance())
    member = np.minimum((predicted * 10).astype(int), 9)[:, None] == np.arange(10)
    again = (np.random.default_rng(2).random((4_000, n)) < predicted) - predicted
    reached = (statistic(again @ member.astype(float), form) >= ours.statistic).mean()
    assert ours.p_value == pytest.approx(reached, abs=4 * np.sqrt(0.25 / 2_000))


def test_pairs_twice_as_clusters_of_two_are_the_pairs_once() -> None:
    predicted, actual = drawn(1_999, 4, "shares")
    actual = np.clip(actual + 0.004, 0, 1)
    twice = np.concatenate([predicted, predicted]), np.concatenate([actual, actual])
    # Every pair twice, as clusters of two: as many units, though the pairs are past those flipped one by one.
    together = resampling_test(*twice, 4_000, 1, clusters=np.tile(np.arange(1_999), 2))
    alone = resampling_test(predicted, actual, 4_000, 1)
    assert together.p_value == pytest.approx(alone.p_value, abs=0.04)
    folded = evidence(*twice, np.tile(np.arange(1_999), 2))
    assert folded.independent == 1_999


@pytest.mark.parametrize("n", [1_000, 4_000])
def test_flips_have_the_covariance_of_the_residuals(n: int) -> None:
    folded = evidence(*drawn(n, 5, "shares"), np.arange(n) // 3)
    drawn_sums = folded.laws[1].draw(20_000, np.random.default_rng(1))
    spread = folded.laws[1].covariance()
    scale = np.sqrt(np.outer(np.diag(spread), np.diag(spread)))
    assert np.abs(np.cov(drawn_sums.T) - spread).max() < 0.05 * scale.max()


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_units_spread_as_shifted_residuals_do(shift: float) -> None:
    predicted, actual = drawn(300, 6, "shares")
    clusters = np.arange(300) // 4
    by_hand = np.zeros((75, 10))
    for p, y, unit in zip(predicted.tolist(), actual.tolist(), clusters.tolist(), strict=True):
        by_hand[unit, min(int(p * 10), 9)] += y - p + shift
    units = evidence(predicted, actual, clusters).units
    assert units is not None
    assert units.spread(np.full(10, shift)) == pytest.approx(by_hand.T @ by_hand, abs=1e-9)


def rejected(pairs: tuple[Floats, Floats], seed: int, clusters: Integers | None = None) -> bool:
    return resampling_test(*pairs, 199, seed, clusters).p_value <= 0.05


@pytest.mark.parametrize("kind", ["hits", "shares"])
@pytest.mark.parametrize("n", [20, 100, 3_000])
def test_calibrated_pairs_are_rejected_as_often_as_the_level_says(n: int, kind: str) -> None:
    found = [rejected(drawn(n, seed, kind), seed) for seed in range(300)]
    assert np.mean(found) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize("kind", ["hits", "shares"])
def test_pairs_of_one_video_are_one_witness(kind: str) -> None:
    naive, clustered = [], []
    for seed in range(200):
        predicted, actual = (np.repeat(side, 5) for side in drawn(60, seed, kind))
        naive.append(rejected((predicted, actual), seed))
        clustered.append(rejected((predicted, actual), seed, np.repeat(np.arange(60), 5)))
    assert np.mean(clustered) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert np.mean(naive) > 0.3


def test_shares_are_told_from_calibrated_ones_where_coins_would_not() -> None:
    predicted, actual = drawn(100, 7, "shares")
    assert resampling_test(predicted, np.clip(actual + 0.06, 0, 1), 999, 1).p_value < 0.01


@pytest.mark.parametrize("slope", [0.5, 2.0])
def test_a_wrong_slope_is_found_oftener_than_by_the_ece(slope: float) -> None:
    ours, by_ece = 0, 0
    for seed in range(100):
        predicted, actual = drawn(200, seed, "hits")
        stated = expit(slope * logit(predicted))
        ours += rejected((stated, actual), seed)
        member = (np.minimum((stated * 10).astype(int), 9)[:, None] == np.arange(10)).astype(float)
        coins = np.random.default_rng(seed).random((199, 200)) < stated
        noise = np.abs((coins - stated) @ member).sum(axis=1)
        by_ece += int((noise >= np.abs((actual - stated) @ member).sum()).sum()) + 1 <= 10
    assert ours >= max(50, by_ece)


@pytest.mark.parametrize(
    ("predicted", "actual", "least", "most"),
    [
        ([], [], 1, 1),
        ([0.5], [0.5], 1, 1),
        ([0.0, 1.0] * 20, [0.0, 1.0] * 20, 1, 1),
        ([0.3] * 40, [0.3] * 40, 1, 1),
        ([0.0] * 40, [1.0] * 40, 0, 0.01),
        ([1.0] * 40, [1.0] * 39 + [0.0], 0, 0.01),
        ([0.9] * 40, [0.2] * 40, 0, 0.01),
        ([0.5], [1.0], 1, 1),
    ],
)
def test_every_degenerate_case_has_an_answer(
    predicted: list[float], actual: list[float], least: float, most: float
) -> None:
    assert least <= resampling_test(np.array(predicted), np.array(actual), 99, 1).p_value <= most


def test_loners_are_units_of_their_own_whether_numbered_or_not() -> None:
    predicted, actual = drawn(200, 8, "shares")
    found = {
        resampling_test(predicted, actual, 99, 1, clusters)
        for clusters in (None, np.full(200, -1), np.arange(200) * 7 + 5)
    }
    assert len(found) == 1
    assert len(set(unit_of(np.array([4, -1, 4, 9, -1]), 5).tolist())) == 4
