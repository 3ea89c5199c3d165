"""`baseline`: the stored videos in, calibration-baseline.json out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from groundswell.errors import BaselineError
from groundswell.jobs.context import Context
from groundswell.stages import baseline as stage
from groundswell.stages import labels
from groundswell.store import corpus, documents

BATCH_ROWS = 1_000


def write_baseline(context: Context, out: Path | None = None) -> dict[str, Any]:
    """Return the calibration baseline of the stored videos, now also in `out` (default: GROUNDSWELL_HOME).

    Raises BaselineError if no stored video has views and a length.
    """
    content = _compute(context)
    path = out or context.settings.baseline_path
    documents.write_document(path, content)
    return {**content, "path": str(path)}


def wes_label(context: Context, path: Path | None = None) -> labels.Label:
    """Return the WES label of the baseline file; computed from the stored videos where the default file is missing."""
    named = path or context.settings.baseline_path
    if path is None and not named.exists():
        content = _compute(context)
    else:
        content = documents.read_document(named, BaselineError)
    try:
        return labels.Label("wes", stage.thresholds(content))
    except (KeyError, TypeError, ValueError) as reason:
        raise BaselineError(f"{named} is no calibration baseline: {reason}.") from None


def _compute(context: Context) -> dict[str, Any]:
    parts = [
        batch.select("key", "views", "duration_seconds", pl.Series("wes", labels.weighted_engagement_score(batch)))
        for batch in corpus.batches(context.database, BATCH_ROWS)
    ]
    if not parts:
        raise BaselineError("There are no stored videos.", "Run `groundswell ingest PATH` first.")
    fetched = pl.concat(parts)
    videos = fetched.unique("key", keep="first", maintain_order=True)
    content = stage.baseline(videos, fetched.height, fetched.height - videos.height)
    if not content["virality_tiers"]:
        raise BaselineError("No stored video has views and a length.", "Run `groundswell ingest PATH` first.")
    return content
