"""How a job runs: as the only one of its kind, on a clock, with an answer for whatever goes wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import structlog

from groundswell.alerting.telling import tell_run
from groundswell.errors import GroundswellError
from groundswell.jobs.context import Context, Report
from groundswell.jobs.run_log import kept_log
from groundswell.jobs.steps import Progress, Steps
from groundswell.records import Window
from groundswell.store import runs


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A kind of run: its name in the table of runs, the word for it in errors, and its logger."""

    kind: str
    title: str
    logger: str


#: What a job does; it returns the body of its answer, `status` (`completed` or `skipped`) in it.
Work = Callable[[Steps, runs.Run], dict[str, Any]]


def run_job(
    context: Context,
    job: Job,
    work: Work,
    progress: Progress,
    window: Window | None = None,
    said: Mapping[str, Any] = MappingProxyType({}),
) -> Report:
    """Return how the work ended: `completed`, `skipped`, `failed` or `already_running`.

    Whatever goes wrong becomes `failed`; `said` is part of every answer but the last. What somebody must know of it is
    told once the run is stored. Raises DatabaseError where not even the run can be recorded.
    """
    log = structlog.stdlib.get_logger(job.logger)
    try:
        with runs.running(context.database, kind=job.kind, window=window) as run:
            with structlog.contextvars.bound_contextvars(run_id=run.id), kept_log(context.database, run.id) as kept:

                def begun(step: str) -> None:
                    kept.flush()
                    progress(step)

                steps = Steps(context.settings.time_limit_seconds, begun)
                body = _answer(job, log, lambda: work(steps, run))
                body |= {**said, "runId": run.id, "stepSeconds": steps.seconds()}
            run.finish(body["status"], body)
    except runs.AlreadyRunningError as error:
        log.warning(str(error))
        return Report("already_running", {"status": "already_running", "runId": error.run_id})
    tell_run(context.settings, context.database, job.kind, window, body)
    return Report(body["status"], body)


def _answer(job: Job, log: structlog.stdlib.BoundLogger, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except GroundswellError as error:
        log.error(f"{job.title} failed: {error}")
        return {"status": "failed", "error": f"{job.title} failed: {error}", "hint": error.hint}
    except Exception as error:
        log.exception(f"{job.title} failed")
        return {"status": "failed", "error": f"{job.title} failed: {type(error).__name__}: {error}"}
