"""Has the world moved since training? Features and tiers against the training rows, and the cut-points apart.

A shift counts only where it is sure (a test that a million rows can make out of nothing), large (an effect size whose
interval lies above what matters) and lasting (seen in two periods in a row).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy
from scipy.special import chdtrc, ndtri, stdtrit

from groundswell.calibration.intervals import Clusters, clustered_mean
from groundswell.calibration.scores import Floats
from groundswell.records import Estimate
from groundswell.reference import FeatureReference, Reference, effective_rows, numbered

Size = Literal["none", "moderate", "large"]

#: A population stability index from here on is worth a word, and from there on it is large: the field's own rule.
MODERATE, LARGE = 0.1, 0.25
#: The share of false ones that may be among the features reported as shifted.
FALSE_DISCOVERIES = 0.05
#: With fewer effective rows, or from fewer creators, the limits that the test rests on do not hold.
FEWEST_ROWS = 50
FEWEST_CREATORS = 30
#: Added to every bin, counted in effective rows, so that an empty one says "rare" and not "impossible" (Jeffreys).
_SMOOTHING = 0.5
#: Shares at or below the cut-points of a `views` label.
_VIEW_LEVELS = (0.2, 0.4, 0.6, 0.8)
#: How far the share of outcomes at or below a cut-point must have moved to matter.
LEAST_MOVE = 0.05
_REACH = float(ndtri(0.975))


@dataclasses.dataclass(frozen=True, slots=True)
class Period:
    """The predictions of one stretch of time: values of shape (rows, features), NaN for missing, and their creators."""

    values: Floats
    clusters: Clusters | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Shift:
    """How far one feature stands from training in one period.

    `psi` is the debiased population stability index. `adjusted_p_value` takes all features into account (Benjamini &
    Hochberg); `shifted` says that it is at most 0.05 and the interval of `psi` lies above 0.1. Of creators of very
    unequal size p-values come out too small (12 % are under 0.05 for 400 of Pareto sizes); the interval guards.
    """

    psi: Estimate
    effective_rows: float
    p_value: float
    adjusted_p_value: float
    size: Size
    shifted: bool


@dataclasses.dataclass(frozen=True, slots=True)
class FeatureDrift:
    """What became of one feature: `drifted` in both periods, or `newly` in the current one; None where nobody can tell.

    `explanation` says it with its numbers, or says why it cannot be told.
    """

    name: str
    current: Shift | None
    previous: Shift | None
    drifted: bool | None
    newly: bool | None
    explanation: str


@dataclasses.dataclass(frozen=True, slots=True)
class Drift:
    """Every feature of the model, and every other one that was served, against `trained_n` training rows."""

    trained_n: int
    n: int
    previous_n: int
    features: tuple[FeatureDrift, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class CutPointDrift:
    """One cut-point: its level, where it stood in training, where it lies now, and the share at or below the old one.

    `expected` is what that share was in training. The rest is None where it cannot be told.
    """

    level: float
    trained: float
    expected: float
    now: Estimate | None
    at_or_below: Estimate | None
    shifted: bool | None


@dataclasses.dataclass(frozen=True, slots=True)
class CutPoints:
    """The cut-points against recent outcomes, and the share of those in each tier, in the order of the tiers."""

    n: int
    points: tuple[CutPointDrift, ...]
    tiers: tuple[Estimate, ...]
    explanation: str


def find_drift(reference: Reference, names: Sequence[str], current: Period, previous: Period | None) -> Drift:
    """Return how each feature stands to training; `names` are those of the columns of both periods.

    Features of training that are not among the names, and names that training did not know, are told as such.
    """
    trained = {feature.name: feature for feature in reference.features}
    shared = [name for name in names if name in trained]
    columns = [list(names).index(name) for name in shared]
    known = [trained[name] for name in shared]
    now = dict(zip(shared, _shifts(known, columns, current), strict=True))
    before = dict(zip(shared, _shifts(known, columns, previous), strict=True)) if previous else {}
    every = [*names, *(name for name in trained if name not in set(names))]
    return Drift(
        trained_n=reference.n,
        n=len(current.values),
        previous_n=len(previous.values) if previous else 0,
        features=tuple(_verdict(name, now.get(name, _absent(name in trained)), before.get(name)) for name in every),
    )


def find_tier_drift(reference: Reference, current: Period, previous: Period | None, name: str) -> FeatureDrift:
    """Return how tiers 1–5 of shape (rows, 1), predicted or actual as `name` says, stand to the tiers of training."""
    now = _shifts([reference.tiers], [0], current)[0]
    return _verdict(name, now, _shifts([reference.tiers], [0], previous)[0] if previous else None)


def stability_index(trained: Floats, trained_rows: float, now: Floats, rows: float) -> tuple[Estimate, float]:
    """Return the debiased population stability index of two sets of shares, and the p-value of "nothing moved".

    PSI = Σ (q − p)·ln(q/p) over the bins that occur, each share smoothed by half a row. Of two samples of one
    distribution, PSI/(1/rows + 1/trained rows) is chi-squared with one degree less than bins, so its mean is taken off
    and its variance added to that of the delta method, which alone would be 0 there. The value and its 95 % interval
    are not let below 0. Source: Yurdakul & Naranjo, "Statistical properties of the population stability index",
    J. Risk Model Validation 14 (2020).

    >>> found, p_value = stability_index(np.array([0.5, 0.5]), 1e9, np.array([0.2, 0.8]), 1e9)
    >>> round(found.value, 4), p_value  # (0.2 − 0.5)·ln(0.4) + (0.8 − 0.5)·ln(1.6)
    (0.4159, 0.0)
    """
    occurring = (trained > 0) | (now > 0)
    freedom = int(occurring.sum()) - 1
    if freedom < 1:
        return Estimate(0.0, 0.0, 0.0, round(rows)), 1.0
    p, q = _smoothed(trained[occurring], trained_rows), _smoothed(now[occurring], rows)
    log_ratio = np.log(q / p)
    psi = float(((q - p) * log_ratio).sum())
    scale = 1 / rows + 1 / trained_rows
    variance = _variance(q, log_ratio + 1 - p / q) / rows + _variance(p, 1 - log_ratio - q / p) / trained_rows
    reach = _REACH * float(np.sqrt(variance + 2 * freedom * scale**2))
    value = psi - freedom * scale
    low, middle, high = np.maximum([value - reach, value, value + reach], 0.0).tolist()
    return Estimate(middle, low, high, round(rows)), float(chdtrc(freedom, psi / scale))


def _smoothed(shares: Floats, rows: float) -> Floats:
    return np.asarray((shares * rows + _SMOOTHING) / (shares.sum() * rows + _SMOOTHING * len(shares)))


def _variance(shares: Floats, gradient: Floats) -> float:
    mean = float((shares * gradient).sum())
    return float((shares * (gradient - mean) ** 2).sum())


def _shifts(trained: Sequence[FeatureReference], columns: Sequence[int], period: Period) -> list[Shift | str]:
    """Return each feature's shift, or why there is none."""
    of = numbered(period.clusters)
    creators = _creators(of, len(period.values))
    if of is not None and creators < FEWEST_CREATORS:
        rows = len(period.values)
        said = f"The effective number of creators, {creators:.0f}, is under {FEWEST_CREATORS} (n {rows:,})"
        return [said] * len(trained)
    measured = [
        _measured(feature, period.values[:, column], of) for feature, column in zip(trained, columns, strict=True)
    ]
    told = [row for row in measured if not isinstance(row, str)]
    adjusted = iter(scipy.stats.false_discovery_control([row.p_value for row in told]).tolist() if told else [])
    return [row if isinstance(row, str) else _judged(row, next(adjusted)) for row in measured]


def _creators(of: Clusters | None, rows: int) -> float:
    """Return Kish's effective number of clusters."""
    if of is None or rows == 0:
        return float(rows)
    sizes = np.bincount(of).astype(np.float64)
    return rows**2 / float(sizes @ sizes)


def _measured(trained: FeatureReference, values: Floats, of: Clusters | None) -> Shift | str:
    member = trained.bins(values)
    bins = len(trained.shares) + 1
    counts = np.bincount(member, minlength=bins)
    if trained.missing == 1.0 and counts[-1] == len(values):
        return f"It was never known, neither in training nor now (n {len(values):,})"
    rows = effective_rows(member, bins, of)
    fewest = min(rows, trained.effective_rows)
    if fewest < FEWEST_ROWS:
        return (
            f"{rows:,.0f} effective rows (n {len(values):,}) against {trained.effective_rows:,.0f} of training: "
            f"under {FEWEST_ROWS} nothing can be told"
        )
    shares = np.array([*trained.shares, trained.missing])
    psi, p_value = stability_index(shares, trained.effective_rows, counts / len(values), rows)
    size: Size = "none" if psi.value < MODERATE else "moderate" if psi.value < LARGE else "large"
    return Shift(dataclasses.replace(psi, n=len(values)), rows, p_value, p_value, size, shifted=False)


def _judged(shift: Shift, adjusted: float) -> Shift:
    shifted = adjusted <= FALSE_DISCOVERIES and (shift.psi.low or 0.0) > MODERATE
    return dataclasses.replace(shift, adjusted_p_value=adjusted, shifted=shifted)


def _absent(trained: bool) -> str:
    return "The model learnt from it, but it was not served" if trained else "Training did not know this feature"


def _verdict(name: str, now: Shift | str, before: Shift | str | None) -> FeatureDrift:
    previous = before if isinstance(before, Shift) else None
    if isinstance(now, str):
        return FeatureDrift(name, None, previous, None, None, now)
    lasting = False
    found = (
        f"PSI {now.psi.value:.3f} ({now.psi.low:.3f}–{now.psi.high:.3f}, n {now.psi.n:,}), "
        f"adjusted p {now.adjusted_p_value:.2g}"
    )
    if not now.shifted:
        said = f"{found}: no shift that matters"
    elif previous is not None and previous.shifted:
        lasting = True
        said = f"{found}, after {previous.psi.value:.3f} (n {previous.psi.n:,}) in the period before: it has drifted"
    else:
        without = before if isinstance(before, str) else "no earlier rows" if before is None else "not shifted"
        said = f"{found}; in the period before: {without}. Not yet drift"
    return FeatureDrift(name, now, previous, now.shifted and lasting, now.shifted and not lasting, said)


def find_cut_point_drift(
    trained: Sequence[float],
    quantities: Floats,
    clusters: Clusters | None = None,
    tiers: FeatureReference | None = None,
    levels: Sequence[float] = _VIEW_LEVELS,
) -> CutPoints:
    """Return where the cut-points would lie by the recent outcomes of shape (rows,), and who is in which tier by them.

    A cut-point has shifted where the share of outcomes at or below the old one is off what it was in training by more
    than 5 points, interval included: the world got louder or quieter, which says nothing of how well the model ranks.
    `tiers` is the training mix of `Reference`; without it that share is the level, taken as exact. Intervals are
    Woodruff's: that of the share at or below a value, over creators, read as ranks (JASA 47, 1952). NaN is left out.

    >>> found = find_cut_point_drift((20.0, 40.0, 60.0, 80.0), np.arange(1.0, 101.0) + 30)
    >>> [(point.now.value, point.at_or_below.value, point.shifted) for point in found.points][:2]
    [(50.0, 0.0, True), (70.0, 0.1, True)]
    """
    known = ~np.isnan(quantities)
    values = quantities[known]
    of = None if clusters is None else numbered(clusters[known])
    n, creators = len(values), _creators(of, len(values))
    expected = np.cumsum(tiers.shares).tolist() if tiers else levels
    points = [
        CutPointDrift(level, cut, share, None, None, None)
        for level, cut, share in zip(levels, trained, expected, strict=False)
    ]
    if creators < FEWEST_CREATORS or n < FEWEST_ROWS:
        said = f"{n:,} recent outcomes from an effective number of {creators:.0f} creators are too few to tell"
        return CutPoints(n, tuple(points), (), said)
    rows, ordered = np.arange(n) if of is None else of, np.sort(values)
    told = tuple(_moved(point, values, ordered, rows, tiers.effective_rows if tiers else np.inf) for point in points)
    # A value on a cut-point stays below it, as in the labels of views.
    tier = np.searchsorted(np.asarray(trained), values, side="left")
    mix = tuple(_estimate(_interval(tier == number, rows), n) for number in range(len(trained) + 1))
    return CutPoints(n, told, mix, _words(told, n))


def _moved(point: CutPointDrift, values: Floats, ordered: Floats, rows: Clusters, trained_rows: float) -> CutPointDrift:
    n = len(values)
    now = float(ordered[int(np.floor(point.level * (n - 1)))])
    share, low, high = _interval(values <= now, rows)
    # Ties may put more rows at or below the quantile than its level asks for: the interval is laid around the level.
    ranks = np.clip(point.level + np.array([low, high]) - share, 0.0, 1.0) * (n - 1)
    around = ordered[np.array([np.floor(ranks[0]), np.ceil(ranks[1])], dtype=np.int64)].tolist()
    share, low, high = _interval(values <= point.trained, rows, point.expected * (1 - point.expected) / trained_rows)
    return dataclasses.replace(
        point,
        now=Estimate(now, around[0], around[1], n),
        at_or_below=_estimate((share, low, high), n),
        shifted=low > point.expected + LEAST_MOVE or high < point.expected - LEAST_MOVE,
    )


def _interval(inside: npt.NDArray[np.bool_], rows: Clusters, more: float = 0.0) -> tuple[float, float, float]:
    """Return the share with its 95 % interval over creators; `more` is variance from elsewhere."""
    mean, error, freedom = clustered_mean(inside.astype(np.float64), rows)
    reach = float(stdtrit(freedom, 0.975)) * float(np.hypot(error, np.sqrt(more)))
    return mean, max(0.0, mean - reach), min(1.0, mean + reach)


def _estimate(interval: tuple[float, float, float], n: int) -> Estimate:
    value, low, high = interval
    return Estimate(value, low, high, n)


def _words(points: tuple[CutPointDrift, ...], n: int) -> str:
    moved = [
        f"p{100 * point.level:.0f} was {point.trained:,.6g} and is {point.now.value:,.6g} "
        f"({point.now.low:,.6g}–{point.now.high:,.6g})"
        for point in points
        if point.shifted and point.now
    ]
    if moved:
        return f"{'; '.join(moved)} (n {n:,})"
    return f"No cut-point has moved by more than {100 * LEAST_MOVE:.0f} points of the outcomes (n {n:,})"
