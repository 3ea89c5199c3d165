"""Pairs folded together, so that a million of them cost no more than their distinct values or their bins."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from groundswell.calibration.metrics import bin_of
from groundswell.calibration.scores import SMALLEST_PROBABILITY, Floats

Integers = npt.NDArray[np.int64]

#: Half of the finest step that a stored score has: nearer to 0 and 1 its logit would be made up.
SMALLEST_SHARE = 5e-5
#: Above so many pairs, scores are rounded to 5 decimals before they are folded (a stored score has 4).
_ROUND_ABOVE = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Grouped:
    """Pairs with equal x folded into one: a likelihood needs only how many there are and the sum of their y.

    `squares`, the sum of y², is what the spread of a loss over the pairs needs besides.
    """

    x: Floats
    count: Floats
    total: Floats
    squares: Floats

    def occurring(self) -> Grouped:
        """Return the groups that hold a pair."""
        kept = self.count > 0
        return Grouped(self.x[kept], self.count[kept], self.total[kept], self.squares[kept])

    def loss(self, p: Floats) -> float:
        """Return the summed cross-entropy of a chance for each group."""
        clipped = np.clip(p, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        return float(-(self.total * np.log(clipped) + (self.count - self.total) * np.log1p(-clipped)).sum())

    def lead(self, p: Floats, other: Floats) -> tuple[float, float]:
        """Return the sum over pairs of the loss of p less that of `other`, and the sum of its square."""
        p, other = (np.clip(q, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY) for q in (p, other))
        # The difference of one pair is linear in its outcome: `failed` + y · (`came` − `failed`).
        came, failed = np.log(other) - np.log(p), np.log1p(-other) - np.log1p(-p)
        rise = came - failed
        sums = self.count * failed + self.total * rise
        squares = self.count * failed**2 + 2 * self.total * failed * rise + self.squares * rise**2
        return float(sums.sum()), float(squares.sum())


def grouped(x: Floats, y: Floats, fold: Integers, folds: int) -> list[Grouped]:
    """Return the groups of each fold, all over the same ascending x.

    >>> [part.count.tolist() for part in grouped(np.array([0.5, 0.2, 0.5]), np.ones(3), np.array([0, 0, 1]), 2)]
    [[1.0, 1.0], [0.0, 1.0]]
    """
    values, group = np.unique(rounded(x), return_inverse=True)
    cell, size = fold * len(values) + group, folds * len(values)
    counts = np.bincount(cell, minlength=size).reshape(folds, -1).astype(np.float64)
    # A sum of shares must not round past their number: it says whether all of them were 1.
    totals = np.minimum(summed(cell, y, size).reshape(folds, -1), counts)
    squares = summed(cell, y * y, size).reshape(folds, -1)
    return [Grouped(values, *parts) for parts in zip(counts, totals, squares, strict=True)]


def together(parts: Sequence[Grouped]) -> Grouped:
    """Return the groups of several folds as one."""
    count, total, squares = (sum(getattr(part, name) for part in parts) for name in ("count", "total", "squares"))
    return Grouped(parts[0].x, np.asarray(count), np.asarray(total), np.asarray(squares)).occurring()


def summed(cell: Integers, values: Floats, cells: int) -> Floats:
    """Return the sum of the values in each of so many cells.

    >>> summed(np.array([2, 0, 2]), np.array([1.0, 2.0, 3.0]), 3).tolist()
    [2.0, 0.0, 4.0]
    """
    return np.bincount(cell, weights=values, minlength=cells).astype(np.float64, copy=False)


def rounded(x: Floats) -> Floats:
    """Return scores in [0, 1] as they are, or to 5 decimals where there are too many to tell them all apart."""
    return x if len(x) <= _ROUND_ABOVE else np.round(x, 5)


@dataclasses.dataclass(frozen=True, slots=True)
class BinSums:
    """What a bin has to say of its pairs; arrays with one entry a bin. A residual is actual − predicted."""

    count: Floats
    predicted: Floats
    actual: Floats
    residual: Floats
    residual_squares: Floats
    actual_squares: Floats

    @property
    def gap(self) -> Floats:
        """The mean residual; 0 in an empty bin."""
        return np.asarray(self.residual / np.maximum(self.count, 1))

    def error(self) -> Floats:
        """Return the standard error of each gap, from the residuals and so right for shares as for hits."""
        spread = _spread(self.centred_squares(), self.count, self.residual_squares)
        return np.asarray(np.sqrt(spread / np.maximum(self.count, 1)))

    def centred_squares(self) -> Floats:
        """Return the sum over each bin of (residual − gap)²."""
        return np.asarray(np.maximum(self.residual_squares - self.count * self.gap**2, 0.0))

    def actual_variance(self) -> Floats:
        """Return the variance of the outcomes in each bin."""
        mean = self.actual / np.maximum(self.count, 1)
        return _spread(self.actual_squares - self.count * mean**2, self.count, self.residual_squares)


def bin_sums(predicted: Floats, actual: Floats, member: Integers, bins: int) -> BinSums:
    """Return the sums of each bin; `member` is the bin of each pair."""
    residual = actual - predicted
    columns = (predicted, actual, residual, residual * residual, actual * actual)
    sums = (summed(member, column, bins) for column in columns)
    return BinSums(np.bincount(member, minlength=bins).astype(np.float64), *sums)


def _spread(within: Floats, count: Floats, squares: Floats) -> Floats:
    """Return a variance for each bin, drawn towards that of all bins by the weight of one row.

    A bin of one row says nothing of its spread, and one whose few rows agree says that there is none.
    """
    within = np.maximum(within, 0.0)
    freedom = np.maximum(count - 1, 0.0)
    rows = max(1.0, float(count.sum()))
    everywhere = float(within.sum() / freedom.sum()) if freedom.sum() > 0 else float(squares.sum() / rows)
    return np.asarray((within + everywhere) / (freedom + 1))


@dataclasses.dataclass(frozen=True, slots=True)
class Cells:
    """Pairs of nearly equal predictions folded together: a mean prediction, how many, and the bin they are in.

    There are 20 cells to a bin, of width 0.005 where there are ten bins: the variance of a draw from a cell's mean is
    that of a draw from its pairs to within 7e-6 of their number.
    """

    chance: Floats
    count: Integers
    member: Integers


_CELLS_A_BIN = 20


def cells(predicted: Floats, bins: int) -> Cells:
    """Return the cells that hold a pair."""
    member = bin_of(predicted, bins * _CELLS_A_BIN)
    count = np.bincount(member)
    held = np.flatnonzero(count)
    mean = np.bincount(member, weights=predicted)[held] / count[held]
    return Cells(np.clip(mean, 0.0, 1.0), count[held], held // _CELLS_A_BIN)
