"""Tier calibration by one number: probabilities are sharpened or softened, their order never changes."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.optimize import minimize_scalar

from groundswell.calibration.scores import SMALLEST_PROBABILITY, Floats, Tiers, log_loss

_LOG_RANGE = (-3.0, 3.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Temperature:
    """The map p ↦ p^(1/t) / Σ p^(1/t); t = 1 leaves probabilities alone, t > 1 softens them.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017.
    """

    t: float = 1.0

    def apply(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities of the same shape; an impossible tier stays impossible.

        >>> Temperature(0.5).apply(np.array([[0.2, 0.8, 0, 0, 0]])).round(4).tolist()
        [[0.0588, 0.9412, 0.0, 0.0, 0.0]]
        """
        if self.t == 1.0:
            return probabilities
        logits = np.log(np.clip(probabilities, SMALLEST_PROBABILITY, 1.0)) / self.t
        powered = np.exp(logits - logits.max(axis=1, keepdims=True)) * (probabilities > 0)
        return np.asarray(powered / powered.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: Floats, tiers: Tiers) -> Temperature:
    """Return the temperature of least log loss between e⁻³ and e³."""

    def loss(log_t: float) -> float:
        return float(log_loss(Temperature(float(np.exp(log_t))).apply(probabilities), tiers).mean())

    found = minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded", options={"xatol": 1e-6})
    return Temperature(float(np.exp(found.x)))


def choose_temperature(probabilities: Floats, tiers: Tiers, folds: int = 5) -> Temperature:
    """Return the fitted temperature where its cross-validated log loss beats leaving alone, else t = 1.

    Rows are dealt to the folds in turn, so they must come in an order that says nothing of the tier.
    """
    if len(tiers) < 10 * folds:
        return Temperature()
    fold = np.arange(len(tiers)) % folds
    calibrated = np.empty_like(probabilities)
    for number in range(folds):
        held = fold == number
        calibrated[held] = fit_temperature(probabilities[~held], tiers[~held]).apply(probabilities[held])
    if log_loss(calibrated, tiers).mean() < log_loss(probabilities, tiers).mean():
        return fit_temperature(probabilities, tiers)
    return Temperature()
