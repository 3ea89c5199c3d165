"""How good are the predictions that nobody can check yet? Calibrated probabilities say it themselves.

A calibrated forecast that gives its likeliest tier 60 % is right 60 times in 100, so the mean of the highest
probabilities estimates the accuracy without one label. That holds for as long as the probabilities stay calibrated:
what is known of that, from rows whose truth is known, comes in as a gap. Sources: confidence-based performance
estimation (the documentation of NannyML, 2022); Garg et al., "Leveraging unlabeled data to predict out-of-distribution
performance", ICLR 2022, on where it fails.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, t

from groundswell.calibration.intervals import Clusters, clustered_mean
from groundswell.calibration.scores import Floats, Tiers, likeliest, ranked_probability_score
from groundswell.records import TIERS, Estimate

_REACH = float(norm.ppf(0.975))


def expected_accuracy(probabilities: Floats, gap: Estimate | None = None) -> Estimate:
    """Return the accuracy to be expected on rows of shape (n, 5), with a 95 % interval for what it will turn out to be.

    The interval holds the noise of so many rows (the hits are Poisson-binomial) and, with a gap, its shift, its
    uncertainty, and the noise of rows as alike within creators as those that told it. A gap without an interval leaves
    the estimate without one; no rows give NaN. Without a gap rows are taken for independent.

    >>> found = expected_accuracy(np.array([[0.6, 0.4, 0, 0, 0]] * 100))
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2), found.n
    (0.6, 0.5, 0.7, 100)
    """
    confidence = probabilities.max(axis=1)
    # The rows are as noisy as the chances that they really have.
    chance = np.clip(confidence + (gap.value if gap else 0.0), 0.0, 1.0)
    return _shifted(confidence, chance * (1 - chance), gap)


def expected_rps(probabilities: Floats, gap: Estimate | None = None) -> Estimate:
    """Return the mean ranked probability score to be expected, Σ_k F_k(1 − F_k)/4, with its 95 % interval.

    >>> round(expected_rps(np.array([[0.5, 0.5, 0, 0, 0]])).value, 4)
    0.0625
    """
    if not len(probabilities):
        return Estimate(float("nan"), None, None, 0)
    expected = _expected_rps(probabilities)
    if_tier = np.stack(
        [ranked_probability_score(probabilities, np.full(len(probabilities), tier)) for tier in TIERS], axis=1
    )
    return _shifted(expected, (probabilities * (if_tier - expected[:, None]) ** 2).sum(axis=1), gap)


def calibration_gap(probabilities: Floats, tiers: Tiers, clusters: Clusters | None = None) -> Estimate:
    """Return accuracy − mean confidence where truth is known, with its 95 % interval over creators.

    Below 0 the forecast is too sure of itself.

    >>> calibration_gap(np.array([[0.8, 0.2, 0, 0, 0]] * 2), np.array([1, 2])).value.__round__(2)
    -0.3
    """
    return _mean((likeliest(probabilities) == tiers) - probabilities.max(axis=1), clusters)


def rps_gap(probabilities: Floats, tiers: Tiers, clusters: Clusters | None = None) -> Estimate:
    """Return actual − expected ranked probability score where truth is known, with its 95 % interval over creators."""
    return _mean(ranked_probability_score(probabilities, tiers) - _expected_rps(probabilities), clusters)


def _expected_rps(probabilities: Floats) -> Floats:
    below = probabilities.cumsum(axis=1)[:, :4]
    return np.asarray((below * (1 - below)).sum(axis=1) / 4)


def _mean(values: Floats, clusters: Clusters | None) -> Estimate:
    n = len(values)
    if n == 0:
        return Estimate(float("nan"), None, None, 0)
    mean, error, freedom = clustered_mean(values, np.arange(n) if clusters is None else clusters)
    if np.isnan(error):
        return Estimate(mean, None, None, n)
    reach = float(t.ppf(0.975, freedom)) * error
    return Estimate(mean, mean - reach, mean + reach, n)


def _shifted(expected: Floats, variance: Floats, gap: Estimate | None) -> Estimate:
    """Return the mean within [0, 1], moved by the gap, with an interval for what it turns out to be.

    The gap is the mean of what the same forecast missed by on its own rows, so its error tells the noise of a row: an
    over-confident forecast takes itself for less noisy than it is. The two uncertainties are independent.
    """
    n = len(expected)
    if n == 0 or (gap is not None and np.isnan(gap.value)):
        return Estimate(float("nan"), None, None, n)
    value = float(expected.mean())
    noise = _REACH * float(np.sqrt(variance.sum())) / n
    if gap is None:
        return Estimate(_share(value), _share(value - noise), _share(value + noise), n)
    value += gap.value
    if gap.low is None or gap.high is None:
        return Estimate(_share(value), None, None, n)
    down, up = gap.value - gap.low, gap.high - gap.value
    noise = max(noise, (down + up) / 2 * float(np.sqrt(gap.n / n)))
    return Estimate(_share(value), _share(value - np.hypot(noise, down)), _share(value + np.hypot(noise, up)), n)


def _share(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))
