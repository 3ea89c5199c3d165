"""How a job runs: whatever goes wrong has an answer, and only one of a kind runs at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from groundswell.errors import NoChampionError
from groundswell.jobs.context import Context
from groundswell.jobs.running import Job, run_job
from groundswell.jobs.steps import Steps, silent
from groundswell.records import Window
from groundswell.store import runs

JOB = Job("audit", "Audit", "calibration-audit")


def ended(context: Context, work: Callable[[Steps, runs.Run], dict[str, Any]], **said: Any) -> dict[str, Any]:
    return run_job(context, JOB, work, silent, Window.PUBLISH, said).body


def completes(steps: Steps, _run: runs.Run) -> dict[str, Any]:
    steps.begin("query")
    return {"status": "completed", "n": 3}


def test_what_a_job_answers_is_stored_as_its_report(context: Context) -> None:
    body = ended(context, completes, window="publish")
    assert (body["status"], body["n"], body["window"], list(body["stepSeconds"])) == (
        "completed",
        3,
        "publish",
        ["query"],
    )
    run = runs.find(context.database, body["runId"])
    assert run is not None
    assert (run["status"], run["window"], run["report"]) == ("completed", "publish", body)


def test_an_error_with_a_hint_is_told_with_it(context: Context, logs: Callable[[], str]) -> None:
    def fails(_steps: Steps, _run: runs.Run) -> dict[str, Any]:
        raise NoChampionError("No model serves.", "Run it.")

    body = ended(context, fails, window="publish")
    assert {name: body[name] for name in ("status", "error", "hint", "window")} == {
        "status": "failed",
        "error": "Audit failed: No model serves.",
        "hint": "Run it.",
        "window": "publish",
    }
    run = runs.find(context.database, body["runId"])
    assert run is not None
    assert (run["status"], run["report"]["error"]) == ("failed", body["error"])
    assert "Audit failed: No model serves. [calibration-audit]" in logs()


def test_an_unexpected_error_is_told_with_its_kind(context: Context, logs: Callable[[], str]) -> None:
    def fails(_steps: Steps, _run: runs.Run) -> dict[str, Any]:
        raise ZeroDivisionError("by nothing")

    body = ended(context, fails)
    assert (body["status"], body["error"]) == ("failed", "Audit failed: ZeroDivisionError: by nothing")
    assert "Traceback" in logs()


def test_a_job_that_reaches_its_time_limit_fails(context: Context) -> None:
    def slow(steps: Steps, _run: runs.Run) -> dict[str, Any]:
        steps._limit = -1.0
        steps.begin("query")
        return {}

    body = ended(context, slow)
    assert (body["status"], body["error"]) == ("failed", "Audit failed: time limit of -1 s reached")


def test_a_second_of_a_kind_is_told_which_runs(context: Context, logs: Callable[[], str]) -> None:
    first: list[str] = []

    def nested(_steps: Steps, run: runs.Run) -> dict[str, Any]:
        first.append(run.id)
        return {"status": "completed", "inner": ended(context, completes)}

    body = ended(context, nested)
    assert body["inner"] == {"status": "already_running", "runId": first[0]}
    assert body["status"] == "completed"
    other = run_job(context, JOB, completes, silent, Window.HOUR_1)
    assert other.status == "completed"
