"""The fits of tier calibrators against slow, obvious ones, and the matrix's derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize

from groundswell.calibration.isotonic import fit_isotonic
from groundswell.calibration.matrix import SMALLEST_CHANCE, PenalisedLoss, fit_matrix, fit_vector, penalties
from groundswell.calibration.scores import Floats, Tiers, log_loss
from groundswell.calibration.temperature import fit_temperature
from groundswell.calibration.tier_calibration import choose_tier_calibrator
from tests.made_up import forecasts

EVERYTHING, DIAGONAL = np.ones((5, 5), dtype=bool), np.eye(5, dtype=bool)
weights_that_are_free = pytest.mark.parametrize("weights", [EVERYTHING, DIAGONAL], ids=["matrix", "vector"])


def free(weights: Floats) -> Floats:
    return np.hstack([weights, np.ones((5, 1), dtype=bool)])


def made_loss(weights: Floats, n: int = 300) -> PenalisedLoss:
    probabilities, tiers = forecasts(n, 3, 1.7)
    logs = np.log(probabilities)
    inputs = np.hstack([logs - logs.mean(axis=0), np.ones((n, 1))])
    return PenalisedLoss(logs / 1.5, inputs, tiers, free(weights).astype(bool))


def plain_chances(logs: Floats, weights: Floats, intercepts: Floats) -> list[float]:
    powers = [np.exp(sum(weights[k][j] * logs[j] for j in range(5)) + intercepts[k]) for k in range(5)]
    return [power / sum(powers) for power in powers]


@weights_that_are_free
def test_the_gradient_and_the_hessian_are_those_of_differences(weights: Floats) -> None:
    loss = made_loss(weights)
    for seed in range(3):
        at = np.random.default_rng(seed).normal(0, 0.3, int(free(weights).sum()))
        slopes = approx_fprime(at, lambda place: loss(place)[0], 1e-7)
        assert loss(at)[1] == pytest.approx(slopes, abs=1e-5)
        bends = np.array([approx_fprime(at, lambda place, k=k: loss(place)[1][k], 1e-6) for k in range(len(at))])
        assert loss.hessian(at) == pytest.approx(bends, abs=1e-4)


def slow_fit(probabilities: Floats, tiers: Tiers, t: float, weights: Floats) -> Floats:
    """Return calibrated chances of the plain penalised likelihood, minimised without derivatives of ours."""
    logs = np.log(np.maximum(probabilities, SMALLEST_CHANCE))
    mean, picked = logs.mean(axis=0), free(weights).astype(bool)

    def parts(deviations: Floats) -> tuple[Floats, Floats]:
        full = np.zeros((5, 6))
        full[picked] = deviations
        return np.eye(5) / t + full[:, :5], full[:, 5] - full[:, :5] @ mean

    def loss(deviations: Floats) -> float:
        scale, intercepts = parts(deviations)
        logits = logs @ scale.T + intercepts
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return float(log_loss(chances, tiers).sum() + (penalties()[picked] * deviations**2).sum() / 2)

    found = minimize(loss, np.zeros(int(picked.sum())), method="BFGS", options={"gtol": 1e-2})
    return np.array([plain_chances(row, *parts(found.x)) for row in logs])


@weights_that_are_free
def test_a_matrix_is_what_a_slow_fit_of_the_plain_loss_finds(weights: Floats) -> None:
    probabilities, tiers = forecasts(150, 5, 2.0)
    fit = fit_matrix if weights is EVERYTHING else fit_vector
    slow = slow_fit(probabilities, tiers, 1.8, weights)
    assert fit(probabilities, tiers, 1.8).apply(probabilities) == pytest.approx(slow, abs=1e-4)
    # The temperature is found where none is given.
    t = fit_temperature(probabilities, tiers).t
    assert fit(probabilities, tiers).content() == fit(probabilities, tiers, t).content()


def pooled(values: Floats, hits: Floats) -> Floats:
    """Return the isotonic fit by pooling adjacent violators, for values without ties."""
    order = np.argsort(values)
    blocks: list[list[float]] = []
    for hit in hits[order]:
        blocks.append([float(hit), 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    fitted = np.empty(len(values))
    fitted[order] = np.concatenate([np.full(int(count), total / count) for total, count in blocks])
    return fitted


def test_isotonic_is_pooling_adjacent_violators_clipped_and_made_to_add_up() -> None:
    probabilities, tiers = forecasts(400, 6)
    steps = np.stack([pooled(probabilities[:, k], tiers == k + 1) for k in range(5)], axis=1)
    clipped = np.maximum(steps, 1 / 405)
    expected = clipped / clipped.sum(axis=1, keepdims=True)
    assert fit_isotonic(probabilities, tiers).apply(probabilities) == pytest.approx(expected, abs=1e-9)


def test_each_row_is_calibrated_by_the_nine_stretches_without_it() -> None:
    probabilities, tiers = forecasts(600, 7, 3.0)
    chosen = choose_tier_calibrator(probabilities, tiers)
    assert chosen.calibrator.kind == "temperature"
    slow = np.empty_like(probabilities)
    for stretch in range(10):
        own = np.arange(600) // 60 == stretch
        slow[own] = fit_temperature(probabilities[~own], tiers[~own]).apply(probabilities[own])
    assert chosen.cross_validated == pytest.approx(slow, abs=1e-12)
    told = {candidate.kind: candidate.log_loss for candidate in chosen.candidates}
    assert told["temperature"] == pytest.approx(log_loss(slow, tiers).mean(), abs=1e-12)
    assert told["none"] == pytest.approx(log_loss(probabilities, tiers).mean(), abs=1e-12)
