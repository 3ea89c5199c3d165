"""The outcomes: what the user's product and we ourselves know of how predictions turned out."""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from groundswell.errors import RequestError
from groundswell.records import StoredOutcome, as_json
from groundswell.store import ledger, tables
from groundswell.store.database import Columns, Database
from groundswell.store.moments import moments

#: How we write times on SQLite; what is written otherwise came from somebody else and is read with care.
_OUR_TIMES = "0000-00-00 00:00:00.000000".replace("0", "[0-9]")
_PAIR_SCHEMA: Columns = {
    "predicted": pl.Float64,
    "actual": pl.Float64,
    "segment": pl.String,
    "unit": pl.String,
    "creator": pl.String,
    "too_early": pl.Int64,
    "unread": pl.String,
}
#: Where an outcome comes from.
HARVEST, REPORTED = "harvest", "reported"
#: Why a row of outcomes is no pair.
UNREADABLE, MISSING_SCORE, DELETED, BEFORE_PREDICTION = (
    "unreadable",
    "missing_score",
    "deleted",
    "before_its_prediction",
)

_outcomes, _predictions, _matured = tables.outcomes, tables.predictions, tables.prediction_outcomes


@dataclasses.dataclass(frozen=True, slots=True)
class _Source:
    """Where pairs come from; `unit` is what rows that are no independent evidence have in common."""

    rows: sa.FromClause
    table: sa.Table
    predicted: sa.ColumnElement[Any]
    actual: sa.ColumnElement[Any]
    segment: sa.ColumnElement[Any]
    unit: sa.ColumnElement[Any]
    creator: sa.ColumnElement[Any]
    too_early: sa.ColumnElement[Any]


_SOURCES = (
    _Source(
        rows=_outcomes,
        table=_outcomes,
        predicted=_outcomes.c.predicted_score,
        actual=_outcomes.c.actual_score,
        segment=_outcomes.c.platform + "/unknown",
        unit=sa.cast(_outcomes.c.analysis_id, sa.Text),
        creator=sa.cast(sa.null(), sa.Text),
        too_early=sa.literal(0),
    ),
    _Source(
        rows=_matured.join(_predictions, _predictions.c.id == _matured.c.prediction_id),
        table=_matured,
        predicted=_predictions.c.score,
        actual=_matured.c.actual_score,
        segment=_predictions.c.window + "/" + _predictions.c.segment,
        unit=_predictions.c.platform + ":" + _predictions.c.platform_video_id,
        creator=_predictions.c.platform + ":" + _predictions.c.author,
        too_early=sa.case((_matured.c.observed_at < _predictions.c.predicted_at, 1), else_=0),
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Pairs:
    """Predicted against actual: a frame, how many rows could not be a pair and why, and how many scores were clipped.

    The columns are `predicted`, `actual` in [0, 1], `segment` (null where not known), `unit`, `creator` (numbers) and
    `own` (whether it is an outcome of our own predictions). Rows of one unit (a video; for the product's outcomes the
    same analysis, said twice) are no independent evidence; null: a row stands for itself.
    """

    frame: pl.DataFrame
    left_out: Mapping[str, int]
    clipped: int
    duplicates: int


def pairs(database: Database, since: datetime, until: datetime) -> Pairs:
    """Return the pairs that were created from `since` to `until`, both included.

    They come from the user's `outcomes` and from our own matured predictions, without deleted ones, those that lack a
    score, and those that were read before they were predicted.
    """
    left_out: Counter[str] = Counter()
    parts, clipped = [], 0
    for source in _SOURCES:
        frame, outside = _read(database, source, since, until, left_out)
        parts.append(frame.with_columns(pl.lit(source.table is _matured).alias("own")))
        clipped += outside
    frame = pl.concat(parts, rechunk=True)
    said = frame.filter(pl.col("unit").is_not_null()).select(pl.struct("unit", "predicted", "actual").hash())
    duplicates = said.height - said.to_series().n_unique()
    # An analysis may have several outcomes; only those that say the very same again are one.
    told_twice = pl.struct("unit", "predicted", "actual").hash().is_duplicated() if duplicates else pl.lit(value=False)
    unit = pl.when(pl.col("own") | told_twice).then("unit")
    found = {reason: number for reason, number in sorted(left_out.items()) if number}
    return Pairs(frame.with_columns(unit.alias("unit")), found, clipped, duplicates)


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


def record(database: Database, found: Sequence[StoredOutcome], at: datetime) -> int:
    """Return how many of the outcomes were new; the others replace what was stored, which the ledger keeps.

    What was reported or deleted stays as it is unless it is reported again. Of two that are recorded at once the later
    one knows the earlier. Raises RequestError if there is no such prediction.
    """
    if not found:
        return 0
    ids = [outcome.prediction_id for outcome in found]
    with database.begin() as connection:
        _lock_predictions(connection, ids)
        before = _stored(connection, ids)
        new = [outcome for outcome in found if outcome.prediction_id not in before]
        if new:
            rows = [dataclasses.asdict(outcome) | {"created_at": at, "updated_at": at} for outcome in new]
            connection.execute(sa.insert(_matured), rows)
        for outcome in found:
            old = before.get(outcome.prediction_id)
            if old is not None and (outcome.origin == REPORTED or not _by_hand(old)):
                _correct(connection, old, dataclasses.asdict(known_after(_outcome(old), outcome)), at)
    return len(new)


def stored(database: Database, prediction_ids: Sequence[str]) -> dict[str, StoredOutcome]:
    """Return what is stored of the predictions' outcomes, the deleted ones left out."""
    with database.read() as connection:
        found = _stored(connection, prediction_ids)
    return {key: outcome for key, row in found.items() if (outcome := _outcome(row)) is not None}


def known_after(before: StoredOutcome | None, said: StoredOutcome) -> StoredOutcome:
    """Return what is known of an outcome once something was said of it: a report without views is one of the score.

    What was known beside the score, the views, the tier they gave and the time they were read, then stays.
    """
    if before is None or said.origin != REPORTED or said.actual_views is not None:
        return said
    return dataclasses.replace(before, actual_score=said.actual_score, origin=said.origin)


def delete(database: Database, prediction_id: str, at: datetime) -> bool:
    """Return whether the prediction had an outcome, which no audit counts from now on; the ledger keeps it."""
    with database.begin() as connection:
        if prediction_id not in _stored(connection, [prediction_id]):
            return False
        _lock_predictions(connection, [prediction_id])
        old = _stored(connection, [prediction_id])[prediction_id]  # as whoever had it last has left it
        if old["deleted_at"] is not None:
            return False
        connection.execute(
            sa.update(_matured).filter_by(prediction_id=prediction_id).values(deleted_at=at, updated_at=at)
        )
        ledger.append(connection, ledger.OUTCOME, {"prediction": prediction_id, "was": _said(old), "is": None}, at)
    return True


#: What the ledger keeps of an outcome that was corrected.
_CORRECTED = ("actual_views", "actual_tier", "actual_score", "actual_quantity", "observed_at", "origin")
_AT_ONCE = 500


def _stored(connection: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        part = sa.select(_matured).where(_matured.c.prediction_id.in_(ids[start : start + _AT_ONCE]))
        rows |= {str(row["prediction_id"]): dict(row) for row in connection.execute(part).mappings()}
    return rows


def _outcome(row: Mapping[str, Any]) -> StoredOutcome | None:
    """Return what a row says; None where it was deleted."""
    names = [field.name for field in dataclasses.fields(StoredOutcome)]
    return StoredOutcome(**{name: row[name] for name in names}) if row["deleted_at"] is None else None


def _correct(connection: sa.Connection, old: dict[str, Any], new: dict[str, Any], at: datetime) -> None:
    ledger.append(
        connection, ledger.OUTCOME, {"prediction": new["prediction_id"], "was": _said(old), "is": _said(new)}, at
    )
    changed = {name: value for name, value in new.items() if name != "prediction_id"}
    connection.execute(
        sa.update(_matured)
        .filter_by(prediction_id=new["prediction_id"])
        .values(**changed, deleted_at=None, updated_at=at)
    )


def _by_hand(old: Mapping[str, Any]) -> bool:
    return bool(old["origin"] == REPORTED or old["deleted_at"] is not None)


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: as_json(row[name]) for name in _CORRECTED}


def _lock_predictions(connection: sa.Connection, ids: Iterable[str]) -> None:
    """Let nobody else record outcomes of the predictions meanwhile; raises RequestError where one is not there."""
    # In one order, so that of two who want the same ones neither waits for the other for ever.
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), _AT_ONCE):
        part = ordered[start : start + _AT_ONCE]
        try:
            wanted = {str(uuid.UUID(found)) for found in part}
        except ValueError:
            raise RequestError(f"There are ids among {part[:3]} that no prediction has.") from None
        rows = sa.select(_predictions.c.id).where(_predictions.c.id.in_(wanted)).order_by(_predictions.c.id)
        known = set(connection.execute(rows.with_for_update(key_share=True)).scalars())
        if missing := wanted - known:
            raise RequestError(f"There is no prediction {min(missing)}.")


def _read(
    database: Database, source: _Source, since: datetime, until: datetime, left_out: Counter[str]
) -> tuple[pl.DataFrame, int]:
    """Return the pairs of a source and how many had a score outside 0–100; counts what is left out."""
    rows = database.read_frame(_statement(database, source, since, until), _PAIR_SCHEMA, _compact)
    rows = rows.with_columns(created_at=moments(rows["unread"]))
    exact = pl.col("unread").is_null()  # the database could compare the time by itself
    readable = exact | pl.col("created_at").is_not_null()
    inside = exact | pl.col("created_at").is_between(since, until).fill_null(value=False)
    finite = (pl.col("predicted").is_finite() & pl.col("actual").is_finite()).fill_null(value=False)
    early = pl.col("too_early") == 1
    left_out[UNREADABLE] += rows.select((~readable | (inside & ~finite)).sum()).item()
    left_out[BEFORE_PREDICTION] += rows.select((inside & finite & early).sum()).item()
    for reason, number in _refused(database, source, since, until).items():
        left_out[reason] += number
    kept = rows.filter(inside & finite & ~early)
    outside = kept.filter(~(pl.col("predicted").is_between(0, 100) & pl.col("actual").is_between(0, 100))).height
    return kept.select((pl.col("predicted", "actual") / 100).clip(0, 1), "segment", "unit", "creator"), outside


def _compact(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with a number for each text: a million ids need not be read, only told apart."""
    numbered = (
        pl.when(pl.col(name).is_not_null()).then(pl.col(name).hash()).alias(name) for name in ("unit", "creator")
    )
    return rows.with_columns(*numbered, pl.col("segment").cast(pl.Categorical))


def _refused(database: Database, source: _Source, since: datetime, until: datetime) -> dict[str, int]:
    """Return how many rows of the time were deleted, and how many of the others lack a score."""
    deleted = source.table.c.deleted_at.is_not(None)
    missing = ~deleted & sa.or_(source.predicted.is_(None), source.actual.is_(None))
    counts = (sa.func.count(sa.case((condition, 1))) for condition in (deleted, missing))
    period = source.table.c.created_at.between(since, until)
    with database.read() as connection:
        row = connection.execute(sa.select(*counts).select_from(source.rows).where(period)).one()
    return {DELETED: row[0], MISSING_SCORE: row[1]}


def _statement(database: Database, source: _Source, since: datetime, until: datetime) -> sa.Select[Any]:
    created_at, deleted_at = source.table.c.created_at, source.table.c.deleted_at
    predicted, actual = source.predicted, source.actual
    if database.is_postgres:
        text: sa.ColumnElement[Any] = sa.literal("")
        exact = created_at.is_not(None)
        predicted, actual = sa.cast(predicted, sa.Double), sa.cast(actual, sa.Double)
    else:
        text = sa.func.coalesce(sa.type_coerce(created_at, sa.Text), "")
        exact = text.bool_op("GLOB")(_OUR_TIMES)
    return (
        sa.select(
            predicted,
            actual,
            source.segment,
            source.unit,
            source.creator,
            source.too_early,
            sa.case((exact, sa.null()), else_=text),
        )
        .select_from(source.rows)
        .where(deleted_at.is_(None), predicted.is_not(None), actual.is_not(None))
        .where(sa.or_(created_at.between(since, until), ~exact))
    )
