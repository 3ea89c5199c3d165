"""The predictor: asks the registry at each request what serves, so a promotion counts from the next request on."""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import repeat
from typing import Any

import structlog

from groundswell.calibration import scores
from groundswell.calibration.platt import Platt
from groundswell.calibration.score_calibration import ScoreCalibration, score_calibration_from_content
from groundswell.errors import ArtifactError, DatabaseError, NoChampionError, StaleModelError
from groundswell.model import Model, model_from_bytes
from groundswell.predictor.asked import Asked, ask
from groundswell.predictor.reasons import Reason, explain
from groundswell.predictor.requested import NO_ID, REQUEST_FIELDS, Refusal
from groundswell.predictor.unlike import Unlike
from groundswell.records import CalibrationVersion, Window, as_json
from groundswell.stages import features
from groundswell.stages.maturity import LabelAge
from groundswell.store import predictions, registry
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database
from groundswell.telemetry import predicted, stage

#: While the database is away it is asked again only so often, since each question may take until a timeout.
_AWAY_SECONDS = 2.0
#: A model that could not be loaded is tried again only so often.
_REFUSED_SECONDS = 10.0
log = structlog.stdlib.get_logger("predictor")
_LABEL = LabelAge(timedelta(hours=72))
#: Stores rows of predictions, or sees to it that they will be.
Write = Callable[[Sequence[Mapping[str, Any]]], None]


@dataclasses.dataclass(frozen=True, slots=True)
class TierRange:
    """Neighbouring tiers that are to hold 80 % of such videos, and the probability stated for them."""

    low: int
    high: int
    probability: float


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """One answer: probabilities of tiers 1–5, the likeliest tier, a range, the score and its calibrated form.

    `reasons` is None where they were not asked for; `notice` says where the video is unlike all the model learnt from.
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
    notice: str | None = None

    def body(self) -> dict[str, Any]:
        """Return the answer as JSON types: what `as_json` says of it, ten times as fast."""
        return {
            "predictionId": self.prediction_id,
            "window": self.window.value,
            "tier": self.tier,
            "probabilities": list(self.probabilities),
            "range": {"low": self.range.low, "high": self.range.high, "probability": self.range.probability},
            "score": self.score,
            "calibratedScore": self.calibrated_score,
            "reasons": None if self.reasons is None else as_json(self.reasons),
            "modelVersion": self.model_version,
            "calibrationVersion": self.calibration_version,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Champion:
    """What serves a window: the registry's word, the model that was loaded for it, and what corrects its scores.

    `unlike` tells of videos in what they are unlike all that the model learnt from.
    """

    serving: registry.Serving
    model: Model
    calibration: ScoreCalibration | None
    unlike: Unlike


class Predictor:
    """Serves every window from the registry; `label` says at which age the outcomes of the past were read.

    `write` stores what is to be logged; by default each answer waits until the database has it. `is_away` tells that
    nobody need ask the database, since it does not answer. While it is away, or a champion cannot be loaded, what was
    loaded last goes on serving; where nothing was, the champion before does.
    """

    def __init__(
        self,
        database: Database,
        artifacts: Artifacts,
        label: LabelAge = _LABEL,
        write: Write | None = None,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._label = label
        self._write = write or partial(predictions.log, database)
        self._is_away = is_away
        self._champions: dict[Window, Champion] = {}
        self._loading = threading.Lock()
        self._away_until = 0.0
        self._refused: dict[str, float] = {}

    def predict(
        self,
        videos: Sequence[Mapping[str, Any]],
        window: Window,
        at: datetime,
        *,
        reasons: bool = False,
        write: Write | None = None,
    ) -> list[Prediction | Refusal]:
        """Return an answer for each video, in order; a bad one is a refusal in its place, the rest are answered.

        `videos` are request objects (`REQUEST_FIELDS`, in camelCase or snake_case; other fields are ignored). `write`
        stores what is to be logged in place of the predictor's own. Raises
        NoChampionError where nothing serves the window, ArtifactError where the champion's model cannot be had,
        StaleModelError where it was trained with another label age.
        """
        asked, found = self._answered(videos, window, at, reasons=reasons)
        with stage("log"):
            (write or self._write)(_records(found, asked, self._label, at))
        predicted(window.value, [prediction.tier for prediction in found])
        return _in_order(asked, found, len(videos))

    def explore(
        self, videos: Sequence[Mapping[str, Any]], window: Window, at: datetime, *, reasons: bool = False
    ) -> list[Prediction | Refusal]:
        """Return the same as `predict`, and log nothing: for what somebody only tries."""
        asked, found = self._answered(videos, window, at, reasons=reasons)
        return _in_order(asked, found, len(videos))

    def load(self, window: Window) -> int:
        """Load what serves a window, and return its version; raises as `predict` does."""
        return self.champion(window).serving.version or 0

    def _answered(
        self, videos: Sequence[Mapping[str, Any]], window: Window, at: datetime, *, reasons: bool
    ) -> tuple[Asked, list[Prediction]]:
        champion = self.champion(window)
        asked = ask(self._database, videos, window, self._label, at)
        if not asked.lines:
            return asked, []
        with stage("model"):
            told = explain(champion.model, features.of_window(window), asked.values) if reasons else None
            return asked, predictions_of(champion, asked, told)

    def champion(self, window: Window) -> Champion:
        """Return what serves by the registry's word, or by its last word while the database is away.

        Raises as `predict` does.
        """
        known = self._champions.get(window)
        try:
            if known is not None and self._serves_on(known, window):
                return known
            return self._successor(known, window, registry.serving(self._database, window))
        except DatabaseError:
            if known is None:
                raise
            self._away_until = time.monotonic() + _AWAY_SECONDS
            return known

    def _serves_on(self, known: Champion, window: Window) -> bool:
        if time.monotonic() < self._away_until or self._is_away():
            return True
        return registry.serving_versions(self._database, window) == known.serving.versions

    def _successor(self, known: Champion | None, window: Window, serving: registry.Serving) -> Champion:
        if serving.version is None or serving.artifact is None:
            raise NoChampionError(f"No model serves the window {window.value!r} yet.", _retrain_hint(window))
        if known is not None and known.serving.artifact == serving.artifact:
            return known if known.serving == serving else self._serve(window, serving, known.model)
        if known is not None and time.monotonic() < self._refused.get(serving.artifact, 0.0):
            return known
        try:
            with self._loading:
                return self._loaded(window, serving, serving.artifact)
        except (ArtifactError, StaleModelError) as error:
            known = known or self._before(window, serving)
            if known is None:
                raise
            self._refused[serving.artifact] = time.monotonic() + _REFUSED_SECONDS
            log.error(
                f"Version {serving.version} of {window.value} cannot be loaded, version {known.serving.version} "
                f"serves on: {error}"
            )
            return known

    def _before(self, window: Window, serving: registry.Serving) -> Champion | None:
        """Return the champion before the present one, which cannot be loaded; None where that cannot be had either."""
        try:
            version = registry.before_champion(self._database, window)
            with self._loading:
                return self._loaded(
                    window,
                    dataclasses.replace(serving, version=version.version, artifact=version.artifact),
                    version.artifact,
                )
        except (ArtifactError, StaleModelError, NoChampionError):
            return None

    def _loaded(self, window: Window, serving: registry.Serving, artifact: str) -> Champion:
        known = self._champions.get(window)
        if known is not None and known.serving.artifact == artifact:
            return self._serve(window, serving, known.model)
        model = model_from_bytes(self._artifacts.get(artifact))
        if model.feature_names != features.names(features.of_window(window)):
            raise ArtifactError("The champion sees other features than this version of groundswell.")
        hours = self._label.age.total_seconds() / 3_600
        if window.is_forecast and model.label_age_hours != hours:
            raise StaleModelError(
                f"The champion of {window.value} learnt outcomes at an age of {model.label_age_hours:g} h, "
                f"GROUNDSWELL_LABEL_AGE says {hours:g} h."
            )
        return self._serve(window, serving, model)

    def _serve(self, window: Window, serving: registry.Serving, model: Model) -> Champion:
        calibration = score_calibration_of(serving.calibration) if serving.calibration else None
        unlike = Unlike(model.reference, features.of_window(window))
        # One assignment: a request sees the champion before or the one after, never half of one.
        champion = self._champions[window] = Champion(serving, model, calibration, unlike)
        return champion


def _retrain_hint(window: Window) -> str:
    retrain = f"groundswell retrain --window {window.value}" if window.is_forecast else "groundswell retrain"
    return f"Run `groundswell ingest PATH` and then `{retrain}`."


def _matures_at(window: Window, posted_at: datetime | None, label: LabelAge, at: datetime) -> datetime | None:
    """Return when the outcome can be read, None where nobody knows when it was posted.

    A description of counters is judged by a later reading at least.
    """
    if posted_at is None:
        return None
    matures = posted_at + label.age
    return matures if window.is_forecast else max(matures, at)


def predictions_of(champion: Champion, asked: Asked, told: Sequence[tuple[Reason, ...]] | None) -> list[Prediction]:
    """Return what the champion says of each video that was asked about, with the reasons told of it."""
    model, serving = champion.model, champion.serving
    probabilities = model.probabilities(asked.values)
    plain, calibration = scores.score(probabilities), champion.calibration
    segment_names = [f"{model.window.value}/{name}" for name in asked.segments]
    calibrated = 100 * calibration.apply(plain / 100, segment_names) if calibration else plain
    ends = model.reach.ranges(probabilities).tolist()
    version = int(serving.version or 0)
    calibration_version = serving.calibration.version if serving.calibration else None
    rows = zip(
        scores.likeliest(probabilities).tolist(),
        probabilities.tolist(),
        ends,
        plain.tolist(),
        calibrated.tolist(),
        repeat(None) if told is None else told,
        champion.unlike.told(asked.values),
        strict=False,  # what is repeated has no end
    )
    return [
        Prediction(
            prediction_id=str(uuid.uuid4()),
            window=model.window,
            tier=tier,
            probabilities=tuple(chances),
            range=TierRange(low, high, round(sum(chances[low - 1 : high]), 6)),
            score=round(score, 4),
            calibrated_score=round(own, 4),
            reasons=reasons,
            model_version=version,
            calibration_version=calibration_version,
            notice=notice,
        )
        for tier, chances, (low, high), score, own, reasons, notice in rows
    ]


def _in_order(asked: Asked, found: Sequence[Prediction], many: int) -> list[Prediction | Refusal]:
    answers: dict[int, Prediction | Refusal] = {**asked.refusals, **dict(zip(asked.lines, found, strict=True))}
    return [answers[position] for position in range(many)]


def score_calibration_of(version: CalibrationVersion) -> ScoreCalibration:
    """Return what an active calibration does; the first ones were all Platt's and have no content."""
    if version.content is None:
        return ScoreCalibration(Platt(version.a, version.b), {})
    return score_calibration_from_content(version.content)


def _records(found: Sequence[Prediction], asked: Asked, label: LabelAge, at: datetime) -> list[dict[str, Any]]:
    return [
        {
            "id": prediction.prediction_id,
            "predicted_at": at,
            "window": prediction.window.value,
            "platform": video["platform"],
            "platform_video_id": None if video["platform_video_id"] == NO_ID else video["platform_video_id"],
            "model_version": prediction.model_version,
            "calibration_version": prediction.calibration_version,
            "tier": prediction.tier,
            "range_low": prediction.range.low,
            "range_high": prediction.range.high,
            "probabilities": prediction.probabilities,
            "score": prediction.score,
            "calibrated_score": prediction.calibrated_score,
            "features": values,
            "author": video["author"],
            "segment": segment,
            "matures_at": _matures_at(prediction.window, video["posted_at"], label, at),
            "input": {
                name: as_json(value) if isinstance(value, datetime) else value
                for name, column in REQUEST_FIELDS.items()
                if (value := video[column]) is not None and value != NO_ID
            },
        }
        for prediction, video, values, segment in zip(
            found, asked.videos, asked.values.tolist(), asked.segments, strict=True
        )
    ]


def answer(predictions_: Sequence[Prediction | Refusal]) -> dict[str, Any]:
    """Return the answers as the body that the API sends and the CLI prints; `notices` only where there are any."""
    said = [
        {"index": index, "notice": found.notice}
        for index, found in enumerate(predictions_)
        if isinstance(found, Prediction) and found.notice
    ]
    return {"predictions": [found.body() for found in predictions_], **({"notices": said} if said else {})}
