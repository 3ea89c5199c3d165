"""What may correct a score: maps of [0, 1] into itself that never reverse the order, kept as plain numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

import numpy as np
from scipy.special import expit, logit

from groundswell.calibration.grouped import SMALLEST_SHARE, Grouped
from groundswell.calibration.platt import Platt, fit_grouped, newton
from groundswell.calibration.scores import Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """The scores left alone."""

    kind: ClassVar[str] = "identity"

    def apply(self, x: Floats) -> Floats:
        """Return x."""
        return x

    def content(self) -> dict[str, object]:
        """Return the plain numbers from which it is made again."""
        return {"kind": self.kind}


@dataclasses.dataclass(frozen=True, slots=True)
class LogitPlatt:
    """Log-odds made linear in log-odds: it can express the identity, which a sigmoid of the score cannot.

    Source: Cox, "Two further applications of a model for binary regression", Biometrika 45 (1958). x is clipped at
    0.00005 from 0 and 1.
    """

    kind: ClassVar[str] = "logitPlatt"
    slope: float
    intercept: float

    def apply(self, x: Floats) -> Floats:
        """Return the calibrated shares.

        >>> LogitPlatt(1.0, 0.0).apply(np.array([0.2, 0.5])).round(4).tolist()
        [0.2, 0.5]
        """
        return np.asarray(expit(self.slope * logit(_clipped(x)) + self.intercept))

    def content(self) -> dict[str, object]:
        """Return the plain numbers from which it is made again."""
        return {"kind": self.kind, "slope": self.slope, "intercept": self.intercept}


@dataclasses.dataclass(frozen=True, slots=True)
class Beta:
    """1/(1 + exp(−(a·ln x − b·ln(1−x) + c))) with a, b ≥ 0; a = b = 1, c = 0 is the identity.

    Source: Kull, Silva Filho & Flach, "Beta calibration", AISTATS 2017. x is clipped at 0.00005 from 0 and 1.
    """

    kind: ClassVar[str] = "beta"
    a: float
    b: float
    c: float

    def apply(self, x: Floats) -> Floats:
        """Return the calibrated shares.

        >>> Beta(1.0, 1.0, 0.0).apply(np.array([0.2, 0.5])).round(4).tolist()
        [0.2, 0.5]
        """
        held = _clipped(x)
        return np.asarray(expit(self.a * np.log(held) - self.b * np.log1p(-held) + self.c))

    def content(self) -> dict[str, object]:
        """Return the plain numbers from which it is made again."""
        return {"kind": self.kind, "a": self.a, "b": self.b, "c": self.c}


@dataclasses.dataclass(frozen=True, slots=True)
class Isotonic:
    """The best rising steps, joined by straight lines between the knots (x, y); flat beyond the first and last."""

    kind: ClassVar[str] = "isotonic"
    x: tuple[float, ...]
    y: tuple[float, ...]

    def apply(self, x: Floats) -> Floats:
        """Return the calibrated shares.

        >>> Isotonic((0.2, 0.6), (0.1, 0.5)).apply(np.array([0.0, 0.4, 1.0])).round(4).tolist()
        [0.1, 0.3, 0.5]
        """
        return np.interp(x, self.x, self.y)

    def content(self) -> dict[str, object]:
        """Return the plain numbers from which it is made again."""
        return {"kind": self.kind, "x": list(self.x), "y": list(self.y)}


ScoreCalibrator: TypeAlias = Identity | Platt | LogitPlatt | Beta | Isotonic


def score_calibrator_from_content(content: Mapping[str, object]) -> ScoreCalibrator:
    """Return the calibrator that gave this `content()`.

    ValueError for an unknown kind, a missing or infinite number, knots out of order, or what reverses the order.

    >>> score_calibrator_from_content(Beta(1.0, 2.0, 0.5).content())
    Beta(a=1.0, b=2.0, c=0.5)
    """
    kind = content.get("kind")
    if kind == Identity.kind:
        return Identity()
    if kind == Platt.kind:
        return Platt(a=_number(content, "a", most=0), b=_number(content, "b"))
    if kind == LogitPlatt.kind:
        return LogitPlatt(slope=_number(content, "slope", least=0), intercept=_number(content, "intercept"))
    if kind == Beta.kind:
        a, b = (_number(content, name, least=0) for name in "ab")
        return Beta(a, b, _number(content, "c"))
    if kind == Isotonic.kind:
        x, y = _knots(content, "x"), _knots(content, "y")
        if len(x) != len(y):
            raise ValueError(f"an isotonic calibrator with {len(x)} knots x and {len(y)} y")
        return Isotonic(x, y)
    raise ValueError(f"no score calibrator is of the kind {kind!r}")


def fit_logit_platt(pairs: Grouped) -> LogitPlatt | str:
    """Return the maximum-likelihood fit, or in words why there is none that keeps the order."""
    found = fit_grouped(dataclasses.replace(pairs, x=logit(_clipped(pairs.x))))
    if isinstance(found, str):
        return found
    if found.a >= 0:
        return f"slope = {-found.a:.4g} is not above 0: it would reverse the order of the scores"
    return LogitPlatt(slope=-found.a, intercept=-found.b)


def fit_beta(pairs: Grouped) -> Beta | str:
    """Return the maximum-likelihood fit with a, b ≥ 0, or in words why there is none.

    As Kull et al. do, a parameter that comes out negative is set to 0 and the rest is fitted again.
    """
    n = pairs.count.sum()
    held = _clipped(pairs.x)
    columns = {"a": np.log(held), "b": -np.log1p(-held), "c": np.ones_like(held)}
    while len(columns) > 1:
        parameters = newton(np.column_stack(list(columns.values())), pairs.count / n, pairs.total / n)
        if parameters is None:
            return "no finite maximum was found: the likelihood is flat"
        found = dict(zip(columns, parameters.tolist(), strict=True))
        wrong = [name for name in ("a", "b") if found.get(name, 0.0) < 0]
        if not wrong:
            return Beta(found.get("a", 0.0), found.get("b", 0.0), found["c"])
        del columns[min(wrong, key=lambda name: found[name])]
    return "a and b are not above 0: it would reverse the order of the scores"


def fit_isotonic(pairs: Grouped) -> Isotonic | str:
    """Return the best rising fit, clipped at 1/(n + 2) from 0 and 1 since none of n pairs can speak of less."""
    from sklearn.isotonic import IsotonicRegression

    edge = 1 / (float(pairs.count.sum()) + 2)
    found = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    found.fit(pairs.x, pairs.total / pairs.count, sample_weight=pairs.count)
    x, y = (tuple(float(value) for value in side) for side in (found.X_thresholds_, found.y_thresholds_))
    return Isotonic(x, y) if y[-1] > y[0] else "higher scores come true no oftener: nothing rises"


def _clipped(x: Floats) -> Floats:
    return np.clip(x, SMALLEST_SHARE, 1 - SMALLEST_SHARE)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(content: Mapping[str, object], name: str, least: float = -math.inf, most: float = math.inf) -> float:
    value = content.get(name)
    if not isinstance(value, int | float) or not _is_number(value) or not least <= value <= most:
        raise ValueError(f"{name} = {value!r} of a score calibrator of the kind {content.get('kind')!r}")
    return float(value)


def _knots(content: Mapping[str, object], name: str) -> tuple[float, ...]:
    values = content.get(name)
    rising = isinstance(values, Sequence) and len(values) and all(_is_number(value) for value in values)
    if not rising or not isinstance(values, Sequence):
        raise ValueError(f"{name} = {values!r} of an isotonic calibrator")
    knots = tuple(float(value) for value in values)
    if list(knots) != sorted(knots) or not 0 <= knots[0] <= knots[-1] <= 1:
        raise ValueError(f"the knots {name} of an isotonic calibrator do not rise from 0 to 1")
    return knots
