"""Outcomes and predictions: which rows are pairs, the same on both databases."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from groundswell.errors import RequestError
from groundswell.store import outcomes, predictions, tables
from groundswell.store.database import Database

UNTIL = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=90)
ANN = "00000000-0000-0000-0000-000000000001"
ANALYSIS = "00000000-0000-0000-0000-000000000002"


#: A prediction as it is logged, but for its id.
PREDICTION = {
    "predicted_at": SINCE,
    "window": "observed",
    "platform": "tiktok",
    "platform_video_id": "7",
    "model_version": 1,
    "calibration_version": None,
    "tier": 3,
    "probabilities": [0.1, 0.2, 0.4, 0.2, 0.1],
    "score": 50.0,
    "calibrated_score": 50.0,
    "features": {"shareRate": 0.25},
    "input": {"views": 100, "description": "né\u2028"},
}


def add_outcome(database: Database, **values: Any) -> None:
    row = {"id": str(uuid.uuid4()), "predicted_score": 40, "actual_score": 60, "created_at": UNTIL, **values}
    with database.begin() as connection:
        connection.execute(sa.insert(tables.outcomes), row)


def add_prediction(database: Database, score: float = 55.5) -> str:
    prediction_id = str(uuid.uuid4())
    row = PREDICTION | {"id": prediction_id, "score": score, "calibrated_score": score}
    predictions.log(database, [row])
    return prediction_id


def test_the_ranges_of_matured_predictions_are_counted_by_window(database: Database) -> None:
    for window, low, high, tier in (
        ("publish", 2, 4, 4),
        ("publish", 4, 4, 4),
        ("publish", 1, 3, 4),
        ("publish", None, None, 4),
        ("6h", 5, 5, 4),
        ("6h", 1, 5, None),
    ):
        prediction_id = str(uuid.uuid4())
        row = PREDICTION | {"id": prediction_id, "window": window, "range_low": low, "range_high": high}
        predictions.log(database, [row])
        outcomes.record(
            database,
            prediction_id=prediction_id,
            actual_views=1000,
            actual_tier=tier,
            actual_score=70.0,
            matured_at=UNTIL,
            at=UNTIL,
        )
    assert outcomes.ranges_held(database, SINCE, UNTIL) == {"6h": (1, 0), "publish": (3, 2)}
    assert outcomes.ranges_held(database, UNTIL + timedelta(seconds=1), UNTIL + timedelta(days=1)) == {}


def mature(database: Database, prediction_id: str, score: float | None, at: datetime = UNTIL) -> None:
    outcomes.record(
        database,
        prediction_id=prediction_id,
        actual_views=1000,
        actual_tier=4,
        actual_score=score,
        matured_at=UNTIL,
        at=at,
    )


def pairs(database: Database) -> tuple[list[tuple[float, float]], int]:
    found = outcomes.pairs(database, SINCE, UNTIL)
    assert dict(found.frame.schema) == {"predicted": pl.Float64, "actual": pl.Float64}
    return sorted(found.frame.rows()), found.left_out


def test_without_outcomes_there_are_no_pairs(database: Database) -> None:
    assert pairs(database) == ([], 0)
    assert outcomes.count(database) == 0


def test_a_pair_is_both_scores_as_shares_of_100(database: Database) -> None:
    add_outcome(database)
    add_outcome(database, predicted_score=120, actual_score=-5)
    assert pairs(database) == ([(0.4, 0.6), (1.0, 0.0)], 0)
    assert outcomes.count(database) == 2


def test_deleted_outcomes_and_those_without_a_score_are_no_pairs(database: Database) -> None:
    add_outcome(database, deleted_at=UNTIL)
    add_outcome(database, predicted_score=None)
    add_outcome(database, actual_score=None)
    assert pairs(database) == ([], 0)
    assert outcomes.count(database) == 2


@pytest.mark.parametrize(
    ("created_at", "counts"),
    [
        (SINCE, True),
        (UNTIL, True),
        (SINCE - timedelta(microseconds=1), False),
        (UNTIL + timedelta(microseconds=1), False),
    ],
)
def test_the_range_holds_both_its_ends(database: Database, created_at: datetime, counts: bool) -> None:
    add_outcome(database, created_at=created_at)
    assert pairs(database) == ([(0.4, 0.6)] if counts else [], 0)


def test_an_outcome_without_a_time_is_left_out_and_counted(database: Database) -> None:
    add_outcome(database, created_at=None)
    assert pairs(database) == ([], 1)


def test_a_score_that_is_no_number_is_left_out_and_counted(postgres_database: Database) -> None:
    with postgres_database.begin() as connection:
        connection.exec_driver_sql(
            "insert into outcomes (id, predicted_score, actual_score, created_at) "
            "values (gen_random_uuid(), 'NaN', 50, '2026-10-01Z'), (gen_random_uuid(), 50, 'NaN', '2020-10-01Z')"
        )
    assert pairs(postgres_database) == ([], 1)  # the other one is too old to matter


@pytest.mark.parametrize(
    ("written", "counts", "left_out"),
    [
        ("2026-11-01T10:00:00Z", 1, 0),
        ("2026-11-01T10:00:00.000001Z", 0, 0),
        ("2026-11-01T10:00:01Z", 0, 0),
        ("2026-11-01 10:00:00", 1, 0),
        ("2026-11-01T10:00:00.5", 0, 0),
        ("2026-11-01T12:00:00+02:00", 1, 0),
        ("2026-11-01T12:00:01+02:00", 0, 0),
        ("2026-11-01T05:00:00-05:00", 1, 0),
        ("2026-11-01 10:00:00+00", 1, 0),
        ("2026-11-01 12:00:00+0200", 1, 0),
        ("2026-11-01", 1, 0),
        ("2026-11-02", 0, 0),
        ("2026-11-01T10:00", 1, 0),
        ("1793520000", 1, 0),
        ("yesterday", 0, 1),
        ("", 0, 1),
        ("2026-13-45T99:00:00Z", 0, 1),
    ],
)
def test_times_as_others_write_them_on_sqlite(
    sqlite_database: Database, written: str, counts: int, left_out: int
) -> None:
    add_outcome(sqlite_database, created_at=None)
    with sqlite_database.begin() as connection:
        connection.exec_driver_sql("update outcomes set created_at = ?", (written,))
    assert pairs(sqlite_database) == ([(0.4, 0.6)] * counts, left_out)


@pytest.mark.parametrize("written", ["many", float("inf")])
def test_a_score_that_is_no_number_on_sqlite_is_left_out_and_counted(sqlite_database: Database, written: Any) -> None:
    add_outcome(sqlite_database)
    with sqlite_database.begin() as connection:
        connection.exec_driver_sql("update outcomes set actual_score = ?", (written,))
    assert pairs(sqlite_database) == ([], 1)


def test_matured_predictions_of_our_own_are_pairs_too(database: Database) -> None:
    add_outcome(database)
    mature(database, add_prediction(database), 80.0)
    add_prediction(database)  # not matured
    mature(database, add_prediction(database), None)
    mature(database, add_prediction(database), 80.0, at=SINCE - timedelta(days=1))
    assert pairs(database) == ([(0.4, 0.6), (0.555, 0.8)], 0)
    assert outcomes.count(database) == 1


def test_recording_an_outcome_again_replaces_it(database: Database) -> None:
    prediction_id = add_prediction(database)
    mature(database, prediction_id, 10.0, at=SINCE)
    mature(database, prediction_id, 80.0, at=UNTIL)
    assert pairs(database) == ([(0.555, 0.8)], 0)
    with database.read() as connection:
        row = connection.execute(sa.select(tables.prediction_outcomes)).one()
    assert (row.created_at, row.updated_at, row.actual_score) == (SINCE, UNTIL, 80.0)


@pytest.mark.parametrize("prediction_id", [str(uuid.UUID(int=9)), "nine", ""])
def test_an_outcome_of_no_prediction_is_refused(database: Database, prediction_id: str) -> None:
    with pytest.raises(RequestError, match="prediction"):
        mature(database, prediction_id, 1.0)


def test_predictions_are_logged_as_served(database: Database) -> None:
    predictions.log(database, [])
    prediction_id = add_prediction(database)
    with database.read() as connection:
        row = connection.execute(sa.select(tables.predictions)).one()
    assert (row.id, row.predicted_at) == (prediction_id, SINCE)
    assert row.probabilities == [0.1, 0.2, 0.4, 0.2, 0.1]
    assert row.input == {"views": 100, "description": "né\u2028"}


def test_a_users_own_outcomes_are_pairs(product_database: Database) -> None:
    add_outcome(product_database, analysis_id=ANALYSIS, user_id=ANN, predicted_score=12.34)
    mature(product_database, add_prediction(product_database), 80.0)
    assert pairs(product_database) == ([(0.1234, 0.6), (0.555, 0.8)], 0)


def test_many_rows_come_in_slices_and_come_whole(database: Database) -> None:
    rows = [
        {"id": str(uuid.UUID(int=n)), "predicted_score": n % 100, "actual_score": 50, "created_at": UNTIL}
        for n in range(60_001)
    ]
    with database.begin() as connection:
        connection.execute(sa.insert(tables.outcomes), rows)
    found = outcomes.pairs(database, SINCE, UNTIL)
    assert found.frame.height == 60_001
    assert found.frame["predicted"].sum() == pytest.approx(sum(n % 100 for n in range(60_001)) / 100)
