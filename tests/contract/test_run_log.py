"""The log of a run: its own lines, in order, kept step by step, on both databases."""

from __future__ import annotations

import io
import logging
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from groundswell.errors import DatabaseError
from groundswell.jobs.context import Context
from groundswell.jobs.run_log import MOST_LINES, kept_log
from groundswell.jobs.running import Job, run_job
from groundswell.jobs.steps import Steps, silent
from groundswell.logs import configure_logs
from groundswell.store import listing, run_lines, runs
from groundswell.store.database import Database
from tests.made_up import context_of

JOB = Job("audit", "Audit", "calibration-audit")
log = structlog.stdlib.get_logger(JOB.logger)


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logs as at a terminal, where only warnings are shown."""
    root = logging.getLogger()
    level = root.level
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    configure_logs("WARNING")
    ours = root.handlers[:]
    yield
    for handler in ours:
        root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def either(tmp_path: Path, database: Database) -> Context:
    return context_of(tmp_path / "home", database)


def lines(database: Database, run_id: str) -> list[tuple[int, str, str]]:
    return [(one["number"], one["level"], one["said"]) for one in listing.lines_of(database, run_id, 10_000)]


def test_a_run_keeps_what_it_says_and_nobody_elses_words(either: Context) -> None:
    def work(steps: Steps, _run: runs.Run) -> dict[str, Any]:
        log.info("Class weights", t1=0.5)
        stranger = threading.Thread(target=lambda: log.warning("another request"))
        stranger.start()
        stranger.join()
        logging.getLogger("lightgbm").warning("%s rows", 7)
        log.debug("too small to keep")
        return {"status": "completed"}

    run_id = run_job(either, JOB, work, silent).body["runId"]
    log.warning("after the run")
    assert lines(either.database, run_id) == [(1, "info", "Class weights t1=0.5"), (2, "warning", "7 rows")]


def test_a_killed_run_keeps_what_it_had_said_by_its_last_step(either: Context) -> None:
    found: list[list[tuple[int, str, str]]] = []

    def work(steps: Steps, run: runs.Run) -> dict[str, Any]:
        steps.begin("query")
        log.info("first")
        steps.begin("train")
        log.info("second")
        found.append(lines(either.database, run.id))
        return {"status": "completed"}

    run_id = run_job(either, JOB, work, silent).body["runId"]
    assert found == [[(1, "info", "first")]]
    assert [said for _, _, said in lines(either.database, run_id)] == ["first", "second"]


def test_why_a_run_failed_is_in_its_log(either: Context) -> None:
    def work(steps: Steps, run: runs.Run) -> dict[str, Any]:
        raise ZeroDivisionError("by nothing at postgresql://ann:s3cret@db/x")

    ((number, level, said),) = lines(either.database, run_job(either, JOB, work, silent).body["runId"])
    assert (number, level) == (1, "error")
    assert said.startswith("Audit failed\nTraceback")
    assert said.endswith("ZeroDivisionError: by nothing at postgresql://ann:***@db/x")


def test_a_run_that_cannot_stop_talking_is_heard_no_further(either: Context) -> None:
    run_id = str(uuid.uuid4())
    with kept_log(either.database, run_id):
        for number in range(MOST_LINES + 50):
            log.info(f"line {number}")
    found = lines(either.database, run_id)
    assert len(found) == MOST_LINES
    assert found[-2] == (MOST_LINES - 1, "info", f"line {MOST_LINES - 2}")
    assert found[-1][2].startswith("A run's log is kept up to 2,000 lines")


def test_any_text_can_be_kept(either: Context) -> None:
    run_id = str(uuid.uuid4())
    with kept_log(either.database, run_id):
        log.info("nul \0, half a pair \ud83d, <script>, '); drop table runs; --")
        log.info("x" * 20_000)
    first, second = lines(either.database, run_id)
    assert first[2] == "nul \N{REPLACEMENT CHARACTER}, half a pair ?, <script>, '); drop table runs; --"
    assert len(second[2]) == 10_000


def test_a_log_that_cannot_be_stored_waits_and_fails_no_run(either: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DatabaseError("The disk is full.")

    def work(steps: Steps, run: runs.Run) -> dict[str, Any]:
        monkeypatch.setattr(run_lines, "add", refuse)
        log.info("first")
        steps.begin("train")
        monkeypatch.setattr(run_lines, "add", stored)
        log.info("second")
        return {"status": "completed"}

    stored = run_lines.add
    report = run_job(either, JOB, work, silent)
    assert report.status == "completed"
    assert [said for _, _, said in lines(either.database, report.body["runId"])] == ["first", "second"]
