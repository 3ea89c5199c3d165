"""Which reading becomes the outcome of a prediction: against a loop over predictions and readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.frames import MOMENT
from groundswell.jobs.context import Context
from groundswell.jobs.harvest import harvest as run_harvest
from groundswell.stages.harvest import COUNTERS, KNOWN_BEFORE, harvest
from groundswell.stages.maturity import (
    MATURE,
    NO_POSTING_TIME,
    NOT_READ_SINCE,
    READ_BEFORE_POSTED,
    READ_TOO_LATE,
    TOO_YOUNG,
    LabelAge,
    find_outcomes,
)
from groundswell.store.database import Columns, Database
from tests.made_up import context_of, law
from tests.made_up_loop import (
    AT,
    CUT_POINTS,
    DAY,
    HOUR,
    LABEL_AGE,
    Row,
    logged,
    stored_outcomes,
    stored_video,
    training_rows,
    version,
)

AS_OF = AT + 10 * DAY
ANY_LATER, WITHIN_A_DAY = LabelAge(LABEL_AGE), LabelAge(LABEL_AGE, LABEL_AGE + DAY)
PREDICTIONS: Columns = {
    "id": pl.String,
    "video": pl.String,
    "predicted_at": MOMENT,
    "posted_at": MOMENT,
    "first_known_at": MOMENT,
    "describes": pl.Boolean,
}
READINGS: Columns = {"key": pl.String, "observed_at": MOMENT, **dict.fromkeys(COUNTERS, pl.Int64)}
counts = st.none() | st.integers(0, 500)
#: Hours after AT; many of them fall together with a prediction, a posting or an age of 72 or 96 hours.
hours = st.sampled_from([-80, -72, -1, 0, 1, 24, 71, 72, 73, 96, 97, 168, 240, 241])
readings_of_a_video = st.lists(
    st.tuples(st.none() | hours, counts, counts, counts, counts), max_size=5, unique_by=lambda one: one[0]
)
unread = st.lists(st.tuples(st.none(), counts, counts, counts, counts), max_size=2)
videos = st.tuples(st.none() | hours, st.none() | hours, readings_of_a_video, unread)
predictions_of_videos = st.lists(st.tuples(st.integers(0, 3), hours, st.booleans()), max_size=6)


def slow_harvest(  # noqa: PLR0911 - one return a state
    asked: Row, readings: Sequence[Row], label: LabelAge, as_of: datetime
) -> tuple[str, Row | None]:
    """The state of a prediction and the reading that is its outcome, from the words of design and issue."""
    own = [row for row in readings if row["key"] == asked["video"] and row["views"] is not None]
    own = [row for row in own if row["observed_at"] is None or row["observed_at"] <= as_of]
    if asked["describes"]:  # a description of counters is judged by what was read later only
        own = [row for row in own if row["observed_at"] is None or row["observed_at"] > asked["predicted_at"]]
    timed = sorted((row for row in own if row["observed_at"] is not None), key=lambda row: row["observed_at"])
    posted_at = asked["posted_at"]
    if posted_at is None:
        return NO_POSTING_TIME, None
    if own and len(timed) == len(own) and all(row["observed_at"] < posted_at for row in timed):
        return READ_BEFORE_POSTED, None
    if posted_at + label.age > as_of:
        return TOO_YOUNG, None
    late = [row for row in timed if row["observed_at"] >= posted_at + label.age]
    counting = [row for row in late if label.most is None or row["observed_at"] <= posted_at + label.most]
    if counting:
        if counting[0]["observed_at"] <= asked["predicted_at"]:
            return KNOWN_BEFORE, None
        return MATURE, counting[0]
    if len(own) == 1 and not timed:
        first_known_at = asked["first_known_at"]
        if first_known_at is not None and first_known_at <= asked["predicted_at"]:
            return KNOWN_BEFORE, None
        return MATURE, own[0]
    return READ_TOO_LATE if late else NOT_READ_SINCE, None


def moment(offset: int | None) -> datetime | None:
    return None if offset is None else AT + offset * HOUR


@pytest.mark.parametrize("label", [ANY_LATER, WITHIN_A_DAY], ids=["any later", "within a day"])
@law
@given(st.lists(videos, min_size=4, max_size=4), predictions_of_videos, hours)
def test_a_harvest_equals_its_loop(label: LabelAge, seen: list[Any], made: list[Any], until: int) -> None:
    readings, asked = [], []
    for number, (_, _, timed, untimed) in enumerate(seen):
        for at, *counted in (*timed, *untimed):
            readings.append(
                {"key": f"v{number}", "observed_at": moment(at)} | dict(zip(COUNTERS, counted, strict=True))
            )
    for number, (video, at, describes) in enumerate(made):
        posted_at, first_known_at, *_ = seen[video]
        asked.append(
            {
                "id": f"p{number}",
                "video": f"v{video}",
                "predicted_at": moment(at),
                "posted_at": moment(posted_at),
                "first_known_at": moment(first_known_at),
                "describes": describes,
            }
        )
    as_of = AT + until * HOUR
    found = harvest(
        pl.DataFrame(asked, schema=PREDICTIONS),
        pl.DataFrame(readings, schema=READINGS),
        partial(find_outcomes, label=label, as_of=as_of, counters=COUNTERS),
        as_of,
    )
    assert found["id"].to_list() == [one["id"] for one in asked]
    for row, one in zip(found.to_dicts(), asked, strict=True):
        state, reading = slow_harvest(one, readings, label, as_of)
        expected = {name: reading[name] if reading else None for name in COUNTERS}
        assert row["state"] == state, one
        assert {name: row[name] for name in COUNTERS} == expected
        assert row["read_at"] == (reading["observed_at"] if reading else None)


# --- the job, on stored videos ------------------------------------------------------------------------------------


def outcome_of(database: Database, prediction_id: str) -> tuple[Any, ...] | None:
    found = stored_outcomes(database).get(prediction_id)
    return None if found is None else (found["actual_views"], found["actual_tier"], found["actual_score"])


@pytest.fixture
def judged(tmp_path: Any, database: Database) -> Context:
    """A context whose version 1 judges by views; its training videos of tier 3 had 210, 250 and 290 views."""
    context = context_of(tmp_path / "home", database)
    assert version(context, training_rows([3, 3, 3, 5], [210, 250, 290, 500])) == 1
    return context


def test_each_prediction_gets_the_outcome_of_its_video(judged: Context) -> None:
    database = judged.database
    stored_video(database, "mature", (2 * DAY, 5), (LABEL_AGE, 250), (5 * DAY, 999))
    stored_video(database, "young", (DAY, 5), posted_at=AS_OF - DAY)
    stored_video(database, "unread", (DAY, 5))
    stored_video(database, "undated", (None, 405))
    stored_video(database, "undated before", (None, 405), created_at=AT - HOUR)
    stored_video(database, "no posting", (5 * DAY, 9), posted_at=None)
    stored_video(database, "known", (LABEL_AGE, 9), (9 * DAY, 10), posted_at=AT - 5 * DAY)
    stored_video(database, "later", (12 * DAY, 9))
    names = ("mature", "young", "unread", "undated", "undated before", "no posting", "known", "later", "absent")
    made = [{"platform_video_id": name} for name in names]
    ids = dict(zip(names, logged(database, made), strict=True))
    body = run_harvest(judged, AS_OF).body
    assert outcome_of(database, ids["mature"]) == (250, 3, 55.0)
    assert outcome_of(database, ids["undated"]) == (405, 5, 80.0)
    assert set(stored_outcomes(database)) == {ids["mature"], ids["undated"]}
    assert (body["followed"], body["harvested"], body["corrected"], body["unchanged"]) == (9, 2, 0, 0)
    assert body["withoutOutcome"] == {"knownBefore": 2, "noPostingTime": 2, "notReadSince": 2, "tooYoung": 1}
    row = stored_outcomes(database)[ids["mature"]]
    assert (row["matured_at"], row["observed_at"], row["origin"]) == (AT + LABEL_AGE, AT + LABEL_AGE, "harvest")
    assert (row["actual_quantity"], row["created_at"]) == (250, AS_OF)
    assert stored_outcomes(database)[ids["undated"]]["observed_at"] is None


def test_a_description_is_judged_by_later_readings_only(judged: Context) -> None:
    """The posting was long ago: what was read before says nothing new, the next reading does."""
    database = judged.database
    stored_video(database, "7", (4 * DAY, 10), (6 * DAY, 210), (8 * DAY, 999))
    made = [
        {"window": window, "predicted_at": AT + age}
        for window, age in (("observed", 5 * DAY), ("publish", 5 * DAY), ("observed", 9 * DAY), ("observed", DAY))
    ]
    described, forecast, latest, early = logged(database, made)
    body = run_harvest(judged, AS_OF).body
    assert outcome_of(database, described) == (210, 3, 48.333333)
    assert outcome_of(database, early) == (10, 1, 12.5)
    assert (outcome_of(database, forecast), outcome_of(database, latest)) == (None, None)
    assert body["withoutOutcome"] == {"knownBefore": 1, "notReadSince": 1}


def test_a_plan_matures_from_when_it_was_posted_and_not_when_it_was_planned(judged: Context) -> None:
    database = judged.database
    stored_video(database, "7", (2 * DAY, 5), (LABEL_AGE + HOUR, 250), posted_at=AT + 2 * DAY)
    (planned,) = logged(database, [{"posted_at": AT, "matures_at": AT + LABEL_AGE}])
    assert run_harvest(judged, AT + 4 * DAY).body["withoutOutcome"] == {"tooYoung": 1}
    run_harvest(judged, AS_OF)
    assert outcome_of(database, planned) == (250, 3, 55.0)
    assert stored_outcomes(database)[planned]["matured_at"] == AT + 5 * DAY


def test_where_the_row_knows_no_posting_time_the_requests_counts(judged: Context) -> None:
    stored_video(judged.database, "7", (4 * DAY, 250), posted_at=None)
    (asked,) = logged(judged.database, [{"posted_at": AT}])
    run_harvest(judged, AS_OF)
    assert outcome_of(judged.database, asked) == (250, 3, 55.0)


def test_two_predictions_of_a_video_have_one_outcome_each(judged: Context) -> None:
    stored_video(judged.database, "7", (LABEL_AGE, 250))
    ids = logged(judged.database, [{}, {"window": "1h", "predicted_at": AT + HOUR}, {"platform": "youtube"}])
    assert run_harvest(judged, AS_OF).body["harvested"] == 2
    assert [outcome_of(judged.database, one) for one in ids] == [(250, 3, 55.0), (250, 3, 55.0), None]


def test_a_reading_beyond_the_most_does_not_count(judged: Context) -> None:
    number = version(judged, settings={"label_age": "PT72H", "label_age_max": "PT96H"})
    stored_video(judged.database, "7", (5 * DAY, 250))
    strict, free = logged(judged.database, [{"model_version": number}, {}])
    assert run_harvest(judged, AS_OF).body["withoutOutcome"] == {"readTooLate": 1}
    assert (outcome_of(judged.database, strict), outcome_of(judged.database, free)) == (None, (250, 3, 55.0))


def test_the_version_that_predicted_judges_and_not_the_champion(judged: Context) -> None:
    """Each with its cut-points, its training videos and its label age."""
    champion = version(judged, training_rows([1, 1], [200, 250]), cutPoints=[900, 950, 970, 999])
    hasty = version(judged, training_rows([2], [7]), cutPoints=[6, 8, 9, 10], settings={"label_age": "PT24H"})
    engaged = version(judged, training_rows([2], [0.06]), label="wes", cutPoints=[0.05, 0.1, 0.2, 0.5])
    stored_video(judged.database, "7", (DAY, 7), (LABEL_AGE, 250), likes=10, comments=2, shares=2)
    ids = logged(judged.database, [{"model_version": number} for number in (1, champion, hasty, engaged)])
    run_harvest(judged, AS_OF)
    assert [outcome_of(judged.database, one) for one in ids] == [
        (250, 3, 55.0),
        (250, 1, 18.75),
        (7, 2, 35.0),
        (250, 2, 45.0),
    ]
    quantities = [stored_outcomes(judged.database)[one]["actual_quantity"] for one in ids]
    assert quantities == pytest.approx([250, 250, 7, 0.08])


@pytest.mark.parametrize("gone", [True, False], ids=["version gone", "no cut-points"])
def test_without_cut_points_the_views_are_kept_and_no_tier_is_invented(judged: Context, gone: bool) -> None:
    number = 99 if gone else version(judged, cutPoints=None)
    stored_video(judged.database, "7", (LABEL_AGE, 250))
    (asked, known) = logged(judged.database, [{"model_version": number}, {}])
    body = run_harvest(judged, AS_OF).body
    assert body["status"] == "completed"
    assert body["withoutOutcome"] == {"withoutCutPoints": 1}
    assert outcome_of(judged.database, asked) == (250, None, None)
    assert outcome_of(judged.database, known) == (250, 3, 55.0)
    assert run_harvest(judged, AS_OF).body["unchanged"] == 2


def test_a_harvest_of_the_past_knows_nothing_of_later(judged: Context) -> None:
    stored_video(judged.database, "7", (LABEL_AGE, 250), (6 * DAY, 999))
    (asked,) = logged(judged.database, [{}])
    for as_of in (AT + DAY, AT + LABEL_AGE - timedelta(microseconds=1)):
        assert run_harvest(judged, as_of).body["harvested"] == 0
    assert run_harvest(judged, AT + LABEL_AGE).body["harvested"] == 1
    assert outcome_of(judged.database, asked) == (250, 3, 55.0)


def test_cut_points_are_those_of_the_label(judged: Context) -> None:
    """A video on a cut-point of views belongs to the lower tier."""
    for views in (0, 100, 101, 400, 401):
        stored_video(judged.database, str(views), (LABEL_AGE, views))
    ids = logged(judged.database, [{"platform_video_id": str(views)} for views in (0, 100, 101, 400, 401)])
    run_harvest(judged, AS_OF)
    found = [outcome_of(judged.database, one) for one in ids]
    assert [one and one[1] for one in found] == [1, 1, 2, 4, 5]
    assert CUT_POINTS[0] == 100
