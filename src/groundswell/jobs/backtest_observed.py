"""A backtest of window `observed`: what a retrain on the newest videos would have been judged by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from groundswell.calibration.reliability import reliability_bins
from groundswell.calibration.scores import likeliest
from groundswell.errors import TooFewVideosError
from groundswell.frames import MOMENT, STORED_VIDEO_SCHEMA
from groundswell.jobs.challenger import Challenger, make_challenger
from groundswell.jobs.collection import Collection
from groundswell.jobs.forecast_challenger import lift_of, range_report
from groundswell.jobs.forecast_material import FEWEST_VIDEOS
from groundswell.jobs.forecast_report import tell_features
from groundswell.jobs.material import Material, live_material
from groundswell.jobs.steps import Steps
from groundswell.records import Decision, Window, as_json
from groundswell.settings import Settings
from groundswell.stages import evaluate, features, gate, importance, train

_ORDER = ("observed_at", "views")


def backtest_observed(
    collection: Collection, settings: Settings, as_of: datetime, steps: Steps
) -> tuple[dict[str, Any], Decision]:
    """Return the body of the report and the decision; raises TooFewVideosError."""
    steps.begin("features")
    videos = newest_videos(collection, settings.max_rows, as_of)
    if videos.height < FEWEST_VIDEOS:
        raise TooFewVideosError(
            f"Only {videos.height:,} videos have views and likes, {FEWEST_VIDEOS} are needed.", "Give more videos."
        )
    material = live_material(videos, None, settings.seed)
    challenger = make_challenger(settings, Window.OBSERVED, material, steps)
    decision = gate.decide(
        challenger.evaluation.metrics,
        len(np.unique(material.training.rows.tiers)),
        gate.Standing.FIRST,
        None,
        gate.Policy(settings.accuracy_floor, settings.margin, settings.min_comparable_rows),
        challenger.leaks,
    )
    return _body(challenger, material, collection, settings), decision


def newest_videos(collection: Collection, most: int, as_of: datetime) -> pl.DataFrame:
    """Return the newest usable videos by then, with the counters of their newest reading, as `corpus.newest` would."""
    until = pl.lit(as_of, MOMENT)
    known = collection.readings.filter(pl.col("observed_at").fill_null(until) <= until)
    last = known.sort(*_ORDER, nulls_last=False, maintain_order=True).unique("key", keep="last", maintain_order=True)
    joined = collection.posts.filter(pl.col("posted_at").fill_null(until) <= until).join(last, on="key")
    usable = joined.filter(pl.col("views") > 0, pl.col("likes").is_not_null())
    newest = usable.sort("posted_at", "key", descending=True, nulls_last=True).head(most)
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in STORED_VIDEO_SCHEMA.items() if name not in newest]
    unknown = pl.lit(None, MOMENT).alias("created_at")
    return newest.with_columns(absent).with_columns(unknown).select(STORED_VIDEO_SCHEMA.keys())


def _body(challenger: Challenger, material: Material, collection: Collection, settings: Settings) -> dict[str, Any]:
    judging, probabilities = material.holdout, challenger.probabilities
    quantity = judging.rows.tiers.astype(np.float64) if judging.quantity is None else judging.quantity
    holdout = evaluate.Holdout(judging.rows.tiers, quantity, judging.authors)
    known = {author for author in material.training.authors if author}
    seen = np.array([author in known for author in judging.authors], dtype=bool)
    rows = material.training.rows
    medians = evaluate.creator_medians(judging.authors, rows.tiers, material.training.authors)
    against = evaluate.yardsticks(rows.tiers, len(judging), {"creatorMedian": medians})
    hits = (likeliest(probabilities) == holdout.tiers).astype(np.float64)
    top = importance.find_importance(
        challenger.model.probabilities, judging.rows.features, holdout.tiers, features.names(), settings.seed
    )
    selection = int(material.selection.sum())
    content: dict[str, Any] = as_json(challenger.evaluation)
    return content | {
        "label": {
            "quantity": material.quantity_name,
            "labelAgeHours": None,
            "labelAgeMaxHours": None,
            "cutPoints": list(material.cut_points or ()),
        },
        "n": _counts(collection, material, selection),
        "lift": as_json(lift_of(probabilities, holdout, against, challenger.evaluation)),
        "ceiling": {"accuracy": None, "byErrors": None, "r2": None, "reached": None},
        "range": as_json(range_report(challenger.model, probabilities, holdout, selection, settings)),
        "slices": {
            "seenCreators": as_json(evaluate.evaluate_slice(probabilities, holdout, seen, settings.seed)),
            "unseenCreators": as_json(evaluate.evaluate_slice(probabilities, holdout, ~seen, settings.seed)),
        },
        "reliability": {"bins": as_json(reliability_bins(probabilities.max(axis=1), hits)), "n": len(hits)},
        "topFeatures": tell_features(top, features.OBSERVED),
        "learners": [
            {"kind": candidate.kind, "logLoss": candidate.selection_log_loss, "weight": None}
            for candidate in challenger.candidates
            if isinstance(candidate, train.Candidate)
        ],
        "randomSplit": None,
        "periods": {"train": _all(material), "calibration": _all(material), "holdout": _all(material)},
    }


def _all(material: Material) -> dict[str, Any]:
    return {"from": as_json(material.first_posted_at), "to": as_json(material.last_posted_at)}


def _counts(collection: Collection, material: Material, selection: int) -> dict[str, Any]:
    refused = sum(collection.rejected.values())
    videos, used = collection.posts.height + refused, len(material.training) + len(material.holdout)
    return {
        "videos": videos,
        "train": len(material.training) - selection,
        "calibration": selection,
        "embargo": 0,
        "holdout": len(material.holdout),
        "immature": 0,
        "immatureBy": {"tooYoung": 0, "notReadSince": 0, "readTooLate": 0},
        "withoutReading": 0,
        "olderLeftOut": collection.posts.height - used,
        "rejected": sum(collection.rejected.values()),
        "rejectedBy": dict(collection.rejected),
    }
