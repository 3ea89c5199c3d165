"""The cron endpoints: what a scheduler calls every day, every week and every month."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from groundswell.errors import DatabaseError, NoChampionError
from groundswell.jobs.audit import audit
from groundswell.jobs.context import Context, Report
from groundswell.jobs.harvest import harvest
from groundswell.jobs.recalibrate import recalibrate
from groundswell.jobs.retrain import retrain
from groundswell.records import Window
from groundswell.store import registry
from groundswell.web.errors import told
from groundswell.web.guard.bearers import require
from groundswell.web.state import State, state_of

STATUS_CODES = {"completed": 200, "skipped": 200, "already_running": 409, "failed": 500}
_ANSWER = "Answer with the report of the run: 200 completed or skipped, 409 already running, 500 failed."


async def _scheduler(request: Request) -> State:
    state = state_of(request)
    require(request, state.settings.cron_secret)
    return state


Scheduler = Annotated[State, Depends(_scheduler)]
Line = Annotated[Window, Query()]
#: What runs a job, given the context and the time of all processes.
Run = Callable[[Context, datetime], Report]
router = APIRouter(prefix="/api/cron", tags=["cron"])


def _route(path: str, summary: str) -> Callable[[Callable[..., JSONResponse]], Callable[..., JSONResponse]]:
    """Return what makes a function answer GET and POST: schedulers differ in which of them they can send."""

    def register(answer: Callable[..., JSONResponse]) -> Callable[..., JSONResponse]:
        for method in ("GET", "POST"):
            name = f"{answer.__name__}_{method.lower()}"
            router.add_api_route(
                path, answer, methods=[method], operation_id=name, summary=summary, description=_ANSWER
            )
        return answer

    return register


@_route("/retrain-ml", "Retrain a line; the gate decides what serves")
def retrain_ml(state: Scheduler, window: Line = Window.OBSERVED) -> JSONResponse:
    """Retrain a line."""
    return _ran(state, "Training", lambda context, now: retrain(context, window, now))


@_route("/calibration-audit", "Audit what matured; refit the score's calibration")
def calibration_audit(state: Scheduler) -> JSONResponse:
    """Audit."""
    return _ran(state, "Audit", audit)


@_route("/harvest-outcomes", "Write the outcomes of predictions that later readings show")
def harvest_outcomes(state: Scheduler) -> JSONResponse:
    """Harvest."""
    return _ran(state, "Harvest", harvest)


@_route("/recalibrate", "Find new calibrators and ranges for a line, without training")
def recalibrate_line(state: Scheduler, window: Line = Window.OBSERVED) -> JSONResponse:
    """Recalibrate a line."""

    def run(context: Context, now: datetime) -> Report:
        if window not in registry.champions(context.database):  # there is nothing that could fail: 409
            raise NoChampionError(f"No model serves the window {window.value!r} yet.")
        return recalibrate(context, window, now)

    return _ran(state, "Recalibration", run)


def _ran(state: State, title: str, run: Run) -> JSONResponse:
    try:
        context = state.context()
        report = run(context, context.now())
    except DatabaseError as error:
        return JSONResponse({"status": "failed", "error": f"{title} failed: {told(error)}", "hint": error.hint}, 500)
    return JSONResponse(report.body, STATUS_CODES[report.status])
