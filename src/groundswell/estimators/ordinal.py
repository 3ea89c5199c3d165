"""One booster for all four questions "does it pass this cut-point?", asked with the distance to it.

The tiers are ordered, so the four answers share their trees: each row is asked four times, with the number of the
cut-point and its distance from what a ridge regression expects. Source of the reduction: Frank & Hall, "A simple
approach to ordinal classification", ECML 2001; Li & Lin, "Ordinal regression by extended binary classification",
NIPS 2006.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np

from groundswell.calibration.scores import Floats
from groundswell.estimators import boosters
from groundswell.estimators.estimator import finite
from groundswell.estimators.regressions import Ridge

#: No tier is ever quite impossible.
_SMALLEST = 1e-6


@dataclasses.dataclass(frozen=True)
class OrdinalEstimator:
    """Boosted answers to the four questions, around a ridge regression of log-views."""

    ridge: Ridge
    text: str
    log_cuts: tuple[float, ...]

    kind = "boostedOrdinal"

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of each tier, shape (rows, 5)."""
        asked = questions(features, self.ridge.expected(features), self.log_cuts)
        return from_answers(boosters.output(self.text, asked).reshape(4, len(features)).T)

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {"kind": self.kind, "ridge": self.ridge.content(), "text": self.text, "log_cuts": self.log_cuts}

    @classmethod
    def from_content(cls, content: dict[str, Any], features: int) -> Self:
        """Return the stored estimator."""
        ridge = Ridge.from_content(content["ridge"], features)
        text = boosters.check_booster(content["text"], features + 2, 1)
        return cls(ridge, text, tuple(finite(content, "log_cuts", (4,)).tolist()))


def questions(features: Floats, expected: Floats, log_cuts: tuple[float, ...]) -> Floats:
    """Return the rows four times, shape (4·rows, features + 2), with the cut-point's number and its distance."""
    rows, width = features.shape
    asked = np.empty((len(log_cuts), rows, width + 2))
    asked[:, :, :width] = features
    asked[:, :, width] = np.arange(len(log_cuts))[:, None]
    asked[:, :, width + 1] = np.asarray(log_cuts)[:, None] - expected
    return asked.reshape(-1, width + 2)


def from_answers(passed: Floats) -> Floats:
    """Return the probability of each tier from the chances (rows, 4) of passing each cut-point, made to fall.

    >>> from_answers(np.array([[0.9, 0.6, 0.7, 0.1]])).round(3).tolist()
    [[0.1, 0.3, 0.0, 0.5, 0.1]]
    """
    edges = np.zeros((len(passed), 6))
    edges[:, 0] = 1.0
    np.minimum.accumulate(passed, axis=1, out=edges[:, 1:5])
    chances = np.clip(edges[:, :-1] - edges[:, 1:], _SMALLEST, 1.0)
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))
