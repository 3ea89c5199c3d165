"""Tier calibration by a matrix: each tier's new log-chance is a weighted sum of all five, held near one temperature.

Sources: Kull et al., "Beyond temperature scaling", NeurIPS 2019 (off-diagonal and intercept regularisation); Berta,
Holzmüller, Jordan & Bach, "Structured matrix scaling for multi-class calibration", arXiv 2511.03685 (2025): a
temperature first, then a penalty of its own for diagonal, neighbours and intercepts, weaker as rows grow.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
from scipy.special import softmax

from groundswell.calibration.scores import Floats, Tiers
from groundswell.calibration.temperature import fit_temperature

#: Chances are clipped here before the logarithm: what a model holds for rarer than this it does not know to the digit.
SMALLEST_CHANCE = 1e-6
#: How far intercepts, diagonal and off-diagonal weights are expected to stray from the temperature: the standard
#: deviations of a normal prior, so that the penalty on the mean loss shrinks as 1/n. From 90 real splits with 2,000 to
#: 2,500 rows, where twice as much costs under 0.001 of log loss and half as much 0.002.
INTERCEPT_SPREAD, DIAGONAL_SPREAD, OFF_DIAGONAL_SPREAD = 0.5, 0.2, 0.1
_TIERS = 5
_IMPOSSIBLE = -1e3


@dataclasses.dataclass(frozen=True, slots=True)
class MatrixScaling:
    """The map p ↦ softmax(W·ln p + b): weights W of shape (5, 5), a row a tier that comes out, and intercepts b.

    With a diagonal W it is vector scaling, with W = I/t and b = 0 the temperature t.
    """

    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    kind: str = "matrix"

    def apply(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities of the same shape; an impossible tier stays impossible.

        >>> twice = MatrixScaling(tuple(tuple(row) for row in 2 * np.eye(5)), (0.0,) * 5)
        >>> twice.apply(np.array([[0.2, 0.8, 0, 0, 0]])).round(4).tolist()
        [[0.0588, 0.9412, 0.0, 0.0, 0.0]]
        """
        if not len(probabilities):
            return probabilities
        logits = _logs(probabilities) @ np.array(self.weights).T + np.array(self.intercepts)
        return np.asarray(softmax(np.where(probabilities > 0, logits, -np.inf), axis=1))

    def content(self) -> dict[str, Any]:
        """Return the numbers as plain JSON."""
        return {"kind": self.kind, "weights": [list(row) for row in self.weights], "intercepts": list(self.intercepts)}


def matrix_from_content(content: dict[str, Any]) -> MatrixScaling:
    """Return the stored map; raises ValueError where the numbers are not finite or not of its shape."""
    weights, intercepts = np.array(content["weights"], dtype=float), np.array(content["intercepts"], dtype=float)
    if weights.shape != (_TIERS, _TIERS) or intercepts.shape != (_TIERS,):
        raise ValueError(f"weights of shape {weights.shape} and intercepts of shape {intercepts.shape}")
    if not (np.isfinite(weights).all() and np.isfinite(intercepts).all()):
        raise ValueError("weights or intercepts that are not finite")
    return _scaling(weights, intercepts, content["kind"])


def fit_vector(probabilities: Floats, tiers: Tiers, t: float | None = None) -> MatrixScaling:
    """Return the penalised fit with a scale and an intercept for each tier and nothing off the diagonal."""
    return _fit(probabilities, tiers, t, np.eye(_TIERS, dtype=bool), "vector")


def fit_matrix(probabilities: Floats, tiers: Tiers, t: float | None = None) -> MatrixScaling:
    """Return the penalised fit of all weights and intercepts.

    `t` is the temperature that the fit starts from and is held near; by default the one of least log loss.
    """
    return _fit(probabilities, tiers, t, np.ones((_TIERS, _TIERS), dtype=bool), "matrix")


def penalties() -> Floats:
    """Return the penalty ½·λ·θ² of each parameter on the summed log loss, shape (5, 6), intercepts in the last column.

    >>> penalties()[0].round(1).tolist()
    [25.0, 100.0, 100.0, 100.0, 100.0, 4.0]
    """
    spread = np.full((_TIERS, _TIERS + 1), OFF_DIAGONAL_SPREAD)
    np.fill_diagonal(spread, DIAGONAL_SPREAD)
    spread[:, _TIERS] = INTERCEPT_SPREAD
    return np.asarray(1 / spread**2)


@dataclasses.dataclass(frozen=True, slots=True)
class PenalisedLoss:
    """Mean log loss plus penalty of deviations from a temperature, its gradient and Hessian; of the free parameters.

    `start` are the log-chances at that temperature and `inputs`, (rows, 6), the centred logs with a column of ones.
    Centred, a tier whose chance is the same everywhere teaches nothing but an intercept.
    """

    start: Floats
    inputs: Floats
    tiers: Tiers
    free: npt.NDArray[np.bool_]

    def __call__(self, deviations: Floats) -> tuple[float, Floats]:
        """Return the loss and its gradient."""
        n, penalty = len(self.tiers), penalties()[self.free]
        logits = self._logits(deviations)
        top = logits.max(axis=1, keepdims=True)
        powers = np.exp(logits - top)
        total = powers.sum(axis=1)
        chances = powers / total[:, None]
        own = logits[np.arange(n), self.tiers - 1]
        loss = (np.log(total) + top[:, 0] - own).sum() + (penalty * deviations**2).sum() / 2
        chances[np.arange(n), self.tiers - 1] -= 1
        gradient = (chances.T @ self.inputs)[self.free] + penalty * deviations
        return float(loss / n), np.asarray(gradient / n)

    def hessian(self, deviations: Floats) -> Floats:
        """Return the matrix of second derivatives."""
        n, size = len(self.tiers), self.inputs.shape[1]
        chances = softmax(self._logits(deviations), axis=1)
        spread = (chances[:, :, None] * self.inputs[:, None, :]).reshape(n, -1)
        found = -(spread.T @ spread)
        for tier in range(_TIERS):
            block = slice(tier * size, (tier + 1) * size)
            found[block, block] += (self.inputs * chances[:, tier, None]).T @ self.inputs
        free = self.free.ravel()
        return np.asarray((found[np.ix_(free, free)] + np.diag(penalties()[self.free])) / n)

    def _logits(self, deviations: Floats) -> Floats:
        full = np.zeros(self.free.shape)
        full[self.free] = deviations
        return np.asarray(self.start + self.inputs @ full.T)


def _fit(
    probabilities: Floats, tiers: Tiers, t: float | None, weights: npt.NDArray[np.bool_], kind: str
) -> MatrixScaling:
    # A row whose own tier was held for impossible cannot be helped, and would only drag the others along.
    helped = probabilities[np.arange(len(tiers)), tiers - 1] > 0
    probabilities, tiers = probabilities[helped], tiers[helped]
    if t is None:
        t = fit_temperature(probabilities, tiers).t if len(tiers) else 1.0
    if not len(tiers):
        return _scaling(np.eye(_TIERS) / t, np.zeros(_TIERS), kind)
    logs = _logs(probabilities)
    mean = logs.mean(axis=0)
    free = np.hstack([weights, np.ones((_TIERS, 1), dtype=bool)])
    start = np.where(probabilities > 0, logs / t, _IMPOSSIBLE)
    loss = PenalisedLoss(start, np.hstack([logs - mean, np.ones((len(logs), 1))]), tiers, free)
    found = scipy.optimize.minimize(
        loss,
        np.zeros(int(free.sum())),
        jac=True,
        hess=loss.hessian,
        method="trust-exact",
        options={"gtol": 1e-8, "initial_trust_radius": 10.0, "max_trust_radius": 1_000.0},
    )
    full = np.zeros(free.shape)
    full[free] = found.x
    deviations = full[:, :_TIERS]
    return _scaling(np.eye(_TIERS) / t + deviations, full[:, _TIERS] - deviations @ mean, kind)


def _scaling(weights: Floats, intercepts: Floats, kind: str) -> MatrixScaling:
    return MatrixScaling(tuple(tuple(row) for row in weights.tolist()), tuple(intercepts.tolist()), kind)


def _logs(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.clip(probabilities, SMALLEST_CHANCE, 1.0)))
