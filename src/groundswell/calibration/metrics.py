"""Metrics as functions of row weights, so that a point estimate and a thousand bootstrap draws take one path.

`weights` has shape (draws, rows); a point estimate is one draw of ones. Each metric returns one value a draw.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from groundswell.calibration.scores import Floats, Tiers

Matrix = npt.NDArray[np.float64]


def weighted_mean(rows: Floats, weights: Matrix) -> Floats:
    """Return the mean of a loss.

    >>> weighted_mean(np.array([1.0, 3.0]), np.array([[1.0, 1.0], [3.0, 1.0]])).tolist()
    [2.0, 1.5]
    """
    return np.asarray((weights @ rows) / weights.sum(axis=1))


def confusion(tiers: Tiers, predicted: Tiers, weights: Matrix) -> npt.NDArray[np.float64]:
    """Return confusion matrices of shape (draws, 5, 5): rows are actual tiers, columns predicted ones."""
    cell = (tiers - 1) * 5 + predicted - 1
    one_hot = (cell[:, None] == np.arange(25)).astype(np.float64)
    return np.asarray((weights @ one_hot).reshape(-1, 5, 5))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(numerator / denominator)


def recalls(matrices: Matrix) -> Matrix:
    """Return the recall of each tier, shape (draws, 5); NaN where the tier does not occur."""
    return _ratio(np.einsum("dkk->dk", matrices), matrices.sum(axis=2))


def precisions(matrices: Matrix) -> Matrix:
    """Return the precision of each tier, shape (draws, 5); NaN where the tier was never predicted."""
    return _ratio(np.einsum("dkk->dk", matrices), matrices.sum(axis=1))


def balanced_accuracy(matrices: Matrix) -> Floats:
    """Return the mean recall over the tiers that occur."""
    found = recalls(matrices)
    present = ~np.isnan(found)
    return _ratio(np.where(present, found, 0.0).sum(axis=1), present.sum(axis=1))


def macro_f1(matrices: Matrix) -> Floats:
    """Return the mean F1 over the tiers that occur or were predicted; F1 = 2·hits/(actual + predicted)."""
    total = matrices.sum(axis=1) + matrices.sum(axis=2)
    f1 = np.where(total > 0, _ratio(2 * np.einsum("dkk->dk", matrices), total), 0.0)
    return _ratio(f1.sum(axis=1), (total > 0).sum(axis=1))


def quadratic_weighted_kappa(matrices: Matrix) -> Floats:
    """Return 1 − Σ d²·observed / Σ d²·expected with d the distance in tiers; NaN where one tier is all there is.

    Source: Cohen, "Weighted kappa", Psychological Bulletin 70 (1968).
    """
    distance = (np.arange(5)[:, None] - np.arange(5)) ** 2
    actual, predicted = matrices.sum(axis=2), matrices.sum(axis=1)
    observed = (matrices * distance).sum(axis=(1, 2))
    expected = np.einsum("di,ij,dj->d", actual, distance, predicted) / matrices.sum(axis=(1, 2))
    return 1 - _ratio(observed, expected)


def top_label_ece(confidence: Floats, hit: Floats, weights: Matrix, bins: int = 15) -> Floats:
    """Return the expected calibration error of the likeliest tier's probability over equal bins.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    member = (bin_of(confidence, bins)[:, None] == np.arange(bins)).astype(np.float64)
    gaps = weights @ (member * (confidence - hit)[:, None])
    return np.asarray(np.abs(gaps).sum(axis=1) / weights.sum(axis=1))


def bin_of(values: Floats, bins: int) -> npt.NDArray[np.int64]:
    """Return the equal bin of values in [0, 1]: an edge belongs to the upper bin, 1.0 to the last.

    >>> bin_of(np.array([0.0, 0.3, 0.7, 1.0]), 10).tolist()
    [0, 3, 7, 9]
    """
    edges = np.arange(1, bins) / bins
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def spearman(first: Floats, second: Floats, weights: Matrix) -> Floats:
    """Return the rank correlation, ties at their mid-rank; NaN where one side is constant."""
    return _correlation(_mid_ranks(first, weights), _mid_ranks(second, weights), weights)


def _mid_ranks(values: Floats, weights: Matrix) -> Matrix:
    # A row drawn w times counts as w equal rows: its rank is the weight below it plus half the weight of its equals.
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    mass = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = mass.cumsum(axis=1) - mass / 2
    return np.asarray(ranks[:, group])


def _correlation(first: Matrix, second: Matrix, weights: Matrix) -> Floats:
    total = weights.sum(axis=1, keepdims=True)
    first = first - (weights * first).sum(axis=1, keepdims=True) / total
    second = second - (weights * second).sum(axis=1, keepdims=True) / total
    covariance = (weights * first * second).sum(axis=1)
    scale = np.sqrt((weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1))
    return _ratio(covariance, scale)
