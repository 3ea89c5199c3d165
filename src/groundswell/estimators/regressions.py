"""Regressions of log-views, and how an expected value and its error become chances of the tiers."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from groundswell.calibration.scores import Floats
from groundswell.estimators import boosters
from groundswell.estimators.estimator import finite

#: Standardised features beyond this many standard deviations count as this many: a line reaches too far out there.
FARTHEST = 5.0
#: Quantiles of the errors that are kept, and the kernel's width as a share of their spread.
ERROR_QUANTILES = 200
_BANDWIDTH = 0.15
#: Rows that stand beside all errors at once.
_BLOCK = 250
#: Errors beyond those seen so far do occur: no tier is ever quite impossible.
_SMALLEST = 1e-6


@dataclasses.dataclass(frozen=True)
class Ridge:
    """A linear regression of log-views on standardised features; an unknown one counts as average.

    `weights` is (features + missing,): `missing` are the columns for which being unknown has a weight of its own.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    missing: tuple[int, ...]
    weights: tuple[float, ...]
    intercept: float

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, npt.NDArray[np.int64], Floats]:
        arrays = (np.asarray(values, dtype=np.float64) for values in (self.mean, self.scale, self.weights))
        mean, scale, weights = arrays
        return mean, scale, np.asarray(self.missing, dtype=np.int64), weights

    def expected(self, features: Floats) -> Floats:
        """Return expected log-views, shape (rows,)."""
        mean, scale, missing, weights = self._arrays
        return np.asarray(design(features, mean, scale, missing) @ weights + self.intercept)

    def content(self) -> dict[str, Any]:
        """Return the regression as plain JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_content(cls, content: dict[str, Any], features: int) -> Self:
        """Return the stored regression; raises ValueError or KeyError where it is not one."""
        missing = tuple(int(column) for column in content["missing"])
        if any(not 0 <= column < features for column in missing):
            raise ValueError(f"missing columns {missing}")
        return cls(
            mean=tuple(finite(content, "mean", (features,)).tolist()),
            scale=tuple(finite(content, "scale", (features,)).tolist()),
            missing=missing,
            weights=tuple(finite(content, "weights", (features + len(missing),)).tolist()),
            intercept=float(finite(content, "intercept", ())),
        )


def design(features: Floats, mean: Floats, scale: Floats, missing: npt.NDArray[np.int64]) -> Floats:
    """Return what a ridge regresses on: standardised features, 0 where unknown, and 1 where `missing` ones are."""
    width, unknown = features.shape[1], np.isnan(features)
    columns = np.empty((len(features), width + len(missing)))
    standardised = columns[:, :width]
    np.clip((features - mean) / scale, -FARTHEST, FARTHEST, out=standardised)
    standardised[unknown] = 0.0
    columns[:, width:] = unknown[:, missing]
    return columns


@dataclasses.dataclass(frozen=True)
class Errors:
    """How far log-views came from what was expected, as quantiles, and the log-views at which the next tier begins."""

    quantiles: tuple[float, ...]
    log_cuts: tuple[float, ...]

    def probabilities(self, expected: Floats) -> Floats:
        """Return the chance of each tier, shape (rows, 5), by the errors smoothed with a normal kernel.

        >>> Errors((-1.0, 1.0), (-2.0, 0.0, 2.0, 4.0)).probabilities(np.array([0.0])).round(2).tolist()
        [[0.0, 0.5, 0.5, 0.0, 0.0]]
        """
        edges = np.zeros((len(expected), 6))
        edges[:, 5] = 1.0
        # Block by block, so that a hundred thousand rows never stand beside two hundred errors all at once.
        for start in range(0, len(expected), _BLOCK):
            edges[start : start + _BLOCK, 1:5] = self._shares_below(expected[start : start + _BLOCK])
        return np.asarray((1 - 5 * _SMALLEST) * (edges[:, 1:] - edges[:, :-1]) + _SMALLEST)

    @cached_property
    def _arrays(self) -> tuple[Floats, float, Floats]:
        errors = np.asarray(self.quantiles)
        return errors, float(_BANDWIDTH * errors.std() + 1e-6), np.asarray(self.log_cuts)

    def _shares_below(self, expected: Floats) -> Floats:
        """Return the chance that each row stays below each cut-point, shape (rows, 4)."""
        errors, width, cuts = self._arrays
        distances = cuts - expected[:, None]
        return np.asarray(ndtr((distances[:, :, None] - errors) / width).mean(axis=2))

    @classmethod
    def of(cls, errors: Floats, log_cuts: tuple[float, ...]) -> Self:
        """Return the errors of rows that the regression did not learn from."""
        levels = (np.arange(ERROR_QUANTILES) + 0.5) / ERROR_QUANTILES
        return cls(tuple(np.quantile(errors, levels).tolist()), log_cuts)

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> Self:
        """Return the stored errors; raises ValueError or KeyError where they are none."""
        quantiles = finite(content, "quantiles", (ERROR_QUANTILES,))
        return cls(tuple(quantiles.tolist()), tuple(finite(content, "log_cuts", (4,)).tolist()))


@dataclasses.dataclass(frozen=True)
class LinearEstimator:
    """A ridge regression of log-views and the errors it made: the learner of small data."""

    ridge: Ridge
    errors: Errors

    kind = "linear"

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of each tier, shape (rows, 5)."""
        return self.errors.probabilities(self.ridge.expected(features))

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {"kind": self.kind, "ridge": self.ridge.content(), "errors": dataclasses.asdict(self.errors)}

    @classmethod
    def from_content(cls, content: dict[str, Any], features: int) -> Self:
        """Return the stored estimator."""
        return cls(Ridge.from_content(content["ridge"], features), Errors.from_content(content["errors"]))


@dataclasses.dataclass(frozen=True)
class RegressionEstimator:
    """Boosted trees that correct a ridge regression of log-views, and the errors that were left."""

    ridge: Ridge
    text: str
    errors: Errors

    kind = "boostedRegression"

    def expected(self, features: Floats) -> Floats:
        """Return expected log-views, shape (rows,)."""
        return self.ridge.expected(features) + boosters.output(self.text, features)

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of each tier, shape (rows, 5)."""
        return self.errors.probabilities(self.expected(features))

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {
            "kind": self.kind,
            "ridge": self.ridge.content(),
            "text": self.text,
            "errors": dataclasses.asdict(self.errors),
        }

    @classmethod
    def from_content(cls, content: dict[str, Any], features: int) -> Self:
        """Return the stored estimator."""
        ridge, errors = Ridge.from_content(content["ridge"], features), Errors.from_content(content["errors"])
        return cls(ridge, boosters.check_booster(content["text"], features, 1), errors)
