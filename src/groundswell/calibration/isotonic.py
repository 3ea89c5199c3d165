"""Tier calibration by steps: each tier's chance goes through a curve that never falls; for many rows only.

Source: Zadrozny & Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002:
a curve a tier (isotonic regression), then rows are made to add up to 1. Curves of the cumulative chances P(tier > k)
would suit ordered tiers, but their differences are often 0: on real splits they lost 0.05 of log loss to these.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from groundswell.calibration.scores import Floats, Tiers

_TIERS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """A line through points whose y never falls; level beyond the outermost."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class IsotonicTiers:
    """A curve a tier, and the least chance that a possible tier keeps."""

    curves: tuple[Curve, ...]
    least: float
    kind: str = "isotonic"

    def apply(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities of the same shape; an impossible tier stays impossible, no other gets 0.

        >>> straight = IsotonicTiers((Curve((0.0, 1.0), (0.0, 1.0)),) * 5, 0.01)
        >>> straight.apply(np.array([[0.2, 0.8, 0, 0, 0]])).round(4).tolist()
        [[0.2, 0.8, 0.0, 0.0, 0.0]]
        """
        found = [np.interp(probabilities[:, tier], curve.x, curve.y) for tier, curve in enumerate(self.curves)]
        clipped = np.clip(np.stack(found, axis=1), self.least, 1.0) * (probabilities > 0)
        return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))

    def content(self) -> dict[str, Any]:
        """Return the numbers as plain JSON."""
        curves = [{"x": list(curve.x), "y": list(curve.y)} for curve in self.curves]
        return {"kind": self.kind, "curves": curves, "least": self.least}


def isotonic_from_content(content: dict[str, Any]) -> IsotonicTiers:
    """Return the stored curves; raises ValueError where they are no curves of five tiers that never fall."""
    curves, least = tuple(_curve(one) for one in content["curves"]), float(content["least"])
    if len(curves) != _TIERS or not 0 < least <= 1 / _TIERS:
        raise ValueError(f"{len(curves)} curves and a least chance of {least}")
    return IsotonicTiers(curves, least)


def _curve(content: dict[str, Any]) -> Curve:
    x, y = (np.array(content[name], dtype=float) for name in ("x", "y"))
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ValueError(f"a curve of shapes {x.shape} and {y.shape}")
    if not (np.diff(x) > 0).all() or not (np.diff(y) >= 0).all():
        raise ValueError("a curve that turns back or falls")
    if not (np.isfinite(x).all() and (y >= 0).all() and (y <= 1).all()):
        raise ValueError("a curve that leaves [0, 1]")
    return Curve(tuple(x.tolist()), tuple(y.tolist()))


def fit_isotonic(probabilities: Floats, tiers: Tiers) -> IsotonicTiers:
    """Return the isotonic regression of each tier on its chance; no possible tier will be given less than 1/(n + 5)."""
    from sklearn.isotonic import IsotonicRegression

    curves = []
    for tier in range(_TIERS):
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(probabilities[:, tier], tiers == tier + 1)
        curves.append(Curve(tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())))
    return IsotonicTiers(tuple(curves), 1 / (len(tiers) + _TIERS))
