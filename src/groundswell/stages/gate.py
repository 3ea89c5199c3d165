"""The promotion gate: a challenger serves only when it has earned it; a gate that cannot tell holds."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from groundswell.calibration.intervals import Clusters, clustered_mean
from groundswell.calibration.scores import Floats
from groundswell.records import Decision, Estimate, Finding, Outcome, Verdict

#: Metrics without which nothing is promoted.
REQUIRED = ("accuracy", "rps", "logLoss", "brier", "qwk", "withinOne")
#: The finding that compares with the champion; the others are numbered G1–G4.
CHAMPION = "G5"
CONFIDENCE = 0.95
#: What "2 points worse" means on the scale of RPS.
WORSE = 0.02


#: A finding that votes, and what would have been enough.
Check = tuple[Finding, str]


class Standing(enum.StrEnum):
    """How the challenger stands to what serves now."""

    FIRST = "first"
    CONTEST = "contest"
    LIVE_OVER_FALLBACK = "live_over_fallback"
    FALLBACK_OVER_LIVE = "fallback_over_live"


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """The gate's thresholds; a missing one is a check that cannot be passed, so an empty policy holds."""

    accuracy_floor: float | None = None
    margin: float | None = None
    min_comparable_rows: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Scored:
    """One version's loss on named rows: `rows` are their hashes, `rps` the loss of each."""

    rows: npt.NDArray[np.uint64]
    rps: Floats

    @property
    def fingerprint(self) -> str:
        """A name for exactly these rows in this order."""
        return hashlib.sha256(self.rows.tobytes()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """ΔRPS, challenger − champion, on the same rows: mean, error, and the upper end of its one-sided 95 % interval."""

    champion: int
    n: int
    creators: int
    delta: float
    standard_error: float
    upper: float
    same_rows: bool
    chance_equal: float
    chance_worse: float


def compare(challenger: Scored, champion: Scored, clusters: Clusters, version: int, margin: float) -> Comparison:
    """Return the paired comparison with the champion's version.

    The interval is Student's on the creator-clustered standard error and its effective degrees of freedom; the
    two chances are those of this gate at this n promoting a challenger that is truly equal, or truly worse by an
    RPS of 0.02.
    """
    same = challenger.fingerprint == champion.fingerprint
    if not same or len(challenger.rps) == 0:
        return Comparison(version, len(challenger.rps), 0, math.nan, math.nan, math.nan, same, math.nan, math.nan)
    delta, error, freedom = clustered_mean(challenger.rps - champion.rps, clusters)
    reach = float(stdtrit(freedom, CONFIDENCE)) * error if freedom else math.nan
    return Comparison(
        champion=version,
        n=len(challenger.rps),
        creators=len(np.unique(clusters)),
        delta=delta,
        standard_error=error,
        upper=delta + reach,
        same_rows=same,
        chance_equal=promotion_chance(0.0, error, freedom, margin),
        chance_worse=promotion_chance(WORSE, error, freedom, margin),
    )


def promotion_chance(true_delta: float, error: float, freedom: float, margin: float) -> float:
    """Return the chance that the upper end falls below the margin when the challenger is worse by `true_delta`.

    The chance is P(Δ̂ + t·s < margin) with Δ̂ normal around the truth and s its standard error.

    >>> round(promotion_chance(0.0, 0.002, 1_000, 0.005), 2), promotion_chance(0.02, 0.002, 1_000, 0.005) < 1e-9
    (0.8, True)
    """
    if not freedom or math.isnan(error):
        return math.nan
    reach = float(stdtrit(freedom, CONFIDENCE)) * error
    if error == 0:
        return 1.0 if true_delta < margin else 0.0
    return float(stdtr(freedom, (margin - reach - true_delta) / error))


def decide(
    metrics: Mapping[str, Estimate],
    tiers_trained: int,
    standing: Standing,
    comparison: Comparison | None,
    policy: Policy,
    reported: Sequence[Finding] = (),
    asked: Sequence[Check] = (),
) -> Decision:
    """Return promote or hold, in one line why, and what would have been enough.

    `asked` are further checks with a vote, each with what would have been enough: those of a forecast line. `reported`
    findings (leakage in `observed`) stand in the decision without one.
    """
    floor, champion = _floor(metrics.get("accuracy"), policy), _champion(standing, comparison, policy)
    checks = [_policy(policy), _tiers(tiers_trained), _metrics(metrics), floor, *asked, champion]
    obstacles = [(finding, enough) for finding, enough in checks if not _lets_pass(finding, standing)]
    findings = (*(finding for finding, _ in checks), *reported)
    if obstacles:
        first, enough = obstacles[0]
        return Decision(Verdict.HOLD, first.explanation, enough, findings)
    earned = asked[0][0].explanation if asked else f"{floor[0].explanation} (n {metrics['accuracy'].n:,})"
    why = f"{earned}; {champion[0].explanation}"
    return Decision(Verdict.PROMOTE, why, "It was enough.", findings)


def refuse(code: str, title: str, explanation: str, enough: str) -> Decision:
    """Return the decision to hold where there is nothing that could be judged."""
    finding = Finding(code, title, Outcome.FAILED, explanation)
    return Decision(Verdict.HOLD, explanation, enough, (finding,))


def _lets_pass(finding: Finding, standing: Standing) -> bool:
    if finding.outcome is Outcome.NOT_APPLICABLE:
        return finding.code == CHAMPION and standing in {Standing.FIRST, Standing.LIVE_OVER_FALLBACK}
    return finding.outcome is Outcome.PASSED


def _finding(code: str, title: str, passed: bool | None, explanation: str) -> Finding:
    outcome = Outcome.NOT_APPLICABLE if passed is None else Outcome.PASSED if passed else Outcome.FAILED
    return Finding(code, title, outcome, explanation)


def _policy(policy: Policy) -> Check:
    thresholds = dataclasses.asdict(policy)
    missing = [name for name, value in thresholds.items() if value is None or not math.isfinite(value)]
    said = f"The policy sets no {', '.join(missing)}" if missing else "Every threshold is set"
    return _finding("G1", "Policy is complete", not missing, said), "A policy with every threshold set."


def _metrics(metrics: Mapping[str, Estimate]) -> Check:
    bad = [name for name in REQUIRED if name not in metrics or not math.isfinite(metrics[name].value)]
    said = f"No finite value of {', '.join(bad)}" if bad else f"All {len(REQUIRED)} required metrics are finite"
    return _finding("G3", "Metrics are complete", not bad, said), "A finite value of every required metric."


def _tiers(count: int) -> Check:
    said = f"The training rows hold {count} of 5 tiers"
    return _finding("G2", "At least two tiers to tell apart", count >= 2, said), "Training rows of two tiers."


def _floor(accuracy: Estimate | None, policy: Policy) -> Check:
    title = "Accuracy floor"
    floor = policy.accuracy_floor
    if accuracy is None or floor is None or not math.isfinite(accuracy.value) or not math.isfinite(floor):
        return _finding("G4", title, None, "Accuracy or floor is missing"), "An accuracy and a floor."
    if floor == 0:
        return _finding("G4", title, True, f"No floor is set for the accuracy of {accuracy.value:.1%}"), ""
    passed = accuracy.value >= floor
    shown = _on_its_side(accuracy.value, floor)
    said = f"Test accuracy {shown} {'passes the' if passed else 'below'} {_percent(floor)} gate"
    needed = math.ceil(floor * accuracy.n - 1e-9)
    got = round(accuracy.value * accuracy.n)
    return (
        _finding("G4", title, passed, said),
        f"{needed:,} of {accuracy.n:,} holdout videos right; it had {got:,}.",
    )


def _on_its_side(share: float, floor: float) -> str:
    """Return a share in percent, with as many decimals as it takes not to round it across the floor."""
    texts = (f"{share:.{decimals}%}" for decimals in range(1, 8))
    return next((text for text in texts if (float(text[:-1]) >= floor * 100) == (share >= floor)), f"{share:%}")


def _percent(share: float) -> str:
    return f"{share * 100:g}%"


def _champion(standing: Standing, comparison: Comparison | None, policy: Policy) -> Check:
    title = "Not worse than the champion"
    if standing is Standing.FIRST:
        return _finding(CHAMPION, title, None, "no champion exists to compare with"), ""
    if standing is Standing.LIVE_OVER_FALLBACK:
        said = "the champion is a fallback model, which a model of live rows replaces on the floor alone"
        return _finding(CHAMPION, title, None, said), ""
    if standing is Standing.FALLBACK_OVER_LIVE:
        said = "A fallback model never replaces a champion trained on live rows"
        return _finding(CHAMPION, title, False, said), "Enough scraped videos to train on."
    if comparison is None or policy.margin is None or policy.min_comparable_rows is None:
        return _finding(CHAMPION, title, None, "There is no comparison with the champion"), "A comparison."
    return _contest(title, comparison, policy.margin, policy.min_comparable_rows)


def _contest(title: str, found: Comparison, margin: float, min_rows: int) -> Check:
    if not found.same_rows:
        said = f"Champion {found.champion} was scored on other rows, so the two cannot be compared"
        return _finding(CHAMPION, title, False, said), "Both scored on the same rows."
    if found.n < min_rows or math.isnan(found.upper):
        said = (
            f"Only {found.n:,} holdout rows of {found.creators:,} creators are new to champion {found.champion}: "
            "too few to compare"
        )
        return _finding(CHAMPION, title, None, said), f"{min_rows:,} such rows of two creators or more."
    passed = found.upper < margin
    said = (
        f"ΔRPS against champion {found.champion} is {found.delta:+.4f}, upper end {found.upper:+.4f} "
        f"{'below' if passed else 'not below'} the margin {margin:g} (n {found.n:,}, {found.creators:,} creators; this "
        f"gate promotes an equal challenger with chance {found.chance_equal:.0%}, one worse by {WORSE:g} "
        f"with {found.chance_worse:.1%})"
    )
    enough = f"A ΔRPS below {margin - (found.upper - found.delta):+.4f} on these rows."
    return _finding(CHAMPION, title, passed, said), enough
