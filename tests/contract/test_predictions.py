"""Predictions: which are to be followed, which were served, and what became of them, the same on both databases."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from groundswell.records import MaturityCount
from groundswell.store import outcomes, predictions
from groundswell.store.database import Database
from groundswell.store.predictions import SERVED_SCHEMA
from tests.made_up_loop import AT, DAY, HOUR, LABEL_AGE, logged, outcome, predicted

SINCE, UNTIL = AT - DAY, AT + 10 * DAY
INSTANT = timedelta(microseconds=1)


def record(database: Database, prediction_id: str, at: datetime = AT + 4 * DAY, **changed: Any) -> str:
    outcomes.record(database, [outcome(prediction_id, **changed)], at)
    return prediction_id


# --- to_follow ----------------------------------------------------------------------------------------------------


def test_without_predictions_there_is_nothing_to_tell(database: Database) -> None:
    assert predictions.to_follow(database, SINCE).is_empty()
    served = predictions.served(database, "publish", SINCE, UNTIL, limit=9, features=True)
    assert dict(served.drop("features").schema) == SERVED_SCHEMA
    assert served.is_empty()
    assert predictions.maturity(database, SINCE, UNTIL) == []
    assert predictions.scores(database, "publish", SINCE, UNTIL) == {}
    assert predictions.find(database, [], []) == []


def test_a_prediction_is_followed_with_what_was_asked_and_what_is_known(database: Database) -> None:
    first = predicted(database, posted_at=AT + 2 * HOUR, window="1h", model_version=7)
    second = predicted(database, predicted_at=AT + HOUR, platform=None, platform_video_id="8")
    record(database, second, actual_score=1 / 3, actual_quantity=0.25)
    found = predictions.to_follow(database, SINCE)
    assert found.to_dicts() == [
        {
            "id": first,
            "predicted_at": AT,
            "window": "1h",
            "platform": "tiktok",
            "platform_video_id": "7",
            "model_version": 7,
            "posted_at": AT + 2 * HOUR,
            "origin": None,
            "actual_views": None,
            "actual_tier": None,
            "actual_score": None,
            "actual_quantity": None,
            "deleted": False,
        },
        {
            "id": second,
            "predicted_at": AT + HOUR,
            "window": "publish",
            "platform": "tiktok",
            "platform_video_id": "8",
            "model_version": 1,
            "posted_at": None,
            "origin": "harvest",
            "actual_views": 1_000,
            "actual_tier": 4,
            "actual_score": 1 / 3,
            "actual_quantity": 0.25,
            "deleted": False,
        },
    ]


def test_nameless_predictions_and_those_with_an_old_outcome_are_not_followed(database: Database) -> None:
    predicted(database, platform_video_id=None)
    record(database, predicted(database), at=SINCE - INSTANT)
    young = record(database, predicted(database), at=SINCE)
    # However old it is, a prediction without an outcome may still get one.
    old = predicted(database, predicted_at=AT - 900 * DAY)
    deleted = record(database, predicted(database))
    outcomes.delete(database, deleted, AT)
    found = predictions.to_follow(database, SINCE)
    assert dict(found.select("id", "deleted").rows()) == {young: False, old: False, deleted: True}


@pytest.mark.parametrize("posted_at", ["soon", "", None, 7, [1]])
def test_a_posting_time_that_is_none_is_unknown(database: Database, posted_at: Any) -> None:
    predicted(database, input={"postedAt": posted_at})
    assert predictions.to_follow(database, SINCE)["posted_at"].to_list() == [None]


# --- served -------------------------------------------------------------------------------------------------------


def test_what_was_served_in_a_time_is_told_with_its_outcome(database: Database) -> None:
    known = record(database, predicted(database), actual_tier=5, actual_quantity=9.5)
    unknown = predicted(database, predicted_at=AT + HOUR, platform_video_id=None, range_low=None, range_high=None)
    deleted = record(database, predicted(database, predicted_at=AT + 2 * HOUR, author=None))
    outcomes.delete(database, deleted, AT + 5 * DAY)
    found = predictions.served(database, "publish", SINCE, UNTIL, limit=9, features=True).to_dicts()
    assert [row["id"] for row in found] == [known, unknown, deleted]
    assert found[0] == {
        "id": known,
        "predicted_at": AT,
        "video": "tiktok:7",
        "author": "ann",
        "model_version": 1,
        "tier": 3,
        "range_low": 2,
        "range_high": 4,
        "score": 50.0,
        "probabilities": [0.1, 0.2, 0.4, 0.2, 0.1],
        "actual_tier": 5,
        "actual_quantity": 9.5,
        "outcome_at": AT + 4 * DAY,
        "features": [0.25, None],
    }
    assert [found[1][name] for name in ("video", "range_low", "actual_tier", "outcome_at")] == [None] * 4
    assert [found[2][name] for name in ("author", "actual_tier", "actual_quantity", "outcome_at")] == [None] * 4


def test_a_time_holds_its_beginning_and_not_its_end(database: Database) -> None:
    times = (AT - INSTANT, AT, AT + HOUR - INSTANT, AT + HOUR)
    ids = logged(database, [{"predicted_at": at} for at in times])
    logged(database, [{"window": "1h"}])
    found = predictions.served(database, "publish", AT, AT + HOUR, limit=9)
    assert found["id"].to_list() == ids[1:3]


def test_the_newest_are_served_in_the_order_in_which_they_were_made(database: Database) -> None:
    ids = logged(database, [{"predicted_at": AT + number * HOUR} for number in range(5)])
    assert predictions.served(database, "publish", SINCE, UNTIL, limit=3)["id"].to_list() == ids[2:]


def test_matured_ones_are_those_whose_outcome_came_in_the_time(database: Database) -> None:
    ids = logged(database, [{"predicted_at": AT - 50 * DAY + number * HOUR} for number in range(7)])
    for prediction_id, at in zip(ids, (SINCE - INSTANT, SINCE, UNTIL, UNTIL + INSTANT), strict=False):
        record(database, prediction_id, at)
    record(database, ids[4], SINCE, actual_tier=None)
    outcomes.delete(database, record(database, ids[5], SINCE), SINCE)
    found = predictions.served(database, "publish", SINCE, UNTIL, limit=9, matured=True)
    assert found["id"].to_list() == ids[1:3]
    assert predictions.served(database, "1h", SINCE, UNTIL, limit=9, matured=True).is_empty()


# --- maturity -----------------------------------------------------------------------------------------------------


def test_maturity_counts_every_prediction_once(database: Database) -> None:
    record(database, predicted(database, matures_at=AT))
    # Matured, though nobody knows where its tier begins.
    record(database, predicted(database, matures_at=AT), actual_tier=None, actual_score=None)
    predicted(database, matures_at=UNTIL)
    predicted(database, matures_at=UNTIL + INSTANT)
    predicted(database, matures_at=UNTIL + DAY)
    predicted(database, matures_at=None)
    predicted(database, platform_video_id=None, matures_at=UNTIL + 9 * DAY)
    outcomes.delete(database, record(database, predicted(database)), AT + 5 * DAY)
    predicted(database, window="1h", platform_video_id=None)
    record(database, predicted(database, window="6h", platform_video_id=None))
    for at in (SINCE - INSTANT, UNTIL + INSTANT):
        predicted(database, predicted_at=at)
    assert predictions.maturity(database, SINCE, UNTIL) == [
        MaturityCount("1h", 1, 0, 0, 0, 1, None),
        MaturityCount("6h", 1, 1, 0, 0, 0, None),
        MaturityCount("publish", 8, 2, 3, 2, 1, UNTIL + DAY),
    ]


# --- scores and find ----------------------------------------------------------------------------------------------


def test_scores_are_summed_up_by_whether_they_matured(database: Database) -> None:
    for score in (10.0, 20.0, 60.0):
        record(database, predicted(database, score=score))
    predicted(database, score=5.0)
    outcomes.delete(database, record(database, predicted(database, score=7.0)), AT)
    predicted(database, score=99.0, window="1h")
    found = predictions.scores(database, "publish", SINCE, UNTIL)
    assert set(found) == {True, False}
    assert found[True].n == 3
    assert found[True].mean == pytest.approx(30)
    assert found[True].variance == pytest.approx(((20**2) + 10**2 + 30**2) / 3)
    assert found[False].n == 2
    assert [found[False].mean, found[False].variance] == pytest.approx([6, 1])


def test_equal_scores_vary_by_nothing(database: Database) -> None:
    logged(database, [{"score": 33.333} for _ in range(50)])
    assert predictions.scores(database, "publish", SINCE, UNTIL)[False].variance == pytest.approx(0, abs=1e-9)


def test_predictions_are_found_by_id_and_by_video(database: Database) -> None:
    first = predicted(database, predicted_at=AT + HOUR)
    second = predicted(database, window="1h", model_version=3)
    other = predicted(database, platform="youtube")
    unnamed = predicted(database, platform=None, platform_video_id="9", matures_at=None)

    def found(*ids: str, videos: tuple[tuple[str, str], ...] = ()) -> list[str]:
        return [str(row["id"]) for row in predictions.find(database, list(ids), list(videos))]

    assert found(videos=(("tiktok", "7"),)) == [second, first]
    assert found(videos=(("youtube", "7"),)) == [other]
    assert found(videos=(("tiktok", "9"),)) == [unnamed]
    assert sorted(found(other, str(uuid.UUID(int=9)), videos=(("tiktok", "9"),))) == sorted([other, unnamed])
    assert found() == []
    (row,) = predictions.find(database, [second], [])
    assert {name: value for name, value in row.items() if name != "id"} == {
        "predicted_at": AT,
        "window": "1h",
        "platform": "tiktok",
        "platform_video_id": "7",
        "model_version": 3,
        "matures_at": AT + LABEL_AGE,
    }
