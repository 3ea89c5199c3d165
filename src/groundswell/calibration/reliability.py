"""Did the stated chances come true? ECE over equal bins, prepared as data that any page can draw."""

from __future__ import annotations

import dataclasses

import numpy as np

from groundswell.calibration.metrics import bin_of
from groundswell.calibration.scores import Floats

BINS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bar of a reliability diagram; the averages and the gap are 0 where `count` is 0."""

    bin_start: float
    bin_end: float
    avg_predicted: float
    avg_actual: float
    count: int
    gap: float


def reliability_bins(predicted: Floats, actual: Floats, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Return the equal bins of predicted chances in [0, 1]; an edge belongs to the upper bin, 1.0 to the last."""
    member = bin_of(predicted, bins)
    counts = np.bincount(member, minlength=bins)
    divisor = np.maximum(counts, 1)
    mean_predicted = np.bincount(member, weights=predicted, minlength=bins) / divisor
    mean_actual = np.bincount(member, weights=actual, minlength=bins) / divisor
    return tuple(
        ReliabilityBin(
            bin_start=k / bins,
            bin_end=(k + 1) / bins,
            avg_predicted=float(mean_predicted[k]),
            avg_actual=float(mean_actual[k]),
            count=int(counts[k]),
            gap=float(abs(mean_predicted[k] - mean_actual[k])),
        )
        for k in range(bins)
    )


def expected_calibration_error(predicted: Floats, actual: Floats, bins: int = BINS) -> float:
    """Return the count-weighted mean of |mean predicted − mean actual| over the bins, 4 decimals; 0 for no pairs.

    Source: Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.

    >>> expected_calibration_error(np.array([0.9, 0.9]), np.array([1.0, 0.0]))
    0.4
    """
    if not len(predicted):
        return 0.0
    gaps = sum(part.gap * part.count for part in reliability_bins(predicted, actual, bins))
    return round(gaps / len(predicted), 4)


def ece_if_calibrated(confidence: Floats, draws: int, seed: int, bins: int = 15) -> Floats:
    """Return the top-label ECE of each of so many made-up holdouts in which every stated chance was exactly right.

    The ECE of a perfect forecast is not 0 but noise of this size, which a threshold has to know of. Source: Bröcker &
    Smith, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22 (2007), consistency
    resampling.
    """
    generator = np.random.default_rng(seed)
    member = bin_of(confidence, bins)
    stated = np.bincount(member, weights=confidence, minlength=bins)
    hits = (generator.random((draws, len(confidence))) < confidence).astype(np.float64)
    counted = hits @ (member[:, None] == np.arange(bins)).astype(np.float64)
    return np.asarray(np.abs(counted - stated).sum(axis=1) / len(confidence))
