"""The prediction API: videos in, tiers, probabilities and scores out, in order."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
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
    reasons: bool = Field(False, description="Whether to say what moved each score most.")
    videos: Annotated[list[Any], Field(min_length=1, max_length=MOST_VIDEOS)]


class KeyedRoute(APIRoute):
    """A route that asks for the API key, where one is set, before it so much as reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request of the route."""
        answer_request = super().get_route_handler()

        async def ask_then_answer(request: Request) -> Response:
            key = state_of(request).settings.api_key
            if key is not None:
                require(request, key)
            return await answer_request(request)

        return ask_then_answer


router = APIRouter(tags=["predictions"])
keyed = APIRouter(tags=["predictions"], route_class=KeyedRoute)


@keyed.post("/api/predict", summary="Predict the tier of one video or of up to 10,000")
def predict(
    request: PredictRequest,
    state: Annotated[State, Depends(state_of)],
    window: Annotated[Window | None, Query(description="The same as `window` in the body, which it overrules.")] = None,
) -> dict[str, Any]:
    """Answer `predictions` in the order of `videos`: a prediction, or `error` and `hint`."""
    predictor = state.predictor()
    return answer(
        predictor.predict(request.videos, window or request.window, state.context().now(), reasons=request.reasons)
    )


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Is the process up?")
def healthz() -> dict[str, str]:
    """Answer at once, without looking at the database."""
    return {"status": "ok"}
