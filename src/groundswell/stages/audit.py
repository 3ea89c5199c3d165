"""Did the stated scores come true? ECE, the alarm and the refit of the score's calibration over one set of pairs."""

from __future__ import annotations

import dataclasses

from groundswell.calibration.alarm import Alarm, judge
from groundswell.calibration.bands import ReliabilityBand, reliability_curve
from groundswell.calibration.intervals import Clusters
from groundswell.calibration.measures import Measures, measure
from groundswell.calibration.reliability import ReliabilityBin, expected_calibration_error, reliability_bins
from groundswell.calibration.score_calibration import ScoreFit, Segments, refit_score
from groundswell.calibration.scores import Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """The threshold of drift, the pairs that a fit needs, draws behind every interval, and the seed."""

    drift_threshold: float
    min_pairs: int
    draws: int
    seed: int


@dataclasses.dataclass(frozen=True, slots=True)
class Audit:
    """What one audit found; `served_ece` is the ECE of what is served after it."""

    ece: float
    drift_detected: bool
    drift_threshold: float
    bins: tuple[ReliabilityBin, ...]
    total_samples: int
    fit: ScoreFit
    served_ece: float
    measures: Measures
    curve: tuple[ReliabilityBand, ...]
    alarm: Alarm


def audit(
    predicted: Floats,
    actual: Floats,
    policy: Policy,
    clusters: Clusters | None = None,
    segments: Segments | None = None,
) -> Audit:
    """Return the audit of predicted and actual shares in [0, 1]; drift is an ECE above the threshold.

    Pairs of one cluster are no independent evidence; segments name the groups that may be calibrated apart.
    """
    ece = expected_calibration_error(predicted, actual)
    fit = refit_score(predicted, actual, policy.min_pairs, policy.seed, segments, clusters)
    served = fit.calibration.apply(predicted, segments) if fit.active else predicted
    return Audit(
        ece=ece,
        drift_detected=ece > policy.drift_threshold,
        drift_threshold=policy.drift_threshold,
        bins=reliability_bins(predicted, actual),
        total_samples=len(predicted),
        fit=fit,
        served_ece=expected_calibration_error(served, actual),
        measures=measure(predicted, actual, policy.draws, policy.seed),
        curve=reliability_curve(predicted, actual, policy.draws, policy.seed),
        alarm=judge(predicted, actual, policy.drift_threshold, policy.seed, clusters),
    )
