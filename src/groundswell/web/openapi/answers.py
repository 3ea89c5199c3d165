"""What the routes answer with, as models: for the OpenAPI document alone, since no answer is made by them.

Each names what a caller may rely on; an answer may say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema

from groundswell.records import Window

Alarm = Literal["green", "amber", "red", "insufficient"]
Chance = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(ge=0, le=100)]
Tier = Annotated[int, Field(ge=1, le=5)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", alias_generator=to_camel, populate_by_name=True)


class Error(_Answer):
    """What went wrong, and what to do next."""

    error: str = Field(examples=["No model serves the window 'publish' yet."])
    hint: str | None = Field(
        None, description="What to do next; 401 says nothing more.", examples=["Run `groundswell …`."]
    )
    request_id: str | None = Field(None, description="Under which the server's log says more.")


class Range(_Answer):
    """The tiers between which the video comes to lie, and how likely that is."""

    low: Tier
    high: Tier
    probability: Chance


class Reason(_Answer):
    """What moved the score, and by how many points."""

    theme: str
    points: float
    text: str


class Prediction(_Answer):
    """How far a video will carry, how sure that is, and by which model."""

    prediction_id: str
    window: Window
    tier: Tier
    probabilities: Annotated[list[Chance], Field(min_length=5, max_length=5)]
    range: Range
    score: Score
    calibrated_score: Score
    reasons: list[Reason] | None
    model_version: int
    calibration_version: int | None


class Notice(_Answer):
    """In what a video is unlike all that the model learnt from."""

    index: int
    notice: str


class Refusal(_Answer):
    """Why this one could not be answered; the others were."""

    error: str
    hint: str


class Predictions(_Answer):
    """A prediction, or a refusal, for each video, in order."""

    predictions: list[Prediction | Refusal]
    notices: list[Notice] = Field([], description="Only where there are any; `index` is the place of the video.")
    ignored_fields: list[str] = Field([], description="Only where fields of the videos mean nothing here: their names.")


class Tried(_Answer):
    """A prediction of a planned video, and how it changes with what can still be chosen."""

    prediction: Prediction | Refusal


class Recorded(_Answer):
    """What was recorded of a report."""

    prediction_id: str
    status: str
    actual_tier: Tier | None
    actual_score: Score | None


class Outcomes(_Answer):
    """What was recorded, or why it was refused, for each report, in order."""

    outcomes: list[Recorded | Refusal]


class Forgotten(_Answer):
    """Whether there was an outcome to take back."""

    prediction_id: str
    deleted: bool


class Estimate(_Answer):
    """A figure with its 95 % interval and its n."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Version(_Answer):
    """A model version in short."""

    version: int
    window: Window
    champion: bool
    created_at: datetime
    source: str
    rows: int | None
    artifact: str
    test_accuracy: Estimate | None
    rps: Estimate | None
    recalibrated_from: int | None
    reason: str | None


class Part(_Answer):
    """A part of a list: how many there are in all, and which these are."""

    total: int
    limit: int
    offset: int


class Ledger(_Answer):
    """Whether the history is what it was."""

    status: str
    explanation: str


class Versions(Part):
    """Model versions, newest first, and what serves."""

    models: list[Version]
    champions: dict[str, int]
    ledger: Ledger


class VersionInFull(Version):
    """A model version with what it was made of, how good it was, and why it was let serve or held."""

    lineage: dict[str, Any]
    evaluation: dict[str, Any]
    decision: dict[str, Any]


class Moved(_Answer):
    """What serves a window now, and whether that is new."""

    window: Window
    champion: int
    moved: bool


class Run(_Answer):
    """A run in short."""

    run_id: str
    kind: str
    window: str | None
    status: str
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None
    said: str | None
    error: str | None
    hint: str | None


class Runs(Part):
    """Runs, newest first."""

    runs: list[Run]
    kinds: dict[str, int]
    statuses: dict[str, int]


class RunInFull(Run):
    """A run with its report."""

    report: dict[str, Any] | None


class Audit(_Answer):
    """An audit in short."""

    audited_at: datetime
    run_id: str
    status: str


class Audits(Part):
    """Audits, newest first, and how the ECE went."""

    audits: list[Audit]
    history: list[dict[str, Any]]
    threshold: float


class AuditInFull(_Answer):
    """The report of an audit as it was written."""

    status: str
    run_id: str


class Line(_Answer):
    """A window with its champion and its last audit."""

    window: Window
    versions: int
    champion: Version | None


class Lines(_Answer):
    """Every window."""

    lines: list[Line]


class LineInFull(_Answer):
    """All of one window; null is what there is not."""

    window: Window
    champion: Version | None
    evaluation: dict[str, Any] | None
    decision: dict[str, Any] | None
    audit: dict[str, Any] | None


class Matter(_Answer):
    """What somebody should do."""

    urgency: str
    title: str
    text: str


class Today(_Answer):
    """Is it well, what serves, and what needs a human."""

    at: datetime
    alarm: dict[str, Any] | None
    attention: list[Matter]
    lines: list[Line]
    last_runs: list[Run]
    next_runs: list[dict[str, Any]]


class Counted(_Answer):
    """Counts of a whole table, and how old they are; null before they were first made."""

    counted: dict[str, Any] | None
    seconds_ago: float | None


class Data(_Answer):
    """What is stored, refused and matured."""

    at: datetime
    videos: Counted
    readings: Counted
    predictions: Counted
    matured: Counted
    ingests: dict[str, Any]


class Received(_Answer):
    """What became of a scraper's items; `repeated` says that the run was taken in before."""

    status: Literal["completed"]
    run_id: str
    read: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    rejected_by: dict[str, int]
    repeated: bool


class Ignored(_Answer):
    """Why there was nothing to do."""

    status: Literal["ignored"]
    run_id: str | None
    reason: str


class Retrained(_Answer):
    """A retrain that promoted (`completed`) or held (`skipped`, with the reason)."""

    status: Literal["completed", "skipped"]
    run_id: str
    window: Window
    source: str | None = None
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    confusion_matrix: list[list[int]] | None = None
    video_count: int | None = None
    tier_distribution: list[int] | None = None
    model_version: int | None = None
    reason: str | None = None


class Audited(_Answer):
    """An audit, or why there was too little to audit."""

    status: Literal["completed", "skipped"]
    ece: float | None = None
    drift_detected: bool | None = None
    drift_threshold: float | None = None
    total_samples: int | None = None
    platt_active: bool | None = None
    alarm: Alarm | None = None
    reason: str | None = None
    samples: int | None = None
    required: int | None = None


class Ran(_Answer):
    """How a run ended."""

    status: Literal["completed", "skipped"]
    run_id: str


class Failed(_Answer):
    """Why a run failed."""

    status: Literal["failed"]
    error: str


class AlreadyRunning(_Answer):
    """Which run is under way."""

    status: Literal["already_running"]
    run_id: str


class Up(_Answer):
    """The process answers."""

    status: Literal["ok"]


class Check(_Answer):
    """What a check found."""

    ok: bool
    said: str


class Ready(_Answer):
    """Whether predictions can be answered and stored."""

    status: Literal["ready", "not ready"]
    predictions: str
    checks: dict[str, Check]


Models = tuple[type[BaseModel], ...]
_RUN: Mapping[int, Models] = {409: (AlreadyRunning,), 500: (Failed, Error)}
#: What is answered, by method and path, and by status.
ANSWERS: dict[tuple[str, str], Mapping[int, Models]] = {
    **{(method, "/api/cron/retrain-ml"): {200: (Retrained,), **_RUN} for method in ("get", "post")},
    **{(method, "/api/cron/calibration-audit"): {200: (Audited,), **_RUN} for method in ("get", "post")},
    **{(method, "/api/cron/harvest-outcomes"): {200: (Ran,), **_RUN} for method in ("get", "post")},
    # Where there is no champion to recalibrate, it is no run that would have failed.
    **{
        (method, "/api/cron/recalibrate"): {200: (Ran,), 409: (AlreadyRunning, Error), 500: (Failed, Error)}
        for method in ("get", "post")
    },
    ("post", "/api/predict"): {200: (Predictions,)},
    ("post", "/api/try"): {200: (Tried,)},
    ("post", "/api/outcomes"): {200: (Outcomes,)},
    ("delete", "/api/outcomes/{prediction_id}"): {200: (Forgotten,)},
    ("get", "/api/today"): {200: (Today,)},
    ("get", "/api/lines"): {200: (Lines,)},
    ("get", "/api/lines/{window}"): {200: (LineInFull,)},
    ("get", "/api/models"): {200: (Versions,)},
    ("get", "/api/models/{number}"): {200: (VersionInFull,)},
    ("post", "/api/models/{number}/promote"): {200: (Moved,)},
    ("post", "/api/models/rollback"): {200: (Moved,)},
    ("get", "/api/audits"): {200: (Audits,)},
    ("get", "/api/audits/{run_id}"): {200: (AuditInFull,)},
    ("get", "/api/runs"): {200: (Runs,)},
    ("get", "/api/runs/{run_id}"): {200: (RunInFull,)},
    ("get", "/api/data"): {200: (Data,)},
    ("post", "/api/webhooks/apify"): {200: (Received, Ignored)},
    ("get", "/healthz"): {200: (Up,)},
    ("get", "/readyz"): {200: (Ready,), 503: (Ready, Error)},
}


def schemas() -> dict[str, Any]:
    """Return the schemas of all answers, by the name of the model."""
    every = (named for answers in ANSWERS.values() for named in answers.values())
    models: set[type[BaseModel]] = {Error, *(model for named in every for model in named)}
    ordered = sorted(models, key=lambda model: model.__name__)
    template = "#/components/schemas/{model}"
    _, found = models_json_schema([(model, "serialization") for model in ordered], ref_template=template)
    return dict(found["$defs"])
