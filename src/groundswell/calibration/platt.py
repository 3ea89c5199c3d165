"""Score calibration: `calibrated = 1/(1+exp(a·x+b))`, fitted by maximum likelihood on outcome pairs.

Source: Platt, "Probabilistic outputs for support vector machines" (1999), without his smoothing of the targets:
ours are shares, not classes. A well-ordered score gives a < 0, since a higher score must raise the chance.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from scipy.special import expit

from groundswell.calibration.grouped import Grouped, grouped
from groundswell.calibration.scores import SMALLEST_PROBABILITY, Floats

FOLDS = 5
_MOST_STEPS = 200
_SMALLEST_STEP = 1e-9
_WORST_CONDITION = 1e12


@dataclasses.dataclass(frozen=True, slots=True)
class Platt:
    """The sigmoid of a score in [0, 1]; decreasing in `a·x + b`."""

    kind: ClassVar[str] = "platt"
    a: float
    b: float

    def content(self) -> dict[str, object]:
        """Return the plain numbers from which `score_calibrators.score_calibrator_from_content` makes it again."""
        return {"kind": self.kind, "a": self.a, "b": self.b}

    def apply(self, x: Floats) -> Floats:
        """Return the calibrated shares.

        >>> Platt(-4.0, 2.0).apply(np.array([0.0, 0.5, 1.0])).round(4).tolist()
        [0.1192, 0.5, 0.8808]
        """
        return np.asarray(expit(-(self.a * x + self.b)))


def cross_entropy(p: Floats, y: Floats) -> Floats:
    """Return −y·ln p − (1−y)·ln(1−p) of each pair; y may be any share in [0, 1].

    >>> cross_entropy(np.array([0.5]), np.array([0.25])).round(4).tolist()
    [0.6931]
    """
    clipped = np.clip(p, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(-y * np.log(clipped) - (1 - y) * np.log1p(-clipped))


def fit_platt(x: Floats, y: Floats) -> Platt | str:
    """Return the maximum-likelihood sigmoid of y on x, or in words why there is no finite one."""
    return fit_grouped(grouped(x, y, np.zeros(len(x), dtype=np.int64), 1)[0])


def fit_grouped(pairs: Grouped) -> Platt | str:
    """Return what `fit_platt` does, of pairs folded together; x may be any number."""
    no_maximum = _no_finite_maximum(pairs)
    if no_maximum:
        return no_maximum
    # In standard units the two parameters are of one size, whatever range the scores have.
    centre = float(np.average(pairs.x, weights=pairs.count))
    spread = float(np.sqrt(np.average((pairs.x - centre) ** 2, weights=pairs.count)))
    found = _newton((pairs.x - centre) / spread, pairs.count / pairs.count.sum(), pairs.total / pairs.count.sum())
    if found is None:
        return "no finite maximum was found: the likelihood is flat"
    slope, intercept = float(found[0]) / spread, float(found[1])
    return Platt(a=-slope, b=slope * centre - intercept)


def _newton(x: Floats, weight: Floats, occurred: Floats) -> Floats | None:
    """Return slope and intercept of the log-odds by Newton's method; None where it gets nowhere."""
    return newton(np.column_stack([x, np.ones_like(x)]), weight, occurred)


def newton(design: Floats, weight: Floats, occurred: Floats) -> Floats | None:
    """Return the parameters of log-odds linear in the columns by Newton's method with halved steps; None if it fails.

    `weight` is the share of the pairs at each row, `occurred` that share times their mean outcome.
    """

    def loss(parameters: Floats) -> float:
        logits = design @ parameters
        return float(weight @ np.logaddexp(0.0, logits) - occurred @ logits)

    at = np.zeros(design.shape[1])
    for _ in range(_MOST_STEPS):
        p = expit(design @ at)
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design
        if not np.linalg.cond(curvature) < _WORST_CONDITION:
            return None
        step = np.linalg.solve(curvature, design.T @ (occurred - weight * p))
        if np.abs(step).max() <= _SMALLEST_STEP * (1 + np.abs(at).max()):
            return np.asarray(at + step)
        before = loss(at)
        while loss(at + step) > before + _SMALLEST_STEP and np.abs(step).max() > _SMALLEST_STEP:
            step = step / 2
        at = at + step
    return None


def _no_finite_maximum(pairs: Grouped) -> str | None:
    """Return why the likelihood has no finite maximum: one score, one outcome, or scores that separate outcomes.

    Source: Albert & Anderson, "On the existence of maximum likelihood estimates in logistic regression models",
    Biometrika 71 (1984).
    """
    some, some_not = pairs.total > 0, pairs.total < pairs.count
    if len(pairs.x) < 2:
        return "no finite maximum: all scores are equal"
    if not some.any() or not some_not.any():
        return f"no finite maximum: every outcome is {'1' if some.any() else '0'}"
    up, down = pairs.x[some], pairs.x[some_not]
    if up.min() >= down.max() or up.max() <= down.min():
        return "no finite maximum: one score separates all outcomes of 1 from all of 0"
    return None
