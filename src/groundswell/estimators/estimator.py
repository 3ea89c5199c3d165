"""What every estimator is: features in, probabilities of the five tiers out, kept as plain JSON."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from groundswell.calibration.scores import Floats


class Estimator(Protocol):
    """A raw learner: features of shape (rows, features) in, probabilities of shape (rows, 5) out."""

    @property
    def kind(self) -> str:
        """The word that the artifact and the reports call it by."""

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of each tier, shape (rows, 5)."""

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""


def spread_over_tiers(probabilities: Floats, tiers: tuple[int, ...]) -> Floats:
    """Return probabilities over all five tiers, 0 for those that never occurred in training.

    >>> spread_over_tiers(np.array([[0.4, 0.6]]), (2, 5)).tolist()
    [[0.0, 0.4, 0.0, 0.0, 0.6]]
    """
    every = np.zeros((len(probabilities), 5))
    every[:, np.asarray(tiers) - 1] = probabilities
    return every


def finite(content: dict[str, Any], name: str, shape: tuple[int, ...]) -> Floats:
    """Return a stored array; raises ValueError where it has another shape or holds what is no number."""
    values = np.asarray(content[name], dtype=np.float64)
    if values.shape != shape or not np.isfinite(values).all():
        raise ValueError(f"{name} of shape {values.shape} where {shape} is needed")
    return values
