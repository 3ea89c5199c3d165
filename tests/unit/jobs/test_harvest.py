"""The harvest as a job: run again it changes nothing, a corrected reading corrects, and every answer is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from groundswell.jobs import harvest as job
from groundswell.jobs.context import Context
from groundswell.jobs.harvest import harvest
from groundswell.jobs.reported import delete_outcome, report_outcomes
from groundswell.store import runs, tables
from groundswell.store.database import Database
from tests.made_up import context_of
from tests.made_up_loop import (
    AT,
    DAY,
    HOUR,
    LABEL_AGE,
    entries,
    logged,
    predicted,
    stored_outcomes,
    stored_video,
    training_rows,
    verified,
    version,
)

AS_OF = AT + 10 * DAY


@pytest.fixture
def judged(tmp_path: Path, database: Database) -> Context:
    """A context whose version 1 judges by views."""
    context = context_of(tmp_path / "home", database)
    version(context, training_rows([3, 3, 3, 5], [210, 250, 290, 500]))
    return context


def ledger_of(context: Context) -> list[dict[str, Any]]:
    assert verified(context.database).status == "verified"
    return entries(context.database, "outcome")


def test_a_second_harvest_changes_nothing(judged: Context) -> None:
    for number, views in enumerate((5, 250, 999)):
        stored_video(judged.database, str(number), (LABEL_AGE, views))
    logged(judged.database, [{"platform_video_id": str(number)} for number in range(4)])
    first = harvest(judged, AS_OF).body
    before = stored_outcomes(judged.database)
    second = harvest(judged, AS_OF + HOUR).body
    assert stored_outcomes(judged.database) == before
    assert ledger_of(judged) == []
    assert (first["harvested"], second["harvested"], second["unchanged"], second["corrected"]) == (3, 0, 3, 0)
    assert first["withoutOutcome"] == second["withoutOutcome"] == {"noPostingTime": 1}


def test_more_views_at_the_same_moment_correct_the_outcome(judged: Context) -> None:
    stored_video(judged.database, "7", (LABEL_AGE, 210))
    asked = predicted(judged.database)
    harvest(judged, AS_OF)
    stored_video(judged.database, "7", (LABEL_AGE, 405))
    body = harvest(judged, AS_OF + HOUR).body
    assert (body["harvested"], body["corrected"], body["unchanged"]) == (0, 1, 0)
    row = stored_outcomes(judged.database)[asked]
    assert (row["actual_views"], row["actual_tier"], row["actual_score"]) == (405, 5, 80.0)
    assert (row["created_at"], row["updated_at"]) == (AS_OF, AS_OF + HOUR)
    observed = "2026-08-04T12:00:00Z"
    assert ledger_of(judged) == [
        {
            "prediction": asked,
            "was": {
                "actual_views": 210,
                "actual_tier": 3,
                "actual_score": 48.333333,
                "actual_quantity": 210,
                "observed_at": observed,
                "origin": "harvest",
            },
            "is": {
                "actual_views": 405,
                "actual_tier": 5,
                "actual_score": 80,
                "actual_quantity": 405,
                "observed_at": observed,
                "origin": "harvest",
            },
        }
    ]
    assert harvest(judged, AS_OF + 2 * HOUR).body["unchanged"] == 1


def test_an_earlier_reading_that_arrives_late_corrects_the_outcome(judged: Context) -> None:
    stored_video(judged.database, "7", (5 * DAY, 405))
    asked = predicted(judged.database)
    harvest(judged, AS_OF)
    stored_video(judged.database, "7", (LABEL_AGE, 250), (5 * DAY, 405))
    assert harvest(judged, AS_OF).body["corrected"] == 1
    row = stored_outcomes(judged.database)[asked]
    assert (row["actual_views"], row["observed_at"]) == (250, AT + LABEL_AGE)
    (entry,) = ledger_of(judged)
    assert (entry["was"]["actual_views"], entry["is"]["actual_views"]) == (405, 250)


def test_a_corrected_quantity_is_a_correction_though_views_and_tier_are_as_they_were(judged: Context) -> None:
    number = version(judged, training_rows([2], [0.06]), label="wes", cutPoints=[0.05, 0.2, 0.3, 0.5])
    asked = predicted(judged.database, model_version=number)
    for likes in (10, 11):
        stored_video(judged.database, "7", (LABEL_AGE, 100), likes=likes)
        harvest(judged, AS_OF)
    assert stored_outcomes(judged.database)[asked]["actual_quantity"] == pytest.approx(0.11)
    assert len(ledger_of(judged)) == 1


def test_a_reading_that_vanished_leaves_the_outcome(judged: Context) -> None:
    stored_video(judged.database, "7", (LABEL_AGE, 250))
    predicted(judged.database)
    harvest(judged, AS_OF)
    before = stored_outcomes(judged.database)
    stored_video(judged.database, "7", (DAY, 5))
    assert harvest(judged, AS_OF).body["withoutOutcome"] == {"notReadSince": 1}
    assert stored_outcomes(judged.database) == before


def test_an_outcome_older_than_the_time_of_pairs_is_no_longer_followed(judged: Context) -> None:
    stored_video(judged.database, "7", (LABEL_AGE, 250))
    predicted(judged.database)
    harvest(judged, AS_OF)
    stored_video(judged.database, "7", (LABEL_AGE, 405))
    days = judged.settings.pair_days
    assert harvest(judged, AS_OF + (days + 1) * DAY).body["followed"] == 0
    assert harvest(judged, AS_OF + days * DAY).body["corrected"] == 1


def test_what_was_reported_or_deleted_is_left_alone(judged: Context) -> None:
    stored_video(judged.database, "7", (LABEL_AGE, 250))
    reported, deleted, deleted_before = logged(judged.database, [{}, {"window": "1h"}, {"window": "6h"}])
    report_outcomes(judged, [{"predictionId": reported, "actualViews": 999}], AS_OF)
    report_outcomes(judged, [{"predictionId": deleted_before, "actualViews": 999}], AS_OF)
    harvest(judged, AS_OF)
    for prediction_id in (deleted, deleted_before):
        assert delete_outcome(judged, prediction_id, AS_OF)["deleted"]
    before, said = stored_outcomes(judged.database), ledger_of(judged)
    body = harvest(judged, AS_OF + HOUR).body
    assert (body["leftAsReported"], body["followed"], body["harvested"], body["corrected"]) == (3, 3, 0, 0)
    assert stored_outcomes(judged.database) == before
    assert ledger_of(judged) == said
    assert before[reported]["actual_views"] == 999


def test_a_harvest_of_nothing_completes(judged: Context) -> None:
    report = harvest(judged, AS_OF)
    assert report.status == "completed"
    assert {name: report.body[name] for name in ("followed", "harvested", "withoutOutcome")} == {
        "followed": 0,
        "harvested": 0,
        "withoutOutcome": {},
    }
    assert report.body["matured"]["sentence"] == "0 of 0 predictions matured"


def test_a_harvest_says_how_many_matured(judged: Context) -> None:
    stored_video(judged.database, "7", (LABEL_AGE, 250))
    logged(judged.database, [{}, {"platform_video_id": "8", "matures_at": AS_OF + DAY}])
    body = harvest(judged, AS_OF).body
    assert body["matured"]["sentence"] == "1 of 2 predictions matured; the rest by 12 Aug 2026"
    assert body["matured"]["byWindow"]["publish"]["sentence"] == body["matured"]["sentence"]
    assert body["harvestedAt"] == "2026-08-11T12:00:00Z"


def test_a_harvest_is_a_run_of_its_own_and_logs_under_its_name(context: Context, logs: Callable[[], str]) -> None:
    version(context)
    stored_video(context.database, "7", (LABEL_AGE, 250))
    predicted(context.database)
    body = harvest(context, AS_OF).body
    (run,) = runs.recent(context.database)
    assert (run["id"], run["kind"], run["status"]) == (body["runId"], "harvest", "completed")
    assert run["report"]["harvested"] == 1
    assert "1 outcomes harvested, 0 corrected, 0 unchanged; waiting: {} [harvest-outcomes]" in logs()


def test_only_one_harvest_runs_at_a_time(judged: Context) -> None:
    with runs.running(judged.database, kind="harvest") as run:
        assert harvest(judged, AS_OF).body == {"status": "already_running", "runId": run.id}
        run.finish("completed", {})


def test_a_harvest_that_cannot_read_a_versions_memory_fails_and_says_so(judged: Context) -> None:
    stored_video(judged.database, "7", (LABEL_AGE, 250))
    predicted(judged.database)
    with judged.database.begin() as connection:
        connection.execute(sa.update(tables.model_versions).values(training_rows="f" * 64))
    report = harvest(judged, AS_OF)
    assert report.status == "failed"
    assert report.body["error"].startswith("Harvest failed: ")
    assert report.body["hint"]
    assert stored_outcomes(judged.database) == {}


def test_a_harvest_in_slices_is_a_harvest(judged: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_AT_ONCE", 7)
    for number in range(20):
        stored_video(judged.database, str(number), (LABEL_AGE, 10 * number))
    logged(judged.database, [{"platform_video_id": str(number % 20)} for number in range(50)])
    assert harvest(judged, AS_OF).body["harvested"] == 50
    assert harvest(judged, AS_OF).body["unchanged"] == 50


@pytest.mark.slow
def test_a_hundred_thousand_predictions_are_harvested_within_a_minute(judged: Context) -> None:
    fill(judged.database, 100_000)
    body = harvest(judged, AS_OF).body
    assert (body["harvested"], body["unchanged"]) == (100_000, 0)
    assert sum(body["stepSeconds"].values()) < 60
    assert harvest(judged, AS_OF).body["unchanged"] == 100_000


def fill(database: Database, rows: int) -> None:
    """Store videos read twice, and a prediction of each."""
    numbers = range(rows)
    with database.begin() as connection:
        posted_at, at = AT.isoformat(), AT + LABEL_AGE
        metadata = {"uploaded_at": posted_at, "scraped_at": (AT + 5 * DAY).isoformat()}
        videos = [
            {"id": f"00000000-0000-4000-8000-{n:012d}", "platform_video_id": str(n), "views": n % 500 + 5}
            | {"platform": "tiktok", "metadata": metadata, "created_at": at}
            for n in numbers
        ]
        connection.execute(sa.insert(tables.scraped_videos), videos)
        readings = [
            {"platform": "tiktok", "platform_video_id": str(n), "observed_at": at, "views": n % 500, "recorded_at": at}
            for n in numbers
        ]
        connection.execute(sa.insert(tables.snapshots), readings)
    logged(database, [{"platform_video_id": str(n)} for n in numbers])
