"""The prediction API: videos in, tiers, probabilities and scores out, in order."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundswell.access import Role
from groundswell.jobs.audits import show_audit
from groundswell.jobs.reported import MOST_OUTCOMES, delete_outcome, report_outcomes
from groundswell.predictor import Rows, Write, answer, unknown_fields
from groundswell.records import Window
from groundswell.web.bodies import Json
from groundswell.web.guard.callers import guarded
from groundswell.web.guard.headers import REPORT_POLICY
from groundswell.web.state import Here, State

MOST_VIDEOS = 10_000
#: A video of some kilobytes is read in no time.
_SMALL_BYTES = 65_536
_EXAMPLE: dict[str, Any] = {
    "window": "observed",
    "videos": [
        {
            "platform": "tiktok",
            "platformVideoId": "7300000000000000000",
            "author": "someone",
            "authorFollowers": 12000,
            "description": "how to fold a paper crane #diy",
            "views": 150000,
            "likes": 9000,
            "shares": 400,
            "comments": 120,
            "saves": 800,
            "soundName": "original sound",
            "hashtags": ["diy"],
            "durationSeconds": 24,
            "postedAt": "2026-01-05T17:30:00Z",
        }
    ],
}


class PredictRequest(BaseModel):
    """Videos to predict; each needs only what its window needs, and a bad one gets an error in its place."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    window: Window = Window.OBSERVED
    reasons: bool = Field(False, description="Whether to say what moved each score most.")
    videos: Annotated[list[Any], Field(min_length=1, max_length=MOST_VIDEOS)]


_REPORT: dict[str, Any] = {
    "outcomes": [
        {
            "predictionId": "3f1c2d9e-58a4-4d0e-9a53-0c2f1a6f7b11",
            "actualViews": 182000,
            "observedAt": "2026-01-08T18:00:00Z",
        }
    ]
}


class OutcomesRequest(BaseModel):
    """Reports: each names a prediction by `predictionId`, or a video by `platform` and `platformVideoId`, and gives
    `actualViews` (and `actualLikes`, `actualComments`, `actualShares` for a WES label) or `actualScore`.

    What is known of an outcome already: a report with `actualViews` replaces all of it; one with `actualScore` alone
    corrects the score and leaves the rest."""

    model_config = ConfigDict(json_schema_extra={"examples": [_REPORT]})

    outcomes: Annotated[list[Any], Field(min_length=1, max_length=MOST_OUTCOMES)]

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, body: Any) -> Any:
        """Return a single report as a list of one."""
        alone = isinstance(body, dict) and "outcomes" not in body and {"predictionId", "platformVideoId"} & body.keys()
        return {"outcomes": [body]} if alone else body


predicting = APIRouter(tags=["predictions"], route_class=guarded(Role.PREDICT))
reading = APIRouter(tags=["audits"], route_class=guarded(Role.READ))


#: Said to be a UUID, and read by the job, which says what else it may be.
PredictionId = Annotated[str, Path(json_schema_extra={"format": "uuid"})]


@predicting.post("/api/predict", summary="Predict the tier of one video or of up to 10,000")
async def predict(
    http: Request,
    request: PredictRequest,
    state: Here,
    window: Annotated[Window | None, Query(description="The same as `window` in the body, which it overrules.")] = None,
) -> Json:
    """Answer `predictions` in the order of `videos`: a prediction, or `error` and `hint`."""
    asked = window or request.window
    # A description of one video takes less time than a thread takes to begin, and the embedded database is but a file.
    if asked is not Window.OBSERVED or len(request.videos) > 1 or not _is_small(http) or not state.is_near():
        return await run_in_threadpool(_answered, state, request, asked)
    waiting: list[Rows] = []

    def store(rows: Rows) -> None:
        if not state.store_at_once(rows):
            waiting.append(rows)

    answered = _answered(state, request, asked, store)
    for rows in waiting:  # somebody else writes: a thread waits for that, not the event loop
        await run_in_threadpool(state.store, rows)
    return answered


def _is_small(http: Request) -> bool:
    length = http.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and int(length) <= _SMALL_BYTES


def _answered(state: State, request: PredictRequest, window: Window, write: Write | None = None) -> Json:
    found = state.predictor().predict(request.videos, window, state.now(), reasons=request.reasons, write=write)
    unknown = unknown_fields(request.videos)
    return Json(answer(found) | ({"ignoredFields": unknown} if unknown else {}))


@predicting.post("/api/outcomes", tags=["outcomes"], summary="Report how predictions turned out, up to 10,000 at once")
def outcomes(request: OutcomesRequest, state: Here) -> dict[str, Any]:
    """Answer `outcomes` in the order of the reports: what was recorded of each, or `error` and `hint`."""
    context = state.context()
    return report_outcomes(context, request.outcomes, context.now())


@predicting.delete("/api/outcomes/{prediction_id}", tags=["outcomes"], summary="Take back the outcome of a prediction")
def forget_outcome(prediction_id: PredictionId, state: Here) -> dict[str, Any]:
    """Answer whether there was one; no audit counts it from now on, and the ledger keeps it."""
    context = state.context()
    return delete_outcome(context, prediction_id, context.now())


@reading.get("/api/audits/{run_id}", summary="One audit as it was written", response_model=None)
def audit(
    run_id: str,
    state: Here,
    format: Annotated[Literal["json", "html"], Query(description="`html` for the report with pictures.")] = "json",  # noqa: A002
) -> dict[str, Any] | HTMLResponse:
    """Answer the frozen report; `frozen` says whether it still is what the ledger noted when it was written."""
    body = show_audit(state.context(), run_id)
    if format == "json":
        return body
    from groundswell.reports.audit import render

    return HTMLResponse(render(body), headers={"Content-Security-Policy": REPORT_POLICY})
