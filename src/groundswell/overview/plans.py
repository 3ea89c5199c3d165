"""A planned video, tried: what would be predicted, and how that changes with the hour of posting or the duration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from groundswell import parsing
from groundswell.jobs.context import Context
from groundswell.jobs.models import tell_version
from groundswell.predictor import Prediction, Predictor, Refusal
from groundswell.records import Window, as_json, utc
from groundswell.store import registry

HOURS = range(24)
DURATIONS = (5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180)

Video = Mapping[str, Any]


def try_plan(context: Context, predictor: Predictor, video: Video, window: Window, at: datetime) -> dict[str, Any]:
    """Return the prediction of a video and those of its copies at other hours and of other durations; none is stored.

    `prediction` is an error with its hint where the video cannot be predicted. Hours and durations are those of a plan,
    so in the other windows, where the video is posted already, both lists are empty. Raises NoChampionError,
    ArtifactError and StaleModelError.
    """
    (found,) = predictor.explore([video], window, at, reasons=True)
    answered = isinstance(found, Prediction) and window is Window.PUBLISH
    hours, durations = (_at_hours(video, at), _of_durations(video)) if answered else ([], [])
    copies = [copy for _, copy in (*hours, *durations)]
    scores = [_score(one) for one in predictor.explore(copies, window, at)] if copies else []
    champion = registry.champion(context.database, window)
    return {
        "window": window.value,
        "at": as_json(at),
        "prediction": _told(found),
        "model": champion and tell_version(champion, {window.value: champion.version}),
        "label": champion and {name: champion.lineage.get(name) for name in ("label", "cutPoints")},
        "labelAgeHours": context.settings.label_age.total_seconds() / 3_600 if window.is_forecast else None,
        "hour": _posted(video, at).hour,
        "byHour": _scored("hour", hours, scores),
        "byDuration": _scored("seconds", durations, scores[len(hours) :]),
    }


def _told(found: Prediction | Refusal) -> dict[str, Any]:
    told: dict[str, Any] = as_json(found)
    # Nothing was stored, so there is nothing that the id could name.
    return {name: value for name, value in told.items() if name != "predictionId"}


def _posted(video: Video, at: datetime) -> datetime:
    """Return when the video is, or is to be, posted: now, where the plan names no time that can be read."""
    named = parsing.lenient(parsing.moment, video.get("postedAt"))
    return at if named is None else utc(named)


def _at_hours(video: Video, at: datetime) -> list[tuple[int, Video]]:
    posted = _posted(video, at)
    return [(hour, {**video, "postedAt": as_json(posted.replace(hour=hour))}) for hour in HOURS]


def _of_durations(video: Video) -> list[tuple[int, Video]]:
    own = parsing.lenient(parsing.seconds, video.get("durationSeconds"))
    every = sorted({*DURATIONS, *([int(own)] if own is not None else [])})
    return [(seconds, {**video, "durationSeconds": seconds}) for seconds in every]


def _score(found: Prediction | Refusal) -> float | None:
    return found.calibrated_score if isinstance(found, Prediction) else None


def _scored(name: str, copies: Sequence[tuple[int, Video]], scores: Sequence[float | None]) -> list[dict[str, Any]]:
    """Return the calibrated score of each copy that could be predicted."""
    pairs = zip(copies, scores, strict=False)
    return [{name: value, "calibratedScore": score} for (value, _), score in pairs if score is not None]
