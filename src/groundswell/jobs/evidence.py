"""What a line's calibrators can be judged on: matured rows that the champion's estimator never learnt from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from groundswell.calibration.scores import Floats, Tiers
from groundswell.jobs.collection import stored_collection
from groundswell.jobs.context import Context
from groundswell.jobs.forecast_material import mature_videos
from groundswell.jobs.judging import judge_of
from groundswell.records import ModelVersion, Window
from groundswell.stages import features, split
from groundswell.stages.labels import Label, weighted_engagement_score
from groundswell.store import corpus, predictions
from groundswell.training_rows import TrainingRows

PREDICTIONS, VIDEOS = "predictions", "videos"


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """Rows in time order: features, tiers by the champion's cut-points, its label's quantity, and authors.

    `source` says whether they are matured predictions that were served, or stored videos.
    """

    source: str
    features: Floats
    tiers: Tiers
    quantity: Floats
    authors: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.tiers)


def evidence(context: Context, champion: ModelVersion, as_of: datetime, min_rows: int) -> Evidence:
    """Return matured predictions of the line; where there are fewer than asked for, stored videos instead.

    Both without what the champion learnt from. Served predictions say best how it does now, but a young line has few.
    """
    judge = judge_of(context, champion.version)
    window = champion.window
    if judge.label is None or judge.training is None:
        return Evidence(PREDICTIONS, np.zeros((0, len(features.of_window(window)))), *_nothing(), [])
    served = _served(context, window, judge.label, judge.training, as_of)
    if len(served) >= min_rows:
        return served
    stored = _stored(context, window, judge.label, judge.training, as_of)
    return max(served, stored, key=len)


def _served(context: Context, window: Window, label: Label, training: TrainingRows, as_of: datetime) -> Evidence:
    since = as_of - timedelta(days=context.settings.pair_days)
    limit = context.settings.max_recalibration_rows
    rows = predictions.served(context.database, window, since, as_of, limit=limit, matured=True, features=True)
    names = pl.coalesce("video", "id").alias("key")
    width = len(features.of_window(window))
    # Of several predictions of a video the last one counts; those by other features were made by older versions.
    rows = (
        rows.filter(pl.col("actual_quantity").is_not_null(), pl.col("features").list.len() == width)
        .with_columns(names)
        .unique("key", keep="last", maintain_order=True)
    )
    rows = rows.filter(pl.Series(training.unseen(split.row_keys(rows["key"].to_list(), "row")), dtype=pl.Boolean))
    values = np.array(rows["features"].to_list(), dtype=np.float64).reshape(-1, width)
    quantity = rows["actual_quantity"].to_numpy()
    return Evidence(PREDICTIONS, values, label.tiers(quantity), quantity, rows["author"].to_list())


def _stored(context: Context, window: Window, label: Label, training: TrainingRows, as_of: datetime) -> Evidence:
    settings = context.settings
    if window.is_forecast:
        rows = mature_videos(stored_collection(context.database), window, settings, as_of)[1]
    else:
        rows = corpus.newest(context.database, settings.max_rows, as_of).sort("created_at", "posted_at", "key")
    unseen = training.unseen(split.row_keys(rows["key"].to_list(), "row"))
    rows = rows.filter(pl.Series(unseen, dtype=pl.Boolean)).tail(settings.max_recalibration_rows)
    quantity = _quantity(rows, label)
    values = features.matrix(rows, features.of_window(window))
    return Evidence(VIDEOS, values, label.tiers(quantity), quantity, rows["author"].to_list())


def _quantity(rows: pl.DataFrame, label: Label) -> Floats:
    if label.quantity == "views":
        return rows["views"].cast(pl.Float64).to_numpy()
    return weighted_engagement_score(rows)


def _nothing() -> tuple[Tiers, Floats]:
    return np.zeros(0, dtype=np.int64), np.zeros(0)
