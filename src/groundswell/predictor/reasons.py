"""Why a forecast says what it says: how the score moves when what is known of one theme is made ordinary.

Features that tell of one thing (a creator's past, the hashtags) are replaced together by what is typical of the
training videos, because each alone can be done without. So the effects are of themes, do not add up to the score, and
say what the model makes of a video, not what causes views.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from groundswell.calibration.scores import Floats, score
from groundswell.model import Model
from groundswell.predictor.units import shown
from groundswell.stages.features import Feature

#: Themes told of, and the points of score below which a theme is not worth telling.
TOLD, SMALLEST = 3, 0.5
#: Rows explained at once: each stands there sixty times.
_BLOCK = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """A theme, the points by which it moves the score, and the feature of it that moves most: in words and numbers."""

    theme: str
    points: float
    feature: str
    value: float | None
    typical: float | None
    text: str


def explain(model: Model, features: Sequence[Feature], values: Floats) -> list[tuple[Reason, ...]]:
    """Return the reasons of each row of values, shape (rows, features), strongest first; none without `typical`."""
    if not model.typical:
        return [() for _ in values]
    blocks = (values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK))
    return [reasons for block in blocks for reasons in _explain(model, features, block)]


def _explain(model: Model, features: Sequence[Feature], values: Floats) -> list[tuple[Reason, ...]]:
    typical = np.array([np.nan if value is None else value for value in model.typical])
    themes = list(dict.fromkeys(feature.theme for feature in features))
    members = {theme: [n for n, feature in enumerate(features) if feature.theme == theme] for theme in themes}
    by_theme = _effects(model, values, typical, [members[theme] for theme in themes])
    by_feature = _effects(model, values, typical, [[number] for number in range(len(features))])
    found = []
    for row, own in enumerate(values):
        strongest = np.argsort(-np.abs(by_theme[row]), kind="stable")[:TOLD]
        reasons = []
        for number in strongest:
            points = float(by_theme[row, number])
            if abs(points) < SMALLEST:
                continue
            # The feature that is named must pull the way its theme does.
            pull = np.sign(points) * by_feature[row]
            column = max(members[themes[number]], key=lambda n: pull[n])
            reasons.append(_reason(features[column], points, float(own[column]), float(typical[column])))
        found.append(tuple(reasons))
    return found


def _effects(model: Model, values: Floats, typical: Floats, groups: Sequence[Sequence[int]]) -> Floats:
    """Return by how many points the score is higher than with each group of columns made typical, (rows, groups)."""
    rows = len(values)
    copies = np.tile(values, (len(groups) + 1, 1))
    for number, columns in enumerate(groups):
        copies[number * rows : (number + 1) * rows, columns] = typical[list(columns)]
    scores = score(model.probabilities(copies)).reshape(len(groups) + 1, rows)
    return np.asarray((scores[-1] - scores[:-1]).T)


def _reason(feature: Feature, points: float, value: float, typical: float) -> Reason:
    known, usual = (None if np.isnan(number) else number for number in (value, typical))
    told = feature.sentence.rstrip(".")
    told = told if told[:2].isupper() else told[0].lower() + told[1:]
    return Reason(
        theme=feature.theme,
        points=round(points, 2),
        feature=feature.name,
        value=known if known is None else round(known, 6),
        typical=usual if usual is None else round(usual, 6),
        text=f"{points:+.1f} points by {feature.theme}: {told}: {shown(known, feature.unit)}, "
        f"typical {shown(usual, feature.unit)}",
    )
