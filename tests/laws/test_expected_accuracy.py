"""What the label-free estimate promises: its interval holds the truth that arrives later 95 times of 100."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.calibration.expected_accuracy import calibration_gap, expected_accuracy
from groundswell.calibration.scores import Floats, Tiers, likeliest
from groundswell.records import Estimate, as_json
from tests.made_up import clusters, forecasts, law


def accuracy(probabilities: Floats, tiers: Tiers) -> float:
    return float((likeliest(probabilities) == tiers).mean())


def holds(found: Estimate, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def held(simulations: int, rows: int, sharpness: float, known: int | None) -> float:
    """Return how often the true accuracy was inside; `known` rows have told the gap."""
    accurate = 0
    for seed in range(simulations):
        stated, tiers = forecasts(rows, seed, sharpness)
        gap = None
        if known is not None:
            gap = calibration_gap(*forecasts(known, seed + 1_000_000, sharpness))
        accurate += holds(expected_accuracy(stated, gap), accuracy(stated, tiers))
    return accurate / simulations


@pytest.mark.parametrize(
    ("rows", "sharpness", "known"),
    [(100, 1.0, None), (1_000, 1.0, None), (500, 1.0, 500), (500, 3.0, 500), (400, 0.4, 100), (1_000, 3.0, 200)],
)
def test_the_interval_holds_the_true_accuracy_95_times_of_100(rows: int, sharpness: float, known: int | None) -> None:
    assert 0.93 <= held(600, rows, sharpness, known) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("known", [None, 300, 3_000])
def test_the_interval_holds_the_true_accuracy_95_times_of_100_at_length(known: int | None) -> None:
    assert held(6_000, 800, 1.0 if known is None else 2.0, known) == pytest.approx(0.95, abs=0.011)


def test_without_the_gap_a_bold_forecast_would_be_believed() -> None:
    assert held(200, 500, 3.0, None) < 0.05


def test_the_gap_of_few_creators_is_wider() -> None:
    stated, tiers = forecasts(600, 4)
    of = np.repeat(np.arange(60), 10)
    order = np.argsort(likeliest(stated) == tiers, kind="stable")  # creators whose videos are hits, and others
    apart, together = calibration_gap(stated[order], tiers[order]), calibration_gap(stated[order], tiers[order], of)
    assert together.value == pytest.approx(apart.value)
    assert (together.low or 0.0) < (apart.low or 0.0) - 0.02


@law
@given(st.integers(1, 12), st.integers(0, 10_000))
def test_the_estimates_equal_their_loops(rows: int, seed: int) -> None:
    stated, tiers = forecasts(rows, seed)
    sure = [max(row) for row in stated.tolist()]
    assert expected_accuracy(stated).value == pytest.approx(sum(sure) / rows)
    spread = sum(p * (1 - p) for p in sure)
    found = expected_accuracy(stated)
    assert found.high == pytest.approx(min(1.0, found.value + 1.959963984540054 * spread**0.5 / rows))
    assert calibration_gap(stated, tiers).value == pytest.approx(accuracy(stated, tiers) - sum(sure) / rows)


def test_a_sure_forecast_has_no_noise_and_stays_within_bounds() -> None:
    sure = np.eye(5)
    assert expected_accuracy(sure) == Estimate(1.0, 1.0, 1.0, 5)
    assert expected_accuracy(sure, Estimate(0.2, 0.2, 0.2, 50)) == Estimate(1.0, 1.0, 1.0, 5)


def test_the_order_of_rows_changes_nothing() -> None:
    stated, tiers = forecasts(300, 1)
    of, mixed = clusters(80, 1)[:300], np.random.default_rng(0).permutation(300)
    plain, other = calibration_gap(stated, tiers, of), calibration_gap(stated[mixed], tiers[mixed], of[mixed])
    assert [other.value, other.low, other.high] == pytest.approx([plain.value, plain.low, plain.high])


def test_nothing_known_is_said_to_be_nothing() -> None:
    none = np.zeros((0, 5))
    no_tiers = np.zeros(0, dtype=np.int64)
    for found in (expected_accuracy(none), calibration_gap(none, no_tiers)):
        assert as_json(found) == {"value": None, "low": None, "high": None, "n": 0}
        json.dumps(as_json(found), allow_nan=False)
    stated, tiers = forecasts(50, 2)
    unknown = expected_accuracy(stated, calibration_gap(none, no_tiers))
    assert as_json(unknown)["value"] is None
    one = calibration_gap(stated, tiers, np.zeros(50, dtype=np.int64))
    assert (one.low, one.high) == (None, None)
    shifted = expected_accuracy(stated, one)
    assert (shifted.low, shifted.high, shifted.n) == (None, None, 50)
