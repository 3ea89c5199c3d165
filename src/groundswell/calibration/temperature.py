"""Tier calibration by one number: probabilities are sharpened or softened, their order never changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy

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

    @property
    def kind(self) -> str:
        """Return `none` where probabilities are left alone."""
        return "none" if self.t == 1.0 else "temperature"

    def content(self) -> dict[str, Any]:
        """Return the number as plain JSON, in the form of the first release."""
        return {"kind": "temperature", "t": self.t}


def temperature_from_content(content: dict[str, Any]) -> Temperature:
    """Return the stored temperature; raises ValueError where it is not a positive number."""
    t = float(content["t"])
    if not 0 < t < np.inf:
        raise ValueError(f"a temperature of {t}")
    return Temperature(t)


def fit_temperature(probabilities: Floats, tiers: Tiers) -> Temperature:
    """Return the temperature of least log loss between e⁻³ and e³."""

    def loss(log_t: float) -> float:
        return float(log_loss(Temperature(float(np.exp(log_t))).apply(probabilities), tiers).mean())

    found = scipy.optimize.minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded", options={"xatol": 1e-6})
    return Temperature(float(np.exp(found.x)))
