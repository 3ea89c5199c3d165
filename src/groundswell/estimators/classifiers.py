"""The two classifiers: multinomial logistic regression and boosted trees over the tiers that occurred."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.special import softmax

from groundswell.calibration.scores import Floats
from groundswell.estimators import boosters
from groundswell.estimators.estimator import finite, spread_over_tiers
from groundswell.records import TIERS


@dataclasses.dataclass(frozen=True)
class LogisticEstimator:
    """Multinomial logistic regression on standardised features; `weights` is (tiers, features)."""

    tiers: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]

    kind = "logistic"

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats]:
        # Standardising is folded into the weights: one matrix product a prediction.
        weights = np.asarray(self.weights) / np.asarray(self.scale)
        return weights.T, np.asarray(self.intercepts) - weights @ np.asarray(self.mean)

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of each tier, shape (rows, 5)."""
        weights, intercepts = self._arrays
        return spread_over_tiers(np.asarray(softmax(features @ weights + intercepts, axis=1)), self.tiers)

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @classmethod
    def from_content(cls, content: dict[str, Any], features: int) -> Self:
        """Return the stored estimator; raises ValueError or KeyError where it is not one."""
        tiers = stored_tiers(content)
        return cls(
            tiers=tiers,
            mean=tuple(finite(content, "mean", (features,)).tolist()),
            scale=tuple(finite(content, "scale", (features,)).tolist()),
            weights=tuple(tuple(row) for row in finite(content, "weights", (len(tiers), features)).tolist()),
            intercepts=tuple(finite(content, "intercepts", (len(tiers),)).tolist()),
        )


@dataclasses.dataclass(frozen=True)
class BoostedEstimator:
    """LightGBM's own text of a booster over the tiers that occurred."""

    tiers: tuple[int, ...]
    text: str

    kind = "boosted"

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of each tier, shape (rows, 5)."""
        # LightGBM says of no rows an array without columns.
        chances = boosters.output(self.text, features).reshape(len(features), len(self.tiers))
        return spread_over_tiers(chances, self.tiers)

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {"kind": self.kind, "tiers": self.tiers, "text": self.text}

    @classmethod
    def from_content(cls, content: dict[str, Any], features: int) -> Self:
        """Return the stored estimator, its booster read now rather than at the first prediction."""
        tiers = stored_tiers(content)
        return cls(tiers, boosters.check_booster(content["text"], features, len(tiers)))


def stored_tiers(content: dict[str, Any]) -> tuple[int, ...]:
    """Return the tiers that an estimator knows, in order; raises ValueError for anything else."""
    tiers = tuple(content["tiers"])
    if not tiers or list(tiers) != [tier for tier in TIERS if tier in tiers]:
        raise ValueError(f"tiers {tiers}")
    return tiers
