"""Each measure of calibration against a loop or another library, and what it says of calibrated chances."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from groundswell.calibration.measures import (
    brier_parts,
    class_wise_ece,
    debiased_gap,
    equal_mass_bin_of,
    measure,
    slope_and_intercept,
    top_label,
)
from groundswell.calibration.scores import Floats
from tests.made_up import forecasts, law

shares = st.integers(0, 100).map(lambda k: k / 100)
pairs = st.lists(st.tuples(shares, shares), min_size=1, max_size=40)


def sides(found: list[tuple[float, float]]) -> tuple[Floats, Floats]:
    return np.array([p for p, _ in found]), np.array([y for _, y in found])


def drawn(n: int, seed: int, kind: str, sharpness: float = 1.0) -> tuple[Floats, Floats]:
    """Predictions of so many times the log-odds of the true chance, and hits or shares."""
    generator = np.random.default_rng(seed)
    chance = generator.beta(2, 2, n)
    hits = (generator.random(n) < chance).astype(float)
    stated = expit(sharpness * logit(chance))
    return stated, hits if kind == "hits" else generator.beta(10 * chance, 10 * (1 - chance))


def slow_bins(predicted: Floats, actual: Floats, bins: int) -> list[list[tuple[float, float]]]:
    found: list[list[tuple[float, float]]] = [[] for _ in range(bins)]
    for p, y in zip(predicted.tolist(), actual.tolist(), strict=True):
        found[min(int(p * bins + 1e-9), bins - 1)].append((p, y))
    return [inside for inside in found if inside]


@law
@given(pairs)
def test_the_parts_of_brier_equal_their_loops_and_add_up(found: list[tuple[float, float]]) -> None:
    predicted, actual = sides(found)
    n, overall = len(found), float(actual.mean())
    reliability = resolution = within = 0.0
    for inside in slow_bins(predicted, actual, 10):
        p, y = (sum(pair[side] for pair in inside) / len(inside) for side in (0, 1))
        reliability += len(inside) * (p - y) ** 2 / n
        resolution += len(inside) * (y - overall) ** 2 / n
        within += sum((a - p) ** 2 - 2 * (a - p) * (b - y) for a, b in inside) / n
    parts = brier_parts(predicted, actual)
    assert (parts.reliability, parts.resolution, parts.within_bins) == pytest.approx((reliability, resolution, within))
    assert parts.score == pytest.approx(sum((p - y) ** 2 for p, y in found) / n)
    together = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bins
    assert parts.score == pytest.approx(together, abs=1e-12)


@law
@given(pairs, st.integers(1, 12))
def test_equal_predictions_share_an_equal_mass_bin_and_bins_are_in_order(
    found: list[tuple[float, float]], bins: int
) -> None:
    predicted, _ = sides(found)
    member = equal_mass_bin_of(predicted, bins)
    ranked = sorted(zip(predicted.tolist(), member.tolist(), strict=True))
    for (value, home), (following, next_home) in pairwise(ranked):
        assert home <= next_home
        assert home == next_home or value != following
    assert 0 <= member.min() <= member.max() < bins
    if len(set(predicted.tolist())) == len(found):
        assert np.ptp(np.bincount(member, minlength=bins)) <= 1


@law
@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(found: list[tuple[float, float]], random: object) -> None:
    predicted, actual = sides(found)
    order = list(range(len(found)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first, again = measure(predicted, actual, 50, 1), measure(predicted[order], actual[order], 50, 1)
    assert again.n == first.n
    for name in ("ece", "debiased_ece", "adaptive_ece"):
        assert getattr(again, name).value == pytest.approx(getattr(first, name).value, abs=1.01e-4)


@pytest.mark.parametrize("kind", ["hits", "shares"])
@pytest.mark.parametrize("n", [50, 300, 3_000])
def test_the_debiased_ece_of_calibrated_pairs_is_zero_on_average_and_the_plain_one_is_not(n: int, kind: str) -> None:
    found = [measure(*drawn(n, seed, kind), draws=2, seed=seed) for seed in range(300)]
    debiased, plain = (np.array([getattr(one, name).value for one in found]) for name in ("debiased_ece", "ece"))
    assert abs(debiased.mean()) < 4 * debiased.std() / np.sqrt(300) + 0.02 * plain.mean()
    assert plain.mean() > 10 * plain.std() / np.sqrt(300)


@pytest.mark.parametrize("true", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_a_debiased_gap_is_off_by_at_most_two_fifths_of_its_error(true: float) -> None:
    seen = true + np.random.default_rng(1).standard_normal(200_000)
    found = float(debiased_gap(seen, np.ones(1)).mean())
    assert abs(found - true) < (0.01 if true == 0 else 0.4)
    assert true < 3 or found == pytest.approx(true, abs=0.05)


@pytest.mark.parametrize("kind", ["hits", "shares"])
@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_the_interval_of_the_debiased_ece_holds_the_true_one(kind: str, sharpness: float) -> None:
    stated, truth = drawn(400_000, 99, "shares", sharpness)
    true = measure(stated, truth, 2, 1).ece.value if sharpness != 1 else 0.0
    intervals = [measure(*drawn(500, seed, kind, sharpness), 200, seed).debiased_ece for seed in range(200)]
    held = [one.low is not None and one.high is not None and one.low <= true <= one.high for one in intervals]
    assert np.mean(held) >= 0.87  # 95 % is promised; the kink of |gap| at 0 costs some of it


@pytest.mark.parametrize("kind", ["hits", "shares"])
@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_the_interval_of_the_plain_ece_holds_its_mean(kind: str, sharpness: float) -> None:
    found = [measure(*drawn(500, seed, kind, sharpness), 200, seed).ece for seed in range(200)]
    mean = float(np.mean([one.value for one in found]))
    held = [one.low is not None and one.high is not None and one.low <= mean <= one.high for one in found]
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0])
def test_the_slope_is_that_of_a_logistic_regression_and_below_one_where_stated_too_sharply(sharpness: float) -> None:
    stated, hits = drawn(4_000, 5, "hits", sharpness)
    slope, intercept = slope_and_intercept(stated, hits)
    other = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(logit(stated)[:, None], hits)
    assert slope == pytest.approx(float(other.coef_[0, 0]), rel=1e-3)
    assert intercept == pytest.approx(float(other.intercept_[0]), abs=1e-3)
    assert slope == pytest.approx(1 / sharpness, rel=0.1)


def test_chances_stated_too_low_have_a_positive_intercept() -> None:
    generator = np.random.default_rng(3)
    chance = generator.beta(2, 2, 5_000)
    hits = (generator.random(5_000) < chance).astype(float)
    assert slope_and_intercept(expit(logit(chance) - 1), hits)[1] == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    ("predicted", "actual"),
    [([], []), ([0.4], [1.0]), ([0.4] * 20, [0.0, 1.0] * 10), ([0.2, 0.8] * 9, [1.0] * 18), ([0.1, 0.9], [0.0, 1.0])],
)
def test_pairs_without_a_finite_slope_have_none(predicted: list[float], actual: list[float]) -> None:
    found = measure(np.array(predicted), np.array(actual), 20, 1)
    assert (found.slope, found.intercept) == (None, None)
    assert found.n == len(predicted) == found.ece.n
    assert all(np.isfinite(each.value) for each in (found.ece, found.debiased_ece, found.adaptive_ece))


def test_certain_predictions_land_in_the_first_and_last_bin() -> None:
    found = measure(np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.5, 0.5]), 20, 1)
    assert found.ece.value == 0.25
    assert found.brier.reliability == pytest.approx(0.0625)
    assert found.slope is not None


def test_the_adaptive_ece_equals_a_loop() -> None:
    predicted, actual = drawn(1_000, 8, "hits")
    order = predicted.argsort()
    parts = np.split(order, 10)
    by_hand = sum(len(part) * abs(float((predicted[part] - actual[part]).mean())) for part in parts) / 1_000
    assert measure(predicted, actual, 2, 1).adaptive_ece.value == pytest.approx(by_hand, abs=0.51e-4)


def test_class_wise_ece_equals_a_loop_over_tiers() -> None:
    probabilities, tiers = forecasts(500, 3, sharpness=2.0)
    total = 0.0
    for tier in range(1, 6):
        hits = (tiers == tier).astype(float)
        for inside in slow_bins(probabilities[:, tier - 1], hits, 15):
            total += abs(sum(p - y for p, y in inside)) / 500 / 5
    assert class_wise_ece(probabilities, tiers) == pytest.approx(total, abs=1.1e-4)


def test_top_label_of_sure_forecasts() -> None:
    confidence, hit = top_label(np.eye(5), np.array([1, 2, 3, 4, 4]))
    assert (confidence.tolist(), hit.tolist()) == ([1.0] * 5, [1.0, 1.0, 1.0, 1.0, 0.0])


def test_a_million_pairs_measure_as_their_rounded_scores_do() -> None:
    predicted, actual = drawn(120_000, 4, "hits")
    exact, rounded = measure(predicted, actual, 2, 1), measure(predicted[:100_000], actual[:100_000], 2, 1)
    assert exact.slope == pytest.approx(rounded.slope, abs=0.02)
