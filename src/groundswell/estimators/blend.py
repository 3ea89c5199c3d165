"""A blend of estimators: their chances, weighted; the tier shares may be one of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from groundswell.calibration.scores import Floats, Tiers
from groundswell.estimators.estimator import Estimator, finite


@dataclasses.dataclass(frozen=True)
class TierShares:
    """Says of every video what the training rows were: the forecast of a line that knows nothing."""

    shares: tuple[float, ...]

    kind = "tierShares"

    def probabilities(self, features: Floats) -> Floats:
        """Return the shares for each row, shape (rows, 5)."""
        return np.tile(np.asarray(self.shares), (len(features), 1))

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {"kind": self.kind, "shares": self.shares}

    @classmethod
    def of(cls, tiers: Tiers) -> TierShares:
        """Return the shares of the tiers.

        >>> TierShares.of(np.array([1, 1, 2, 5])).shares
        (0.5, 0.25, 0.0, 0.0, 0.25)
        """
        return cls(tuple((np.bincount(tiers, minlength=6)[1:] / len(tiers)).tolist()))

    @classmethod
    def from_content(cls, content: dict[str, Any], _features: int) -> TierShares:
        """Return the stored shares."""
        return cls(tuple(finite(content, "shares", (5,)).tolist()))


@dataclasses.dataclass(frozen=True)
class BlendedEstimator:
    """A linear opinion pool: `Σ weight · probabilities` of its members; the weights add up to 1.

    Source: Stone, "The opinion pool", Ann. Math. Statist. 32 (1961).
    """

    members: tuple[Estimator, ...]
    weights: tuple[float, ...]

    kind = "blend"

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of each tier, shape (rows, 5)."""
        total = np.zeros((len(features), 5))
        for member, weight in zip(self.members, self.weights, strict=True):
            total += weight * member.probabilities(features)
        return np.asarray(total / total.sum(axis=1, keepdims=True))

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        members = [member.content() for member in self.members]
        return {"kind": self.kind, "members": members, "weights": self.weights}


def blend_weights(likelihoods: Floats, prior: Floats, rounds: int = 500) -> Floats:
    """Return the likeliest weights, given each member's chance of what occurred, shape (rows, members).

    `prior` says how many rows each member has won before any was seen (a Dirichlet prior of prior + 1). The steps are
    those of expectation–maximisation for a mixture with fixed parts, so the posterior never falls. Source: Dempster,
    Laird & Rubin, J. R. Statist. Soc. B 39 (1977).

    >>> blend_weights(np.array([[0.9, 0.1]] * 98), np.ones(2)).round(2).tolist()
    [0.99, 0.01]
    """
    rows = len(likelihoods)
    clipped = np.clip(likelihoods, 1e-12, None)
    weights = np.full(likelihoods.shape[1], 1 / likelihoods.shape[1])
    for _ in range(rounds):
        shares = clipped * weights
        shares /= shares.sum(axis=1, keepdims=True)
        weights = (shares.sum(axis=0) + prior) / (rows + prior.sum())
    return weights
