"""The JSON twins of the pages: every number that a page shows, and the two changes that a page can make."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict

from groundswell.access import Role
from groundswell.jobs import models as moves
from groundswell.overview import audited, data, lines, models, runs, today
from groundswell.overview.paging import MOST, USUAL
from groundswell.overview.plans import try_plan
from groundswell.records import Window
from groundswell.store.listing import Part
from groundswell.web.guard.callers import guarded
from groundswell.web.state import Here

reading = APIRouter(prefix="/api", route_class=guarded(Role.READ))
trying = APIRouter(prefix="/api", route_class=guarded(Role.PREDICT))
operating = APIRouter(prefix="/api", route_class=guarded(Role.OPERATE))


async def part(
    limit: Annotated[int, Query(ge=1, le=MOST, description="Entries at most.")] = USUAL,
    offset: Annotated[int, Query(ge=0, le=10**9, description="Entries left out before the first.")] = 0,
) -> Part:
    """Return which part of a list is asked for."""
    return Part(limit, offset)


Asked = Annotated[Part, Depends(part)]
#: What a kind of run may be called; other characters some databases cannot even look for.
KIND = "^[a-z-]{0,40}$"
#: Numbers beyond it are no version, and no database could look for them.
MOST_VERSION = 2**31 - 1
Number = Annotated[int, Path(ge=0, le=MOST_VERSION, description="The number of a model version.")]
_EXPECTED = Query(
    ge=0,
    le=MOST_VERSION,
    description="Version that was seen serving (0: none); where another serves by now, nothing moves: 409.",
)
Expected = Annotated[int | None, _EXPECTED]


@reading.get("/today", tags=["overview"], summary="Is it well, what serves, and what needs a human")
def get_today(state: Here) -> dict[str, Any]:
    """Answer the alarm, the champions, the last and the next runs, and under `attention` what somebody should do."""
    return today.show_today(state.context())


_PLANNED: dict[str, Any] = {"author": "someone", "description": "how to fold a paper crane #diy", "durationSeconds": 24}


class TryRequest(BaseModel):
    """A planned video, as `POST /api/predict` takes one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"window": "publish", "video": _PLANNED}]})

    window: Window = Window.PUBLISH
    video: dict[str, Any]


@trying.post("/try", tags=["predictions"], summary="Try a planned video at every hour and at several durations")
def post_try(request: TryRequest, state: Here) -> dict[str, Any]:
    """Answer its prediction, and the calibrated score at other hours and durations; nothing of it is stored."""
    context = state.context()
    return try_plan(context, state.predictor(), request.video, request.window, context.now())


@reading.get("/lines", tags=["overview"], summary="Every window with its champion and its alarm")
def get_lines(state: Here) -> dict[str, Any]:
    """Answer a line for each window; `champion` is null where nothing serves it."""
    return lines.list_lines(state.context())


@reading.get("/lines/{window}", tags=["overview"], summary="All of one line")
def get_line(window: Window, state: Here) -> dict[str, Any]:
    """Answer champion, evaluation, baselines, rollout and what the last audit found of the line."""
    return lines.show_line(state.context(), window)


@reading.get("/models", tags=["models"], summary="Model versions, newest first")
def get_models(state: Here, asked: Asked, window: Window | None = None) -> dict[str, Any]:
    """Answer that part of the versions, the champions, their rollouts and whether the ledger holds."""
    return models.list_models(state.context(), asked, window)


@reading.get("/models/{number}", tags=["models"], summary="One model version in full")
def get_model(number: Number, state: Here) -> dict[str, Any]:
    """Answer lineage, evaluation, decision with findings, and when it served."""
    return models.show_model(state.context(), number)


@operating.post("/models/{number}/promote", tags=["models"], summary="Let a version serve its window")
def promote(number: Number, state: Here, expected: Expected = None) -> dict[str, Any]:
    """Answer what serves now; `moved` is false where it did already."""
    return moves.promote(state.context(), number, expected)


@operating.post("/models/rollback", tags=["models"], summary="Put the champion before the present one back")
def rollback(state: Here, window: Window = Window.OBSERVED, expected: Expected = None) -> dict[str, Any]:
    """Answer what serves now."""
    return moves.rollback(state.context(), window, expected)


@reading.get("/audits", tags=["audits"], summary="Audits, newest first, and how the ECE went")
def get_audits(state: Here, asked: Asked) -> dict[str, Any]:
    """Answer time, figures in short, alarm and recommendation of each; `history` has the last ones oldest first."""
    return audited.list_audits(state.context(), asked)


@reading.get("/runs", tags=["runs"], summary="Runs, newest first")
def get_runs(
    state: Here,
    asked: Asked,
    kind: Annotated[str | None, Query(pattern=KIND, description="Only runs of this kind: retrain, audit …")] = None,
    status: Annotated[Literal["running", "completed", "skipped", "failed"] | None, Query()] = None,
) -> dict[str, Any]:
    """Answer that part of the runs in short, and how many there are of each kind and end."""
    return runs.list_runs(state.context(), asked, kind, status)


@reading.get("/runs/{run_id}", tags=["runs"], summary="One run with its report and its log")
def get_run(run_id: str, state: Here) -> dict[str, Any]:
    """Answer the report as it was stored, how long each step took, and the last lines it logged."""
    return runs.show_run(state.context(), run_id)


@reading.get("/data", tags=["overview"], summary="What is stored, refused and matured")
def get_data(state: Here) -> dict[str, Any]:
    """Answer counts by day, platform and source, rejections by reason, and maturity by window.

    Counts of whole tables are made in the background; each says how many `secondsAgo`, and is null before the first.
    """
    return data.show_data(state.context())
