"""`baseline`: the stored videos in, calibration-baseline.json out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import structlog

from groundswell.errors import BaselineError
from groundswell.jobs.context import Context
from groundswell.stages import baseline as stage
from groundswell.stages import labels
from groundswell.store import corpus, documents

BATCH_ROWS = 1_000

log = structlog.stdlib.get_logger("calibration-baseline")


def write_baseline(context: Context, out: Path | None = None) -> dict[str, Any]:
    """Return the calibration baseline of the stored videos, now also in `out` (default: GROUNDSWELL_HOME).

    Warns of tiers that no video can be of. Raises BaselineError if no stored video has views and a length.
    """
    content = _compute(context)
    _warn(stage.thresholds(content))
    path = out or context.settings.baseline_path
    documents.write_document(path, content)
    return {**content, "path": str(path)}


def wes_label(context: Context, path: Path | None = None) -> labels.Label:
    """Return the WES label of the baseline file; computed from the stored videos where the default file is missing.

    Warns of tiers that no video can be of. Raises BaselineError if there is no baseline.
    """
    named = path or context.settings.baseline_path
    if path is None and not named.exists():
        content = _compute(context)
    else:
        content = documents.read_document(named, BaselineError)
    try:
        thresholds = stage.thresholds(content)
    except (KeyError, TypeError, ValueError) as reason:
        raise BaselineError(f"{named} is no calibration baseline: {reason}.") from None
    _warn(thresholds)
    return labels.Label("wes", thresholds)


def _warn(thresholds: tuple[float, ...]) -> None:
    """Say which tiers can never be given, why, and what helps; nothing where each of the five can be."""
    if not (tiers := stage.never_given(thresholds)):
        return
    begins = ", ".join(f"{begin:g}" for begin in (0.0, *thresholds))
    log.warning(
        f"Degenerate WES thresholds: tiers 1 to 5 begin at {begins}. No video can be of tier "
        f"{', '.join(map(str, tiers))}, as the next one begins no higher. Too many videos have the same engagement, or "
        "none: see that likes, comments and shares are in what you ingest, then run `groundswell baseline` and "
        "`groundswell extract` again."
    )


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
