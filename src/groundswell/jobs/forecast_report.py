"""What is told of a forecast, be it of a retrain or of a backtest: one form for JSON, pages and the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from groundswell.jobs.forecast_challenger import ForecastChallenger
from groundswell.jobs.forecast_material import ForecastMaterial
from groundswell.records import as_json, camel, rounded
from groundswell.stages import features, importance
from groundswell.stages.timeline import Rows

#: Digits that metrics are told with.
DIGITS = 4


def describe(material: ForecastMaterial) -> dict[str, Any]:
    """Return the label, the counts and the periods of the material."""
    counts = as_json(material.counts)
    counts["immatureBy"] = {camel(reason): count for reason, count in counts["immatureBy"].items()}
    most = material.label_age.most
    return {
        "label": {
            "quantity": material.label.quantity,
            "labelAgeHours": material.label_age.age.total_seconds() / 3_600,
            "labelAgeMaxHours": None if most is None else most.total_seconds() / 3_600,
            "cutPoints": list(material.label.cut_points),
        },
        "n": counts,
        "periods": {
            "train": _period(material, material.parts.train),
            "calibration": _period(material, material.parts.calibration),
            "holdout": _period(material, material.parts.holdout),
        },
    }


def report(challenger: ForecastChallenger) -> dict[str, Any]:
    """Return the evaluation of a forecast with everything that explains it."""
    content: dict[str, Any] = as_json(challenger.evaluation)
    content |= {
        "lift": as_json(challenger.lift),
        "ceiling": as_json(challenger.ceiling),
        "range": as_json(challenger.range),
        "slices": as_json(challenger.slices),
        "reliability": {"bins": as_json(challenger.reliability), "n": challenger.evaluation.n},
        "topFeatures": tell_features(challenger.top_features, features.of_window(challenger.model.window)),
        "learners": as_json(challenger.candidates),
    }
    return rounded(content, DIGITS)  # type: ignore[no-any-return]


def tell_features(
    found: Sequence[importance.Importance], catalogue: Sequence[features.Feature]
) -> list[dict[str, Any]]:
    """Return what each feature is and how much it matters."""
    declared = {feature.name: feature for feature in catalogue}
    return [
        {
            "name": one.name,
            "sentence": declared[one.name].sentence,
            "unit": declared[one.name].unit,
            "importance": round(one.rps_increase, 5),
        }
        for one in found
    ]


def _period(material: ForecastMaterial, numbers: Rows) -> dict[str, Any]:
    posted: pl.Series = material.rows["posted_at"][numbers.tolist()]
    return {"from": as_json(posted.min()), "to": as_json(posted.max())}
