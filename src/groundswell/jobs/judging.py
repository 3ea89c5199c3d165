"""How a version judges an outcome: the tier by its cut-points, the actual score by its training videos."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from groundswell.calibration.scores import Floats, Tiers
from groundswell.errors import UnknownVersionError
from groundswell.jobs.context import Context, label_age
from groundswell.records import ModelVersion
from groundswell.stages.labels import Label, weighted_engagement_score
from groundswell.stages.maturity import LabelAge
from groundswell.store import registry
from groundswell.training_rows import TrainingRows, training_rows_from_bytes

_DURATION = TypeAdapter(timedelta)


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What the outcomes of some videos are worth: quantity, tier and actual score; NaN and 0 where not to be told."""

    quantity: Floats
    tiers: Tiers
    scores: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Judge:
    """A version's label and training rows; both None where its cut-points are not known."""

    label: Label | None
    training: TrainingRows | None
    label_age: LabelAge

    def judge(self, counters: pl.DataFrame) -> Judged:
        """Return how the counters (views, likes, comments, shares) are judged, row by row."""
        views = counters["views"].cast(pl.Float64).to_numpy()
        nobody = np.zeros(len(views), dtype=np.int64)
        if self.label is None or self.training is None:
            return Judged(np.full(len(views), np.nan), nobody, np.full(len(views), np.nan))
        quantity, known = views, np.isfinite(views)
        if self.label.quantity == "wes":
            quantity = weighted_engagement_score(counters)
            # Training takes unknown counts for 0; an outcome of which the likes are unknown is unknown.
            known = np.isfinite(quantity) & counters["likes"].is_not_null().to_numpy()
        tiers, scores = nobody.copy(), np.full(len(views), np.nan)
        tiers[known] = self.label.tiers(quantity[known])
        scores[known] = self.training.actual_scores(tiers[known], quantity[known])
        return Judged(np.where(known, quantity, np.nan), tiers, scores)


def judge_of(context: Context, number: int) -> Judge:
    """Return the judge of a version; it cannot tell tiers where the version is gone or has no cut-points.

    Raises ArtifactError where the version's training rows cannot be had.
    """
    try:
        version = registry.version(context.database, number)
    except UnknownVersionError:
        return Judge(None, None, label_age(context.settings))
    age = _label_age(context, version)
    cut_points = version.lineage.get("cutPoints")
    if not cut_points:
        return Judge(None, None, age)
    label = Label("wes" if version.lineage.get("label") == "wes" else "views", tuple(cut_points))
    return Judge(label, training_rows_from_bytes(context.artifacts.get(version.training_rows)), age)


def _label_age(context: Context, version: ModelVersion) -> LabelAge:
    """Return the label age under which the version was trained; today's for versions that did not note it."""
    then = version.lineage.get("settings", {})
    if not then.get("label_age"):
        return label_age(context.settings)
    most = then.get("label_age_max")
    return LabelAge(
        _DURATION.validate_python(then["label_age"]), None if most is None else _DURATION.validate_python(most)
    )
