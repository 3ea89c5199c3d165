"""Outcomes that the product reports itself: each is judged by the version that predicted, and recorded once."""

from __future__ import annotations

import dataclasses
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from groundswell import parsing
from groundswell.errors import ArtifactError, RequestError
from groundswell.jobs.context import Context
from groundswell.jobs.judging import Judge, judge_of
from groundswell.records import StoredOutcome, as_json
from groundswell.stages.harvest import COUNTERS
from groundswell.store import outcomes, predictions
from groundswell.store.outcomes import REPORTED

MOST_OUTCOMES = 10_000
#: What a report calls each counter.
FIELDS = {f"actual{name.capitalize()}": name for name in COUNTERS}
_KNOWN = frozenset({*FIELDS, "predictionId", "platform", "platformVideoId", "observedAt", "actualScore"})
_WHICH = "Name the prediction by `predictionId`, or the video by `platform` and `platformVideoId`."
_WHAT = "Give `actualViews` as they were at the label age (72 hours by default), or `actualScore` from 0 to 100."


@dataclasses.dataclass(frozen=True, slots=True)
class _Reported:
    """What one report says, once it could be read."""

    prediction_id: str | None
    video: tuple[str, str] | None
    counters: dict[str, int | None]
    score: float | None
    observed_at: datetime


def report_outcomes(context: Context, items: Sequence[Any], at: datetime) -> dict[str, Any]:
    """Return an answer for each report, in order: its outcomes with their status, or `error` and `hint`.

    A report of a video counts for each of its predictions. Saying the same again changes nothing (`unchanged`), saying
    something else replaces it (`corrected`), and the ledger keeps what was said before.
    """
    answers: list[dict[str, Any]] = []
    judges: dict[int, Judge] = {}
    for item in items:
        try:
            answers.append({"outcomes": _report(context, _read(item, at), judges, at)})
        except (RequestError, ArtifactError) as error:
            answers.append({"error": str(error), "hint": error.hint})
    return {"outcomes": answers}


def delete_outcome(context: Context, prediction_id: str, at: datetime) -> dict[str, Any]:
    """Return whether the outcome of the prediction was there to be deleted; no audit counts it from now on."""
    return {"predictionId": prediction_id, "deleted": outcomes.delete(context.database, _id(prediction_id), at)}


def _read(item: Any, at: datetime) -> _Reported:
    if not isinstance(item, Mapping):
        raise RequestError("An outcome must be a JSON object.", _WHICH)
    if unknown := sorted(str(name) for name in item if name not in _KNOWN):
        raise RequestError(f"Unknown field {unknown[0]}.", f"Known are {', '.join(sorted(_KNOWN))}.")
    counters = {name: _parsed(parsing.count, item, field) for field, name in FIELDS.items()}
    score = _score(item)
    if counters["views"] is None and score is None:
        raise RequestError("There is neither actualViews nor actualScore.", _WHAT)
    observed_at = _parsed(parsing.moment, item, "observedAt") or at
    if observed_at > at:
        raise RequestError("observedAt lies in the future.", "Give the time at which the counters were read.")
    if item.get("predictionId") is not None:
        return _Reported(_id(item["predictionId"]), None, counters, score, observed_at)
    if item.get("platformVideoId") is None or item["platformVideoId"] == "":
        raise RequestError("The outcome names no prediction.", _WHICH)
    platform, video = (
        _parsed(parser, item, field)
        for parser, field in ((parsing.platform, "platform"), (parsing.video_id, "platformVideoId"))
    )
    return _Reported(None, (platform, video), counters, score, observed_at)


def _report(context: Context, said: _Reported, judges: dict[int, Judge], at: datetime) -> list[dict[str, Any]]:
    ids, videos = ([said.prediction_id] if said.prediction_id else []), ([said.video] if said.video else [])
    found = predictions.find(context.database, ids, videos)
    if not found:
        raise RequestError("There is no such prediction.", _WHICH)
    timely = [row for row in found if row["predicted_at"] <= said.observed_at]
    if not timely:
        raise RequestError(
            "The counters were read before the prediction was made.", "Read the video again, past its label age."
        )
    if early := [row["matures_at"] for row in timely if row["matures_at"] and row["matures_at"] > said.observed_at]:
        raise RequestError(
            f"The video has not matured: its outcome is read at {as_json(min(early))} or later.",
            "Report it again then.",
        )
    for row in timely:
        number = row["model_version"]
        judges[number] = judges.get(number) or judge_of(context, number)
    return _record(context, [_outcome(said, row, judges[row["model_version"]]) for row in timely], at)


def _outcome(said: _Reported, prediction: Mapping[str, Any], judge: Judge) -> StoredOutcome:
    tier, score, quantity = None, said.score, None
    if said.counters["views"] is not None:
        judged = judge.judge(pl.DataFrame([said.counters], schema=dict.fromkeys(COUNTERS, pl.Int64)))
        tier = int(judged.tiers[0]) or None
        quantity = None if math.isnan(judged.quantity[0]) else float(judged.quantity[0])
        if score is None and not math.isnan(judged.scores[0]):
            score = round(float(judged.scores[0]), 6)
    return StoredOutcome(
        prediction_id=str(prediction["id"]),
        actual_views=said.counters["views"],
        actual_tier=tier,
        actual_score=score,
        actual_quantity=quantity,
        matured_at=prediction["matures_at"] or said.observed_at,
        observed_at=said.observed_at,
        origin=REPORTED,
    )


def _record(context: Context, found: Iterable[StoredOutcome], at: datetime) -> list[dict[str, Any]]:
    answers = []
    for outcome in found:
        before = outcomes.stored(context.database, [outcome.prediction_id]).get(outcome.prediction_id)
        status = "recorded" if before is None else "unchanged" if _says(before) == _says(outcome) else "corrected"
        if status != "unchanged":
            outcomes.record(context.database, [outcome], at)
        answers.append(
            {
                "predictionId": outcome.prediction_id,
                "status": status,
                "actualTier": outcome.actual_tier,
                "actualScore": outcome.actual_score,
                "maturedAt": as_json(outcome.matured_at),
            }
        )
    return answers


def _says(outcome: StoredOutcome) -> tuple[Any, ...]:
    return (
        outcome.actual_views,
        outcome.actual_tier,
        outcome.actual_score,
        outcome.actual_quantity,
        outcome.origin,
    )


def _id(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise RequestError(f"{value!r} is not the id of a prediction.", _WHICH) from None


def _score(item: Mapping[str, Any]) -> float | None:
    value = item.get("actualScore")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise RequestError(f"actualScore={value!r} is no number from 0 to 100.", _WHAT)
    return float(value)


def _parsed(parser: Any, item: Mapping[str, Any], field: str) -> Any:
    try:
        return parser(item.get(field))
    except parsing.InvalidValueError as error:
        raise RequestError(f"{field}={item.get(field)!r}: {error}.", _WHAT) from None
