"""What every calibrator promises: calibrated data stays as it is, the rest gets better, no order is reversed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from groundswell.calibration import scores
from groundswell.calibration.reliability import expected_calibration_error
from groundswell.calibration.score_calibration import refit_score
from groundswell.calibration.scores import Floats, Tiers
from groundswell.calibration.temperature import Temperature, fit_temperature
from groundswell.stages.audit import Policy, audit
from tests.made_up import forecasts, law

POLICY = Policy(drift_threshold=0.15, min_pairs=50, draws=50, seed=42)

#: How a score is stated, given the chance that it comes true.
DISTORTIONS = {
    "calibrated": lambda chance: chance,
    "over-confident": lambda chance: expit(2.5 * logit(chance)),
    "under-confident": lambda chance: expit(0.4 * logit(chance)),
    "shifted up": lambda chance: expit(logit(chance) + 1.0),
    "shifted down": lambda chance: expit(logit(chance) - 1.0),
    "reversed": lambda chance: 1 - chance,
}


def pairs(distortion: str, n: int, seed: int, hard: bool) -> tuple[Floats, Floats]:
    """Scores as `numeric(5,2)` keeps them, and what came of them: 0 or 1, or a share around the chance."""
    generator = np.random.default_rng(seed)
    chance = generator.beta(2, 2, n)
    share = np.clip(chance + generator.normal(0, 0.1, n), 0, 1)
    actual = (generator.random(n) < chance).astype(float) if hard else share
    return DISTORTIONS[distortion](chance).round(4), actual


@pytest.mark.parametrize("distortion", DISTORTIONS)
@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("n", [50, 200, 1_000, 5_000])
def test_what_is_served_after_an_audit_is_no_worse_calibrated(distortion: str, hard: bool, n: int) -> None:
    for seed in range(8):
        x, y = pairs(distortion, n, seed, hard)
        fit = refit_score(x, y, min_pairs=50, seed=42)
        before, served = (expected_calibration_error(p, y) for p in (x, fit.calibration.apply(x)))
        assert served <= before + 0.01, (seed, fit.reason)


@pytest.mark.parametrize("distortion", ["over-confident", "under-confident", "shifted up", "shifted down"])
@pytest.mark.parametrize("hard", [True, False])
def test_an_active_calibration_helps_pairs_that_it_has_not_seen(distortion: str, hard: bool) -> None:
    fit = refit_score(*pairs(distortion, 3_000, seed=1, hard=hard), min_pairs=50, seed=42)
    assert fit.active
    x, y = pairs(distortion, 20_000, seed=2, hard=hard)
    before, after = (expected_calibration_error(p, y) for p in (x, fit.calibration.apply(x)))
    assert after < 0.5 * before


@pytest.mark.parametrize("hard", [True, False])
def test_calibrated_scores_are_left_alone_or_hardly_touched(hard: bool) -> None:
    x, y = pairs("calibrated", 5_000, seed=3, hard=hard)
    fit = refit_score(x, y, min_pairs=50, seed=42)
    assert np.abs(fit.calibration.apply(x) - x).max() < 0.08


@pytest.mark.parametrize("n", [50, 500])
def test_reversed_scores_are_fitted_and_reported_but_never_served(n: int) -> None:
    fit = refit_score(*pairs("reversed", n, seed=4, hard=False), min_pairs=50, seed=42)
    assert fit.platt is not None
    assert fit.platt.a > 0
    assert not fit.active
    assert "reverse the order" in fit.platt_reason


def test_an_active_calibration_keeps_the_order_of_scores() -> None:
    fit = refit_score(*pairs("over-confident", 500, seed=5, hard=True), min_pairs=50, seed=42)
    assert fit.active
    assert (np.diff(fit.calibration.apply(np.linspace(0, 1, 201))) > 0).all()


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        (np.linspace(0, 1, 49), np.linspace(0.2, 0.8, 49), "49 pairs, 50 are needed"),
        (np.full(60, 0.5), np.linspace(0, 1, 60), "all scores are equal"),
        (np.linspace(0, 1, 60), np.zeros(60), "every outcome is 0"),
        (np.linspace(0, 1, 60), np.ones(60), "every outcome is 1"),
        (np.linspace(0, 1, 60), (np.linspace(0, 1, 60) > 0.5).astype(float), "one score separates"),
        (np.linspace(0, 1, 60), (np.linspace(0, 1, 60) < 0.5).astype(float), "one score separates"),
    ],
)
def test_where_there_is_no_fit_there_is_a_reason(x: Floats, y: Floats, reason: str) -> None:
    fit = refit_score(x, y, min_pairs=50, seed=42)
    assert (fit.platt, fit.active) == (None, False)
    assert reason in fit.platt_reason
    found = audit(x, y, POLICY)
    assert found.served_ece == found.ece


def test_drift_is_an_ece_above_the_threshold_and_not_on_it() -> None:
    predicted, actual = np.full(60, 0.65), np.full(60, 0.5)
    found = audit(predicted, actual, POLICY)
    assert found.ece == 0.15
    assert not found.drift_detected
    assert audit(predicted, actual, dataclasses.replace(POLICY, drift_threshold=0.1499)).drift_detected


def log_loss(probabilities: Floats, tiers: Tiers) -> float:
    return float(scores.log_loss(probabilities, tiers).mean())


@pytest.mark.parametrize("seed", range(6))
def test_temperature_leaves_calibrated_forecasts_alone(seed: int) -> None:
    found = fit_temperature(*forecasts(3_000, seed))
    assert 0.9 < found.t < 1.1
    fresh, tiers = forecasts(20_000, seed + 100)
    assert log_loss(found.apply(fresh), tiers) <= log_loss(fresh, tiers) + 0.001


@pytest.mark.parametrize("sharpness", [0.4, 0.7, 1.5, 3.0])
def test_temperature_undoes_over_and_under_confidence(sharpness: float) -> None:
    found = fit_temperature(*forecasts(3_000, 1, sharpness))
    assert found.t == pytest.approx(sharpness, rel=0.1)
    fresh, tiers = forecasts(20_000, 2, sharpness)
    assert log_loss(found.apply(fresh), tiers) < log_loss(fresh, tiers)


#: Whole-number likelihoods, some of them tiny or impossible.
likelihoods = st.lists(
    st.lists(st.sampled_from([0, 0, 1, 2, 3, 50, 10**6, 10**12]), min_size=5, max_size=5).filter(any),
    min_size=1,
    max_size=10,
)


@law
@given(likelihoods, st.floats(0.06, 19.0))
def test_temperature_keeps_the_order_of_tiers_and_makes_none_possible(rows: list[list[int]], t: float) -> None:
    plain = np.array(rows, dtype=float)
    plain /= plain.sum(axis=1, keepdims=True)
    calibrated = Temperature(t).apply(plain)
    assert calibrated.sum(axis=1) == pytest.approx(np.ones(len(rows)))
    assert (calibrated >= 0).all()
    assert (calibrated[plain == 0] == 0).all()
    ordered = np.take_along_axis(calibrated, plain.argsort(axis=1, kind="stable"), axis=1)
    assert (np.diff(ordered, axis=1) >= -1e-15).all()
    assert np.array_equal(scores.likeliest(calibrated), scores.likeliest(plain))
    assert (scores.score(calibrated) >= 12.5 - 1e-9).all()
    assert (scores.score(calibrated) <= 90 + 1e-9).all()
