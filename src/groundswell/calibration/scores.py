"""Losses of a tier forecast, one value a row: what every mean, interval and comparison is made of.

A forecast is an array of shape (rows, 5) of probabilities; tiers are integers 1–5.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from groundswell.records import TIER_MIDPOINTS

Floats = npt.NDArray[np.float64]
Tiers = npt.NDArray[np.int64]

#: Probabilities are clipped here before a logarithm (DESIGN §5).
SMALLEST_PROBABILITY = 1e-15


def ranked_probability_score(probabilities: Floats, tiers: Tiers) -> Floats:
    """Return Σ_{k=1..4}(F_k − O_k)²/4 of each row, 0 for a sure and right forecast, 1 for the worst.

    Source: Epstein, "A scoring system for probability forecasts of ranked categories", J. Appl. Meteor. 8 (1969).

    >>> ranked_probability_score(np.array([[0, 1.0, 0, 0, 0]]), np.array([1])).tolist()
    [0.25]
    """
    forecast = probabilities.cumsum(axis=1)[:, :4]
    occurred = tiers[:, None] <= np.arange(1, 5)
    return np.asarray(((forecast - occurred) ** 2).sum(axis=1) / 4)


def log_loss(probabilities: Floats, tiers: Tiers) -> Floats:
    """Return −ln p(the tier that occurred) of each row.

    >>> log_loss(np.array([[0.5, 0.5, 0, 0, 0]]), np.array([1])).round(4).tolist()
    [0.6931]
    """
    given = probabilities[np.arange(len(tiers)), tiers - 1]
    return np.asarray(-np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0)))


def brier_score(probabilities: Floats, tiers: Tiers) -> Floats:
    """Return Σ_k (p_k − o_k)² of each row, between 0 and 2 (Brier, Mon. Weather Rev. 78, 1950).

    >>> brier_score(np.array([[0, 1.0, 0, 0, 0]]), np.array([1])).tolist()
    [2.0]
    """
    occurred = tiers[:, None] == np.arange(1, 6)
    return np.asarray(((probabilities - occurred) ** 2).sum(axis=1))


def likeliest(probabilities: Floats) -> Tiers:
    """Return the tier 1–5 of the highest probability; the lower one of equals.

    >>> likeliest(np.array([[0.1, 0.4, 0.4, 0.1, 0]])).tolist()
    [2]
    """
    return np.asarray(probabilities.argmax(axis=1) + 1, dtype=np.int64)


def score(probabilities: Floats) -> Floats:
    """Return Σ p(tier) · midpoint, 12.5–90 on the scale 0–100.

    >>> score(np.array([[0.5, 0, 0, 0, 0.5]])).tolist()
    [51.25]
    """
    return np.asarray(probabilities @ np.array(TIER_MIDPOINTS))


def expected_tier(probabilities: Floats) -> Floats:
    """Return Σ p(tier) · tier.

    >>> expected_tier(np.array([[0.5, 0, 0, 0, 0.5]])).tolist()
    [3.0]
    """
    return np.asarray(probabilities @ np.arange(1.0, 6.0))
