"""How well calibrated, in numbers: ECE in four forms, Brier's parts, and Cox's slope and intercept."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import logit, ndtr

from groundswell.calibration.grouped import SMALLEST_SHARE, BinSums, Integers, bin_sums, rounded
from groundswell.calibration.metrics import bin_of
from groundswell.calibration.platt import fit_platt
from groundswell.calibration.reliability import BINS, expected_calibration_error
from groundswell.calibration.scores import Floats, Tiers, likeliest
from groundswell.records import Estimate

#: Makes the mean of the debiased gap 0 where the true gap is: 1/(√2−1).
_WHOLE_NOISE = 1 + np.sqrt(2)


@dataclasses.dataclass(frozen=True, slots=True)
class BrierParts:
    """The mean of (predicted − actual)² and its parts: score = reliability − resolution + uncertainty + within_bins."""

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


@dataclasses.dataclass(frozen=True, slots=True)
class Measures:
    """The calibration of n pairs; `slope` and `intercept` are None where no finite ones fit best."""

    n: int
    ece: Estimate
    debiased_ece: Estimate
    adaptive_ece: Estimate
    brier: BrierParts
    slope: float | None
    intercept: float | None


def measure(predicted: Floats, actual: Floats, draws: int, seed: int, bins: int = BINS) -> Measures:
    """Return all measures of pairs of shares in [0, 1]; the ECEs are over so many bins.

    The intervals of `ece` and `adaptive_ece` are of what samples of this size show on average, noise included; that
    of `debiased_ece` is of the true ECE of these bins. Pairs count as independent. Simulated (200 streams each, n 100
    to 3,000) the first hold 92–98 %; the last 98 % of calibrated pairs, 93–94 % from n 3,000, and 86–89 % of hits
    at n 100 and 500, where bins have few of them.

    >>> found = measure(np.array([0.2, 0.8, 0.8]), np.array([0.0, 1.0, 0.0]), draws=99, seed=1)
    >>> found.ece.value, round(found.brier.score, 2), found.slope
    (0.2667, 0.24, None)
    """
    generator = np.random.default_rng(seed)
    equal = bin_sums(predicted, actual, bin_of(predicted, bins), bins)
    massed = bin_sums(predicted, actual, equal_mass_bin_of(predicted, bins), bins)
    ece = expected_calibration_error(predicted, actual, bins)
    slope, intercept = slope_and_intercept(predicted, actual)
    return Measures(
        n=len(predicted),
        ece=_plain(ece, equal, draws, generator),
        debiased_ece=_debiased(equal, draws, generator),
        adaptive_ece=_plain(round(float(_ece(equal.count * 0, massed)[0]), 4), massed, draws, generator),
        brier=brier_parts(predicted, actual, bins),
        slope=slope,
        intercept=intercept,
    )


def equal_mass_bin_of(predicted: Floats, bins: int) -> Integers:
    """Return the bin of each prediction so that bins hold equally many; equal predictions stay together.

    A value goes to the bin in which the middle of its equals lies. Source: Nguyen & O'Connor, "Posterior calibration
    and exploratory analysis for natural language processing models", EMNLP 2015.

    >>> equal_mass_bin_of(np.array([0.9, 0.1, 0.1, 0.1, 0.5, 0.7]), 2).tolist()
    [1, 0, 0, 0, 1, 1]
    """
    _, group, count = np.unique(rounded(predicted), return_inverse=True, return_counts=True)
    middle = count.cumsum() - count / 2
    return np.asarray(np.floor(middle * bins / max(1, len(predicted))).astype(np.int64)[group])


def brier_parts(predicted: Floats, actual: Floats, bins: int = BINS) -> BrierParts:
    """Return the Brier score of pairs and its parts, which add up exactly; outcomes may be shares.

    Sources: Murphy, "A new vector partition of the probability score", J. Appl. Meteor. 12 (1973); Stephenson, Coelho
    & Jolliffe, "Two extra components in the Brier score decomposition", Weather and Forecasting 23 (2008):
    `within_bins` is the variance of the predictions inside bins less twice their covariance with the outcomes.

    >>> brier_parts(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    BrierParts(score=0.25, reliability=0.0, resolution=0.0, uncertainty=0.25, within_bins=0.0)
    """
    n = len(predicted)
    if not n:
        return BrierParts(0.0, 0.0, 0.0, 0.0, 0.0)
    member = bin_of(predicted, bins)
    sums = bin_sums(predicted, actual, member, bins)
    held = np.maximum(sums.count, 1)
    mean, share = sums.predicted / held, sums.actual / held
    inside = predicted - mean[member]
    return BrierParts(
        score=float(np.mean((predicted - actual) ** 2)),
        reliability=float((sums.count * (mean - share) ** 2).sum() / n),
        resolution=float((sums.count * (share - actual.mean()) ** 2).sum() / n),
        uncertainty=float(actual.var()),
        within_bins=float(np.mean(inside**2) - 2 * np.mean(inside * (actual - share[member]))),
    )


def slope_and_intercept(predicted: Floats, actual: Floats) -> tuple[float | None, float | None]:
    """Return Cox's slope and intercept: the logistic regression of the outcome on the logit of the prediction.

    1 and 0 of calibrated chances; a slope below 1 is over-confidence. Source: Cox, "Two further applications of a
    model for binary regression", Biometrika 45 (1958). Predictions are clipped at 0.00005 from 0 and 1.
    """
    found = fit_platt(_standing(predicted), actual) if len(predicted) else "no pairs"
    return (None, None) if isinstance(found, str) else (-found.a, -found.b)


def class_wise_ece(probabilities: Floats, tiers: Tiers, bins: int = 15) -> float:
    """Return the mean over the five tiers of the ECE of each tier's probability, of shape (rows, 5).

    Source: Kull et al., "Beyond temperature scaling", NeurIPS 2019.

    >>> class_wise_ece(np.array([[0.5, 0.5, 0, 0, 0]]), np.array([1]))
    0.2
    """
    each = [
        expected_calibration_error(probabilities[:, k], (tiers == k + 1).astype(np.float64), bins) for k in range(5)
    ]
    return round(float(np.mean(each)), 4)


def top_label(probabilities: Floats, tiers: Tiers) -> tuple[Floats, Floats]:
    """Return the likeliest tier's probability and whether it occurred (1.0 or 0.0): pairs for every measure here.

    >>> [side.tolist() for side in top_label(np.array([[0.25, 0.75, 0, 0, 0]]), np.array([2]))]
    [[0.75], [1.0]]
    """
    return probabilities.max(axis=1), (likeliest(probabilities) == tiers).astype(np.float64)


def debiased_gap(gap: Floats, error: Floats) -> Floats:
    """Return an estimate of |true gap|: |gap| without the noise that makes even a gap of 0 look like one.

    E|N(gap, error)| − |gap| is what noise adds to a gap of this size (Kumar, Liang & Ma, "Verified uncertainty
    calibration", NeurIPS 2019, who draw it; here the mean of the folded normal). Since gaps are themselves seen with
    noise it falls short by 1/(1+√2) where the true gap is 0, and is scaled up by that: of calibrated pairs the
    mean is 0, single values are below 0 as often as noise has it, and a gap over three errors is left as it is. A true
    gap of about one error is understated by a third of an error.

    >>> debiased_gap(np.array([0.0, 0.3]), np.array([0.1, 0.1])).round(3).tolist()
    [-0.193, 0.3]
    """
    z = np.minimum(np.abs(gap) / np.maximum(error, 1e-300), 40.0)
    added = error * (2 * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) - 2 * z * ndtr(-z))
    return np.asarray(np.abs(gap) - _WHOLE_NOISE * added)


def _standing(predicted: Floats) -> Floats:
    return np.asarray(logit(np.clip(rounded(predicted), SMALLEST_SHARE, 1 - SMALLEST_SHARE)))


def _ece(noise: Floats, sums: BinSums) -> Floats:
    """Return the ECE with each of (draws, bins) errors of the gaps added."""
    gaps = np.abs(sums.gap + np.atleast_2d(noise))
    return np.asarray(gaps @ sums.count / max(1.0, sums.count.sum()))


def _noise(sums: BinSums, draws: int, generator: np.random.Generator) -> Floats:
    # Normal errors of the bins' means instead of rows drawn again: the same at any n, and a bin of one row has one.
    return np.asarray(generator.standard_normal((draws, len(sums.count))) * sums.error())


def _plain(value: float, sums: BinSums, draws: int, generator: np.random.Generator) -> Estimate:
    n = int(sums.count.sum())
    if n < 2:
        return Estimate(value, None, None, n)
    drawn = _ece(_noise(sums, draws, generator), sums)
    # Drawing again adds the noise a second time, so only the spread of the draws is used, about what was found.
    low, high = value + np.quantile(drawn - drawn.mean(), [0.025, 0.975])
    return Estimate(value, max(0.0, float(low)), float(high), n)


def _debiased(sums: BinSums, draws: int, generator: np.random.Generator) -> Estimate:
    n = int(sums.count.sum())
    share, error = sums.count / max(1, n), sums.error()
    value = float(debiased_gap(sums.gap, error) @ share)
    if n < 2:
        return Estimate(value, None, None, n)
    drawn = debiased_gap(sums.gap + _noise(sums, draws, generator), error) @ share
    low, high = value + np.quantile(drawn - drawn.mean(), [0.025, 0.975])
    # Where the noise taken off is more than there was, the value itself lies below 0 and is told as it is.
    return Estimate(round(value, 4), min(round(value, 4), max(0.0, float(low))), max(0.0, float(high)), n)
