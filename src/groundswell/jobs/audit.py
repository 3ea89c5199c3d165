"""`audit`: did what we said come true, is the scraper still the same, and what should be done about it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import structlog

from groundswell.calibration.alarm import AlarmState, notifies
from groundswell.calibration.intervals import evidence_clusters
from groundswell.errors import ArtifactError
from groundswell.jobs import audits
from groundswell.jobs.audit_line import AuditedLine, audit_line, tell, tell_alarm, unread_line
from groundswell.jobs.context import Context, Report
from groundswell.jobs.matured import tell_matured
from groundswell.jobs.running import Job, run_job
from groundswell.jobs.steps import Progress, Steps, silent
from groundswell.records import Finding, Outcome, Window, as_json
from groundswell.stages import audit as stage
from groundswell.stages.recommend import Action, Recommendation, Signs, costliest, recommend
from groundswell.stages.scrape_quality import check_scrape
from groundswell.store import calibrations, ledger, outcomes, predictions, registry, runs
from groundswell.store.readings import readings

JOB = Job(audits.KIND, "Audit", "calibration-audit")
log = structlog.stdlib.get_logger(JOB.logger)
#: How the failed scrape checks are called.
CHANGES = {
    "S1": "rounded counts",
    "S2": "swapped counters",
    "S3": "zeros for missing counts",
    "S4": "falling counters",
    "S5": "a changed format",
}


def audit(context: Context, as_of: datetime, since_days: int | None = None, progress: Progress = silent) -> Report:
    """Return how the audit ended: `completed`, `skipped`, `failed` or `already_running`.

    The refitted calibration of the score is stored as the next version; where it is active, the very next prediction
    in every process uses it, and where it is not, scores are left alone. The report is frozen: the ledger keeps its
    hash. Raises DatabaseError where not even the run can be recorded.
    """
    days = since_days or context.settings.pair_days

    def work(steps: Steps, run: runs.Run) -> dict[str, Any]:
        body = _audit(context, as_of - timedelta(days=days), as_of, steps)
        with context.database.begin() as connection:
            ledger.append(connection, ledger.AUDIT, {"run": run.id, "sha256": audits.digest(as_json(body))}, as_of)
        return body

    return run_job(context, JOB, work, progress)


def _audit(context: Context, since: datetime, as_of: datetime, steps: Steps) -> dict[str, Any]:
    steps.begin("query")
    pairs = outcomes.pairs(context.database, since, as_of)
    steps.begin("scrape")
    scrape = _check_scrape(context, as_of)
    scraper = [CHANGES[finding.code] for finding in scrape if finding.outcome is Outcome.FAILED]
    steps.begin("lines")
    former = audits.history(context)
    lines = {}
    for window in _windows(context, since, as_of):
        steps.check()
        try:
            lines[window.value] = audit_line(context, window, since, as_of, scraper)
        except ArtifactError as error:
            log.error(f"Line {window.value} cannot be audited: {error}")
            lines[window.value] = unread_line(error)
    around = {
        "matured": tell_matured(context, since, as_of),
        "scrape": as_json(scrape),
        "lines": {window: _told_line(window, line, former) for window, line in lines.items()},
        "leftOut": sum(pairs.left_out.values()),
        "leftOutBy": dict(pairs.left_out),
        "clipped": pairs.clipped,
        "duplicates": pairs.duplicates,
        "days": (as_of - since).days,
        "auditedAt": as_json(as_of),
        "history": former,
    }
    for said in scraper:
        log.warning(f"The scraper changed: {said}")
    if pairs.frame.height < context.settings.min_pairs:
        return _skipped(context, pairs.frame.height, lines, scraper) | around
    steps.begin("audit")
    found = _judge(context, pairs.frame)
    _log(found)
    steps.begin("publish")
    version = _publish(context, found, as_of)
    return _completed(found, version, former, [*_recommended(lines), _recommend(found, scraper)]) | around


def _skipped(
    context: Context, samples: int, lines: Mapping[str, AuditedLine], scraper: Sequence[str]
) -> dict[str, Any]:
    required = context.settings.min_pairs
    log.warning(f"Insufficient outcome data: {samples} pairs of {required}")
    none = Recommendation(Action.NONE, f"Only {samples} outcomes of scores are known, {required} are needed to judge.")
    own = recommend(Signs(AlarmState.INSUFFICIENT, scraper)) if scraper else none
    return {
        "status": "skipped",
        "reason": "Insufficient outcome data",
        "samples": samples,
        "required": required,
        "alarm": AlarmState.INSUFFICIENT.value,
        "recommendation": as_json(costliest([*_recommended(lines), own])),
    }


def _completed(
    found: stage.Audit,
    version: int | None,
    former: Sequence[Mapping[str, Any]],
    recommended: Sequence[Recommendation],
) -> dict[str, Any]:
    fit = found.fit
    states = [*_states(one["alarm"] for one in former), found.alarm.state]
    return {
        "status": "completed",
        "ece": found.ece,
        "servedEce": found.served_ece,
        "driftDetected": found.drift_detected,
        "driftThreshold": found.drift_threshold,
        "bins": tell(found.bins),
        "totalSamples": found.total_samples,
        "plattRefitted": fit.platt is not None,
        "plattParams": as_json(fit.platt) if fit.platt else None,
        "plattActive": fit.active and fit.calibration.calibrator.kind == "platt",
        "plattReason": fit.platt_reason,
        "calibrationVersion": version,
        "scoreCalibration": {
            "kind": fit.calibration.calibrator.kind if fit.active else "identity",
            "active": fit.active,
            "reason": fit.reason,
            "candidates": tell(fit.candidates),
            "segments": tell(fit.segments),
        },
        **tell_alarm(found.alarm),
        "notify": notifies(states),
        "measures": tell(found.measures),
        "reliability": tell(found.curve),
        "recommendation": as_json(costliest(recommended)),
    }


def _recommended(lines: Mapping[str, AuditedLine]) -> list[Recommendation]:
    return [line.recommendation for line in lines.values()]


def _recommend(found: stage.Audit, scraper: Sequence[str]) -> Recommendation:
    """Return what the scores alone ask for: their calibration has just been refitted."""
    if scraper:
        return recommend(Signs(found.alarm.state, scraper))
    if found.alarm.state is AlarmState.INSUFFICIENT:
        return Recommendation(Action.NONE, f"Nobody can tell whether the scores came true: {found.alarm.reason}.")
    if found.alarm.state is AlarmState.GREEN:
        return Recommendation(Action.NONE, "The scores came true within what chance allows.")
    if found.fit.active:
        return Recommendation(
            Action.NONE,
            f"The scores were off (ECE {found.ece:.4f}); their new calibration serves from now on "
            f"(ECE {found.served_ece:.4f} on the same pairs).",
        )
    return Recommendation(
        Action.RECALIBRATE, f"The alarm is {found.alarm.state.value} and no calibration of the score mends it."
    )


def _judge(context: Context, pairs: pl.DataFrame) -> stage.Audit:
    settings = context.settings
    policy = stage.Policy(settings.drift_threshold, settings.min_pairs, settings.bootstrap, settings.seed)
    return stage.audit(
        pairs["predicted"].to_numpy(),
        pairs["actual"].to_numpy(),
        policy,
        clusters=evidence_clusters(pairs["creator"].to_list(), pairs["unit"].to_list()),
        segments=_segments(pairs["segment"]),
    )


def _segments(names: pl.Series) -> pl.Series | None:
    """Return the segments of the pairs, None where there are not two to tell apart."""
    return names if names.drop_nulls().n_unique() > 1 else None


def _publish(context: Context, found: stage.Audit, as_of: datetime) -> int | None:
    fit = found.fit
    if fit.platt is None and not _is_calibrated(context):
        return None
    # Without a fit there is nothing to serve, and what served until now does not go on unsaid.
    fitted = calibrations.Fitted(
        a=fit.platt.a if fit.platt else 0.0,
        b=fit.platt.b if fit.platt else 0.0,
        active=fit.active,
        reason=fit.reason,
        pairs=found.total_samples,
        content=fit.calibration.content() if fit.active else None,
    )
    return calibrations.add(context.database, fitted, as_of).version


def _is_calibrated(context: Context) -> bool:
    """Return whether a calibration corrects the scores at present."""
    with context.database.read() as connection:
        newest = calibrations.latest(connection)
    return newest is not None and newest.active


def _windows(context: Context, since: datetime, until: datetime) -> list[Window]:
    """Return the lines there are: those with a champion, and those with predictions in the time."""
    counted = predictions.maturity(context.database, since, until)
    named = {*registry.champions(context.database), *(found.window for found in counted)}
    return [window for window in Window if window.value in named]


def _check_scrape(context: Context, as_of: datetime) -> tuple[Finding, ...]:
    """Return how the readings of the last days compare with those of the time before."""
    days = timedelta(days=context.settings.drift_days)
    rows = readings(context.database, since=as_of - 4 * days)
    rows = rows.filter(pl.col("observed_at") <= as_of).with_columns(
        pl.col("key").str.split_exact(":", 1).struct.field("field_0").alias("platform"),
        # Files of readings have no followers: that they are missing says nothing of the scraper.
        pl.lit(None, pl.Int64).alias("author_followers"),
    )
    recent = pl.col("observed_at") > as_of - days
    return check_scrape(rows.filter(~recent), rows.filter(recent), context.settings.min_pairs)


def _told_line(window: str, line: AuditedLine, former: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    before = _states(one["lines"][window]["alarm"] for one in former if window in (one.get("lines") or {}))
    return {**line.body, "notify": notifies([*before, line.alarm])}


def _states(told: Iterable[Any]) -> list[AlarmState]:
    """Return the alarms of former audits; a report that somebody changed must not stop the audits after it."""
    return [AlarmState(state) for state in told if state in list(AlarmState)]


def _log(found: stage.Audit) -> None:
    if found.drift_detected:
        log.warning(f"DRIFT ALERT: ECE {found.ece:.4f} exceeds threshold {found.drift_threshold:g}")
    else:
        log.info(f"ECE {found.ece:.4f} over {found.total_samples} pairs, threshold {found.drift_threshold:g}")
    log.info(f"Alarm {found.alarm.state.value}: {found.alarm.reason}")
    if found.fit.platt is None:
        log.warning(f"Platt not refitted: {found.fit.platt_reason}")
    else:
        log.info(
            f"Platt refitted: a={found.fit.platt.a:.6f} b={found.fit.platt.b:.6f}; {found.fit.platt_reason}. "
            f"Score calibration: {found.fit.reason}"
        )
