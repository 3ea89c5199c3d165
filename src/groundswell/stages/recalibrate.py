"""Whether a new calibrator is worth serving: judged on rows that the estimator never saw, against the present one."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import stdtrit

from groundswell.calibration.intervals import Clusters, clustered_mean, share_of
from groundswell.calibration.ranges import PROMISED, Reach, conformal_reach
from groundswell.calibration.scores import Floats, Tiers, log_loss, ranked_probability_score
from groundswell.calibration.tier_calibration import Chosen, TierCalibrator, choose_tier_calibrator
from groundswell.records import Decision, Finding, Outcome, Verdict

#: One-sided level of every comparison.
CONFIDENCE = 0.95
#: Ranges go by the latest rows alone: a reach has but one number to learn, and what held months ago need not hold now.
LATEST = 2_000


@dataclasses.dataclass(frozen=True, slots=True)
class Present:
    """What serves now."""

    calibrator: TierCalibrator
    reach: Reach


@dataclasses.dataclass(frozen=True, slots=True)
class Recalibration:
    """The calibrator and reach that are to serve, the cross-validated probabilities behind them, and the decision."""

    calibrator: TierCalibrator
    reach: Reach
    probabilities: Floats
    chosen: Chosen
    decision: Decision


def recalibrate(
    raw: Floats, tiers: Tiers, clusters: Clusters, present: Present, margin: float, min_rows: int
) -> Recalibration | Decision:
    """Return the recalibration of raw probabilities (rows, 5), rows in time order; with too few rows, the refusal.

    The new calibrator replaces the present one only where the one-sided 95 % creator-clustered interval of the
    difference in cross-validated log loss lies below 0 and RPS is not worse by the margin; the reach of the ranges is
    found anew, on the latest rows, where the present ranges clearly miss what they promise and new ones come nearer to
    it on the same rows.
    """
    enough = _enough(len(tiers), min_rows)
    if enough.outcome is Outcome.NOT_APPLICABLE:
        why = f"{len(tiers):,} rows that the estimator never saw, {min_rows:,} are needed"
        return Decision(Verdict.HOLD, enough.explanation, why, (enough,))
    chosen = choose_tier_calibrator(raw, tiers, clusters=clusters)
    served = present.calibrator.apply(raw)
    better = _better(chosen.cross_validated, served, tiers, clusters, margin)
    accepted = better.outcome is Outcome.PASSED
    probabilities = chosen.cross_validated if accepted else served
    latest = slice(-LATEST, None)
    renewed = conformal_reach(probabilities[latest], tiers[latest])
    ranges = _ranges(present.reach.ranges(served[latest]), renewed.ranges(served[latest]), tiers[latest])
    moved = accepted or ranges.outcome is Outcome.FAILED
    decision = Decision(
        decision=Verdict.PROMOTE if moved else Verdict.HOLD,
        reason=better.explanation if accepted or not moved else ranges.explanation,
        enough="A log loss whose one-sided 95 % interval lies below that of what serves, or ranges that miss.",
        findings=(enough, better, ranges),
    )
    return Recalibration(
        calibrator=chosen.calibrator if accepted else present.calibrator,
        reach=renewed if moved else present.reach,
        probabilities=probabilities,
        chosen=chosen,
        decision=decision,
    )


def _enough(rows: int, min_rows: int) -> Finding:
    outcome = Outcome.PASSED if rows >= min_rows else Outcome.NOT_APPLICABLE
    said = f"{rows:,} matured rows that the estimator never saw, {min_rows:,} are needed"
    return Finding("R0", "Enough matured rows", outcome, said)


def _better(new: Floats, present: Floats, tiers: Tiers, clusters: Clusters, margin: float) -> Finding:
    before = float(log_loss(present, tiers).mean())
    difference, upper = _upper(log_loss(new, tiers) - log_loss(present, tiers), clusters)
    _, worse = _upper(ranked_probability_score(new, tiers) - ranked_probability_score(present, tiers), clusters)
    passed = upper < 0 and worse < margin
    said = (
        f"Cross-validated log loss {before + difference:.4f} against {before:.4f} of what serves, difference "
        f"{difference:+.4f}, at most {upper:+.4f} with 95 % confidence; RPS at most {worse:+.4f} (margin {margin:g}), "
        f"n {len(tiers):,}"
    )
    return Finding("R1", "Better calibrated", Outcome.PASSED if passed else Outcome.FAILED, said)


def _ranges(present: Tiers, renewed: Tiers, tiers: Tiers) -> Finding:
    """Return whether the present ranges hold what they promise; missing it fails only where new ones come nearer."""
    held, would_hold = _held(present, tiers), _held(renewed, tiers)
    found = share_of(held, len(tiers))
    low, high = found.low or 0.0, found.high or 1.0
    single = bool((present[:, 0] == present[:, 1]).all())  # none can be made shorter, however often they hold
    misses = high < PROMISED or (low > PROMISED and not single)
    nearer = abs(would_hold / len(tiers) - PROMISED) < abs(found.value - PROMISED)
    said = (
        f"The stated ranges held {found.value:.1%} ({low:.1%} to {high:.1%}, n {found.n:,}) where {PROMISED:.0%} "
        "was promised"
    )
    if misses and not nearer:
        return Finding("R2", _RANGES, Outcome.NOT_APPLICABLE, f"{said}; ranges found anew would be no nearer to it")
    return Finding("R2", _RANGES, Outcome.FAILED if misses else Outcome.PASSED, said)


_RANGES = "Ranges hold what they promise"


def _held(ranges: Tiers, tiers: Tiers) -> int:
    return int(((ranges[:, 0] <= tiers) & (tiers <= ranges[:, 1])).sum())


def _upper(differences: Floats, clusters: Clusters) -> tuple[float, float]:
    """Return the mean and the upper end of its one-sided interval; infinite where nothing tells how sure it is."""
    mean, error, freedom = clustered_mean(differences, clusters)
    if not np.isfinite(error):
        return mean, float("inf")
    return mean, mean + float(stdtrit(freedom, CONFIDENCE)) * error
