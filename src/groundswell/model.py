"""What is served: estimator + calibrator + cut-points + feature names, stored as JSON and nothing executable."""

from __future__ import annotations

import dataclasses
import re
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import orjson
from scipy.special import softmax

from groundswell.calibration.scores import Floats
from groundswell.calibration.temperature import Temperature
from groundswell.errors import ArtifactError
from groundswell.records import TIERS, Window

FORMAT = 1


class Estimator(Protocol):
    """A raw learner: features of shape (rows, features) in, probabilities of shape (rows, 5) out."""

    @property
    def kind(self) -> str:
        """`logistic` or `boosted`."""

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of each tier, shape (rows, 5)."""

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""


def spread_over_tiers(probabilities: Floats, tiers: tuple[int, ...]) -> Floats:
    """Return probabilities over all five tiers, 0 for those that never occurred in training.

    >>> spread_over_tiers(np.array([[0.4, 0.6]]), (2, 5)).tolist()
    [[0.0, 0.4, 0.0, 0.0, 0.6]]
    """
    every = np.zeros((len(probabilities), 5))
    every[:, np.asarray(tiers) - 1] = probabilities
    return every


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


@dataclasses.dataclass(frozen=True)
class BoostedEstimator:
    """LightGBM's own text of a booster over the tiers that occurred."""

    tiers: tuple[int, ...]
    text: str

    kind = "boosted"

    @cached_property
    def booster(self) -> Any:
        """LightGBM's form of the text."""
        import lightgbm

        return lightgbm.Booster(model_str=self.text)

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of each tier, shape (rows, 5)."""
        # Waking a pool costs a few rows more than the trees do.
        threads = 1 if len(features) < 1_000 else 2
        return spread_over_tiers(np.asarray(self.booster.predict(features, num_threads=threads)), self.tiers)

    def content(self) -> dict[str, Any]:
        """Return the estimator as plain JSON types."""
        return {"kind": self.kind, "tiers": self.tiers, "text": self.text}


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """The pair that is served, and what it needs to know of its own making."""

    window: Window
    feature_names: tuple[str, ...]
    label: str
    cut_points: tuple[float, ...] | None
    estimator: Estimator
    calibrator: Temperature

    def probabilities(self, features: Floats) -> Floats:
        """Return calibrated probabilities of shape (rows, 5)."""
        return self.calibrator.apply(self.estimator.probabilities(features))

    def to_bytes(self) -> bytes:
        """Return the model as canonical JSON: the same model gives the same bytes."""
        content = {
            "format": FORMAT,
            "window": self.window.value,
            "featureNames": self.feature_names,
            "label": self.label,
            "cutPoints": self.cut_points,
            "estimator": self.estimator.content(),
            "calibrator": {"kind": "temperature", "t": self.calibrator.t},
        }
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def model_from_bytes(data: bytes) -> Model:
    """Return the model stored in the bytes; raises ArtifactError where they are not one of ours."""
    try:
        content = orjson.loads(data)
        if content["format"] != FORMAT:
            raise ArtifactError(f"The model has format {content['format']}, this version reads {FORMAT}.")
        cut_points, names = content["cutPoints"], tuple(content["featureNames"])
        return Model(
            window=Window(content["window"]),
            feature_names=names,
            label=content["label"],
            cut_points=None if cut_points is None else tuple(cut_points),
            estimator=_estimator(content["estimator"], len(names)),
            calibrator=_calibrator(content["calibrator"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"The artifact is not a model of groundswell: {error}.") from None


def _calibrator(content: dict[str, Any]) -> Temperature:
    t = float(content["t"])
    if not 0 < t < np.inf:
        raise ValueError(f"a temperature of {t}")
    return Temperature(t)


def _estimator(content: dict[str, Any], features: int) -> Estimator:
    tiers = tuple(content["tiers"])
    if not tiers or list(tiers) != [tier for tier in TIERS if tier in tiers]:
        raise ValueError(f"tiers {tiers}")
    if content["kind"] == "boosted":
        return _boosted(tiers, content["text"], features)
    if content["kind"] != "logistic":
        raise ArtifactError(f"This version knows no estimator of kind {content['kind']!r}.")
    shapes = {"mean": (features,), "scale": (features,), "weights": (len(tiers), features), "intercepts": (len(tiers),)}
    for name, shape in shapes.items():
        values = np.asarray(content[name], dtype=np.float64)
        if values.shape != shape or not np.isfinite(values).all():
            raise ValueError(f"{name} of shape {values.shape} for {len(tiers)} tiers and {features} features")
    return LogisticEstimator(
        tiers=tiers,
        mean=tuple(content["mean"]),
        scale=tuple(content["scale"]),
        weights=tuple(tuple(row) for row in content["weights"]),
        intercepts=tuple(content["intercepts"]),
    )


def _boosted(tiers: tuple[int, ...], text: str, features: int) -> BoostedEstimator:
    """Return the booster, read now rather than at the first prediction."""
    from lightgbm.basic import LightGBMError

    # LightGBM may end the whole process over a text that breaks off: all that its header promises must be there.
    sizes, start = re.search(r"^tree_sizes=([\d ]+)$", text, re.MULTILINE), text.find("\n\nTree=0\n") + 2
    rest = text[start + sum(map(int, sizes[1].split())) :] if sizes else ""
    if not rest.startswith("end of trees\n") or "\nend of parameters\n" not in rest:
        raise ValueError("the booster is incomplete")
    estimator = BoostedEstimator(tiers, text)
    try:
        found = (estimator.booster.num_feature(), estimator.booster.num_model_per_iteration())
    except LightGBMError as error:
        raise ValueError(str(error)) from None
    if found != (features, len(tiers)):
        raise ValueError(f"the booster is for {found[0]} features and {found[1]} tiers")
    return estimator
