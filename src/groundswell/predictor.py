"""The answering loop: what serves right now, applied to videos as they come, each answer logged."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from groundswell.calibration import scores
from groundswell.calibration.platt import Platt
from groundswell.calibration.scores import Floats
from groundswell.errors import ArtifactError, NoChampionError, WindowUnavailableError
from groundswell.frames import MOMENT, RawChunk
from groundswell.model import Model, model_from_bytes
from groundswell.records import Window, as_json
from groundswell.stages import features
from groundswell.stages.ingest import REASONS, clean
from groundswell.store import predictions, registry
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database

#: What a request calls each canonical column.
REQUEST_FIELDS = {
    "platform": "platform",
    "platformVideoId": "platform_video_id",
    "author": "author",
    "authorFollowers": "author_followers",
    "description": "description",
    "views": "views",
    "likes": "likes",
    "shares": "shares",
    "comments": "comments",
    "saves": "saves",
    "soundName": "sound_name",
    "hashtags": "hashtags",
    "durationSeconds": "duration_seconds",
    "postedAt": "posted_at",
}
#: The share of probability that a stated range of tiers holds at least.
RANGE_SHARE = 0.8
_NO_ID = "-"
_NEEDED = "Window `observed` describes a video by its counters: give `views` (1 or more) and `likes`."


@dataclasses.dataclass(frozen=True, slots=True)
class TierRange:
    """The narrowest run of neighbouring tiers that holds at least 80 % of the stated probability."""

    low: int
    high: int
    probability: float


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """One answer: probabilities of tiers 1–5, the likeliest tier, a range, the score and its calibrated form."""

    prediction_id: str
    window: Window
    tier: int
    probabilities: tuple[float, ...]
    range: TierRange
    score: float
    calibrated_score: float
    model_version: int
    calibration_version: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why one video got no prediction, and what to send instead."""

    error: str
    hint: str


class Predictor:
    """Serves every window from the registry; asks it at each request, so a promotion counts from the next one on."""

    def __init__(self, database: Database, artifacts: Artifacts) -> None:
        self._database = database
        self._artifacts = artifacts
        self._loaded: dict[Window, tuple[str, Model]] = {}
        self._loading = threading.Lock()

    def predict(self, videos: Sequence[Mapping[str, Any]], window: Window, at: datetime) -> list[Prediction | Refusal]:
        """Return an answer for each video, in order; a bad one is a refusal in its place, the rest are answered.

        `videos` are request objects (`REQUEST_FIELDS`, in camelCase or snake_case; other fields are ignored). Raises
        NoChampionError where nothing serves the window, ArtifactError where the champion's model cannot be had.
        """
        if window is not Window.OBSERVED:
            raise WindowUnavailableError(f"There is no line for the window {window.value!r} yet.")
        serving = registry.serving(self._database, window)
        if serving.version is None or serving.artifact is None:
            raise NoChampionError(f"No model serves the window {window.value!r} yet.")
        model = self._model(window, serving.artifact)
        rows, refusals = _clean(videos, at)
        answers: list[Prediction | Refusal | None] = [refusals.get(position) for position in range(len(videos))]
        if rows.height:
            values = features.matrix(rows)
            found = _predictions(model, values, window, serving)
            predictions.log(self._database, _records(found, rows, values, at))
            for position, prediction in zip(rows["line"].to_list(), found, strict=True):
                answers[position] = prediction
        return [answer for answer in answers if answer is not None]

    def _model(self, window: Window, artifact: str) -> Model:
        name, model = self._loaded.get(window, (None, None))
        if name == artifact and model is not None:
            return model
        with self._loading:
            loaded = model_from_bytes(self._artifacts.get(artifact))
            if loaded.feature_names != features.names():
                raise ArtifactError("The champion sees other features than this version of groundswell.")
            self._loaded[window] = (artifact, loaded)
        return loaded


def tier_range(probabilities: Floats) -> TierRange:
    """Return the narrowest run of tiers with at least 80 % of the probability; the likelier one of equals.

    >>> import numpy as np
    >>> tier_range(np.array([0.05, 0.25, 0.4, 0.25, 0.05]))
    TierRange(low=2, high=4, probability=0.9)
    """
    runs = [(low, high) for width in range(5) for low in range(1, 6 - width) for high in [low + width]]
    held = {(low, high): float(probabilities[low - 1 : high].sum()) for low, high in runs}
    enough = [run for run in runs if held[run] >= RANGE_SHARE - 1e-12]
    low, high = min(enough, key=lambda run: (run[1] - run[0], -held[run]))
    return TierRange(low, high, round(held[low, high], 6))


def _clean(videos: Sequence[Mapping[str, Any]], at: datetime) -> tuple[pl.DataFrame, dict[int, Refusal]]:
    """Return the usable videos, each with its position as `line`, and a refusal for every other position."""
    objects = [video if isinstance(video, Mapping) else {} for video in videos]
    columns = {
        column: [video.get(name, video.get(column)) for video in objects] for name, column in REQUEST_FIELDS.items()
    }
    # The rules of ingest hold for requests too, but a video that is only planned or described needs no id.
    given = columns["platform_video_id"]
    columns["platform_video_id"] = [_NO_ID if value is None or value == "" else value for value in given]
    cleaned = clean(RawChunk("videos", list(range(len(videos))), columns, []), "request", at)
    names = {column: name for name, column in REQUEST_FIELDS.items()}
    refusals = {
        rejection.line: Refusal(
            f"{names.get(rejection.field, rejection.field)}={rejection.value}: {REASONS[rejection.reason]}",
            "Correct the field and send this video again.",
        )
        for rejection in cleaned.rejections
    }
    for line, views, likes in cleaned.frame.select("line", "views", "likes").iter_rows():
        if not isinstance(videos[line], Mapping):
            refusals[line] = Refusal("A video must be a JSON object.", _NEEDED)
        elif not views:
            refusals[line] = Refusal("views is missing or 0.", _NEEDED)
        elif likes is None:
            refusals[line] = Refusal("likes is missing.", _NEEDED)
    usable = cleaned.frame.filter(~pl.col("line").is_in(list(refusals)))
    return usable.with_columns(pl.lit(None, MOMENT).alias("created_at")), refusals


def _predictions(model: Model, values: Floats, window: Window, serving: registry.Serving) -> list[Prediction]:
    probabilities = model.probabilities(values)
    tiers, plain = scores.likeliest(probabilities), scores.score(probabilities)
    calibration = serving.calibration
    calibrated = 100 * Platt(calibration.a, calibration.b).apply(plain / 100) if calibration else plain
    return [
        Prediction(
            prediction_id=str(uuid.uuid4()),
            window=window,
            tier=int(tiers[row]),
            probabilities=tuple(probabilities[row].tolist()),
            range=tier_range(probabilities[row]),
            score=round(float(plain[row]), 4),
            calibrated_score=round(float(calibrated[row]), 4),
            model_version=int(serving.version or 0),
            calibration_version=calibration.version if calibration else None,
        )
        for row in range(len(values))
    ]


def _records(found: Sequence[Prediction], rows: pl.DataFrame, values: Floats, at: datetime) -> list[dict[str, Any]]:
    inputs = rows.select(REQUEST_FIELDS.values()).rename({column: name for name, column in REQUEST_FIELDS.items()})
    return [
        {
            "id": prediction.prediction_id,
            "predicted_at": at,
            "window": prediction.window.value,
            "platform": given["platform"],
            "platform_video_id": None if given["platformVideoId"] == _NO_ID else given["platformVideoId"],
            "model_version": prediction.model_version,
            "calibration_version": prediction.calibration_version,
            "tier": prediction.tier,
            "probabilities": list(prediction.probabilities),
            "score": prediction.score,
            "calibrated_score": prediction.calibrated_score,
            "features": value,
            "input": as_json({name: item for name, item in given.items() if item not in (None, _NO_ID)}),
        }
        for prediction, given, value in zip(found, inputs.iter_rows(named=True), values.tolist(), strict=True)
    ]


def answer(predictions_: Sequence[Prediction | Refusal]) -> dict[str, Any]:
    """Return the answers as the body that the API sends and the CLI prints."""
    return {"predictions": as_json(list(predictions_))}
