"""`audit`: did the scores of the last 90 days come true, and what do the next ones need?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from groundswell.calibration.intervals import share_of
from groundswell.calibration.ranges import PROMISED
from groundswell.errors import GroundswellError
from groundswell.jobs.context import Context, Report
from groundswell.jobs.steps import Progress, Steps, silent
from groundswell.records import as_json, rounded
from groundswell.stages import audit as stage
from groundswell.store import calibrations, outcomes, runs

KIND = "audit"
log = structlog.stdlib.get_logger("calibration-audit")


def audit(context: Context, as_of: datetime, since_days: int | None = None, progress: Progress = silent) -> Report:
    """Return how the audit ended: `completed`, `skipped`, `failed` or `already_running`.

    The refitted sigmoid is stored as the next calibration version; where it is active, the very next prediction
    in every process uses it, and where it is not, scores are left alone. Raises DatabaseError where not even the
    run can be recorded.
    """
    days = since_days or context.settings.pair_days
    try:
        with runs.running(context.database, kind=KIND) as run:
            with structlog.contextvars.bound_contextvars(run_id=run.id):
                steps = Steps(context.settings.time_limit_seconds, progress)
                body = _answer(context, as_of, days, steps) | {"runId": run.id}
            run.finish(body["status"], body)
            return Report(body["status"], body)
    except runs.AlreadyRunningError as error:
        log.warning(str(error))
        return Report("already_running", {"status": "already_running", "runId": error.run_id})


def _answer(context: Context, as_of: datetime, days: int, steps: Steps) -> dict[str, Any]:
    try:
        return _run(context, as_of, days, steps)
    except GroundswellError as error:
        log.error(f"Audit failed: {error}")
        return {"status": "failed", "error": f"Audit failed: {error}", "hint": error.hint}
    except Exception as error:
        log.exception("Audit failed")
        return {"status": "failed", "error": f"Audit failed: {type(error).__name__}: {error}"}


def _run(context: Context, as_of: datetime, days: int, steps: Steps) -> dict[str, Any]:
    settings = context.settings
    steps.begin("query")
    pairs = outcomes.pairs(context.database, as_of - timedelta(days=days), as_of)
    if pairs.frame.height < settings.min_pairs:
        log.warning(f"Insufficient outcome data: {pairs.frame.height} pairs of {settings.min_pairs}")
        return {
            "status": "skipped",
            "reason": "Insufficient outcome data",
            "samples": pairs.frame.height,
            "required": settings.min_pairs,
            "leftOut": pairs.left_out,
        }
    steps.begin("audit")
    predicted, actual = pairs.frame["predicted"].to_numpy(), pairs.frame["actual"].to_numpy()
    found = stage.audit(predicted, actual, settings.drift_threshold, settings.min_pairs, settings.seed)
    _log(found)
    steps.begin("publish")
    platt = found.fit.platt
    version = None
    if platt is not None:
        version = calibrations.add(
            context.database,
            a=platt.a,
            b=platt.b,
            active=found.fit.active,
            reason=found.fit.reason,
            pairs=found.total_samples,
            at=as_of,
        ).version
    return {
        "status": "completed",
        "ece": found.ece,
        "servedEce": found.served_ece,
        "driftDetected": found.drift_detected,
        "driftThreshold": found.drift_threshold,
        "bins": rounded(as_json(found.bins), 4),
        "totalSamples": found.total_samples,
        "leftOut": pairs.left_out,
        "ranges": _ranges(context, as_of - timedelta(days=days), as_of),
        "plattRefitted": platt is not None,
        "plattParams": as_json(platt) if platt else None,
        "plattActive": found.fit.active,
        "plattReason": found.fit.reason,
        "calibrationVersion": version,
        "auditedAt": as_json(as_of),
        "stepSeconds": steps.seconds(),
    }


def _ranges(context: Context, since: datetime, until: datetime) -> dict[str, Any]:
    """Return for each window the share of matured predictions whose tier lay in the range that was stated."""
    found = outcomes.ranges_held(context.database, since, until)
    estimates = {window: share_of(held, total) for window, (total, held) in found.items()}
    return {
        window: {"promised": PROMISED, "coverage": rounded(as_json(estimate), 4)}
        for window, estimate in estimates.items()
    }


def _log(found: stage.Audit) -> None:
    if found.drift_detected:
        log.warning(f"DRIFT ALERT: ECE {found.ece:.4f} exceeds threshold {found.drift_threshold:g}")
    else:
        log.info(f"ECE {found.ece:.4f} over {found.total_samples} pairs, threshold {found.drift_threshold:g}")
    if found.fit.platt is None:
        log.warning(f"Platt not refitted: {found.fit.reason}")
    else:
        log.info(f"Platt refitted: a={found.fit.platt.a:.6f} b={found.fit.platt.b:.6f}; {found.fit.reason}")
