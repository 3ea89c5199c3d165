"""Tier ranges that hold what they promise: runs of neighbouring tiers, made as long as past coverage asks for.

A range grows from the likeliest tier to whichever neighbour is likelier, and takes in every tier for which the
probability gathered before it is not above a reach. The reach is chosen on calibration rows so that 80 % of them fall
into their range (split conformal prediction), whatever the stated probabilities are worth. Source: Romano, Sesia &
Candès, "Classification with valid and adaptive coverage", NeurIPS 2020, without its randomisation; that the runs stay
contiguous suits ordered classes (Lu, Angelopoulos & Pomerantz, MICCAI 2022).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from groundswell.calibration.scores import Floats, Tiers

#: The share of videos that a stated range is to hold.
PROMISED = 0.8
#: So many rows are quicker one by one.
_FEW_ROWS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Reach:
    """Probability that may be gathered before a tier for it still to be in the range; by default the promised share."""

    mass: float = PROMISED

    def ranges(self, probabilities: Floats) -> npt.NDArray[np.int64]:
        """Return the lowest and the highest tier of each row's range, shape (rows, 2).

        >>> Reach(0.7).ranges(np.array([[0.05, 0.25, 0.4, 0.25, 0.05]])).tolist()
        [[2, 4]]
        """
        if len(probabilities) <= _FEW_ROWS:
            found = [self._range_of(row) for row in probabilities.tolist()]
            return np.array(found, dtype=np.int64).reshape(-1, 2)
        before = mass_before(probabilities)
        # A reach below zero, from rows that were all predicted right, still leaves the likeliest tier.
        inside = (before <= self.mass) | (before == 0)
        return np.stack([inside.argmax(axis=1) + 1, 5 - inside[:, ::-1].argmax(axis=1)], axis=1)

    def _range_of(self, chances: list[float]) -> tuple[int, int]:
        """Return the same for one row, for which arrays take thirty times as long."""
        low = high = chances.index(max(chances))
        gathered = chances[low]
        while high - low < 4 and min(gathered, 1.0) <= self.mass:
            below, above = chances[low - 1] if low > 0 else -1.0, chances[high + 1] if high < 4 else -1.0
            if below >= above:
                low -= 1
            else:
                high += 1
            gathered += max(below, above)
        return low + 1, high + 1


#: The reach of a model that was never asked for one: its ranges hold the promised share of its own probabilities.
PLAIN_REACH = Reach()


def mass_before(probabilities: Floats) -> Floats:
    """Return the probability gathered before each tier joins the range, shape (rows, 5); 0 for the likeliest tier.

    >>> mass_before(np.array([[0.05, 0.25, 0.4, 0.25, 0.05]])).round(2).tolist()
    [[0.9, 0.4, 0.0, 0.65, 0.95]]
    """
    rows = np.arange(len(probabilities))
    low = high = probabilities.argmax(axis=1)
    padded = np.hstack([np.full((len(rows), 1), -1.0), probabilities, np.full((len(rows), 1), -1.0)])
    before = np.zeros_like(probabilities)
    gathered = probabilities[rows, low]
    for _ in range(4):
        below, above = padded[rows, low], padded[rows, high + 2]
        down = below >= above
        joined = np.where(down, low - 1, high + 1)
        # Rounding may carry a sum of chances past 1, and then a reach of all would miss the last tier.
        before[rows, joined] = np.minimum(gathered, 1.0)
        gathered = gathered + probabilities[rows, joined]
        low, high = np.where(down, joined, low), np.where(down, high, joined)
    return before


def conformal_reach(probabilities: Floats, tiers: Tiers, promised: float = PROMISED) -> Reach:
    """Return the reach whose ranges hold the promised share of new rows, given rows that the model did not learn from.

    It is the ⌈(n + 1)·promised⌉-th smallest mass before the tier that occurred; with too few rows for that every tier
    is in every range.
    """
    rank = math.ceil((len(tiers) + 1) * promised)
    if rank > len(tiers):
        return Reach(1.0)
    needed = mass_before(probabilities)[np.arange(len(tiers)), tiers - 1]
    return Reach(float(np.sort(needed)[rank - 1]))
