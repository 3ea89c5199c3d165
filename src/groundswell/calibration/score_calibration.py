"""Which correction of the scores may serve: fitted on outcome pairs, chosen by cross-validation, with a gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
import scipy
from scipy.special import expit, logit

from groundswell.calibration.grouped import Grouped, Integers, grouped, rounded, summed, together
from groundswell.calibration.intervals import Clusters
from groundswell.calibration.platt import FOLDS, Platt, fit_grouped
from groundswell.calibration.score_calibrators import (
    Beta,
    Identity,
    Isotonic,
    LogitPlatt,
    ScoreCalibrator,
    fit_beta,
    fit_isotonic,
    fit_logit_platt,
    score_calibrator_from_content,
)
from groundswell.calibration.scores import SMALLEST_PROBABILITY, Floats
from groundswell.records import Estimate

#: Fewer pairs let the steps of isotonic regression follow the noise.
FEWEST_ISOTONIC = 1_000
#: The name of each pair's segment, null where it is not known.
Segments = Sequence[str | None] | pl.Series
#: By so much of log loss another kind must surely be better than the plain winner: about an ECE of 0.1 of the scores.
#: What is worth less is not worth a calibration that two numbers cannot tell.
MARGIN = 0.02
#: The normal quantile of a one-sided 95 % interval.
_ONE_SIDED = 1.6448536269514722
_MOST_STEPS = 100
_SMALLEST_STEP = 1e-9

Fit = Callable[[Grouped], ScoreCalibrator | str]


@dataclasses.dataclass(frozen=True, slots=True)
class ScoreCalibration:
    """A calibrator of all scores, and on the logit scale an offset for each segment that has one of its own."""

    calibrator: ScoreCalibrator
    segments: Mapping[str, float]

    def apply(self, x: Floats, segment_names: Segments | None = None) -> Floats:
        """Return the calibrated shares; `segment_names` has one name a score, an unknown one has no offset.

        >>> ScoreCalibration(Identity(), {"tiktok": 1.0}).apply(np.array([0.5, 0.5]), ["tiktok", "x"]).round(2).tolist()
        [0.73, 0.5]
        """
        calibrated = self.calibrator.apply(x)
        if segment_names is None or not self.segments:
            return calibrated
        offset = np.array([self.segments.get(name, 0.0) if name is not None else 0.0 for name in segment_names])
        return np.asarray(np.where(offset == 0, calibrated, expit(_log_odds(calibrated) + offset)))

    def content(self) -> dict[str, object]:
        """Return the plain numbers from which it is made again."""
        return {"calibrator": self.calibrator.content(), "segments": dict(self.segments)}


def score_calibration_from_content(content: Mapping[str, object]) -> ScoreCalibration:
    """Return the calibration that gave this `content()`; ValueError for anything else.

    >>> score_calibration_from_content(ScoreCalibration(Identity(), {}).content())
    ScoreCalibration(calibrator=Identity(), segments={})
    """
    calibrator, segments = content.get("calibrator"), content.get("segments")
    if not isinstance(calibrator, Mapping) or not isinstance(segments, Mapping):
        raise ValueError("a score calibration has a calibrator and segments")
    offsets = {str(name): offset for name, offset in segments.items()}
    for name, offset in offsets.items():
        if isinstance(offset, bool) or not isinstance(offset, int | float) or not np.isfinite(offset):
            raise ValueError(f"the offset of segment {name!r} is {offset!r}")
    return ScoreCalibration(score_calibrator_from_content(calibrator), offsets)


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """One kind of calibrator: its cross-validated log loss, and its lead over the better of identity and Platt.

    The lead is a paired mean difference of log loss (below 0: better); `low` and `high` are the ends of its
    one-sided 95 % intervals. `log_loss` is None where it could not be fitted.
    """

    kind: str
    log_loss: float | None
    lead: Estimate | None
    eligible: bool
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class SegmentFit:
    """One segment: its pairs and its offset on the logit scale, whether or not the offsets serve."""

    name: str
    n: int
    offset: float


@dataclasses.dataclass(frozen=True, slots=True)
class ScoreFit:
    """What a refit found: Platt's sigmoid always, all candidates, and the calibration that may serve."""

    platt: Platt | None
    platt_reason: str
    candidates: tuple[Candidate, ...]
    calibration: ScoreCalibration
    active: bool
    reason: str
    segments: tuple[SegmentFit, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Tried:
    """One kind's fit on all pairs and its chances for each held-out fold, or why there are none."""

    kind: str
    calibrator: ScoreCalibrator | None
    held: list[Floats] | None
    reason: str
    fits: list[ScoreCalibrator]


def refit_score(
    x: Floats,
    y: Floats,
    min_pairs: int,
    seed: int,
    segments: Segments | None = None,
    clusters: Clusters | None = None,
) -> ScoreFit:
    """Return which calibration of scores x in [0, 1] may serve, from their outcomes y in [0, 1].

    Platt is fitted and reported whatever becomes active, which needs at least `min_pairs` pairs and an a < 0. Of
    identity and Platt the one of less cross-validated log loss wins; another kind takes its place only where the
    upper end of the one-sided 95 % interval of its paired difference is below −MARGIN, and of several such the one of
    least log loss. Offsets of segments serve where such an interval against the winner lies below 0. Pairs of one
    cluster (a negative number stands for itself) are no independent evidence: they share a fold, and nothing becomes
    active on fewer than `min_pairs` clusters.
    """
    if len(x) < min_pairs:
        return _left_alone(None, f"{len(x)} pairs, {min_pairs} are needed")
    names, code = _coded(segments, len(x))
    order = np.lexsort((code, y, x))  # the folds must not depend on the order in which a database returns its rows
    x, y, code = rounded(x[order]), y[order], code[order]
    unit, units = _units(clusters, order)
    fold = (np.random.default_rng(seed).permutation(units) % FOLDS)[unit]
    folds = grouped(x, y, fold, FOLDS)
    everything = together(folds)
    platt = fit_grouped(everything)
    if isinstance(platt, str):
        return _left_alone(None, platt)
    if platt.a >= 0:
        reason = f"a = {platt.a:.4g} is not below 0: it would reverse the order of the scores"
        return _left_alone(platt, reason, Candidate("platt", None, None, False, reason))
    if units < min_pairs:
        return _left_alone(platt, f"left alone: {units} of the {len(x)} pairs are independent, {min_pairs} are needed")
    tried = [_tried(kind, fit, folds, everything) for kind, fit in _kinds(len(x)).items()]
    candidates, winner = _chosen(tried, folds, units)
    offsets, segment_reason, fits = _segmented(winner, folds, names, (x, y, code, fold), units)
    calibrator = winner.calibrator or Identity()
    return ScoreFit(
        platt=platt,
        platt_reason=_platt_reason(tried, folds, winner.kind),
        candidates=candidates,
        calibration=ScoreCalibration(calibrator, offsets),
        active=bool(offsets) or not isinstance(calibrator, Identity),
        reason=_reason(winner.kind, candidates, len(x)) + segment_reason,
        segments=fits,
    )


def _left_alone(platt: Platt | None, reason: str, *others: Candidate) -> ScoreFit:
    alone = Candidate("identity", None, None, True, "left alone")
    return ScoreFit(platt, reason, (alone, *others), ScoreCalibration(Identity(), {}), False, reason, ())


def _kinds(n: int) -> dict[str, Fit]:
    rows = f"{n} pairs, {FEWEST_ISOTONIC} are needed"
    return {
        Identity.kind: lambda pairs: Identity(),
        Platt.kind: fit_grouped,
        LogitPlatt.kind: fit_logit_platt,
        Beta.kind: fit_beta,
        Isotonic.kind: fit_isotonic if n >= FEWEST_ISOTONIC else lambda pairs: rows,
    }


def _tried(kind: str, fit: Fit, folds: list[Grouped], everything: Grouped) -> _Tried:
    whole = fit(everything)
    if isinstance(whole, str):
        return _Tried(kind, None, None, whole, [])
    fits: list[ScoreCalibrator] = []
    for number in range(len(folds)):
        fitted = fit(together(folds[:number] + folds[number + 1 :]))
        if isinstance(fitted, str):
            return _Tried(kind, whole, None, f"cross-validation leaves a part without a fit: {fitted}", [])
        fits.append(fitted)
    return _Tried(kind, whole, [one.apply(folds[0].x) for one in fits], "", fits)


def _loss(tried: _Tried, folds: list[Grouped]) -> float | None:
    if tried.held is None:
        return None
    n = sum(float(part.count.sum()) for part in folds)
    return sum(part.loss(p) for part, p in zip(folds, tried.held, strict=True)) / n


def _chosen(tried: list[_Tried], folds: list[Grouped], units: int) -> tuple[tuple[Candidate, ...], _Tried]:
    losses = [_loss(one, folds) for one in tried]
    alone, platt = tried[0], tried[1]
    winner = platt if losses[1] is not None and losses[0] is not None and losses[1] < losses[0] else alone
    first, found = winner, []
    for one, loss in zip(tried, losses, strict=True):
        lead = _lead(one, first, folds, units) if loss is not None and one is not first else None
        plain = one in (alone, platt)
        eligible = loss is not None and (plain or (lead is not None and lead.high is not None and lead.high < -MARGIN))
        found.append(Candidate(one.kind, loss, lead, eligible, one.reason or _remark(one is first, plain, lead)))
        best = losses[tried.index(winner)]
        if eligible and not plain and loss is not None and best is not None and loss < best:
            winner = one
    return tuple(found), winner


def _remark(first: bool, plain: bool, lead: Estimate | None) -> str:
    if first:
        return "the better of leaving alone and Platt"
    if lead is None or lead.high is None:
        return ""
    if plain:
        return "not the better of leaving alone and Platt"
    clear = f"{'below' if lead.high < -MARGIN else 'not below'} {-MARGIN:g}"
    return f"log loss differs by {lead.value:+.5f}, at most {lead.high:+.5f} with 95 % confidence: {clear}"


def _lead(one: _Tried, other: _Tried, folds: list[Grouped], units: int) -> Estimate | None:
    if one.held is None or other.held is None:
        return None
    sums = [part.lead(p, q) for part, p, q in zip(folds, one.held, other.held, strict=True)]
    return _difference(
        sum(s for s, _ in sums), sum(q for _, q in sums), int(sum(part.count.sum() for part in folds)), units
    )


def _difference(total: float, squares: float, n: int, units: int) -> Estimate:
    """Return the mean difference with its one-sided ends, the error that of so many independent units."""
    mean = total / n
    error = float(np.sqrt(max(0.0, squares / n - mean**2) / max(1, units - 1)))
    return Estimate(mean, mean - _ONE_SIDED * error, mean + _ONE_SIDED * error, n)


def _platt_reason(tried: list[_Tried], folds: list[Grouped], winner: str) -> str:
    alone, calibrated = (_loss(one, folds) for one in tried[:2])
    if calibrated is None or alone is None:
        return "left alone: cross-validation leaves a part without a finite maximum"
    n = int(sum(part.count.sum() for part in folds))
    comparison = f"cross-validated log loss {calibrated:.4f} against {alone:.4f} of the scores left alone, n {n}"
    if calibrated >= alone:
        return f"left alone: {comparison}"
    return f"{'active' if winner == 'platt' else f'better than leaving alone, but {winner} serves'}: {comparison}"


def _reason(kind: str, candidates: Sequence[Candidate], n: int) -> str:
    losses = {one.kind: one.log_loss for one in candidates}
    if kind == Identity.kind:
        return f"left alone: nothing has a clearly lower cross-validated log loss than {losses[kind]:.4f}, n {n}"
    return f"{kind}: cross-validated log loss {losses[kind]:.4f} against {losses['identity']:.4f} left alone, n {n}"


def _units(clusters: Clusters | None, order: Integers) -> tuple[Integers, int]:
    """Return the unit of each ordered pair, numbered as they come in that order, and how many there are."""
    if clusters is None:
        return np.arange(len(order)), len(order)
    own = clusters[order]
    named = np.where(own >= 0, own, own.max(initial=0) + 1 + np.arange(len(own)))
    _, first, unit = np.unique(named, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[unit], len(first)


def _coded(segments: Segments | None, n: int) -> tuple[list[str], Integers]:
    """Return the names in order and the number of each row's, −1 for none."""
    if segments is None:
        return [], np.full(n, -1)
    column = segments.cast(pl.String) if isinstance(segments, pl.Series) else pl.Series(segments, dtype=pl.String)
    names = column.drop_nulls().unique().sort().to_list()
    return names, column.cast(pl.Enum(names)).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()


@dataclasses.dataclass(frozen=True, slots=True)
class _Segmented:
    """Pairs of equal segment, fold and score folded into one; `group` is the place of the score in the groups of x."""

    segment: Integers
    fold: Integers
    group: Integers
    pairs: Grouped

    def kept(self, which: Floats) -> _Segmented:
        pairs = Grouped(*(getattr(self.pairs, field.name)[which] for field in dataclasses.fields(Grouped)))
        return _Segmented(self.segment[which], self.fold[which], self.group[which], pairs)


def _segmented(
    winner: _Tried, folds: list[Grouped], names: list[str], rows: tuple[Floats, Floats, Integers, Integers], units: int
) -> tuple[dict[str, float], str, tuple[SegmentFit, ...]]:
    """Return the offsets that may serve, a word on them, and every segment's fit."""
    if len(names) < 2 or winner.held is None or winner.calibrator is None:
        return {}, "", ()
    cells = _segment_cells(folds[0].x, rows, len(names))
    offsets = _offsets(cells, winner.calibrator.apply(folds[0].x), len(names))
    total = squares = 0.0
    for number, p in enumerate(winner.held):
        # The offsets of a fold stand on the calibrator that has not seen it either.
        held, seen = cells.kept(cells.fold == number), cells.kept(cells.fold != number)
        offset = _offsets(seen, p, len(names))[held.segment]
        with_offset = expit(_log_odds(p[held.group]) + offset)
        sums = held.pairs.lead(with_offset, p[held.group])
        total, squares = total + sums[0], squares + sums[1]
    lead = _difference(total, squares, len(rows[0]), units)
    counts = np.bincount(cells.segment, weights=cells.pairs.count, minlength=len(names))
    fits = tuple(SegmentFit(*one) for one in zip(names, counts.astype(int).tolist(), offsets.tolist(), strict=True))
    passed = lead.high is not None and lead.high < 0
    word = f"; offsets of {len(names)} segments {'serve' if passed else 'do not serve'}: log loss {lead.value:+.5f}"
    return (dict(zip(names, offsets.tolist(), strict=True)) if passed else {}), word, fits


def _segment_cells(values: Floats, rows: tuple[Floats, Floats, Integers, Integers], segments: int) -> _Segmented:
    x, y, code, fold = rows
    named = code >= 0
    group = np.searchsorted(values, x[named])
    keys, cell = np.unique((fold[named] * segments + code[named]) * len(values) + group, return_inverse=True)
    held = y[named]
    sums = [summed(cell, side, len(keys)) for side in (np.ones(len(held)), held, held * held)]
    place, group = np.divmod(keys, len(values))
    return _Segmented(place % segments, place // segments, group, Grouped(values[group], *sums))


def _offsets(cells: _Segmented, p: Floats, segments: int) -> Floats:
    """Return each segment's offset: the maximum a posteriori under a normal prior about 0 of estimated variance.

    The variance of the prior is what the first-step offsets vary beyond their errors (Paule & Mandel, J. Research NBS
    87, 1982), so 0 where they vary no more than errors do. The likelihood is divided by the dispersion of the
    outcomes: shares say more of their mean than hits do (McCullagh & Nelder, "Generalized linear models", ch. 9).
    """
    pairs, log_odds = cells.pairs, _log_odds(p)[cells.group]

    def slope_and_curvature(offset: Floats) -> tuple[Floats, Floats]:
        chance = expit(log_odds + offset[cells.segment])
        slope = summed(cells.segment, pairs.total - pairs.count * chance, segments)
        bent = summed(cells.segment, pairs.count * chance * (1 - chance), segments)
        return slope, np.maximum(bent, 1e-12)

    at = np.zeros(segments)
    slope, curvature = slope_and_curvature(at)
    chance = expit(log_odds)
    residual = float((pairs.squares - 2 * pairs.total * chance + pairs.count * chance**2).sum())
    dispersion = max(residual / float(curvature.sum()), 1e-9)
    variance = _prior_variance(slope / curvature, dispersion / curvature)
    if variance == 0:
        return at
    for _ in range(_MOST_STEPS):
        step = (slope / dispersion - at / variance) / (curvature / dispersion + 1 / variance)
        at = at + np.clip(step, -1, 1)
        if np.abs(step).max() <= _SMALLEST_STEP:
            break
        slope, curvature = slope_and_curvature(at)
    return np.asarray(at)


def _prior_variance(found: Floats, errors: Floats) -> float:
    def excess(variance: float) -> float:
        return float((found**2 / (errors + variance)).sum()) - len(found)

    if excess(0.0) <= 0:
        return 0.0
    return float(scipy.optimize.brentq(excess, 0.0, float((found**2).sum()) + 1.0))


def _log_odds(p: Floats) -> Floats:
    return np.asarray(logit(np.clip(p, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)))
