"""What a forecast has to show: lift over the best baseline, honest chances, and nothing too good to be true."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from scipy.special import stdtrit

from groundswell.calibration.ceiling import ceiling_accuracy, explained_share
from groundswell.calibration.intervals import Clusters, clustered_mean
from groundswell.calibration.reliability import ece_if_calibrated
from groundswell.calibration.scores import Floats, Tiers
from groundswell.estimators.regressions import Errors
from groundswell.records import Estimate, Finding, Outcome

#: Points by which an accuracy may pass the ceiling before it is too good: errors of log-views are not quite normal,
#: and honest forecasts of real collections were seen up to 2.5 points above the higher of the two ceilings.
TOLERANCE = 0.05
#: Groups of rows, by how sure the forecast is, whose errors are taken to be alike.
GROUPS = 10
#: A lift of less RPS than this is none, however sure it is.
SMALLEST_LIFT = 0.001
_NOISE_DRAWS = 200
Check = tuple[Finding, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Lift:
    """ΔRPS, forecast − the best baseline (the lower the better), and the upper end of its one-sided 95 % interval."""

    baseline: str
    rps: Estimate
    upper: float
    accuracy_points: float


@dataclasses.dataclass(frozen=True, slots=True)
class Ceiling:
    """The accuracy that the explained share of log-view variance allows: by normal errors, and by errors as they were.

    `accuracy` is the guide of the glossary; `by_errors` lets the errors keep their shape, and be smaller where the
    forecast is surer. `reached` is the share of `accuracy` that the forecast's accuracy comes to.
    """

    accuracy: float
    by_errors: float
    r2: float
    reached: float


def find_lift(rps: Floats, baselines: Mapping[str, Floats], clusters: Clusters) -> tuple[str, Estimate, float]:
    """Return the best baseline, ΔRPS against it with its 95 % interval, and the upper end of the one-sided one.

    `baselines` are losses on the same rows. The intervals are Student's on the creator-clustered jackknife error.
    """
    best = min(baselines, key=lambda name: float(baselines[name].mean()))
    delta, error, freedom = clustered_mean(rps - baselines[best], clusters)
    if not freedom or math.isnan(error):
        return best, Estimate(delta, None, None, len(rps)), math.nan
    reach, one_sided = (float(stdtrit(freedom, level)) * error for level in (0.975, 0.95))
    return best, Estimate(delta, delta - reach, delta + reach, len(rps)), delta + one_sided


def find_ceiling(
    expected: Floats, actual: Floats, tiers: Tiers, forecast: Floats, log_cuts: tuple[float, ...], accuracy: float
) -> Ceiling:
    """Return the ceiling of a holdout: log-views `expected` by the regression and `actual`, the forecast (rows, 5)."""
    explained = explained_share(expected, actual)
    shares = np.bincount(tiers, minlength=6)[1:6] / len(tiers)
    literal = ceiling_accuracy(explained, shares)
    return Ceiling(literal, _by_errors(expected, actual, forecast, log_cuts), explained, accuracy / literal)


def _by_errors(expected: Floats, actual: Floats, forecast: Floats, log_cuts: tuple[float, ...]) -> float:
    order = np.argsort(forecast.max(axis=1), kind="stable")
    best = np.empty(len(expected))
    for group in np.array_split(order, min(GROUPS, max(1, len(order) // 30))):
        errors = Errors.of(actual[group] - expected[group], log_cuts)
        best[group] = errors.probabilities(expected[group]).max(axis=1)
    return float(best.mean())


def check_lift(lift: Lift) -> Check:
    """Return whether the forecast beats the best baseline, by more than chance."""
    title, found = "Better than the best baseline", lift.rps
    said = f"ΔRPS against {lift.baseline} is {found.value:+.4f}"
    if math.isnan(lift.upper):
        return _finding("G6", title, None, f"{said}, of too few creators for an interval"), "Two creators or more."
    passed = lift.upper < 0 and found.value <= -SMALLEST_LIFT
    said = f"{said}, upper end {lift.upper:+.4f} (n {found.n:,}); 0 must lie above it, and {SMALLEST_LIFT:g} be gained"
    enough = f"A ΔRPS below {min(found.value - lift.upper, -SMALLEST_LIFT):+.4f} on these rows."
    return _finding("G6", title, passed, said if passed else f"Too little signal: {said}"), enough


def check_calibration(ece: Estimate, confidence: Floats, limit: float, seed: int) -> Check:
    """Return whether stated chances came true: an ECE above the limit must also be more than noise at this n."""
    title = "Stated chances came true"
    if not math.isfinite(ece.value):
        return _finding("G7", title, None, "There is no ECE"), "An ECE."
    noise = float(np.quantile(ece_if_calibrated(confidence, _NOISE_DRAWS, seed), 0.95))
    passed = ece.value <= max(limit, noise)
    said = (
        f"ECE of the likeliest tier is {ece.value:.3f} (15 bins, n {ece.n:,}), limit {limit:g}; "
        f"a perfect forecast stays under {noise:.3f} with 95 %"
    )
    return _finding("G7", title, passed, said), f"An ECE of at most {max(limit, noise):.3f}."


def find_range(coverage: Estimate, promised: float) -> Finding:
    """Return whether the stated ranges held as many videos as promised; told, not voted on."""
    said = f"{coverage.value:.1%} of {promised:.0%} promised lay in their range (n {coverage.n:,})"
    if coverage.low is not None and coverage.high is not None:
        said = f"{said[:-1]}, 95 % {100 * coverage.low:.1f} to {100 * coverage.high:.1f})"
    else:
        return _finding("G9", "Ranges hold what they promise", None, said)
    return _finding("G9", "Ranges hold what they promise", coverage.high >= promised, said)


def check_ceiling(accuracy: Estimate, ceiling: Ceiling) -> Check:
    """Return whether the accuracy is one that log-views so well explained can have."""
    title = "Not too good to be true"
    highest = max(ceiling.accuracy, ceiling.by_errors)
    low = accuracy.value if accuracy.low is None else accuracy.low
    passed = low <= highest + TOLERANCE
    said = (
        f"Accuracy {accuracy.value:.1%} (from {low:.1%}), ceiling {ceiling.accuracy:.1%} for R² {ceiling.r2:.2f}, "
        f"{ceiling.by_errors:.1%} by the errors as they were (n {accuracy.n:,})"
    )
    enough = f"An accuracy whose lower end is at most {highest + TOLERANCE:.1%}: look for what gives the answer away."
    return _finding("G8", title, passed, said if passed else f"Too good to be true: {said}"), enough


def _finding(code: str, title: str, passed: bool | None, explanation: str) -> Finding:
    outcome = Outcome.NOT_APPLICABLE if passed is None else Outcome.PASSED if passed else Outcome.FAILED
    return Finding(code, title, outcome, explanation)
