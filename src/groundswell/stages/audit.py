"""Did the stated scores come true? ECE, drift flag and the Platt refit over one set of outcome pairs."""

from __future__ import annotations

import dataclasses

from groundswell.calibration.platt import PlattFit, refit
from groundswell.calibration.reliability import ReliabilityBin, expected_calibration_error, reliability_bins
from groundswell.calibration.scores import Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Audit:
    """What one audit found; `served_ece` is the ECE of what is served after it."""

    ece: float
    drift_detected: bool
    drift_threshold: float
    bins: tuple[ReliabilityBin, ...]
    total_samples: int
    fit: PlattFit
    served_ece: float


def audit(predicted: Floats, actual: Floats, drift_threshold: float, min_pairs: int, seed: int) -> Audit:
    """Return the audit of predicted and actual shares in [0, 1]; drift is an ECE above the threshold."""
    ece = expected_calibration_error(predicted, actual)
    fit = refit(predicted, actual, min_pairs, seed)
    served = fit.platt.apply(predicted) if fit.platt and fit.active else predicted
    return Audit(
        ece=ece,
        drift_detected=ece > drift_threshold,
        drift_threshold=drift_threshold,
        bins=reliability_bins(predicted, actual),
        total_samples=len(predicted),
        fit=fit,
        served_ece=expected_calibration_error(served, actual),
    )
