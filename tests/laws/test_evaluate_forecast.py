"""What is said of parts of a holdout, of baselines and of ranges agrees with what is said of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.calibration import scores
from groundswell.calibration.ranges import Reach
from groundswell.calibration.scores import Floats, Tiers
from groundswell.stages import evaluate
from groundswell.stages.evaluate import SLICE_DRAWS, SLICE_METRICS, Holdout
from tests.made_up import forecasts, law

SEED = 11
MEANS = [name for name in SLICE_METRICS if name != "qwk"]  # the others are means of what each row says
each_seed = pytest.mark.parametrize("seed", range(4))


def holdout_of(rows: int, seed: int) -> tuple[Floats, Holdout]:
    probabilities, tiers = forecasts(rows, seed)
    generator = np.random.default_rng(seed + 50)
    authors = [f"author{number}" if number else None for number in generator.integers(0, 25, rows)]
    return probabilities, Holdout(tiers, np.exp(generator.normal(tiers, 0.5)), authors)


def part_of(holdout: Holdout, chosen: npt.NDArray[np.bool_]) -> Holdout:
    authors = [author for author, taken in zip(holdout.authors, chosen.tolist(), strict=True) if taken]
    return Holdout(holdout.tiers[chosen], holdout.quantity[chosen], authors)


def masks(rows: int, seed: int) -> list[npt.NDArray[np.bool_]]:
    """Parts of which each row is in one: of unequal size, and one of a single row."""
    member = np.random.default_rng(seed).choice(3, rows, p=[0.7, 0.2, 0.1])
    member[0] = 3
    return [member == number for number in range(4)]


def sliced(probabilities: Floats, holdout: Holdout, chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    found = evaluate.evaluate_slice(probabilities, holdout, chosen, SEED)
    assert found is not None
    return found


@each_seed
def test_a_slice_is_the_evaluation_of_its_rows(seed: int) -> None:
    probabilities, holdout = holdout_of(300, seed)
    for chosen in [*masks(300, seed), np.ones(300, dtype=np.bool_)]:
        part = part_of(holdout, chosen)
        yardsticks = evaluate.yardsticks(part.tiers, len(part.tiers), {})
        whole = evaluate.evaluate(probabilities[chosen], part, yardsticks, SLICE_DRAWS, SEED)
        found = sliced(probabilities, holdout, chosen)
        assert found.pop("n") == chosen.sum()
        assert set(found) == set(SLICE_METRICS)
        for name, estimate in found.items():
            expected = whole.metrics[name]
            assert estimate.n == chosen.sum()
            if np.isnan(expected.value):
                assert np.isnan(estimate.value)
            else:
                assert (estimate.value, estimate.low, estimate.high) == (expected.value, expected.low, expected.high)


@each_seed
def test_slices_add_up_to_the_whole(seed: int) -> None:
    probabilities, holdout = holdout_of(300, seed)
    whole = sliced(probabilities, holdout, np.ones(300, dtype=np.bool_))
    parts = [sliced(probabilities, holdout, chosen) for chosen in masks(300, seed)]
    assert sum(part["n"] for part in parts) == whole["n"] == 300
    for name in MEANS:
        together = sum(part["n"] * part[name].value for part in parts) / 300
        assert together == pytest.approx(whole[name].value)


def test_a_slice_does_not_see_the_rows_outside() -> None:
    probabilities, holdout = holdout_of(200, 1)
    chosen = masks(200, 1)[0]
    before = sliced(probabilities, holdout, chosen)
    others = probabilities.copy()
    others[~chosen] = 0.2
    quantity = np.where(chosen, holdout.quantity, 0.0)
    tiers = np.where(chosen, holdout.tiers, 1)
    authors = [author if taken else "another" for author, taken in zip(holdout.authors, chosen.tolist(), strict=True)]
    assert sliced(others, Holdout(tiers, quantity, authors), chosen) == before


def test_a_slice_of_nothing_says_nothing_and_one_of_a_single_creator_has_no_interval() -> None:
    probabilities, holdout = holdout_of(200, 2)
    assert evaluate.evaluate_slice(probabilities, holdout, np.zeros(200, dtype=np.bool_), SEED) is None
    alone = sliced(probabilities, holdout, np.array([author == "author3" for author in holdout.authors]))
    assert alone["n"] > 1
    assert all((alone[name].low, alone[name].high) == (None, None) for name in SLICE_METRICS)


def test_a_slice_of_no_rows_at_all_says_nothing() -> None:
    nobody = Holdout(np.zeros(0, dtype=np.int64), np.zeros(0), [])
    assert evaluate.evaluate_slice(np.zeros((0, 5)), nobody, np.zeros(0, dtype=np.bool_), SEED) is None


# --- baselines ------------------------------------------------------------------------------------------------------

tier_lists = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=40)


@law
@given(tier_lists)
def test_the_rps_of_a_named_tier_is_a_quarter_of_the_distance(pairs: list[tuple[int, int]]) -> None:
    named, tiers = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    losses = scores.ranked_probability_score(evaluate.certain(named), tiers)
    assert losses == pytest.approx(np.abs(named - tiers) / 4, abs=1e-12)
    holdout = Holdout(tiers, tiers.astype(float), [None] * len(tiers))
    yardsticks = evaluate.yardsticks(tiers, len(tiers), {"named": named})
    found = evaluate.evaluate(evaluate.certain(tiers), holdout, yardsticks, 100, SEED)
    assert found.baselines["named"]["rps"].value == pytest.approx(np.abs(named - tiers).mean() / 4)
    assert found.baselines["named"]["accuracy"].value == pytest.approx((named == tiers).mean())
    assert found.metrics["rps"].value == 0


@law
@given(st.lists(st.integers(1, 5), max_size=20))
def test_somebody_who_is_certain_gives_one_tier_everything(named: list[int]) -> None:
    tiers: Tiers = np.array(named, dtype=np.int64)
    found = evaluate.certain(tiers)
    assert found.shape == (len(tiers), 5)
    assert (found.sum(axis=1) == 1).all()
    assert np.array_equal(scores.likeliest(found), tiers)
    assert np.array_equal(scores.expected_tier(found), tiers)


@each_seed
def test_baselines_equal_the_evaluation_of_the_forecast_that_they_are(seed: int) -> None:
    probabilities, holdout = holdout_of(250, seed)
    before = np.random.default_rng(seed).choice([1, 2, 2, 3, 4, 5], 400)
    yardsticks = evaluate.yardsticks(before, 250, {})
    found = evaluate.evaluate(probabilities, holdout, yardsticks, 100, SEED)
    shares = np.bincount(before, minlength=6)[1:] / 400
    as_forecasts = {"tierShares": np.tile(shares, (250, 1)), "majority": evaluate.certain(np.full(250, 2))}
    for name, forecast in as_forecasts.items():
        itself = evaluate.evaluate(forecast, holdout, yardsticks, 100, SEED).metrics
        for metric, estimate in found.baselines[name].items():
            assert np.array_equal(estimate.value, itself[metric].value, equal_nan=True), (name, metric)
            assert (estimate.low, estimate.high, estimate.n) == (itself[metric].low, itself[metric].high, 250)


def test_a_forecast_is_no_worse_than_the_shares_it_is_made_of() -> None:
    probabilities, holdout = holdout_of(5_000, 3)
    found = evaluate.evaluate(probabilities, holdout, evaluate.yardsticks(holdout.tiers, 5_000, {}), 100, SEED)
    for name in ("rps", "logLoss", "brier"):
        assert found.metrics[name].value < found.baselines["tierShares"][name].value


# --- ranges ---------------------------------------------------------------------------------------------------------


@each_seed
def test_coverage_equals_its_loop(seed: int) -> None:
    probabilities, holdout = holdout_of(300, seed)
    ranges = Reach(0.6).ranges(probabilities)
    inside = [low <= tier <= high for (low, high), tier in zip(ranges.tolist(), holdout.tiers.tolist(), strict=True)]
    found = evaluate.coverage(ranges, holdout, 200, SEED)
    assert found.n == 300
    assert found.value == pytest.approx(np.mean(inside))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_coverage_is_all_of_the_widest_ranges_and_the_accuracy_of_the_narrowest() -> None:
    probabilities, holdout = holdout_of(300, 5)
    widest = np.tile([1, 5], (300, 1))
    found = evaluate.coverage(widest, holdout, 200, SEED)
    assert (found.value, found.low, found.high) == (1, 1, 1)
    narrowest = np.repeat(scores.likeliest(probabilities)[:, None], 2, axis=1)
    accuracy = evaluate.accuracy(probabilities, holdout.tiers)
    assert evaluate.coverage(narrowest, holdout, 200, SEED).value == pytest.approx(accuracy)


def test_the_interval_of_coverage_holds_the_true_share() -> None:
    inside = []
    for seed in range(150):
        probabilities, holdout = holdout_of(250, seed)
        ranges = Reach(0.5).ranges(probabilities)
        stated = [row[low - 1 : high].sum() for row, (low, high) in zip(probabilities, ranges.tolist(), strict=True)]
        found = evaluate.coverage(ranges, holdout, 200, SEED)
        assert found.low is not None
        assert found.high is not None
        inside.append(found.low <= np.mean(stated) <= found.high)
    assert 0.90 <= np.mean(inside) <= 0.99
