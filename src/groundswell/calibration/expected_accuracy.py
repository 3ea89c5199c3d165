"""How good are the predictions that nobody can check yet? Calibrated probabilities say it themselves.

A calibrated forecast that gives its likeliest tier 60 % is right 60 times in 100, so the mean of the highest
probabilities estimates the accuracy without one label. That holds for as long as the probabilities stay calibrated:
what is known of that, from rows whose truth is known, comes in as a gap. Sources: confidence-based performance
estimation (the documentation of NannyML, 2022); Garg et al., "Leveraging unlabeled data to predict out-of-distribution
performance", ICLR 2022, on where it fails.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from groundswell.calibration.intervals import Clusters, clustered_estimate
from groundswell.calibration.scores import Floats, Tiers, likeliest
from groundswell.records import Estimate

_REACH = float(ndtri(0.975))


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
    n, shift = len(confidence), gap.value if gap else 0.0
    if n == 0 or np.isnan(shift):
        return Estimate(float("nan"), None, None, n)
    value = float(confidence.mean()) + shift
    if gap is not None and (gap.low is None or gap.high is None):
        return Estimate(_share(value), None, None, n)
    # The rows are as noisy as the chances that they really have.
    chance = np.clip(confidence + shift, 0.0, 1.0)
    noise = _REACH * float(np.sqrt((chance * (1 - chance)).sum())) / n
    down = up = 0.0
    if gap is not None and gap.low is not None and gap.high is not None:
        down, up = gap.value - gap.low, gap.high - gap.value
        # The gap is the mean of what the same forecast missed by on its own rows, so its error tells the noise of a
        # row: an over-confident forecast takes itself for less noisy than it is.
        noise = max(noise, (down + up) / 2 * float(np.sqrt(gap.n / n)))
    return Estimate(_share(value), _share(value - np.hypot(noise, down)), _share(value + np.hypot(noise, up)), n)


def calibration_gap(probabilities: Floats, tiers: Tiers, clusters: Clusters | None = None) -> Estimate:
    """Return accuracy − mean confidence where truth is known, with its 95 % interval over creators.

    Below 0 the forecast is too sure of itself.

    >>> calibration_gap(np.array([[0.8, 0.2, 0, 0, 0]] * 2), np.array([1, 2])).value.__round__(2)
    -0.3
    """
    missed = (likeliest(probabilities) == tiers) - probabilities.max(axis=1)
    if not len(missed):
        return Estimate(float("nan"), None, None, 0)
    return clustered_estimate(missed, np.arange(len(missed)) if clusters is None else clusters)


def _share(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))
