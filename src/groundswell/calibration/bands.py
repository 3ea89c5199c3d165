"""A reliability diagram with its noise: where each bin's mean outcome may truly lie, and where honest ones would."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import ndtri, stdtrit

from groundswell.calibration.grouped import bin_sums, cells
from groundswell.calibration.intervals import wilson
from groundswell.calibration.metrics import bin_of
from groundswell.calibration.reliability import BINS
from groundswell.calibration.resampling import Coins, are_hits
from groundswell.calibration.scores import Floats


@dataclasses.dataclass(frozen=True, slots=True)
class ReliabilityBand:
    """One bin of a reliability diagram; averages and gap are 0 and the bands None where `count` is 0.

    `actual_low` to `actual_high` is the 95 % interval of the mean outcome, `expected_low` to `expected_high` where the
    mean outcome of 95 % of such samples would lie, were the bin perfectly calibrated.
    """

    bin_start: float
    bin_end: float
    avg_predicted: float
    avg_actual: float
    count: int
    gap: float
    actual_low: float | None
    actual_high: float | None
    expected_low: float | None
    expected_high: float | None


def reliability_curve(
    predicted: Floats, actual: Floats, draws: int, seed: int, bins: int = BINS
) -> tuple[ReliabilityBand, ...]:
    """Return every bin of pairs of shares in [0, 1] with both of its 95 % bands.

    Hits have Wilson's interval and a consistency band of made-up hits (Bröcker & Smith, Weather and Forecasting 22,
    2007). Shares vary less than hits of the same mean, by as much as their variance says: theirs is Wilson's
    interval of as many hits as would vary as little, with Student's quantile for the normal one, and a
    consistency band of that variance about the diagonal.

    >>> band = reliability_curve(np.array([0.95] * 10), np.repeat([1.0, 0.0], [8, 2]), draws=999, seed=1)[9]
    >>> band.count, round(band.actual_low, 2), round(band.actual_high, 2), round(band.expected_low, 2)
    (10, 0.49, 0.94, 0.8)
    """
    sums = bin_sums(predicted, actual, bin_of(predicted, bins), bins)
    held = np.maximum(sums.count, 1)
    mean, share = sums.predicted / held, sums.actual / held
    if are_hits(actual):
        quantile, rows = np.full(bins, ndtri(0.975)), held
        expected = _made_up(predicted, held, draws, seed, bins)
    else:
        variance = np.maximum(sums.actual_variance(), 1e-12)
        # One row's weight of the variance comes from the other bins, so a bin of one row has a degree of freedom too.
        quantile, rows = stdtrit(held, 0.975), np.maximum(held, held * share * (1 - share) / variance)
        expected = np.clip(mean + np.array([[-1.0], [1.0]]) * quantile * sums.error(), 0, 1)
    found = wilson(share, rows, quantile)
    return tuple(
        ReliabilityBand(
            bin_start=k / bins,
            bin_end=(k + 1) / bins,
            avg_predicted=float(mean[k]),
            avg_actual=float(share[k]),
            count=int(sums.count[k]),
            gap=float(abs(mean[k] - share[k])),
            **_ends("actual", found[:, k], sums.count[k]),
            **_ends("expected", expected[:, k], sums.count[k]),
        )
        for k in range(bins)
    )


def _made_up(predicted: Floats, held: Floats, draws: int, seed: int, bins: int) -> Floats:
    coins = Coins(cells(predicted, bins), bins)
    stated = np.bincount(coins.cells.member, weights=coins.cells.count * coins.cells.chance, minlength=bins)
    drawn = coins.draw(draws, np.random.default_rng(seed)) + stated
    return np.asarray(np.quantile(drawn / held, [0.025, 0.975], axis=0))


def _ends(name: str, band: Floats, count: float) -> dict[str, float | None]:
    low, high = (float(band[0]), float(band[1])) if count else (None, None)
    return {f"{name}_low": low, f"{name}_high": high}
