"""Outcomes that the product reports: each answered in its place, recorded once, corrected where it says otherwise."""

from __future__ import annotations

import dataclasses
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from groundswell.jobs.context import Context
from groundswell.jobs.reported import delete_outcome, report_outcomes
from groundswell.stages.ingest import REASONS
from groundswell.store import outcomes, tables
from groundswell.store.database import Database
from tests.made_up import context_of
from tests.made_up_loop import (
    AT,
    DAY,
    HOUR,
    LABEL_AGE,
    entries,
    logged,
    outcome,
    predicted,
    stored_outcomes,
    training_rows,
    verified,
    version,
)

NOW = AT + 10 * DAY
VIDEO = {"platformVideoId": "7", "actualViews": 250}


@pytest.fixture
def judged(tmp_path: Path, database: Database) -> Context:
    """A context whose version 1 judges by views."""
    context = context_of(tmp_path / "home", database)
    version(context, training_rows([3, 3, 3, 5], [210, 250, 290, 500]))
    return context


@pytest.fixture
def here(context: Context) -> Context:
    """The same on the embedded default, for what no database has a part in."""
    version(context, training_rows([3, 3, 3, 5], [210, 250, 290, 500]))
    return context


def report(context: Context, *items: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = report_outcomes(context, items, NOW)["outcomes"]
    assert len(found) == len(items)
    return found


def said(context: Context, item: Any) -> dict[str, Any]:
    """Return the one outcome that a report of one prediction makes."""
    (answer,) = report(context, item)
    return dict(answer["outcomes"][0] if "outcomes" in answer else answer)


def refused(context: Context, item: Any) -> str:
    (answer,) = report(context, item)
    assert set(answer) == {"error", "hint"}, answer
    assert answer["hint"]
    assert stored_outcomes(context.database) == {}
    return str(answer["error"])


def test_an_outcome_is_reported_by_the_id_of_its_prediction(judged: Context) -> None:
    asked = predicted(judged.database)
    predicted(judged.database)  # of the same video
    expected = {"predictionId": asked, "actualTier": 3, "actualScore": 55.0, "maturedAt": "2026-08-04T12:00:00Z"}
    assert said(judged, {"predictionId": asked, "actualViews": 250}) == expected | {"status": "recorded"}
    (row,) = stored_outcomes(judged.database).values()
    assert (row["actual_views"], row["actual_tier"], row["actual_score"], row["actual_quantity"]) == (250, 3, 55, 250)
    assert (row["origin"], row["observed_at"], row["created_at"]) == ("reported", NOW, NOW)


@pytest.mark.parametrize("written", [str.upper, lambda name: name.replace("-", ""), lambda name: f"{{{name}}}"])
def test_an_id_is_read_in_any_of_its_forms(judged: Context, written: Any) -> None:
    asked = predicted(judged.database)
    assert said(judged, {"predictionId": written(asked), "actualViews": 250})["predictionId"] == asked
    assert list(stored_outcomes(judged.database)) == [asked]


@pytest.mark.parametrize("platform", [{}, {"platform": None}, {"platform": "TikTok"}])
def test_an_outcome_of_a_video_counts_for_each_of_its_predictions(judged: Context, platform: dict[str, Any]) -> None:
    later = predicted(judged.database, predicted_at=AT + HOUR, window="1h")
    first = predicted(judged.database)
    predicted(judged.database, platform="youtube")
    predicted(judged.database, platform_video_id=None)
    (answer,) = report(judged, VIDEO | platform)
    assert [one["predictionId"] for one in answer["outcomes"]] == [first, later]
    assert set(stored_outcomes(judged.database)) == {first, later}


def test_saying_the_same_again_changes_nothing(judged: Context) -> None:
    asked = predicted(judged.database)
    item = {"predictionId": asked, "actualViews": 250, "observedAt": "2026-08-06T00:00:00Z"}
    assert said(judged, item)["status"] == "recorded"
    before = stored_outcomes(judged.database)
    again = report_outcomes(judged, [item, item], NOW + HOUR)["outcomes"]
    assert [one["status"] for answer in again for one in answer.get("outcomes", [answer])] == ["unchanged"] * 2
    assert stored_outcomes(judged.database) == before
    assert entries(judged.database, "outcome") == []


def test_saying_something_else_corrects_and_the_ledger_keeps_what_was_said(judged: Context) -> None:
    asked = predicted(judged.database)
    said(judged, {"predictionId": asked, "actualViews": 250})
    corrected = said(judged, {"predictionId": asked, "actualViews": 405})
    assert (corrected["status"], corrected["actualTier"]) == ("corrected", 5)
    (entry,) = entries(judged.database, "outcome")
    assert (entry["was"]["actual_views"], entry["is"]["actual_views"]) == (250, 405)
    assert verified(judged.database).status == "verified"


def test_a_report_replaces_what_was_harvested(judged: Context) -> None:
    asked = predicted(judged.database)
    outcomes.record(judged.database, [outcome(asked, actual_views=250, actual_tier=3, actual_score=55.0)], NOW)
    assert said(judged, {"predictionId": asked, "actualViews": 250})["status"] == "corrected"
    assert stored_outcomes(judged.database)[asked]["origin"] == "reported"


def test_what_was_deleted_and_is_reported_again_counts_again(judged: Context) -> None:
    asked = predicted(judged.database)
    item = {"predictionId": asked, "actualViews": 250}
    assert delete_outcome(judged, asked, NOW) == {"predictionId": asked, "deleted": False}
    said(judged, item)
    assert delete_outcome(judged, asked.upper(), NOW)["deleted"]
    assert not delete_outcome(judged, asked, NOW)["deleted"]
    assert outcomes.stored(judged.database, [asked]) == {}
    assert said(judged, item)["status"] == "recorded"
    assert list(outcomes.stored(judged.database, [asked])) == [asked]
    assert [entry["is"] is None for entry in entries(judged.database, "outcome")] == [True, False]


def test_a_score_alone_is_an_outcome(judged: Context) -> None:
    asked = predicted(judged.database)
    found = said(judged, {"predictionId": asked, "actualScore": 62})
    assert (found["actualTier"], found["actualScore"]) == (None, 62.0)
    pairs = outcomes.pairs(judged.database, NOW - DAY, NOW)
    assert pairs.frame.select("predicted", "actual").rows() == [(0.5, 0.62)]


@pytest.mark.parametrize("origin", ["harvest", "reported"])
def test_a_score_alone_leaves_what_else_was_known_of_the_outcome(judged: Context, origin: str) -> None:
    asked = predicted(judged.database)
    known = outcome(asked, actual_views=250, actual_tier=3, actual_score=55.0, actual_quantity=250.0, origin=origin)
    outcomes.record(judged.database, [known], NOW)
    for status in ("corrected", "unchanged"):
        found = said(judged, {"predictionId": asked, "actualScore": 62})
        assert (found["status"], found["actualTier"], found["actualScore"]) == (status, 3, 62.0)
    (left,) = outcomes.stored(judged.database, [asked]).values()
    assert left == dataclasses.replace(known, actual_score=62.0, origin="reported")
    (entry,) = entries(judged.database, "outcome")
    assert [entry[name]["actual_score"] for name in ("was", "is")] == [55.0, 62.0]
    assert [entry[name]["actual_views"] for name in ("was", "is")] == [250, 250]
    assert verified(judged.database).status == "verified"


def test_views_alone_say_the_score_anew_too(judged: Context) -> None:
    asked = predicted(judged.database)
    for item, expected in (({"actualScore": 62}, (None, 62.0)), ({"actualViews": 250}, (3, 55.0))):
        found = said(judged, {"predictionId": asked} | item)
        assert (found["actualTier"], found["actualScore"]) == expected


def test_views_and_then_a_score_may_come_in_one_batch(judged: Context) -> None:
    asked, other = logged(judged.database, [{}, {"platform_video_id": None}])
    views, score = ({"predictionId": asked} | item for item in ({"actualViews": 250}, {"actualScore": 62}))
    answers = report(judged, views, {"predictionId": other, "actualScore": 30}, score, score)
    told = [(answer["status"], answer["actualTier"], answer["actualScore"]) for answer in answers]
    assert told == [("recorded", 3, 55), ("recorded", None, 30), ("corrected", 3, 62), ("unchanged", 3, 62)]
    rows = stored_outcomes(judged.database)
    assert [(rows[one]["actual_views"], rows[one]["actual_score"]) for one in (asked, other)] == [(250, 62), (None, 30)]


def test_a_score_of_a_video_corrects_each_of_its_outcomes(judged: Context) -> None:
    first, second = logged(judged.database, [{}, {"window": "1h", "predicted_at": AT + HOUR}])
    said(judged, {"predictionId": first, "actualViews": 250})
    (answer,) = report(judged, {"platformVideoId": "7", "actualScore": 62})
    told = [(one["predictionId"], one["status"], one["actualTier"]) for one in answer["outcomes"]]
    assert told == [(first, "corrected", 3), (second, "recorded", None)]


def test_a_score_alone_after_a_deletion_begins_anew(judged: Context) -> None:
    asked = predicted(judged.database)
    said(judged, {"predictionId": asked, "actualViews": 250})
    delete_outcome(judged, asked, NOW)
    found = said(judged, {"predictionId": asked, "actualScore": 62})
    assert (found["status"], found["actualTier"]) == ("recorded", None)
    assert stored_outcomes(judged.database)[asked]["actual_views"] is None


def test_a_score_that_is_given_is_taken_and_the_tier_is_that_of_the_views(judged: Context) -> None:
    found = said(judged, {"predictionId": predicted(judged.database), "actualScore": 1.5, "actualViews": "250"})
    assert (found["actualTier"], found["actualScore"]) == (3, 1.5)


def test_a_video_that_nobody_saw_is_of_the_lowest_tier(judged: Context) -> None:
    found = said(judged, {"predictionId": predicted(judged.database), "actualViews": 0})
    assert (found["actualTier"], found["actualScore"]) == (1, 12.5)


def test_engagement_is_judged_where_the_version_ranked_engagement(judged: Context) -> None:
    number = version(judged, training_rows([2], [0.06]), label="wes", cutPoints=[0.05, 0.1, 0.2, 0.5])
    first, second = logged(judged.database, [{"model_version": number}] * 2)
    counted = {"actualViews": 100, "actualLikes": 1, "actualComments": 1, "actualShares": 1}
    assert said(judged, {"predictionId": first, **counted})["actualTier"] == 2
    found = said(judged, {"predictionId": second, "actualViews": 0})
    assert (found["actualTier"], found["actualScore"]) == (None, None)


@pytest.mark.parametrize("gone", [True, False], ids=["version gone", "no cut-points"])
def test_without_cut_points_the_views_are_kept_and_no_tier_is_invented(judged: Context, gone: bool) -> None:
    number = 99 if gone else version(judged, cutPoints=None)
    found = said(judged, {"predictionId": predicted(judged.database, model_version=number), "actualViews": 250})
    assert (found["status"], found["actualTier"], found["actualScore"]) == ("recorded", None, None)


def test_good_and_bad_reports_are_answered_in_order(judged: Context) -> None:
    asked = predicted(judged.database)
    good = {"predictionId": asked, "actualViews": 250}
    found = report(judged, {}, good, None, good | {"actualViews": 251}, [], good | {"oops": 1}, 7)
    assert ["error" in answer for answer in found] == [True, False, True, False, True, True, True]
    assert [found[n]["status"] for n in (1, 3)] == ["recorded", "corrected"]
    assert report_outcomes(judged, [], NOW) == {"outcomes": []}


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ({}, "neither actualViews nor actualScore"),
        (
            VIDEO | {"actualViews": None, "actualScore": 5, "actualLikes": 9},
            "actualLikes says nothing without actualViews",
        ),
        ({"actualViews": 1}, "names no prediction"),
        ({"actualViews": 1, "platform": "tiktok"}, "names no prediction"),
        ({"actualViews": 1, "platformVideoId": ""}, "names no prediction"),
        (VIDEO | {"platformVideoId": "8"}, "no such prediction"),
        (VIDEO | {"platform": "youtube"}, "no such prediction"),
        (VIDEO | {"predictionId": str(uuid.UUID(int=9))}, "no such prediction"),
        (VIDEO | {"predictionId": "nine"}, "'nine' is not the id"),
        (VIDEO | {"predictionId": ""}, "is not the id"),
        (VIDEO | {"predictionId": 9}, "is not the id"),
        (VIDEO | {"predictionId": []}, "is not the id"),
        (VIDEO | {"platformVideoId": 7.5}, "platformVideoId=7.5: damaged_id"),
        (VIDEO | {"platformVideoId": []}, r"platformVideoId=\[\]: damaged_id"),
        (VIDEO | {"platformVideoId": {}}, "platformVideoId={}: damaged_id"),
        (VIDEO | {"platformVideoId": True}, "platformVideoId=True: missing_id"),
        (VIDEO | {"platformVideoId": " "}, "platformVideoId=' ': missing_id"),
        (VIDEO | {"platform": 7}, "no such prediction"),
        (VIDEO | {"platform": []}, "platform="),
        (VIDEO | {"platform": "a:b"}, "platform='a:b': colon_in_platform"),
        (VIDEO | {"actualViews": None}, "neither"),
        (VIDEO | {"actualViews": "many"}, "actualViews='many': not_a_number"),
        (VIDEO | {"actualViews": -1}, "actualViews=-1: negative"),
        (VIDEO | {"actualViews": 1.5}, "actualViews=1.5: not_whole"),
        (VIDEO | {"actualViews": True}, "actualViews=True: not_a_number"),
        (VIDEO | {"actualViews": 2**63}, "out_of_range"),
        (VIDEO | {"actualViews": []}, r"actualViews=\[\]: not_a_number"),
        (VIDEO | {"actualLikes": "?"}, "actualLikes"),
        (VIDEO | {"actualComments": -5}, "actualComments"),
        (VIDEO | {"actualShares": float("nan")}, "actualShares"),
        (VIDEO | {"actualScore": 101}, "actualScore=101 is no number from 0 to 100"),
        (VIDEO | {"actualScore": -0.1}, "actualScore"),
        (VIDEO | {"actualScore": "50"}, "actualScore"),
        (VIDEO | {"actualScore": True}, "actualScore"),
        (VIDEO | {"actualScore": float("nan")}, "actualScore"),
        (VIDEO | {"actualScore": []}, "actualScore"),
        (VIDEO | {"observedAt": "yesterday"}, "observedAt='yesterday': not_a_date"),
        (VIDEO | {"observedAt": []}, "observedAt"),
        (VIDEO | {"observedAt": 7}, "observedAt=7: implausible_date"),
        (VIDEO | {"observedAt": "2026-08-11T12:00:01Z"}, "lies in the future"),
        (VIDEO | {"observedAt": "2026-08-01T11:59:59Z"}, "before the prediction was made"),
        (
            VIDEO | {"observedAt": "2026-08-04T11:59:59Z"},
            "has not matured: its outcome is read at 2026-08-04T12:00:00Z",
        ),
        (VIDEO | {"views": 5}, "Unknown field views"),
        ("7", "must be a JSON object"),
        (None, "must be a JSON object"),
        ([VIDEO], "must be a JSON object"),
    ],
    ids=lambda given: given[:24] if isinstance(given, str) else "",
)
def test_what_is_wrong_with_a_report_is_said(here: Context, item: Any, error: str) -> None:
    predicted(here.database)
    code = error.rpartition(" ")[2]
    sentence = error.replace(code, re.escape(REASONS[code])) if code in REASONS else error
    assert re.search(sentence, refused(here, item))


def test_fields_may_be_written_as_columns_are(here: Context) -> None:
    one = predicted(here.database)
    assert said(here, {"prediction_id": one, "actual_views": 250})["actualTier"] == 3


def test_ten_thousand_reports_at_once_are_each_answered(here: Context) -> None:
    ids = [predicted(here.database, platform_video_id=str(number)) for number in range(200)]
    items = [{"predictionId": one, "actualViews": 250} for one in ids] * 50
    answers = report(here, *items)
    assert [answer["status"] for answer in answers] == ["recorded"] * 200 + ["unchanged"] * 9_800
    assert len(stored_outcomes(here.database)) == 200


def test_two_reports_of_one_prediction_that_differ_are_recorded_and_corrected(here: Context) -> None:
    one = predicted(here.database)
    answers = report(here, *({"predictionId": one, "actualViews": views} for views in (250, 290, 290)))
    assert [answer["status"] for answer in answers] == ["recorded", "corrected", "unchanged"]
    assert [entry["is"]["actual_views"] for entry in entries(here.database, "outcome")] == [290]


@pytest.mark.parametrize("video", ["\x00", "7\x00", "x" * 10_000, "7' or 1=1 --", "né\u2028"])
def test_an_odd_id_of_a_video_is_only_unknown(judged: Context, video: str) -> None:
    predicted(judged.database)
    refused(judged, VIDEO | {"platformVideoId": video})


def test_a_report_counts_for_the_predictions_that_were_made_before_it_was_read(judged: Context) -> None:
    early, late = logged(judged.database, [{}, {"predicted_at": AT + 6 * DAY}])
    (answer,) = report(judged, VIDEO | {"observedAt": "2026-08-06T00:00:00Z"})
    assert [one["predictionId"] for one in answer["outcomes"]] == [early]
    assert set(stored_outcomes(judged.database)) == {early}
    assert late not in stored_outcomes(judged.database)


def test_a_report_at_the_label_age_is_in_time(judged: Context) -> None:
    asked = predicted(judged.database)
    found = said(judged, {"predictionId": asked, "actualViews": 250, "observedAt": (AT + LABEL_AGE).isoformat()})
    assert found["status"] == "recorded"
    assert stored_outcomes(judged.database)[asked]["observed_at"] == AT + LABEL_AGE


def test_of_an_unknown_posting_time_the_report_is_believed(judged: Context) -> None:
    asked = predicted(judged.database, platform_video_id=None, matures_at=None)
    found = said(judged, {"predictionId": asked, "actualViews": 250, "observedAt": (AT + HOUR).isoformat()})
    assert found["maturedAt"] == "2026-08-01T13:00:00Z"


def test_a_versions_memory_that_is_gone_is_an_answer_in_its_place(judged: Context) -> None:
    lost = version(judged)
    with judged.database.begin() as connection:
        changed = sa.update(tables.model_versions).filter_by(version=lost).values(training_rows="f" * 64)
        connection.execute(changed)
    first, second = logged(judged.database, [{"model_version": lost}, {}])
    found = report(judged, *({"predictionId": one, "actualViews": 250} for one in (first, second)))
    assert ["error" in answer for answer in found] == [True, False]
    assert set(stored_outcomes(judged.database)) == {second}


@pytest.mark.parametrize("prediction_id", ["nine", "", "\x00"])
def test_an_outcome_of_what_is_no_id_is_not_deleted(judged: Context, prediction_id: str) -> None:
    with pytest.raises(Exception, match="is not the id of a prediction"):
        delete_outcome(judged, prediction_id, NOW)
