"""Did the forecasts of one line come true? Its stated chances of the likeliest tier against what matured."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from groundswell.calibration.alarm import Alarm, judge
from groundswell.calibration.bands import ReliabilityBand, reliability_curve
from groundswell.calibration.intervals import Clusters, clustered_estimate, clustered_share, share_of
from groundswell.calibration.measures import Measures, class_wise_ece, measure
from groundswell.calibration.scores import Floats, Tiers, likeliest, log_loss, ranked_probability_score
from groundswell.records import Estimate


@dataclasses.dataclass(frozen=True, slots=True)
class Matured:
    """Matured predictions of a line: probabilities (rows, 5), actual tiers, stated ranges (rows, 2; 0 for none)."""

    probabilities: Floats
    tiers: Tiers
    ranges: npt.NDArray[np.int64]
    clusters: Clusters


@dataclasses.dataclass(frozen=True, slots=True)
class LineAudit:
    """What one audit found of a line; `coverage` is None where no range was stated."""

    n: int
    alarm: Alarm
    measures: Measures
    class_wise_ece: float
    curve: tuple[ReliabilityBand, ...]
    accuracy: Estimate
    rps: Estimate
    log_loss: Estimate
    coverage: Estimate | None


def audit_line(matured: Matured, threshold: float, draws: int, seed: int) -> LineAudit:
    """Return the audit of one row or more; intervals of means are creator-clustered."""
    named = likeliest(matured.probabilities)
    confidence = matured.probabilities.max(axis=1)
    hit = (named == matured.tiers).astype(np.float64)
    return LineAudit(
        n=len(hit),
        alarm=judge(confidence, hit, threshold, seed, matured.clusters),
        measures=measure(confidence, hit, draws, seed),
        class_wise_ece=class_wise_ece(matured.probabilities, matured.tiers),
        curve=reliability_curve(confidence, hit, draws, seed),
        accuracy=clustered_share(hit, matured.clusters),
        rps=clustered_estimate(ranked_probability_score(matured.probabilities, matured.tiers), matured.clusters),
        log_loss=clustered_estimate(log_loss(matured.probabilities, matured.tiers), matured.clusters),
        coverage=_coverage(matured),
    )


def is_worse(now: Estimate, promised: dict[str, Any] | None) -> bool:
    """Return whether a loss is clearly above what the version was promoted with: the intervals do not touch.

    >>> is_worse(Estimate(0.2, 0.18, 0.22, 90), {"value": 0.15, "low": 0.14, "high": 0.16})
    True
    """
    high = (promised or {}).get("high")
    return now.low is not None and high is not None and now.low > high


def _coverage(matured: Matured) -> Estimate | None:
    low, high = matured.ranges.T
    stated = low > 0
    if not stated.any():
        return None
    held = (low <= matured.tiers) & (matured.tiers <= high) & stated
    return share_of(int(held.sum()), int(stated.sum()))
