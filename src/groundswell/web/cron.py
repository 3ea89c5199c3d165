"""The cron endpoints: what a scheduler calls every week and every month."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from groundswell.errors import DatabaseError
from groundswell.jobs.audit import audit
from groundswell.jobs.context import Report
from groundswell.jobs.harvest import harvest
from groundswell.jobs.recalibrate import recalibrate
from groundswell.jobs.retrain import retrain
from groundswell.records import Window
from groundswell.web.bearers import require
from groundswell.web.state import State, state_of

STATUS_CODES = {"completed": 200, "skipped": 200, "already_running": 409, "failed": 500}


def _scheduler(request: Request) -> State:
    state = state_of(request)
    require(request, state.settings.cron_secret)
    return state


Scheduler = Annotated[State, Depends(_scheduler)]
router = APIRouter(prefix="/api/cron", tags=["cron"])


@router.get("/retrain-ml", operation_id="retrain_ml_get", summary="Retrain a line; the gate decides what serves")
@router.post("/retrain-ml", operation_id="retrain_ml_post", summary="Retrain a line; the gate decides what serves")
def retrain_ml(state: Scheduler, window: Annotated[Window, Query()] = Window.OBSERVED) -> JSONResponse:
    """Answer with the report of the run: 200 completed or skipped, 409 already running, 500 failed."""
    try:
        context = state.context()
        return _response(retrain(context, window, context.now()))
    except DatabaseError as error:
        return _failed(f"Training failed: {error}", error.hint)


@router.get("/calibration-audit", operation_id="calibration_audit_get", summary="Audit matured scores, recalibrate")
@router.post("/calibration-audit", operation_id="calibration_audit_post", summary="Audit matured scores, recalibrate")
def calibration_audit(state: Scheduler) -> JSONResponse:
    """Answer with the report of the run: 200 completed or skipped, 409 already running, 500 failed."""
    try:
        context = state.context()
        return _response(audit(context, context.now()))
    except DatabaseError as error:
        return _failed(f"Audit failed: {error}", error.hint)


@router.get("/harvest-outcomes", operation_id="harvest_outcomes_get", summary="Write outcomes of predictions")
@router.post("/harvest-outcomes", operation_id="harvest_outcomes_post", summary="Write outcomes of predictions")
def harvest_outcomes(state: Scheduler) -> JSONResponse:
    """Answer with the report of the run: 200 completed, 409 already running, 500 failed."""
    try:
        context = state.context()
        return _response(harvest(context, context.now()))
    except DatabaseError as error:
        return _failed(f"Harvest failed: {error}", error.hint)


@router.get("/recalibrate", operation_id="recalibrate_get", summary="New calibrators for a line, without training")
@router.post("/recalibrate", operation_id="recalibrate_post", summary="New calibrators for a line, without training")
def recalibrate_line(state: Scheduler, window: Annotated[Window, Query()] = Window.OBSERVED) -> JSONResponse:
    """Answer with the report of the run: 200 completed or skipped, 409 already running, 500 failed."""
    try:
        context = state.context()
        return _response(recalibrate(context, window, context.now()))
    except DatabaseError as error:
        return _failed(f"Recalibration failed: {error}", error.hint)


def _response(report: Report) -> JSONResponse:
    return JSONResponse(report.body, STATUS_CODES[report.status])


def _failed(error: str, hint: str) -> JSONResponse:
    return JSONResponse({"status": "failed", "error": error, "hint": hint}, 500)
