"""`recalibrate`: new calibrators for the champion's estimator, gated; nothing is trained."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import structlog

from groundswell.calibration.intervals import evidence_clusters
from groundswell.errors import NoChampionError
from groundswell.jobs.context import Context, Report
from groundswell.jobs.evidence import Evidence, evidence
from groundswell.jobs.running import Job, run_job
from groundswell.jobs.steps import Progress, Steps, silent
from groundswell.model import Model, model_from_bytes
from groundswell.records import Decision, ModelVersion, Verdict, Window, as_json, rounded
from groundswell.stages import evaluate
from groundswell.stages import recalibrate as stage
from groundswell.store import registry, runs

JOB = Job("recalibrate", "Recalibration", "recalibrate")
log = structlog.stdlib.get_logger(JOB.logger)


def recalibrate(context: Context, window: Window, as_of: datetime, progress: Progress = silent) -> Report:
    """Return how the recalibration of a line ended: `completed`, `skipped`, `failed` or `already_running`.

    A recalibrated champion is a version of its own, so that it can be rolled back. Where a retrain moves the champion
    meanwhile, this one fails and publishes nothing. Raises DatabaseError where not even the run can be recorded.
    """

    def work(steps: Steps, run: runs.Run) -> dict[str, Any]:
        return _recalibrate(context, window, as_of, steps, run)

    return run_job(context, JOB, work, progress, window, {"window": window.value})


def _recalibrate(context: Context, window: Window, as_of: datetime, steps: Steps, run: runs.Run) -> dict[str, Any]:
    settings = context.settings
    steps.begin("query")
    champion = registry.champion(context.database, window)
    if champion is None:
        raise NoChampionError(
            f"No model serves the window {window.value!r} yet.",
            f"Run `groundswell retrain --window {window.value}` first.",
        )
    model = model_from_bytes(context.artifacts.get(champion.artifact))
    rows = evidence(context, champion, as_of, settings.min_recalibration_rows)
    steps.begin("calibrate")
    clusters = evidence_clusters(rows.authors)
    raw = model.estimator.probabilities(rows.features)
    present = stage.Present(model.calibrator, model.reach)
    found = stage.recalibrate(raw, rows.tiers, clusters, present, settings.margin, settings.min_recalibration_rows)
    decision = found if isinstance(found, Decision) else found.decision
    for finding in decision.findings:
        log.info(f"{finding.code} {finding.outcome.value}: {finding.title}. {finding.explanation}")
    body = {"champion": champion.version, "rows": len(rows), "source": rows.source, "decision": as_json(decision)}
    if isinstance(found, Decision):
        return {"status": "skipped", "reason": decision.reason, **body}
    body |= _tell(model, found)
    if decision.decision is Verdict.HOLD:
        return {"status": "skipped", "reason": decision.reason, **body}
    steps.begin("publish")
    version = _publish(context, champion, model, rows, found, as_of, run)
    return {"status": "completed", "reason": decision.reason, **body, "modelVersion": version.version}


def _tell(model: Model, found: stage.Recalibration) -> dict[str, Any]:
    return {
        "calibrator": {"before": model.calibrator.kind, "after": found.calibrator.kind},
        "candidates": rounded(as_json(found.chosen.candidates), 4),
        "reach": {"before": round(model.reach.mass, 4), "after": round(found.reach.mass, 4)},
    }


def _publish(
    context: Context,
    champion: ModelVersion,
    model: Model,
    rows: Evidence,
    found: stage.Recalibration,
    as_of: datetime,
    run: runs.Run,
) -> ModelVersion:
    """Return the version with the same estimator and the new calibrators; it now serves."""
    settings = context.settings
    recalibrated = dataclasses.replace(model, calibrator=found.calibrator, reach=found.reach)
    holdout = evaluate.Holdout(rows.tiers, rows.quantity, rows.authors)
    against = evaluate.yardsticks(rows.tiers, len(rows), {})
    evaluation = evaluate.evaluate(found.probabilities, holdout, against, settings.bootstrap, settings.seed)
    lineage = {
        **champion.lineage,
        "recalibratedFrom": champion.version,
        "estimatorOf": champion.lineage.get("estimatorOf", champion.version),
        "recalibrationRows": len(rows),
        "recalibrationSource": rows.source,
        "asOf": as_json(as_of),
    }
    return registry.promote(
        context.database,
        window=champion.window,
        artifact=context.artifacts.put(recalibrated.to_bytes()),
        # A handful of numbers is no memory of rows: what the estimator learnt from stays what a later gate leaves out.
        training_rows=champion.training_rows,
        source=champion.source,
        lineage=lineage,
        evaluation=rounded(as_json(evaluation), 4),
        decision=as_json(found.decision),
        expected=champion.version,
        at=context.now(),
        lease=run.lease,
    )
