"""The predictor: asks the registry at each request what serves, so a promotion counts from the next request on."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from groundswell.calibration import scores
from groundswell.calibration.platt import Platt
from groundswell.calibration.score_calibration import ScoreCalibration, score_calibration_from_content
from groundswell.calibration.scores import Floats
from groundswell.errors import ArtifactError, NoChampionError, StaleModelError
from groundswell.frames import MOMENT
from groundswell.model import Model, model_from_bytes
from groundswell.predictor.inputs import Inputs, forecast_inputs, observed_inputs
from groundswell.predictor.reasons import Reason, explain
from groundswell.predictor.requested import NO_ID, REQUEST_FIELDS, Refusal, Requested, read_request
from groundswell.records import CalibrationVersion, Window, as_json
from groundswell.stages import features, segments
from groundswell.stages.maturity import LabelAge
from groundswell.store import predictions, registry
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database

_LABEL = LabelAge(timedelta(hours=72))


@dataclasses.dataclass(frozen=True, slots=True)
class TierRange:
    """Neighbouring tiers that are to hold 80 % of such videos, and the probability stated for them."""

    low: int
    high: int
    probability: float


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """One answer: probabilities of tiers 1–5, the likeliest tier, a range, the score and its calibrated form.

    `reasons` is None where they were not asked for.
    """

    prediction_id: str
    window: Window
    tier: int
    probabilities: tuple[float, ...]
    range: TierRange
    score: float
    calibrated_score: float
    reasons: tuple[Reason, ...] | None
    model_version: int
    calibration_version: int | None


class Predictor:
    """Serves every window from the registry; `label` says at which age the outcomes of the past were read."""

    def __init__(self, database: Database, artifacts: Artifacts, label: LabelAge = _LABEL) -> None:
        self._database = database
        self._artifacts = artifacts
        self._label = label
        self._loaded: dict[Window, tuple[str, Model]] = {}
        self._loading = threading.Lock()

    def predict(
        self, videos: Sequence[Mapping[str, Any]], window: Window, at: datetime, *, reasons: bool = False
    ) -> list[Prediction | Refusal]:
        """Return an answer for each video, in order; a bad one is a refusal in its place, the rest are answered.

        `videos` are request objects (`REQUEST_FIELDS`, in camelCase or snake_case; other fields are ignored). Raises
        NoChampionError where nothing serves the window, ArtifactError where the champion's model cannot be had,
        StaleModelError where it was trained with another label age.
        """
        serving = registry.serving(self._database, window)
        if serving.version is None or serving.artifact is None:
            raise NoChampionError(f"No model serves the window {window.value!r} yet.", _retrain_hint(window))
        model = self._model(window, serving.artifact)
        requested = read_request(videos, window, at)
        inputs = self._inputs(requested, window, at)
        refusals, rows = inputs.requested.refusals, inputs.requested.rows
        answers: list[Prediction | Refusal | None] = [refusals.get(position) for position in range(len(videos))]
        if rows.height:
            told = explain(model, features.of_window(window), inputs.values) if reasons else None
            about = rows.with_columns(inputs.followers.alias("followers")).with_columns(
                segments.segment("platform", "followers"), _matures_at(window, self._label, at)
            )
            found = _predictions(
                model, inputs.values, serving, [f"{window.value}/{name}" for name in about["segment"]], told
            )
            predictions.log(self._database, _records(found, about, inputs.values, at))
            for position, prediction in zip(rows["line"].to_list(), found, strict=True):
                answers[position] = prediction
        return [answer for answer in answers if answer is not None]

    def _inputs(self, requested: Requested, window: Window, at: datetime) -> Inputs:
        if not requested.rows.height or window is Window.OBSERVED:
            return observed_inputs(requested)
        return forecast_inputs(self._database, requested, window, self._label, at)

    def _model(self, window: Window, artifact: str) -> Model:
        name, model = self._loaded.get(window, (None, None))
        if name == artifact and model is not None:
            return model
        with self._loading:
            loaded = model_from_bytes(self._artifacts.get(artifact))
            if loaded.feature_names != features.names(features.of_window(window)):
                raise ArtifactError("The champion sees other features than this version of groundswell.")
            hours = self._label.age.total_seconds() / 3_600
            if window.is_forecast and loaded.label_age_hours != hours:
                raise StaleModelError(
                    f"The champion of {window.value} learnt outcomes at an age of {loaded.label_age_hours:g} h, "
                    f"GROUNDSWELL_LABEL_AGE says {hours:g} h."
                )
            self._loaded[window] = (artifact, loaded)
        return loaded


def _retrain_hint(window: Window) -> str:
    retrain = f"groundswell retrain --window {window.value}" if window.is_forecast else "groundswell retrain"
    return f"Run `groundswell ingest PATH` and then `{retrain}`."


def _matures_at(window: Window, label: LabelAge, at: datetime) -> pl.Expr:
    """Return when the outcome can be read, null where nobody knows when it was posted.

    A description of counters is judged by a later reading at least.
    """
    matures = pl.col("posted_at") + label.age
    if window.is_forecast:
        return matures.alias("matures_at")
    later = pl.max_horizontal(matures, pl.lit(at, MOMENT))
    return pl.when(matures.is_not_null()).then(later).alias("matures_at")


def _predictions(
    model: Model,
    values: Floats,
    serving: registry.Serving,
    segment_names: Sequence[str],
    told: Sequence[tuple[Reason, ...]] | None,
) -> list[Prediction]:
    probabilities = model.probabilities(values)
    tiers, plain, ranges = (
        scores.likeliest(probabilities),
        scores.score(probabilities),
        model.reach.ranges(probabilities),
    )
    calibration = serving.calibration
    calibrated = 100 * score_calibration_of(calibration).apply(plain / 100, segment_names) if calibration else plain
    return [
        Prediction(
            prediction_id=str(uuid.uuid4()),
            window=model.window,
            tier=int(tiers[row]),
            probabilities=tuple(probabilities[row].tolist()),
            range=_tier_range(probabilities[row], int(ranges[row, 0]), int(ranges[row, 1])),
            score=round(float(plain[row]), 4),
            calibrated_score=round(float(calibrated[row]), 4),
            reasons=None if told is None else told[row],
            model_version=int(serving.version or 0),
            calibration_version=calibration.version if calibration else None,
        )
        for row in range(len(values))
    ]


def score_calibration_of(version: CalibrationVersion) -> ScoreCalibration:
    """Return what an active calibration does; the first ones were all Platt's and have no content."""
    if version.content is None:
        return ScoreCalibration(Platt(version.a, version.b), {})
    return score_calibration_from_content(version.content)


def _tier_range(probabilities: Floats, low: int, high: int) -> TierRange:
    return TierRange(low, high, round(float(probabilities[low - 1 : high].sum()), 6))


def _records(found: Sequence[Prediction], rows: pl.DataFrame, values: Floats, at: datetime) -> list[dict[str, Any]]:
    inputs = rows.select(REQUEST_FIELDS.values()).rename({column: name for name, column in REQUEST_FIELDS.items()})
    return [
        {
            "id": prediction.prediction_id,
            "predicted_at": at,
            "window": prediction.window.value,
            "platform": given["platform"],
            "platform_video_id": None if given["platformVideoId"] == NO_ID else given["platformVideoId"],
            "model_version": prediction.model_version,
            "calibration_version": prediction.calibration_version,
            "tier": prediction.tier,
            "range_low": prediction.range.low,
            "range_high": prediction.range.high,
            "probabilities": list(prediction.probabilities),
            "score": prediction.score,
            "calibrated_score": prediction.calibrated_score,
            "features": value,
            "author": given["author"],
            "segment": segment,
            "matures_at": matures_at,
            "input": as_json({name: item for name, item in given.items() if item not in (None, NO_ID)}),
        }
        for prediction, given, value, segment, matures_at in zip(
            found,
            inputs.iter_rows(named=True),
            values.tolist(),
            rows["segment"].to_list(),
            rows["matures_at"].to_list(),
            strict=True,
        )
    ]


def answer(predictions_: Sequence[Prediction | Refusal]) -> dict[str, Any]:
    """Return the answers as the body that the API sends and the CLI prints."""
    return {"predictions": as_json(list(predictions_))}
