"""Outcomes and predictions: which rows are pairs, the same on both databases."""

from __future__ import annotations

import dataclasses
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from groundswell.errors import RequestError
from groundswell.records import StoredOutcome
from groundswell.store import outcomes, predictions, tables
from groundswell.store.database import Database
from groundswell.store.outcomes import Pairs
from tests.made_up_loop import HOUR, entries, outcome, predicted, stored_outcomes, verified

UNTIL = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=90)
ANN = "00000000-0000-0000-0000-000000000001"
ANALYSIS = "00000000-0000-0000-0000-000000000002"


def add_outcome(database: Database, **values: Any) -> None:
    row = {"id": str(uuid.uuid4()), "predicted_score": 40, "actual_score": 60, "created_at": UNTIL, **values}
    with database.begin() as connection:
        connection.execute(sa.insert(tables.outcomes), row)


def add_prediction(database: Database, score: float = 55.5, **changed: Any) -> str:
    return predicted(database, predicted_at=SINCE, score=score, calibrated_score=score, **changed)


def mature(
    database: Database, prediction_id: str, score: float | None, at: datetime = UNTIL, **changed: Any
) -> StoredOutcome:
    found = outcome(prediction_id, actual_score=score, **changed)
    outcomes.record(database, [found], at)
    return found


def found_pairs(database: Database) -> Pairs:
    found = outcomes.pairs(database, SINCE, UNTIL)
    texts = {"segment": pl.Categorical, "unit": pl.UInt64, "creator": pl.UInt64, "own": pl.Boolean}
    assert dict(found.frame.schema) == {"predicted": pl.Float64, "actual": pl.Float64, **texts}
    return found


def pairs(database: Database) -> tuple[list[tuple[float, float]], dict[str, int]]:
    found = found_pairs(database)
    return sorted(found.frame.select("predicted", "actual").rows()), dict(found.left_out)


def test_without_outcomes_there_are_no_pairs(database: Database) -> None:
    assert pairs(database) == ([], {})
    assert outcomes.count(database) == 0


def test_a_pair_is_both_scores_as_shares_of_100(database: Database) -> None:
    add_outcome(database)
    add_outcome(database, predicted_score=120, actual_score=-5)
    assert pairs(database) == ([(0.4, 0.6), (1.0, 0.0)], {})
    assert found_pairs(database).clipped == 1
    assert outcomes.count(database) == 2


def test_deleted_outcomes_and_those_without_a_score_are_no_pairs(database: Database) -> None:
    add_outcome(database, deleted_at=UNTIL)
    add_outcome(database, predicted_score=None)
    add_outcome(database, actual_score=None)
    add_outcome(database, actual_score=None, created_at=SINCE - timedelta(days=1))  # too old to be spoken of
    assert pairs(database) == ([], {"deleted": 1, "missing_score": 2})
    assert outcomes.count(database) == 3


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
    assert pairs(database) == ([(0.4, 0.6)] if counts else [], {})


def test_an_outcome_without_a_time_is_left_out_and_counted(database: Database) -> None:
    add_outcome(database, created_at=None)
    assert pairs(database) == ([], {"unreadable": 1})


def test_a_score_that_is_no_number_is_left_out_and_counted(postgres_database: Database) -> None:
    with postgres_database.begin() as connection:
        connection.exec_driver_sql(
            "insert into outcomes (id, predicted_score, actual_score, created_at) "
            "values (gen_random_uuid(), 'NaN', 50, '2026-10-01Z'), (gen_random_uuid(), 50, 'NaN', '2020-10-01Z')"
        )
    assert pairs(postgres_database) == ([], {"unreadable": 1})  # the other one is too old to matter


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
        ("2026-11-01 12:00:00.0+0200", 1, 0),
        ("2026-11-01 09:59:59.5-0500", 0, 0),
        ("2026-11-01 12:00:00.000+02", 1, 0),
        ("2026-11-01 09:59:59.999-05", 0, 0),
        ("2026-11-01 09:59:59.99999Z", 1, 0),
        ("2026-11-01 09:59:59.000000", 1, 0),
        ("2026-11-01 09:59:59.morrow", 0, 1),
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
    assert pairs(sqlite_database) == ([(0.4, 0.6)] * counts, {"unreadable": 1} if left_out else {})


@pytest.mark.parametrize("written", ["many", float("inf")])
def test_a_score_that_is_no_number_on_sqlite_is_left_out_and_counted(sqlite_database: Database, written: Any) -> None:
    add_outcome(sqlite_database)
    with sqlite_database.begin() as connection:
        connection.exec_driver_sql("update outcomes set actual_score = ?", (written,))
    assert pairs(sqlite_database) == ([], {"unreadable": 1})


def test_matured_predictions_of_our_own_are_pairs_too(database: Database) -> None:
    add_outcome(database)
    mature(database, add_prediction(database), 80.0)
    add_prediction(database)  # not matured
    mature(database, add_prediction(database), None)
    mature(database, add_prediction(database), 80.0, at=SINCE - timedelta(days=1))
    assert pairs(database) == ([(0.4, 0.6), (0.555, 0.8)], {"missing_score": 1})
    assert outcomes.count(database) == 1


def test_recording_an_outcome_again_replaces_it(database: Database) -> None:
    prediction_id = add_prediction(database)
    mature(database, prediction_id, 10.0, at=SINCE)
    mature(database, prediction_id, 80.0, at=UNTIL)
    assert pairs(database) == ([(0.555, 0.8)], {})
    with database.read() as connection:
        row = connection.execute(sa.select(tables.prediction_outcomes)).one()
    assert (row.created_at, row.updated_at, row.actual_score) == (SINCE, UNTIL, 80.0)
    ((was, now),) = [(entry["was"], entry["is"]) for entry in entries(database, "outcome")]
    assert (was["actual_score"], now["actual_score"]) == (10.0, 80.0)
    assert verified(database).status == "verified"


@pytest.mark.parametrize("prediction_id", [str(uuid.UUID(int=9)), "nine", ""])
def test_an_outcome_of_no_prediction_is_refused(database: Database, prediction_id: str) -> None:
    with pytest.raises(RequestError, match="prediction"):
        mature(database, prediction_id, 1.0)


def test_predictions_are_logged_as_served(database: Database) -> None:
    predictions.log(database, [])
    prediction_id = add_prediction(database, input={"views": 100, "description": "né\u2028"})
    with database.read() as connection:
        row = connection.execute(sa.select(tables.predictions)).one()
    assert (row.id, row.predicted_at) == (prediction_id, SINCE)
    assert row.probabilities == [0.1, 0.2, 0.4, 0.2, 0.1]
    assert row.input == {"views": 100, "description": "né\u2028"}


def test_a_users_own_outcomes_are_pairs(product_database: Database) -> None:
    add_outcome(product_database, analysis_id=ANALYSIS, user_id=ANN, predicted_score=12.34)
    mature(product_database, add_prediction(product_database), 80.0)
    assert pairs(product_database) == ([(0.1234, 0.6), (0.555, 0.8)], {})


# --- what is no pair, or only half of one ---


def test_an_outcome_read_before_its_prediction_is_no_pair(database: Database) -> None:
    before, at, after = (add_prediction(database, platform_video_id=name) for name in ("1", "2", "3"))
    mature(database, before, 80.0, observed_at=SINCE - HOUR)
    mature(database, at, 60.0, observed_at=SINCE)
    mature(database, after, 40.0, observed_at=None)
    assert pairs(database) == ([(0.555, 0.4), (0.555, 0.6)], {"before_its_prediction": 1})


def test_a_deleted_outcome_of_our_own_is_no_pair_and_the_ledger_keeps_it(database: Database) -> None:
    prediction_id = add_prediction(database)
    mature(database, prediction_id, 80.0)
    assert outcomes.delete(database, prediction_id, UNTIL)
    assert not outcomes.delete(database, prediction_id, UNTIL + HOUR)
    assert not outcomes.delete(database, str(uuid.UUID(int=9)), UNTIL)
    assert pairs(database) == ([], {"deleted": 1})
    assert outcomes.stored(database, [prediction_id]) == {}
    ((was, now),) = [(entry["was"], entry["is"]) for entry in entries(database, "outcome")]
    assert (was["actual_score"], now) == (80.0, None)
    assert verified(database).status == "verified"


@pytest.mark.parametrize("delete", [True, False], ids=["deleted", "reported"])
def test_a_harvest_does_not_overwrite_what_was_reported_or_deleted(database: Database, delete: bool) -> None:
    """Even where it was said after the harvest had looked."""
    prediction_id = add_prediction(database)
    mature(database, prediction_id, 80.0, origin="reported")
    if delete:
        outcomes.delete(database, prediction_id, UNTIL)
    before = stored_outcomes(database)
    assert outcomes.record(database, [outcome(prediction_id, actual_score=10.0, origin="harvest")], UNTIL + HOUR) == 0
    assert stored_outcomes(database) == before
    assert len(entries(database, "outcome")) == int(delete)


def test_a_deleted_outcome_counts_again_once_it_is_reported_again(database: Database) -> None:
    prediction_id = add_prediction(database)
    mature(database, prediction_id, 80.0)
    outcomes.delete(database, prediction_id, UNTIL)
    found = mature(database, prediction_id, 30.0, origin="reported")
    assert pairs(database) == ([(0.555, 0.3)], {})
    assert outcomes.stored(database, [prediction_id]) == {prediction_id: found}


SCORE_ALONE = dict.fromkeys(("actual_views", "actual_tier", "actual_quantity")) | {"origin": "reported"}


@pytest.mark.parametrize("origin", ["harvest", "reported"])
def test_a_score_reported_alone_corrects_the_score_alone(database: Database, origin: str) -> None:
    """Whatever the reporter knew of the outcome before: it is merged as it is stored."""
    prediction_id = add_prediction(database)
    known = outcome(prediction_id, origin=origin)
    outcomes.record(database, [known], UNTIL)
    outcomes.record(database, [outcome(prediction_id, actual_score=5.0, observed_at=UNTIL, **SCORE_ALONE)], UNTIL)
    expected = dataclasses.replace(known, actual_score=5.0, origin="reported")
    assert outcomes.stored(database, [prediction_id]) == {prediction_id: expected}
    (entry,) = entries(database, "outcome")
    assert (entry["is"]["actual_views"], entry["is"]["actual_score"]) == (known.actual_views, 5.0)


def test_of_reports_at_the_same_moment_none_loses_the_views(database: Database) -> None:
    ids = [add_prediction(database, platform_video_id=str(number)) for number in range(30)]
    others = [Database(database.url.render_as_string(hide_password=False)) for _ in range(4)]

    def report(number: int) -> None:
        said = {"origin": "reported"} if number % 2 else SCORE_ALONE
        shuffled = random.Random(number).sample(ids, len(ids))
        for part in (shuffled[:10], shuffled[10:20], shuffled[20:]):
            made = [outcome(one, actual_score=float(number), **said) for one in part]
            outcomes.record(others[number % 4], made, UNTIL)

    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(report, range(8)))
    finally:
        for other in others:
            other.dispose()
    found = outcomes.stored(database, ids)
    assert [found[one].actual_views for one in ids] == [1_000] * len(ids)
    assert verified(database).status == "verified"


def test_an_outcome_is_stored_as_it_was_found(database: Database) -> None:
    ids = [add_prediction(database, platform_video_id=str(number)) for number in range(1_200)]
    made = [outcome(prediction_id, actual_score=number / 7) for number, prediction_id in enumerate(ids)]
    made[1] = outcome(ids[1], **dict.fromkeys(("actual_views", "actual_tier", "actual_score", "observed_at")))
    assert outcomes.record(database, made, UNTIL) == 1_200
    assert outcomes.stored(database, ids) == {found.prediction_id: found for found in made}
    assert outcomes.stored(database, [str(uuid.UUID(int=9))]) == {}
    assert outcomes.record(database, [], UNTIL) == 0


def test_of_outcomes_of_which_one_has_no_prediction_none_is_stored(database: Database) -> None:
    known = add_prediction(database)
    with pytest.raises(RequestError, match="no prediction"):
        outcomes.record(database, [outcome(known), outcome(str(uuid.UUID(int=9)))], UNTIL)
    assert stored_outcomes(database) == {}


def test_predictions_of_one_video_are_one_unit_and_equal_pairs_of_it_are_duplicates(database: Database) -> None:
    for score in (50.0, 50.0, 60.0):
        mature(database, add_prediction(database, score), 80.0)
    mature(database, add_prediction(database, 50.0, platform_video_id="8"), 80.0)
    for _ in range(2):
        mature(database, add_prediction(database, 50.0, platform_video_id=None), 80.0)
    found = found_pairs(database)
    units = found.frame.group_by("unit").agg("predicted", pl.col("own").all())
    told = sorted((unit is not None, sorted(scores), own) for unit, scores, own in units.rows())
    assert told == [(False, [0.5, 0.5], True), (True, [0.5], True), (True, [0.5, 0.5, 0.6], True)]
    assert found.duplicates == 1
    assert found.frame["segment"].unique().to_list() == ["publish/tiktok/under10k"]


def test_outcomes_of_one_analysis_are_one_unit_only_where_they_say_the_same(database: Database) -> None:
    first, second = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
    add_outcome(database, analysis_id=first, platform="tiktok")
    add_outcome(database, analysis_id=first, platform="tiktok")
    add_outcome(database, analysis_id=first, actual_score=61)
    add_outcome(database, analysis_id=second)
    add_outcome(database)
    add_outcome(database)
    found = found_pairs(database)
    assert found.frame["unit"].drop_nulls().value_counts()["count"].to_list() == [2]
    assert (found.frame.height, found.duplicates) == (6, 1)
    assert sorted(found.frame["segment"].drop_nulls()) == ["tiktok/unknown"] * 2
    assert not found.frame["own"].any()


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
