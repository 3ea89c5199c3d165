"""Predictions, outcomes and versions as the closed loop stores them: plain, but for what a test changes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from groundswell.jobs.context import Context
from groundswell.model import Model
from groundswell.records import StoredOutcome
from groundswell.stages import split
from groundswell.store import ledger, predictions, registry, tables
from groundswell.store.database import Database
from groundswell.training_rows import TrainingRows
from tests.made_up import NO_ROWS

Row = dict[str, Any]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LABEL_AGE = 3 * DAY
#: When predictions are made where a test does not say otherwise, and when their videos are posted.
AT = datetime(2026, 8, 1, 12, tzinfo=UTC)
CUT_POINTS = (100.0, 200.0, 300.0, 400.0)
PLAIN: Row = {
    "predicted_at": AT,
    "window": "publish",
    "platform": "tiktok",
    "platform_video_id": "7",
    "model_version": 1,
    "calibration_version": None,
    "tier": 3,
    "range_low": 2,
    "range_high": 4,
    "probabilities": [0.1, 0.2, 0.4, 0.2, 0.1],
    "score": 50.0,
    "calibrated_score": 50.0,
    "features": [0.25, None],
    "input": {"platform": "tiktok"},
    "author": "ann",
    "segment": "tiktok/under10k",
    "matures_at": AT + LABEL_AGE,
}


def predicted(database: Database, **changed: Any) -> str:
    """Log a prediction and return its id; `posted_at` is the posting time that the request named."""
    return logged(database, [changed])[0]


def logged(database: Database, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Log predictions and return their ids in order."""
    made = []
    for changed in rows:
        row = PLAIN | {"id": str(uuid.uuid4())} | dict(changed)
        if "posted_at" in row:
            posted_at = row.pop("posted_at")
            row["input"] = {**row["input"], "postedAt": posted_at and posted_at.isoformat().replace("+00:00", "Z")}
        made.append(row)
    predictions.log(database, made)
    return [row["id"] for row in made]


def outcome(prediction_id: str, **changed: Any) -> StoredOutcome:
    """Return the outcome of a prediction."""
    plain: Row = {
        "actual_views": 1_000,
        "actual_tier": 4,
        "actual_score": 70.0,
        "actual_quantity": 1_000.0,
        "matured_at": AT + LABEL_AGE,
        "observed_at": AT + LABEL_AGE + HOUR,
        "origin": "harvest",
    }
    return StoredOutcome(prediction_id=prediction_id, **(plain | changed))


def version(
    context: Context,
    rows: TrainingRows = NO_ROWS,
    model: Model | None = None,
    window: str = "publish",
    **lineage: Any,
) -> int:
    """Promote a version that judges by CUT_POINTS of views, unless its lineage says otherwise; return its number."""
    before = registry.champion(context.database, window)
    return registry.promote(
        context.database,
        window=window,
        artifact=context.artifacts.put(model.to_bytes() if model else b"no model"),
        training_rows=context.artifacts.put(rows.to_bytes()),
        source="scraped_videos",
        lineage={"cutPoints": list(CUT_POINTS), "label": "views"} | lineage,
        evaluation={},
        decision={},
        expected=before.version if before else None,
        at=AT,
    ).version


def stored_video(database: Database, name: str, *read: tuple[timedelta | None, int], **changed: Any) -> None:
    """Store a video posted at AT, unless told otherwise, and its readings by age: the last in scraped_videos."""
    posted_at, created_at = changed.get("posted_at", AT), changed.get("created_at", AT + 9 * DAY)
    texts = [(None if age is None else (posted_at or AT) + age, views) for age, views in read]
    metadata = {"uploaded_at": posted_at and posted_at.isoformat()}
    if texts and texts[-1][0] is not None:
        metadata["scraped_at"] = texts[-1][0].isoformat()
    plain = {"platform": "tiktok", "platform_video_id": name}
    counters = {name: changed.get(name) for name in ("likes", "comments", "shares")}
    with database.begin() as connection:
        connection.execute(sa.delete(tables.scraped_videos).filter_by(**plain))
        connection.execute(sa.delete(tables.snapshots).filter_by(**plain))
        row = {"id": str(uuid.uuid4()), "views": texts[-1][1] if texts else None, "metadata": metadata}
        connection.execute(sa.insert(tables.scraped_videos), {**plain, **counters, **row, "created_at": created_at})
        for at, views in texts[:-1]:
            reading = {"observed_at": at, "views": views, "recorded_at": created_at}
            connection.execute(sa.insert(tables.snapshots), {**plain, **counters, **reading})


def training_rows(tiers: Sequence[int], quantity: Sequence[float], keys: Sequence[str] | None = None) -> TrainingRows:
    """Return what a version remembers of rows of these tiers and quantities."""
    names = list(keys) if keys is not None else [f"tiktok:training{number}" for number in range(len(tiers))]
    return TrainingRows(split.row_keys(names, "row"), np.array(tiers, np.int64), np.array(quantity, float))


def stored_outcomes(database: Database) -> dict[str, Row]:
    """Return every column of every stored outcome, by the prediction's id."""
    with database.read() as connection:
        found = connection.execute(sa.select(tables.prediction_outcomes)).mappings()
        return {str(row["prediction_id"]): dict(row) for row in found}


def entries(database: Database, kind: str) -> list[Row]:
    """Return what the ledger says under a kind, oldest first."""
    with database.read() as connection:
        return [ledger.payload_of(entry) for entry in ledger.entries(connection) if entry.kind == kind]


def verified(database: Database) -> ledger.Verification:
    """Return whether the ledger is what was written."""
    with database.read() as connection:
        return ledger.verify(connection)
