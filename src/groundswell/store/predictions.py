"""The predictions: every one that was served, with what it was made from and what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from groundswell.frames import MOMENT
from groundswell.records import MaturityCount
from groundswell.store import bulk, direct, tables
from groundswell.store.columns import text_of
from groundswell.store.database import Columns, Database
from groundswell.store.moments import moments

_PREDICTIONS, _OUTCOMES = tables.predictions.c, tables.prediction_outcomes.c
_WITH_OUTCOME = tables.predictions.outerjoin(tables.prediction_outcomes, _OUTCOMES.prediction_id == _PREDICTIONS.id)
_TO_FOLLOW: Columns = {
    "id": pl.String,
    "predicted_at": MOMENT,
    "window": pl.String,
    "platform": pl.String,
    "platform_video_id": pl.String,
    "model_version": pl.Int64,
    "posted_at": pl.String,
    "origin": pl.String,
    "actual_views": pl.Int64,
    "actual_tier": pl.Int64,
    "actual_score": pl.Float64,
    "actual_quantity": pl.Float64,
    "deleted": pl.Boolean,
}
_SERVED: Columns = {
    "id": pl.String,
    "predicted_at": MOMENT,
    "video": pl.String,
    "author": pl.String,
    "model_version": pl.Int64,
    "tier": pl.Int64,
    "range_low": pl.Int64,
    "range_high": pl.Int64,
    "score": pl.Float64,
    "probabilities": pl.String,
    "actual_tier": pl.Int64,
    "actual_quantity": pl.Float64,
    "outcome_at": MOMENT,
}
#: What `served` returns, beside `features` where they are asked for.
SERVED_SCHEMA: Columns = {**_SERVED, "probabilities": pl.List(pl.Float64)}


@dataclasses.dataclass(frozen=True, slots=True)
class Moments:
    """How many values there are, their mean and their variance."""

    n: int
    mean: float
    variance: float


#: Rows from which on PostgreSQL takes them by a copy.
_FEW = 100
#: So many ids stand in one statement.
_AT_ONCE = 500


def log(database: Database, rows: Sequence[Mapping[str, Any]], patience_seconds: float | None = None) -> None:
    """Store predictions that were served: all of them, or none; one that is stored already is left as it is.

    Each row has the columns of `tables.predictions`, the same ones in each. `patience_seconds` as in `Database.direct`.
    """
    if not rows:
        return
    names = list(rows[0])
    encoders = _encoders(database, names)
    values = [_encoded(list(row.values()), encoders) for row in rows]
    if database.is_postgres and len(values) >= _FEW:  # a copy takes four round trips
        with database.begin() as connection:
            bulk.insert(connection, str(tables.predictions), names, values)
        return
    with database.direct(write=True, patience_seconds=patience_seconds) as driver:
        direct.insert(driver, tables.predictions.name, names, values)


Encoder = Callable[[Any], Any]


def _encoders(database: Database, names: Sequence[str]) -> list[tuple[int, Encoder]]:
    """Return the place of each column that the driver does not take as it is, and what makes it so.

    SQLAlchemy's own way costs ten times as much.
    """
    types = [tables.predictions.c[name].type for name in names]
    json: list[tuple[int, Encoder]] = [
        (place, tables.json_text) for place, kind in enumerate(types) if isinstance(kind, tables.JsonText)
    ]
    times = [(place, _moment_text) for place, kind in enumerate(types) if isinstance(kind, tables.Moment)]
    return json if database.is_postgres else [*json, *times]


def _encoded(values: list[Any], encoders: Sequence[tuple[int, Encoder]]) -> tuple[Any, ...]:
    for place, encode in encoders:
        values[place] = encode(values[place])
    return tuple(values)


def _moment_text(value: datetime | None) -> str | None:
    return None if value is None else tables.moment_text(value)


def to_follow(database: Database, since: datetime) -> pl.DataFrame:
    """Return the predictions of known videos that lack an outcome, and those whose outcome is not older than `since`.

    Of each: what `harvest` needs to find its outcome, and the outcome that is stored (`origin` is null without one).
    `posted_at` is the posting time that the request named.
    """
    statement = (
        sa.select(
            text_of(database, _PREDICTIONS.id),
            _moment(_PREDICTIONS.predicted_at),
            _PREDICTIONS.window,
            sa.func.coalesce(_PREDICTIONS.platform, "tiktok"),
            _PREDICTIONS.platform_video_id,
            _PREDICTIONS.model_version,
            _of_input(database, "postedAt"),
            _OUTCOMES.origin,
            _OUTCOMES.actual_views,
            _OUTCOMES.actual_tier,
            _OUTCOMES.actual_score,
            _OUTCOMES.actual_quantity,
            _OUTCOMES.deleted_at.is_not(None),
        )
        .select_from(_WITH_OUTCOME)
        .where(_PREDICTIONS.platform_video_id.is_not(None))
        .where(sa.or_(_OUTCOMES.prediction_id.is_(None), _OUTCOMES.created_at >= since))
        .order_by(_PREDICTIONS.predicted_at, _PREDICTIONS.id)
    )
    rows = _read(database, statement, _TO_FOLLOW)
    return rows.with_columns(moments(rows["posted_at"]))


def served(
    database: Database,
    window: str,
    since: datetime,
    until: datetime,
    *,
    limit: int,
    matured: bool = False,
    features: bool = False,
) -> pl.DataFrame:
    """Return at most `limit` of the newest predictions of a window that were made from `since` to before `until`.

    With `matured`: those whose outcome (not a deleted one) was stored from `since` to `until`, both included, in the
    order in which they were made. The columns are those of SERVED_SCHEMA; `video` is null where none was named; a
    prediction without an outcome has null `actual_tier`, `actual_quantity` and `outcome_at`.
    """
    known = _OUTCOMES.deleted_at.is_(None) & _OUTCOMES.actual_tier.is_not(None)
    if matured:
        period = known & _OUTCOMES.created_at.between(since, until)
    else:
        period = (_PREDICTIONS.predicted_at >= since) & (_PREDICTIONS.predicted_at < until)
    statement = (
        sa.select(
            text_of(database, _PREDICTIONS.id),
            _moment(_PREDICTIONS.predicted_at),
            sa.func.coalesce(_PREDICTIONS.platform, "tiktok") + ":" + _PREDICTIONS.platform_video_id,
            *(_PREDICTIONS[name] for name in ("author", "model_version", "tier", "range_low", "range_high", "score")),
            _json_text(database, _PREDICTIONS.probabilities),
            *(sa.case((known, column)) for column in (_OUTCOMES.actual_tier, _OUTCOMES.actual_quantity)),
            sa.case((known, _moment(_OUTCOMES.created_at))),
            *([_json_text(database, _PREDICTIONS.features)] if features else []),
        )
        .select_from(_WITH_OUTCOME)
        .where(_PREDICTIONS.window == str(window), period)
        .order_by(_PREDICTIONS.predicted_at.desc(), _PREDICTIONS.id.desc())
        .limit(limit)
    )
    schema = _SERVED | ({"features": pl.String} if features else {})
    rows = _read(database, statement, schema).reverse()
    numbers = [name for name in ("probabilities", "features") if name in schema]
    return rows.with_columns(pl.col(name).str.json_decode(pl.List(pl.Float64)) for name in numbers)


def maturity(database: Database, since: datetime, until: datetime) -> list[MaturityCount]:
    """Return, for each window, how many predictions made from `since` to `until` have matured, and what of the rest."""
    own, has_outcome = _PREDICTIONS, _OUTCOMES.prediction_id.is_not(None) & _OUTCOMES.deleted_at.is_(None)
    open_ = ~has_outcome
    nameless = open_ & own.platform_video_id.is_(None)
    due = open_ & own.platform_video_id.is_not(None) & (own.matures_at <= until)
    young = open_ & own.platform_video_id.is_not(None) & sa.or_(own.matures_at > until, own.matures_at.is_(None))
    counted = (sa.func.count(sa.case((condition, 1))) for condition in (has_outcome, young, due, nameless))
    statement = (
        sa.select(own.window, sa.func.count(), *counted, sa.func.max(sa.case((young, own.matures_at))))
        .select_from(_WITH_OUTCOME)
        .where(own.predicted_at >= since, own.predicted_at <= until)
        .group_by(own.window)
        .order_by(own.window)
    )
    with database.read() as connection:
        return [MaturityCount(*row) for row in connection.execute(statement)]


def scores(database: Database, window: str, since: datetime, until: datetime) -> dict[bool, Moments]:
    """Return count, mean and variance of the scores of the predictions of the time, by whether they have matured."""
    matured = _OUTCOMES.prediction_id.is_not(None) & _OUTCOMES.deleted_at.is_(None)
    known = sa.case((matured, 1), else_=0).label("known")
    square = sa.func.avg(_PREDICTIONS.score * _PREDICTIONS.score)
    statement = (
        sa.select(known, sa.func.count(), sa.func.avg(_PREDICTIONS.score), square)
        .select_from(_WITH_OUTCOME)
        .where(_PREDICTIONS.window == str(window), _PREDICTIONS.predicted_at.between(since, until))
        .group_by("known")
    )
    with database.read() as connection:
        return {
            bool(has): Moments(n, float(mean), max(0.0, float(squared) - float(mean) ** 2))
            for has, n, mean, squared in connection.execute(statement)
        }


def find(database: Database, ids: Sequence[str], videos: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the predictions of these ids and of these videos (platform, id), oldest first, with what is known of each.

    The columns are id, predicted_at, window, platform, platform_video_id, model_version and matures_at.
    """
    own = _PREDICTIONS
    names = ("id", "predicted_at", "window", "platform", "platform_video_id", "model_version", "matures_at")
    video = sa.tuple_(sa.func.coalesce(own.platform, "tiktok"), own.platform_video_id)
    rows: dict[str, dict[str, Any]] = {}
    with database.read() as connection:
        for column, wanted in ((own.id, ids), (video, videos)):
            for start in range(0, len(wanted), _AT_ONCE):
                part = column.in_(wanted[start : start + _AT_ONCE])
                found = connection.execute(sa.select(*(own[name] for name in names)).where(part)).mappings()
                rows |= {str(row["id"]): dict(row) for row in found}
    return sorted(rows.values(), key=lambda row: (row["predicted_at"], str(row["id"])))


def _read(database: Database, statement: sa.Select[Any], schema: Columns) -> pl.DataFrame:
    """Return the rows; SQLite keeps times as text, and truth as a number."""
    if database.is_postgres:
        return database.read_frame(statement, schema)
    stored = {name: pl.String if dtype == MOMENT else dtype for name, dtype in schema.items()}
    stored |= {name: pl.Int64 for name, dtype in schema.items() if dtype == pl.Boolean}
    rows = database.read_frame(statement, stored)
    timed = (moments(rows[name]) for name, dtype in schema.items() if dtype == MOMENT)
    return rows.with_columns(timed).cast({name: dtype for name, dtype in schema.items() if dtype == pl.Boolean})


def _moment(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.type_coerce(column, sa.Text)


def _json_text(database: Database, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(column, sa.Text) if database.is_postgres else sa.type_coerce(column, sa.Text)


def _of_input(database: Database, name: str) -> sa.ColumnElement[Any]:
    """Return one entry of what was asked, as text."""
    if database.is_postgres:
        return sa.cast(_PREDICTIONS.input, postgresql.JSONB).op("->>")(name)
    return sa.func.json_extract(sa.type_coerce(_PREDICTIONS.input, sa.Text), f"$.{name}")
