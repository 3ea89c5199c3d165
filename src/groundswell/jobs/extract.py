"""`extract`: the stored videos in, training-data.json out; and that file read back for the fallback."""

from __future__ import annotations

import dataclasses
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from groundswell.errors import TrainingDataError
from groundswell.jobs.baseline import BATCH_ROWS, wes_label
from groundswell.jobs.context import Context
from groundswell.learners import Part
from groundswell.records import TIERS, as_json
from groundswell.stages import features, labels, split
from groundswell.store import corpus, documents

TRAIN_SHARE = 0.8


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingData:
    """The file's own two sets."""

    train: Part
    test: Part


def write_training_data(
    context: Context, as_of: datetime, out: Path | None = None, baseline: Path | None = None
) -> dict[str, Any]:
    """Return what was written to `out` (default: GROUNDSWELL_TRAINING_DATA), in figures.

    Videos that are not archived and have views and a length, labelled by the WES thresholds of the baseline and
    ordered by a hash of their id; the first `floor(0.8·n)` train. Raises TrainingDataError if there are none.
    """
    label = wes_label(context, baseline)
    parts = [_labelled(batch, label) for batch in corpus.batches(context.database, BATCH_ROWS)]
    rows = pl.concat(parts).unique("key", keep="first") if parts else pl.DataFrame()
    if not rows.height:
        raise TrainingDataError("No stored video has views and a length.", "Run `groundswell ingest PATH` first.")
    order = pl.Series("order", split.row_keys(rows["key"].to_list(), str(context.settings.seed)))
    rows = rows.with_columns(order).sort("order", "key")
    names, cut = features.names(), math.floor(TRAIN_SHARE * rows.height)
    content = {
        "generatedAt": as_json(as_of),
        "featureNames": names,
        "trainSet": _set(rows[:cut], names),
        "testSet": _set(rows[cut:], names),
        "labelDistribution": {str(tier): int((rows["tier"] == tier).sum()) for tier in TIERS},
    }
    path = out or context.settings.training_data_path
    documents.write_document(path, content)
    return {
        "path": str(path),
        "generatedAt": content["generatedAt"],
        "trainCount": cut,
        "testCount": rows.height - cut,
        "labelDistribution": content["labelDistribution"],
        "thresholds": list(label.cut_points),
    }


def read_training_data(path: Path) -> TrainingData:
    """Return the two sets of a file in the format of `extract`; raises TrainingDataError saying what is wrong."""
    content = documents.read_document(path, TrainingDataError)
    try:
        if tuple(content["featureNames"]) != features.names():
            raise TrainingDataError(f"{path} has other features than this version: run `groundswell extract` again.")
        return TrainingData(_part(content["trainSet"]), _part(content["testSet"]))
    except (KeyError, TypeError, ValueError) as reason:
        raise TrainingDataError(f"{path} is not training data of `extract`: {reason}.") from None


def _labelled(batch: pl.DataFrame, label: labels.Label) -> pl.DataFrame:
    valid = batch.filter(pl.col("views") > 0, pl.col("duration_seconds") > 0)
    tiers = label.tiers(labels.weighted_engagement_score(valid))
    return features.compute(valid).with_columns(valid["key"], pl.Series("tier", tiers))


def _set(rows: pl.DataFrame, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "features": rows.select(names).to_numpy(order="c"),
        "labels": rows["tier"].to_list(),
        "count": rows.height,
    }


def _part(content: dict[str, Any]) -> Part:
    values = np.asarray(content["features"], dtype=np.float64)
    tiers = np.asarray(content["labels"], dtype=np.float64)
    if tiers.ndim != 1 or not len(tiers) or values.shape != (len(tiers), len(features.OBSERVED)):
        raise ValueError(f"features of shape {values.shape} for labels of shape {tiers.shape}")
    if not np.isfinite(values).all() or not np.isin(tiers, TIERS).all():
        raise ValueError("a feature is not finite, or a label is not a tier 1-5")
    return Part(values, tiers.astype(np.int64))
