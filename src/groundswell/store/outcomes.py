"""The outcomes: what the user's product and we ourselves know of how predictions turned out."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from groundswell.errors import RequestError
from groundswell.store import tables
from groundswell.store.database import Columns, Database
from groundswell.store.moments import moments

#: How we write times on SQLite; what is written otherwise came from somebody else and is read with care.
_OUR_TIMES = "____-__-__ __:__:__.______"
_PAIR_SCHEMA: Columns = {"predicted": pl.Float64, "actual": pl.Float64, "unread": pl.String}

_outcomes, _predictions, _matured = tables.outcomes, tables.predictions, tables.prediction_outcomes


@dataclasses.dataclass(frozen=True, slots=True)
class _Source:
    rows: sa.FromClause
    table: sa.Table
    predicted: sa.ColumnElement[Any]
    actual: sa.ColumnElement[Any]


_SOURCES = (
    _Source(_outcomes, _outcomes, _outcomes.c.predicted_score, _outcomes.c.actual_score),
    _Source(
        _matured.join(_predictions, _predictions.c.id == _matured.c.prediction_id),
        _matured,
        _predictions.c.score,
        _matured.c.actual_score,
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Pairs:
    """Predicted against actual: a frame `predicted`, `actual` in [0, 1], and how many rows could not be a pair.

    Left out are rows with both scores of which one is not a finite number, or whose `created_at` cannot be read.
    """

    frame: pl.DataFrame
    left_out: int


def pairs(database: Database, since: datetime, until: datetime) -> Pairs:
    """Return the pairs that were created from `since` to `until`, both included.

    They come from the user's `outcomes` and from our own matured predictions, without deleted ones and without those
    that lack a score.
    """
    parts = [_read(database, source, since, until) for source in _SOURCES]
    return Pairs(pl.concat([part.frame for part in parts], rechunk=True), sum(part.left_out for part in parts))


def ranges_held(database: Database, since: datetime, until: datetime) -> dict[str, tuple[int, int]]:
    """Return for each window how many matured predictions of the time stated a range of tiers, and how many held.

    Counted are outcomes created from `since` to `until`, without deleted ones.
    """
    own, matured = _predictions.c, _matured.c
    held = sa.case((matured.actual_tier.between(own.range_low, own.range_high), 1), else_=0)
    statement = (
        sa.select(own.window, sa.func.count(), sa.func.sum(held))
        .select_from(_matured.join(_predictions, own.id == matured.prediction_id))
        .where(matured.actual_tier.is_not(None), own.range_low.is_not(None), matured.deleted_at.is_(None))
        .where(matured.created_at >= since, matured.created_at <= until)
        .group_by(own.window)
        .order_by(own.window)
    )
    with database.read() as connection:
        return {window: (int(total), int(kept)) for window, total, kept in connection.execute(statement)}


def count(database: Database) -> int:
    """Return how many outcomes the user's table holds, without the deleted ones."""
    statement = sa.select(sa.func.count()).select_from(_outcomes).where(_outcomes.c.deleted_at.is_(None))
    with database.read() as connection:
        return connection.execute(statement).scalar_one()


def insert_missing(database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to the outcomes of the embedded product, those whose `id` is stored already left as they are."""
    if not rows:
        return
    with database.begin() as connection:
        connection.execute(database.insert(_outcomes).on_conflict_do_nothing(), [dict(row) for row in rows])


def record(
    database: Database,
    *,
    prediction_id: str,
    actual_views: int | None,
    actual_tier: int | None,
    actual_score: float | None,
    matured_at: datetime | None,
    at: datetime,
) -> None:
    """Store how one of our own predictions turned out; what was stored of it before is replaced.

    Raises RequestError if there is no such prediction.
    """
    found = {
        "actual_views": actual_views,
        "actual_tier": actual_tier,
        "actual_score": actual_score,
        "matured_at": matured_at,
        "deleted_at": None,
        "updated_at": at,
    }
    with database.begin() as connection:
        _require_prediction(connection, prediction_id)
        row = database.insert(_matured).values(prediction_id=prediction_id, created_at=at, **found)
        connection.execute(row.on_conflict_do_update(index_elements=["prediction_id"], set_=found))


def _require_prediction(connection: sa.Connection, prediction_id: str) -> None:
    try:
        known = sa.select(_predictions.c.id).filter_by(id=str(uuid.UUID(prediction_id)))
    except ValueError:
        raise RequestError(f"{prediction_id!r} is not the id of a prediction.") from None
    if connection.execute(known).first() is None:
        raise RequestError(f"There is no prediction {prediction_id}.")


def _read(database: Database, source: _Source, since: datetime, until: datetime) -> Pairs:
    rows = database.read_frame(_statement(database, source, since, until), _PAIR_SCHEMA)
    rows = rows.with_columns(created_at=moments(rows["unread"]))
    exact = pl.col("unread").is_null()  # the database could compare the time by itself
    readable = exact | pl.col("created_at").is_not_null()
    inside = exact | pl.col("created_at").is_between(since, until).fill_null(value=False)
    finite = (pl.col("predicted").is_finite() & pl.col("actual").is_finite()).fill_null(value=False)
    left_out = rows.select((~readable | (inside & ~finite)).sum()).item()
    scores = (pl.col("predicted", "actual") / 100).clip(0, 1)
    return Pairs(rows.filter(inside & finite).select(scores), left_out)


def _statement(database: Database, source: _Source, since: datetime, until: datetime) -> sa.Select[Any]:
    created_at, deleted_at = source.table.c.created_at, source.table.c.deleted_at
    predicted, actual = source.predicted, source.actual
    if database.is_postgres:
        text: sa.ColumnElement[Any] = sa.literal("")
        exact = created_at.is_not(None)
        predicted, actual = sa.cast(predicted, sa.Double), sa.cast(actual, sa.Double)
    else:
        text = sa.func.coalesce(sa.type_coerce(created_at, sa.Text), "")
        exact = text.like(_OUR_TIMES)
    return (
        sa.select(predicted, actual, sa.case((exact, sa.null()), else_=text))
        .select_from(source.rows)
        .where(deleted_at.is_(None), predicted.is_not(None), actual.is_not(None))
        .where(sa.or_(~exact, created_at.between(since, until)))
    )
