"""The predictability ceiling: how often the exact tier can be named when only so much of the variance is explained."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from groundswell.calibration.scores import Floats

_STEPS = 4_001
_FARTHEST = 6.0


def ceiling_accuracy(explained: float, shares: Floats) -> float:
    """Return E[max_k P(tier k | μ)] for normal log-views, a share of whose variance μ explains, and given tier shares.

    With log-views standard normal, μ ~ N(0, R²) and the rest N(0, 1 − R²); the tiers begin at the normal quantiles of
    the cumulated shares. The expectation is a sum over a grid of μ. A guide, not a bound: log-views are not quite
    normal. `explained` outside [0, 1] counts as 0 or 1.

    >>> even = np.full(5, 0.2)
    >>> ceiling_accuracy(0.0, even), ceiling_accuracy(1.0, even), round(ceiling_accuracy(0.5, even), 2)
    (0.2, 1.0, 0.41)
    """
    r2 = float(np.clip(explained, 0.0, 1.0))
    if r2 in {0.0, 1.0}:
        return float(shares.max()) if r2 == 0.0 else 1.0
    edges = ndtri(np.clip(np.concatenate([[0.0], np.cumsum(shares)]), 0.0, 1.0))
    edges[-1] = np.inf
    grid = np.linspace(-_FARTHEST, _FARTHEST, _STEPS)
    weight = np.exp(-(grid**2) / 2)
    below = ndtr((edges[None, :] - np.sqrt(r2) * grid[:, None]) / np.sqrt(1 - r2))
    best = np.diff(below, axis=1).max(axis=1)
    return float((best * weight).sum() / weight.sum())


def explained_share(expected: Floats, actual: Floats) -> float:
    """Return R² out of sample, 1 − Σ(y − ŷ)²/Σ(y − ȳ)²; below 0 where the mean would have done better.

    >>> explained_share(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    1.0
    """
    spread = float(((actual - actual.mean()) ** 2).sum())
    return 1.0 - float(((actual - expected) ** 2).sum()) / spread if spread > 0 else 0.0
