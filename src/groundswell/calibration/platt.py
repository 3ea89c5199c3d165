"""Score calibration: `calibrated = 1/(1+exp(a·x+b))`, fitted by maximum likelihood on outcome pairs.

Source: Platt, "Probabilistic outputs for support vector machines" (1999), without his smoothing of the targets:
ours are shares, not classes. A well-ordered score gives a < 0, since a higher score must raise the chance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from groundswell.calibration.scores import SMALLEST_PROBABILITY, Floats

FOLDS = 5
_MOST_STEPS = 200
_SMALLEST_STEP = 1e-9
_WORST_CONDITION = 1e12


@dataclasses.dataclass(frozen=True, slots=True)
class Platt:
    """The sigmoid of a score in [0, 1]; decreasing in `a·x + b`."""

    a: float
    b: float

    def apply(self, x: Floats) -> Floats:
        """Return the calibrated shares.

        >>> Platt(-4.0, 2.0).apply(np.array([0.0, 0.5, 1.0])).round(4).tolist()
        [0.1192, 0.5, 0.8808]
        """
        return np.asarray(expit(-(self.a * x + self.b)))


@dataclasses.dataclass(frozen=True, slots=True)
class PlattFit:
    """What a refit found: the sigmoid or None, whether it may serve, and why (not)."""

    platt: Platt | None
    active: bool
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Grouped:
    """Pairs with equal x folded into one: the likelihood needs only how many there are and the sum of their y.

    A million pairs of scores with two decimals are ten thousand groups.
    """

    x: Floats
    count: Floats
    total: Floats

    def occurring(self) -> _Grouped:
        """Return the groups that hold a pair."""
        kept = self.count > 0
        return _Grouped(self.x[kept], self.count[kept], self.total[kept])

    def loss(self, p: Floats) -> float:
        """Return the summed cross-entropy of a chance for each group."""
        clipped = np.clip(p, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        return float(-(self.total * np.log(clipped) + (self.count - self.total) * np.log1p(-clipped)).sum())


def cross_entropy(p: Floats, y: Floats) -> Floats:
    """Return −y·ln p − (1−y)·ln(1−p) of each pair; y may be any share in [0, 1].

    >>> cross_entropy(np.array([0.5]), np.array([0.25])).round(4).tolist()
    [0.6931]
    """
    clipped = np.clip(p, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(-y * np.log(clipped) - (1 - y) * np.log1p(-clipped))


def fit_platt(x: Floats, y: Floats) -> Platt | str:
    """Return the maximum-likelihood sigmoid of y on x, or in words why there is no finite one."""
    return _fit(_grouped(x, y, np.zeros(len(x), dtype=np.int64), 1)[0])


def refit(x: Floats, y: Floats, min_pairs: int, seed: int) -> PlattFit:
    """Return the fit and whether it may serve: a < 0 and a cross-validated log loss below leaving the scores alone."""
    if len(x) < min_pairs:
        return PlattFit(None, False, f"{len(x)} pairs, {min_pairs} are needed")
    order = np.lexsort((y, x))  # the folds must not depend on the order in which a database returns its rows
    x, y = x[order], y[order]
    folds = _grouped(x, y, np.random.default_rng(seed).permutation(len(x)) % FOLDS, FOLDS)
    everything = _together(folds)
    fitted = _fit(everything)
    if isinstance(fitted, str):
        return PlattFit(None, False, fitted)
    if fitted.a >= 0:
        return PlattFit(fitted, False, f"a = {fitted.a:.4g} is not below 0: it would reverse the order of the scores")
    alone, calibrated = everything.loss(everything.x) / len(x), _cross_validated(folds)
    if calibrated is None:
        return PlattFit(fitted, False, "left alone: cross-validation leaves a part without a finite maximum")
    comparison = f"cross-validated log loss {calibrated:.4f} against {alone:.4f} of the scores left alone, n {len(x)}"
    if calibrated < alone:
        return PlattFit(fitted, True, f"active: {comparison}")
    return PlattFit(fitted, False, f"left alone: {comparison}")


def _grouped(x: Floats, y: Floats, fold: npt.NDArray[np.int64], folds: int) -> list[_Grouped]:
    """Return the groups of each fold, all over the same x."""
    values, group = np.unique(x, return_inverse=True)
    cell, size = fold * len(values) + group, folds * len(values)
    counts = np.bincount(cell, minlength=size).reshape(folds, -1).astype(np.float64)
    # A sum of shares must not round past their number: it says whether all of them were 1.
    totals = np.minimum(np.bincount(cell, weights=y, minlength=size).reshape(folds, -1), counts)
    return [_Grouped(values, count, total) for count, total in zip(counts, totals, strict=True)]


def _together(parts: Sequence[_Grouped]) -> _Grouped:
    counts, totals = (sum(getattr(part, name) for part in parts) for name in ("count", "total"))
    return _Grouped(parts[0].x, np.asarray(counts), np.asarray(totals)).occurring()


def _fit(pairs: _Grouped) -> Platt | str:
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
    """Return slope and intercept of the log-odds by Newton's method with halved steps; None where it gets nowhere.

    `weight` is the share of the pairs at each x, `occurred` that share times their mean outcome.
    """
    design = np.column_stack([x, np.ones_like(x)])

    def loss(parameters: Floats) -> float:
        logits = design @ parameters
        return float(weight @ np.logaddexp(0.0, logits) - occurred @ logits)

    at = np.zeros(2)
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


def _no_finite_maximum(pairs: _Grouped) -> str | None:
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


def _cross_validated(folds: list[_Grouped]) -> float | None:
    losses = 0.0
    for number, held in enumerate(folds):
        fitted = _fit(_together(folds[:number] + folds[number + 1 :]))
        if isinstance(fitted, str):
            return None
        losses += held.loss(fitted.apply(held.x))
    return losses / sum(float(part.count.sum()) for part in folds)
