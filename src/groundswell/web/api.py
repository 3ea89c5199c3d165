"""The prediction API: videos in, tiers, probabilities and scores out, in order."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from groundswell.predictor import answer
from groundswell.records import Window
from groundswell.web.bearers import require
from groundswell.web.state import State, state_of

MOST_VIDEOS = 10_000
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
    videos: Annotated[list[Any], Field(min_length=1, max_length=MOST_VIDEOS)]


def _caller(request: Request) -> State:
    state = state_of(request)
    if state.settings.api_key is not None:
        require(request, state.settings.api_key)
    return state


router = APIRouter(tags=["predictions"])


@router.post("/api/predict", summary="Predict the tier of one video or of up to 10,000")
def predict(request: PredictRequest, state: Annotated[State, Depends(_caller)]) -> dict[str, Any]:
    """Answer `predictions` in the order of `videos`: a prediction, or `error` and `hint`."""
    predictor = state.predictor()
    return answer(predictor.predict(request.videos, request.window, state.context().now()))


@router.get("/healthz", summary="Is the process up?")
def healthz() -> dict[str, str]:
    """Answer at once, without looking at the database."""
    return {"status": "ok"}
