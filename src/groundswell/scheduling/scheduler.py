"""The scheduler: of all processes that share a database, the one that holds the lease runs what is due."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from groundswell.errors import GroundswellError
from groundswell.jobs.context import Context, Report
from groundswell.records import Window
from groundswell.scheduling.plan import Planned, plan
from groundswell.settings import Settings
from groundswell.store import runs, workers
from groundswell.store.runs import AlreadyRunningError, Lease

if TYPE_CHECKING:
    from apscheduler.events import JobSubmissionEvent
    from apscheduler.schedulers.background import BackgroundScheduler

log = structlog.stdlib.get_logger("scheduler")
LEASE = "scheduler"
#: Who does not lead tries this often, and who leads looks this often whether that is still so.
LOOK_SECONDS = 5.0
#: What was due longer ago was missed, and waits for its next time: when a machine slept, or nobody led.
GRACE = timedelta(seconds=60)
#: A run under way when the process ends is given this long beyond its own time limit.
_STOP_SECONDS = 30.0

#: A job, and the moment at which it was due; None ends the waiting.
Due = tuple[Planned, datetime] | None


class Scheduler:
    """A thread that leads, or waits for the leader to go; `opened` returns the context, or raises DatabaseError."""

    def __init__(self, settings: Settings, opened: Callable[[], Context], worker: str) -> None:
        self._settings, self._opened, self._worker = settings, opened, worker
        self._due: queue.SimpleQueue[Due] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="scheduler", daemon=True)
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin to lead, or to wait for it."""
        self._thread.start()

    def stop(self) -> None:
        """Start nothing more, wait for the run under way, and leave the lead to others."""
        self._stopped.set()
        self._due.put(None)
        self._thread.join(self._settings.time_limit_seconds + _STOP_SECONDS)

    def _keep(self) -> None:
        while not self._stopped.is_set():
            try:
                self._lead(self._opened())
            except AlreadyRunningError:
                self._trouble = None
            except Exception as error:
                # While the database is away nothing can be run; it is said once.
                said = str(error) if isinstance(error, GroundswellError) else f"{type(error).__name__}: {error}"
                if said != self._trouble:
                    log.warning(f"Nothing is run by the schedule at present: {said}")
                self._trouble = said
            self._stopped.wait(LOOK_SECONDS)

    def _lead(self, context: Context) -> None:
        """Lead until told to stop; raises AlreadyRunningError where another leads, LeaseLostError once one does."""
        left_at = _left_at(context)
        with runs.lease(context.database, LEASE, self._worker) as held:
            self._trouble, self._due = None, queue.SimpleQueue()
            log.info("This process runs what is due", worker=self._worker)
            timer = _timer(plan(self._settings), left_at, self._due)
            try:
                while not self._stopped.is_set():
                    self._wait_and_run(context, held)
            finally:
                timer.shutdown(wait=False)

    def _wait_and_run(self, context: Context, held: Lease) -> None:
        try:
            due = self._due.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            held.check()
            return
        if due is None:
            return
        job, moment = due
        # The timer goes by this machine's clock, the moment by the database's.
        while (early := (moment - context.now()).total_seconds()) > 0:
            if self._stopped.wait(min(early, LOOK_SECONDS)):
                return
            held.check()
        run_once(context, held, job, moment)


def run_once(context: Context, held: Lease, job: Planned, moment: datetime) -> Report | None:
    """Return the report of a job that was due at the moment; None where it began since then, whoever began it.

    Raises LeaseLostError where another process leads by now.
    """
    held.check()
    begun = runs.started_since(context.database, job.kind, job.window, moment)
    if begun is not None:
        log.info(f"{job.name}, due at {moment:%Y-%m-%d %H:%M}, has begun already", run_id=begun)
        return None
    log.info(f"{job.name} is due")
    report = _run(job, context)
    log.info(f"{job.name} ended: {report.status}", run_id=report.body.get("runId"))
    return report


def leader(context: Context) -> workers.Worker | str | None:
    """Return who runs what is due: a worker, or its id where it has not yet been seen; None where nobody does."""
    found = runs.holder(context.database, LEASE)
    if found is None or not runs.is_current(found[1], context.now()):
        return None
    return next((one for one in workers.alive(context.database) if one.id == found[0]), found[0])


def _left_at(context: Context) -> datetime | None:
    """Return when a leader that died was last there, None where none did: what fell due since then is not missed."""
    found, now = runs.holder(context.database, LEASE), context.now()
    if found is None or runs.is_current(found[1], now):
        return None
    return max(found[1], now - GRACE)


def _timer(jobs: tuple[Planned, ...], left_at: datetime | None, due: queue.SimpleQueue[Due]) -> BackgroundScheduler:
    """Return the running timer that puts what is due into the queue; from there one after the other is run."""
    from apscheduler.events import EVENT_JOB_SUBMITTED
    from apscheduler.schedulers.background import BackgroundScheduler

    by_name = {job.name: job for job in jobs}

    def put(event: JobSubmissionEvent) -> None:
        moment = event.scheduled_run_times[-1]
        if datetime.now(UTC) - moment > GRACE:
            log.warning(f"{event.job_id}, due at {moment:%Y-%m-%d %H:%M}, was missed and waits for its next time")
        else:
            due.put((by_name[event.job_id], moment))

    timer = BackgroundScheduler(timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None})
    timer.add_listener(put, EVENT_JOB_SUBMITTED)
    for job in jobs:
        trigger = job.trigger()
        first = trigger.get_next_fire_time(None, left_at or datetime.now(UTC))
        timer.add_job(_nothing, trigger, id=job.name, next_run_time=first)
    timer.start()
    return timer


def _nothing() -> None:
    """Do nothing: the timer only says when."""


def _run(job: Planned, context: Context) -> Report:
    now = context.now()
    if job.kind == "retrain":
        from groundswell.jobs.retrain import retrain

        return retrain(context, job.window or Window.OBSERVED, now)
    if job.kind == "audit":
        from groundswell.jobs.audit import audit

        return audit(context, now)
    from groundswell.jobs.harvest import harvest

    return harvest(context, now)
