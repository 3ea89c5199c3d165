"""The forms a video takes on its journey: frozen records, and how they become JSON."""

from __future__ import annotations

import dataclasses
import enum
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

TIERS = (1, 2, 3, 4, 5)
#: The score a tier stands for: the middle of its range [0,25) [25,45) [45,65) [65,80) [80,100].
TIER_MIDPOINTS = (12.5, 35.0, 55.0, 72.5, 90.0)
TIER_RANGES = ((0.0, 25.0), (25.0, 45.0), (45.0, 65.0), (65.0, 80.0), (80.0, 100.0))


class Window(enum.StrEnum):
    """How long a video has been watched when we predict."""

    PUBLISH = "publish"
    HOUR_1 = "1h"
    HOUR_6 = "6h"
    HOUR_24 = "24h"
    OBSERVED = "observed"

    @property
    def age(self) -> timedelta:
        """The age at which the window closes; `observed` has no end.

        >>> Window.HOUR_6.age
        datetime.timedelta(seconds=21600)
        """
        return _AGES[self]

    @property
    def is_forecast(self) -> bool:
        """Whether the window looks ahead: all but `observed`."""
        return self is not Window.OBSERVED


_AGES = {
    Window.PUBLISH: timedelta(0),
    Window.HOUR_1: timedelta(hours=1),
    Window.HOUR_6: timedelta(hours=6),
    Window.HOUR_24: timedelta(hours=24),
    Window.OBSERVED: timedelta.max,
}


class Outcome(enum.StrEnum):
    """What a check found."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


class Verdict(enum.StrEnum):
    """What the gate returns."""

    PROMOTE = "promote"
    HOLD = "hold"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One reason, by code: what was checked, what came out, and the numbers in a sentence."""

    code: str
    title: str
    outcome: Outcome
    explanation: str


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval and the rows it rests on; `low` and `high` are None where none exists."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclasses.dataclass(frozen=True, slots=True)
class TierReport:
    """Precision and recall of one tier; None where the tier was never predicted or never occurred."""

    tier: int
    precision: float | None
    recall: float | None
    support: int


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What the gate returns: promote or hold, why in one line, what would have been enough, and every finding."""

    decision: Verdict
    reason: str
    enough: str
    findings: tuple[Finding, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Rejection:
    """One row refused at ingest: where it stands, which field, the value seen, and why."""

    file: str
    line: int
    field: str
    value: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Lineage:
    """What a version was made of: enough to say whether the same could be made again."""

    data_hash: str
    source: str
    rows: int
    first_posted_at: datetime | None
    last_posted_at: datetime | None
    code_version: str
    settings: Mapping[str, Any]
    seed: int
    label: str
    cut_points: tuple[float, ...] | None
    as_of: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class ModelVersion:
    """One numbered model of a line, as the registry knows it."""

    version: int
    window: Window
    created_at: datetime
    source: str
    artifact: str
    training_rows: str
    lineage: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    decision: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class CalibrationVersion:
    """One numbered fit of the score calibration: `1/(1+exp(a·x+b))` with x = score/100, and whether it serves."""

    version: int
    created_at: datetime
    a: float
    b: float
    active: bool
    reason: str
    pairs: int
    content: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class MaturityCount:
    """How many predictions of a window have an outcome, and what of the rest.

    `maturing` are too young (the last of them matures at `matures_by`), `unread` are old enough but were not read
    since, and of the `nameless` no video is known, so that their outcome must be reported.
    """

    window: str
    predictions: int
    matured: int
    maturing: int
    unread: int
    nameless: int
    matures_by: datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class StoredOutcome:
    """How one of our own predictions turned out; what is not known of it is None.

    `actual_quantity` is what the version ranked (views, or WES); `observed_at` is when it was read; `origin` is
    `harvest` or `reported`.
    """

    prediction_id: str
    actual_views: int | None
    actual_tier: int | None
    actual_score: float | None
    actual_quantity: float | None
    matured_at: datetime | None
    observed_at: datetime | None
    origin: str


@dataclasses.dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the append-only history; `hash` covers everything before it."""

    seq: int
    at: str
    kind: str
    payload: str
    previous_hash: str
    hash: str


def utc(moment: datetime) -> datetime:
    """Return the moment as an aware UTC time; a time without a zone is taken as UTC.

    >>> utc(datetime(2025, 1, 2, 3)).isoformat()
    '2025-01-02T03:00:00+00:00'
    """
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def as_json(value: Any) -> Any:
    """Return the value as plain JSON types: record fields in camelCase, times in ISO 8601 UTC, NaN as null.

    Keys of mappings are data (tier numbers, feature names) and are left as they are.

    >>> as_json(Estimate(0.5, None, 0.7, n=3))
    {'value': 0.5, 'low': None, 'high': 0.7, 'n': 3}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {camel(f.name): as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, datetime):
        return utc(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no word for it
    return str(value) if isinstance(value, (enum.Enum, Path)) else value


def rounded(value: Any, digits: int) -> Any:
    """Return JSON types with every float rounded.

    >>> rounded({"a": [0.12345, 7]}, 3)
    {'a': [0.123, 7]}
    """
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    return [rounded(item, digits) for item in value] if isinstance(value, list) else value


def camel(name: str) -> str:
    """Return a snake_case name in camelCase.

    >>> camel("test_accuracy")
    'testAccuracy'
    """
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name)
