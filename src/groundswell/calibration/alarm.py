"""Is the drift of the stated chances real? A verdict that does not cry wolf, and how far it can be relied upon."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np

from groundswell.calibration.grouped import Integers
from groundswell.calibration.intervals import share_of
from groundswell.calibration.reliability import expected_calibration_error
from groundswell.calibration.resampling import Coins, Evidence, Flips, evidence, form_of, laws_of, statistic, tested
from groundswell.calibration.scores import Floats
from groundswell.records import Estimate

#: The level of the test: half of the 5 % of false alarms that are allowed, so that neither simulation noise nor the
#: skew of real outcomes carries the rule past them.
LEVEL = 0.025
DRAWS = 999
#: Fewer independent units than this cannot contradict calibration at the level: 8 flipped signs have 256 outcomes.
FEWEST_UNITS = 8
#: The rule must say red at least this often, were the true ECE `MISS` above the threshold, or it says nothing.
LEAST_POWER = 0.5
MISS = 0.02
_SIMULATED = 400


class AlarmState(enum.StrEnum):
    """The verdict of an audit on the stated chances."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    INSUFFICIENT = "insufficient"


@dataclasses.dataclass(frozen=True, slots=True)
class Alarm:
    """The verdict with its reason, and how often this rule errs with these predictions, this noise and this n.

    `false_alarms` is how often it would say red of perfectly calibrated chances, `power` how often at a true ECE of
    `power_at`; both by simulation, their intervals are of that. `level` is the test's.
    """

    state: AlarmState
    reason: str
    ece: float
    threshold: float
    p_value: float
    level: float
    false_alarms: Estimate | None
    power: Estimate | None
    power_at: float
    n: int


def judge(predicted: Floats, actual: Floats, threshold: float, seed: int, clusters: Integers | None = None) -> Alarm:
    """Return the alarm over pairs of shares in [0, 1].

    `red`: the ECE is above the threshold and the test of `resampling` rejects; `amber`: the test alone rejects;
    `insufficient`: the rule cannot tell; else `green`. It cannot tell with fewer than 8 independent units, where it
    would say red at a true ECE of threshold + 0.02 less often than not, and where predictions and outcomes
    are two constants that do not contradict each other.

    >>> judge(np.full(1000, 0.9), np.repeat([1.0, 0.0], [200, 800]), 0.15, seed=1).state.value
    'red'
    """
    ece, n = expected_calibration_error(predicted, actual), len(predicted)
    blank = Alarm(
        AlarmState.INSUFFICIENT, "no pairs", ece, threshold, 1.0, LEVEL, None, None, round(threshold + MISS, 4), n
    )
    folded = evidence(predicted, actual, clusters) if n else None
    if folded is None or folded.independent < FEWEST_UNITS:
        units = folded.independent if folded else 0
        return dataclasses.replace(blank, reason=f"{units} independent pairs, {FEWEST_UNITS} are needed")
    test = tested(folded, DRAWS, seed)
    false_alarms, power = _rates(folded, blank, np.random.default_rng([seed, 1]))
    measured = dataclasses.replace(blank, p_value=test.p_value, false_alarms=false_alarms, power=power)
    state, reason = _verdict(measured, _is_constant(predicted) and _is_constant(actual))
    return dataclasses.replace(measured, state=state, reason=reason)


def notifies(states: Sequence[AlarmState]) -> bool:
    """Return whether the newest of these states (the last) is told: red at once, amber where it persists.

    >>> notifies([AlarmState.AMBER]), notifies([AlarmState.AMBER, AlarmState.AMBER])
    (False, True)
    """
    if not states:
        return False
    if states[-1] is AlarmState.AMBER:
        return len(states) > 1 and states[-2] in (AlarmState.AMBER, AlarmState.RED)
    return states[-1] is AlarmState.RED


def _verdict(found: Alarm, constant: bool) -> tuple[AlarmState, str]:
    rejected = found.p_value <= found.level
    test = f"p {found.p_value:.3f} of the test of perfect calibration, level {found.level:g}, n {found.n}"
    if constant and not rejected:
        return AlarmState.INSUFFICIENT, f"all predictions are equal and so are all outcomes, n {found.n}"
    if rejected and found.ece > found.threshold:
        return AlarmState.RED, f"ECE {found.ece:.4f} is above {found.threshold:g} and not by chance: {test}"
    if rejected:
        return AlarmState.AMBER, f"ECE {found.ece:.4f} is not above {found.threshold:g}, yet not by chance: {test}"
    if found.power is None or found.power.value < LEAST_POWER:
        chance = 0.0 if found.power is None else found.power.value
        missed = f"a true ECE of {found.power_at:g} would be called red in {chance:.0%} of such audits"
        return AlarmState.INSUFFICIENT, f"{missed}, n {found.n}"
    above = "above" if found.ece > found.threshold else "not above"
    return AlarmState.GREEN, f"ECE {found.ece:.4f} is {above} {found.threshold:g} and may be chance: {test}"


def _is_constant(values: Floats) -> bool:
    return bool(values.min() == values.max())


def _rates(folded: Evidence, alarm: Alarm, generator: np.random.Generator) -> tuple[Estimate, Estimate]:
    """Return how often the rule says red of calibrated chances, and of chances moved towards 0.5 by `power_at`."""
    bins = len(folded.sums.count)
    mean = folded.sums.predicted / np.maximum(folded.sums.count, 1)
    towards = np.where(np.arange(bins) < bins // 2, 1.0, -1.0)
    moved = np.clip(mean + towards * alarm.power_at, 0, 1) - mean
    found = []
    for shift in (np.zeros(bins), moved):
        laws, drawn = _imagined(folded, shift, generator)
        red = np.round(np.abs(drawn).sum(axis=1) / alarm.n, 4) > alarm.threshold
        for law in laws:
            form = form_of(law.covariance())
            red &= statistic(drawn, form) > np.quantile(statistic(law.draw(_SIMULATED, generator), form), 1 - LEVEL)
        found.append(share_of(int(red.sum()), len(red)))
    return found[0], found[1]


def _imagined(
    folded: Evidence, shift: Floats, generator: np.random.Generator
) -> tuple[tuple[Coins | Flips, ...], Floats]:
    """Return the laws to be contradicted and draws of residual sums, were each bin's true chance off by `shift`."""
    sums, units = folded.sums, folded.units
    if units is None:
        return folded.laws, folded.coins.draw(_SIMULATED, generator, shift)
    noise = units.spread(-sums.gap)
    # The residuals of a bin of few rows hardly leave their own mean: what they hide of their spread is added.
    hidden = np.diag(np.maximum(sums.count**2 * sums.error() ** 2 - sums.centred_squares(), 0))
    drawn = Flips(None, noise + hidden).draw(_SIMULATED, generator) + sums.count * shift
    # Flipped residuals spread by the miss as well, which costs the test some of its power.
    return laws_of(folded.coins, None, units.spread(shift - sums.gap) + hidden), drawn
