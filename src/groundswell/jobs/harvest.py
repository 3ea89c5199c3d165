"""`harvest`: later scrapes tell how our own predictions turned out; each outcome is written once, and corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import structlog

from groundswell.frames import MOMENT
from groundswell.jobs.context import Context, Report
from groundswell.jobs.judging import Judge, judge_of
from groundswell.jobs.matured import tell_matured
from groundswell.jobs.running import Job, run_job
from groundswell.jobs.steps import Progress, Steps, silent
from groundswell.records import StoredOutcome, Window, as_json, camel
from groundswell.stages import harvest as stage
from groundswell.stages.maturity import MATURE, find_outcomes
from groundswell.store import corpus, outcomes, predictions
from groundswell.store.outcomes import HARVEST
from groundswell.store.readings import readings

JOB = Job("harvest", "Harvest", "harvest-outcomes")
#: Why a matured video's prediction gets no tier: its version's cut-points are not known.
WITHOUT_CUT_POINTS = "without_cut_points"
_AT_ONCE = 20_000
log = structlog.stdlib.get_logger(JOB.logger)


def harvest(context: Context, as_of: datetime, progress: Progress = silent) -> Report:
    """Return how the harvest ended: `completed`, `failed` or `already_running`.

    Run again, it changes nothing; a corrected reading corrects the outcome, and the ledger keeps the old one. What was
    reported or deleted by hand is left alone. Raises DatabaseError where not even the run can be recorded.
    """
    return run_job(context, JOB, lambda steps, _run: _harvest(context, as_of, steps), progress)


def _harvest(context: Context, as_of: datetime, steps: Steps) -> dict[str, Any]:
    since = as_of - timedelta(days=context.settings.pair_days)
    steps.begin("query")
    everything = predictions.to_follow(context.database, since)
    kept = everything.filter(~pl.col("deleted") & (pl.col("origin").fill_null(HARVEST) == HARVEST))
    counts: Counter[str] = Counter(left_as_reported=everything.height - kept.height)
    steps.begin("harvest")
    for (number,), part in kept.group_by("model_version", maintain_order=True):
        judge = judge_of(context, int(str(number)))
        for start in range(0, part.height, _AT_ONCE):
            steps.check()
            _follow(context, judge, part[start : start + _AT_ONCE], as_of, counts)
    waiting = {camel(state): counts[state] for state in sorted(counts) if state not in _NOT_WAITING}
    log.info(
        f"{counts['new']} outcomes harvested, {counts['corrected']} corrected, {counts['unchanged']} unchanged; "
        f"waiting: {waiting}"
    )
    return {
        "status": "completed",
        "followed": everything.height,
        "harvested": counts["new"],
        "corrected": counts["corrected"],
        "unchanged": counts["unchanged"],
        "leftAsReported": counts["left_as_reported"],
        "withoutOutcome": waiting,
        "matured": tell_matured(context, since, as_of),
        "harvestedAt": as_json(as_of),
    }


_NOT_WAITING = frozenset({"new", "corrected", "unchanged", "left_as_reported"})


def _follow(context: Context, judge: Judge, part: pl.DataFrame, as_of: datetime, counts: Counter[str]) -> None:
    """Find and write the outcomes of some predictions of one version."""
    video = pl.concat_str("platform", pl.lit(":"), "platform_video_id").alias("video")
    named = part.with_columns(video, (pl.col("window") == Window.OBSERVED.value).alias("describes"))
    keys = named["video"].unique().to_list()
    stored = corpus.posted(context.database, keys).select(
        pl.col("key").alias("video"),
        pl.col("posted_at").alias("stored_posted_at"),
        pl.col("created_at").alias("first_known_at"),
    )
    known = named.join(stored, on="video", how="left", maintain_order="left").with_columns(
        # Where it was posted at last counts, not when it was planned for.
        pl.coalesce("stored_posted_at", "posted_at").alias("posted_at")
    )
    find = partial(find_outcomes, label=judge.label_age, as_of=as_of, counters=stage.COUNTERS)
    found = stage.harvest(known, readings(context.database, keys), find, as_of)
    counts.update(found.filter(pl.col("state") != MATURE)["state"].to_list())
    read = found.filter(pl.col("state") == MATURE)
    if judge.label is None:
        counts.update({WITHOUT_CUT_POINTS: read.height} if read.height else {})
    _write(context, _outcomes(read, judge), read, as_of, counts)


def _outcomes(read: pl.DataFrame, judge: Judge) -> list[StoredOutcome]:
    judged = judge.judge(read)
    matured = read["posted_at"] + judge.label_age.age
    return [
        StoredOutcome(
            prediction_id=row["id"],
            actual_views=row["views"],
            actual_tier=tier or None,
            actual_score=None if np.isnan(score) else round(score, 6),
            actual_quantity=None if np.isnan(quantity) else quantity,
            matured_at=at,
            observed_at=row["read_at"],
            origin=HARVEST,
        )
        for row, tier, score, quantity, at in zip(
            read.iter_rows(named=True),
            judged.tiers.tolist(),
            judged.scores.tolist(),
            judged.quantity.tolist(),
            matured.cast(MOMENT).to_list(),
            strict=True,
        )
    ]


#: What must be found as it is stored for an outcome to be left alone.
_COMPARED = ("actual_views", "actual_tier", "actual_score", "actual_quantity")


def _write(
    context: Context, found: Sequence[StoredOutcome], read: pl.DataFrame, at: datetime, counts: Counter[str]
) -> None:
    before = read.select("origin", *_COMPARED).iter_rows()
    changed = []
    for outcome, (origin, *was) in zip(found, before, strict=True):
        same = was == [getattr(outcome, name) for name in _COMPARED]
        state = "new" if origin is None else "unchanged" if same else "corrected"
        counts[state] += 1
        if state != "unchanged":
            changed.append(outcome)
    outcomes.record(context.database, changed, at)
