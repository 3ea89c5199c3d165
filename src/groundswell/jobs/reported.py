"""Outcomes that the product reports itself: each is judged by the version that predicted, and recorded once."""

from __future__ import annotations

import dataclasses
import itertools
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import polars as pl

from groundswell import parsing
from groundswell.errors import ArtifactError, GroundswellError, RequestError
from groundswell.jobs.context import Context
from groundswell.jobs.judging import judge_of
from groundswell.records import StoredOutcome, as_json, camel
from groundswell.stages.harvest import COUNTERS
from groundswell.stages.ingest import REASONS
from groundswell.store import outcomes, predictions
from groundswell.store.outcomes import REPORTED

MOST_OUTCOMES = 10_000
#: What a report calls each counter.
FIELDS = {f"actual{name.capitalize()}": name for name in COUNTERS}
_KNOWN = frozenset({*FIELDS, "predictionId", "platform", "platformVideoId", "observedAt", "actualScore"})
_WHICH = "Name the prediction by `predictionId`, or the video by `platform` and `platformVideoId`."
_WHAT = "Give `actualViews` as they were at the label age (72 hours by default), or `actualScore` from 0 to 100."
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, slots=True)
class _Reported:
    """What one report says, once it could be read."""

    prediction_id: str | None
    video: tuple[str, str] | None
    counters: dict[str, int | None]
    score: float | None
    observed_at: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class _Claim:
    """What a report says of one prediction."""

    said: _Reported
    prediction: Mapping[str, Any]


def report_outcomes(context: Context, items: Sequence[Any], at: datetime) -> dict[str, Any]:
    """Return an answer for each report, in order: what was recorded with its status, or `error` and `hint`.

    A report of a video counts for each of its predictions and is answered by its `outcomes`. Saying the same again
    changes nothing (`unchanged`), saying something else replaces it (`corrected`), and the ledger keeps what was said
    before. A score alone corrects the score of an earlier outcome, of which the rest stays.
    """
    said = [_tried(partial(_read, item, at)) for item in items]
    claims = _claims(context, said)
    every = [claim for own in claims if not isinstance(own, GroundswellError) for claim in own]
    judged = iter(_judged(context, every))
    recorder = _Recorder(context, at, [str(claim.prediction["id"]) for claim in every])
    answers = [
        _refused(own)
        if isinstance(own, GroundswellError)
        else _answer(own[0].said, list(itertools.islice(judged, len(own))), recorder)
        for own in claims
    ]
    recorder.flush()
    return {"outcomes": answers}


def delete_outcome(context: Context, prediction_id: str, at: datetime) -> dict[str, Any]:
    """Return whether the outcome of the prediction was there to be deleted; no audit counts it from now on."""
    return {"predictionId": prediction_id, "deleted": outcomes.delete(context.database, _id(prediction_id), at)}


class _Recorder:
    """Writes outcomes many at a time, and knows what was said of each prediction before."""

    def __init__(self, context: Context, at: datetime, ids: Sequence[str]) -> None:
        self._database, self._at = context.database, at
        self._known = outcomes.stored(self._database, ids)
        self._new: dict[str, StoredOutcome] = {}

    def keep(self, outcome: StoredOutcome) -> tuple[StoredOutcome, str]:
        """Return the outcome as it is known from now on, and whether it was `recorded`, `unchanged` or `corrected`."""
        before = self._known.get(outcome.prediction_id)
        outcome = outcomes.known_after(before, outcome)
        if before is not None and _says(before) == _says(outcome):
            return before, "unchanged"
        if outcome.prediction_id in self._new:
            self.flush()
        self._new[outcome.prediction_id] = self._known[outcome.prediction_id] = outcome
        return outcome, "recorded" if before is None else "corrected"

    def flush(self) -> None:
        """Write what was not written yet, all or nothing."""
        outcomes.record(self._database, list(self._new.values()), self._at)
        self._new = {}


def _read(item: Any, at: datetime) -> _Reported:
    if not isinstance(item, Mapping):
        raise RequestError("An outcome must be a JSON object.", _WHICH)
    item = {camel(str(name)): value for name, value in item.items()}
    if unknown := sorted(name for name in item if name not in _KNOWN):
        raise RequestError(f"Unknown field {unknown[0]}.", f"Known are {', '.join(sorted(_KNOWN))}.")
    counters = {name: _parsed(parsing.count, item, field) for field, name in FIELDS.items()}
    score = _score(item)
    if counters["views"] is None and score is None:
        raise RequestError("There is neither actualViews nor actualScore.", _WHAT)
    if counters["views"] is None and (alone := [field for field, name in FIELDS.items() if counters[name] is not None]):
        raise RequestError(f"{alone[0]} says nothing without actualViews, read at the same time.", _WHAT)
    observed_at = _parsed(parsing.moment, item, "observedAt") or at
    if observed_at > at:
        raise RequestError("observedAt lies in the future.", "Give the time at which the counters were read.")
    if item.get("predictionId") is not None:
        return _Reported(_id(item["predictionId"]), None, counters, score, observed_at)
    if item.get("platformVideoId") is None or item["platformVideoId"] == "":
        raise RequestError("The outcome names no prediction.", _WHICH)
    platform, video = (
        _parsed(parser, item, field, _WHICH)
        for parser, field in ((parsing.platform, "platform"), (parsing.video_id, "platformVideoId"))
    )
    return _Reported(None, (platform, video), counters, score, observed_at)


def _claims(
    context: Context, said: Sequence[_Reported | GroundswellError]
) -> list[tuple[_Claim, ...] | GroundswellError]:
    """Return, for each report, what it says of which predictions; errors stay in their place."""
    read = [one for one in said if isinstance(one, _Reported)]
    ids = list({one.prediction_id for one in read if one.prediction_id})
    videos = list({one.video for one in read if one.video})
    by_name: dict[Any, list[Mapping[str, Any]]] = {}
    for row in predictions.find(context.database, ids, videos):
        for name in (str(row["id"]), (row["platform"] or "tiktok", row["platform_video_id"])):
            by_name.setdefault(name, []).append(row)
    return [one if isinstance(one, GroundswellError) else _tried(partial(_timely, one, by_name)) for one in said]


def _timely(said: _Reported, by_name: Mapping[Any, Sequence[Mapping[str, Any]]]) -> tuple[_Claim, ...]:
    """Return what the report says of each prediction that it can say something of; raises RequestError for none."""
    found = by_name.get(said.prediction_id or said.video, ())
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
    return tuple(_Claim(said, row) for row in timely)


def _judged(context: Context, claims: Sequence[_Claim]) -> list[StoredOutcome | GroundswellError]:
    """Return the outcome of each claim by the version that predicted; an error where that cannot be had."""
    by_version: dict[int, list[int]] = {}
    for place, claim in enumerate(claims):
        by_version.setdefault(claim.prediction["model_version"], []).append(place)
    found: dict[int, StoredOutcome | GroundswellError] = {}
    for number, places in by_version.items():
        own = [claims[place] for place in places]
        judged = _tried(partial(_outcomes, context, number, own))
        results = [judged] * len(own) if isinstance(judged, GroundswellError) else judged
        found |= dict(zip(places, results, strict=True))
    return [found[place] for place in range(len(claims))]


def _outcomes(context: Context, number: int, claims: Sequence[_Claim]) -> list[StoredOutcome]:
    counters = [claim.said.counters for claim in claims]
    judged = judge_of(context, number).judge(pl.DataFrame(counters, schema=dict.fromkeys(COUNTERS, pl.Int64)))
    rows = zip(claims, judged.tiers.tolist(), judged.scores.tolist(), judged.quantity.tolist(), strict=True)
    return [
        StoredOutcome(
            prediction_id=str(claim.prediction["id"]),
            actual_views=claim.said.counters["views"],
            actual_tier=tier or None,
            actual_score=_known(score, 6) if claim.said.score is None else claim.said.score,
            actual_quantity=_known(quantity),
            matured_at=claim.prediction["matures_at"] or claim.said.observed_at,
            observed_at=claim.said.observed_at,
            origin=REPORTED,
        )
        for claim, tier, score, quantity in rows
    ]


def _answer(said: _Reported, found: Sequence[StoredOutcome | GroundswellError], recorder: _Recorder) -> dict[str, Any]:
    told = [_refused(one) if isinstance(one, GroundswellError) else _told(*recorder.keep(one)) for one in found]
    if said.video is None:
        return told[0]
    return {"platform": said.video[0], "platformVideoId": said.video[1], "outcomes": told}


def _told(outcome: StoredOutcome, status: str) -> dict[str, Any]:
    return {
        "predictionId": outcome.prediction_id,
        "status": status,
        "actualTier": outcome.actual_tier,
        "actualScore": outcome.actual_score,
        "maturedAt": as_json(outcome.matured_at),
    }


def _refused(error: GroundswellError) -> dict[str, Any]:
    return {"error": str(error), "hint": error.hint}


def _tried(attempt: Callable[[], _T]) -> _T | GroundswellError:
    """Return what the attempt does, or the error that answers it: one bad report must not refuse the others."""
    try:
        return attempt()
    except (RequestError, ArtifactError) as error:
        return error


def _known(value: float, digits: int | None = None) -> float | None:
    if math.isnan(value):
        return None
    return value if digits is None else round(value, digits)


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
        raise RequestError(f"{_shown(value)} is not the id of a prediction.", _WHICH) from None


def _score(item: Mapping[str, Any]) -> float | None:
    value = item.get("actualScore")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise RequestError(f"actualScore={_shown(value)} is no number from 0 to 100.", _WHAT)
    return float(value)


def _parsed(parser: Any, item: Mapping[str, Any], field: str, hint: str = _WHAT) -> Any:
    try:
        return parser(item.get(field))
    except parsing.InvalidValueError as error:
        raise RequestError(f"{field}={_shown(item.get(field))}: {REASONS.get(str(error), error)}", hint) from None


def _shown(value: Any) -> str:
    """Return the beginning of a value: a refusal need not send all of it back."""
    return repr(value)[:100]
