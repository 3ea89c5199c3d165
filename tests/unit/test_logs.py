"""Logs: one line an event on stderr, named after the job that speaks; nothing on stdout."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog

from groundswell.logs import configure_logs


@pytest.mark.parametrize("job", ["retrain-ml", "calibration-audit"])
def test_a_line_says_when_how_grave_what_and_who(
    logs: Callable[[], str], job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.stdlib.get_logger(job).warning("100 % of T1=3")
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[warning *\] 100 % of T1=3 \[{job}\]\n", logs())
    assert capsys.readouterr().out == ""


def test_lines_of_other_libraries_are_in_the_same_form(logs: Callable[[], str]) -> None:
    logging.getLogger("uvicorn.error").error("%s is up", "it")
    logging.getLogger("botocore.hooks").info("noise")
    assert logs().endswith("[error    ] it is up [uvicorn.error]\n")


def test_a_traceback_shows_no_local_variable(logs: Callable[[], str]) -> None:
    password = "hu" + "sh"
    try:
        raise ValueError(f"bad, {len(password)} letters")
    except ValueError:
        structlog.stdlib.get_logger("retrain-ml").exception("Training failed")
    assert "ValueError: bad, 4 letters" in logs()
    assert "hush" not in logs()


@pytest.fixture
def err(logs: Callable[[], str], capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What was logged so far, by logs that the test itself configures."""
    yield lambda: capsys.readouterr().err
    logging.getLogger().handlers[:] = []


def test_json_logs_are_one_object_a_line(err: Callable[[], str]) -> None:
    configure_logs(log_format="json")
    with structlog.contextvars.bound_contextvars(run_id="r1", request_id="q1"):
        structlog.stdlib.get_logger("retrain-ml").warning("100 %\nof T1=3", path=Path("a"))
    logging.getLogger("uvicorn.error").info("%s is up", "it")
    first, second = (json.loads(line) for line in err().splitlines())
    assert first.pop("timestamp") <= second.pop("timestamp")
    assert first == {
        "event": "100 %\nof T1=3",
        "level": "warning",
        "logger": "retrain-ml",
        "path": "a",
        "run_id": "r1",
        "request_id": "q1",
    }
    assert second == {"event": "it is up", "level": "info", "logger": "uvicorn.error"}


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_line_shows_the_password_of_a_url(err: Callable[[], str], form: Literal["console", "json"]) -> None:
    configure_logs(log_format=form)
    log = structlog.stdlib.get_logger("retrain-ml")
    url = "postgresql://ann:s3cret@db/x"
    log.error(f"no answer from {url}")
    try:
        raise ValueError(url)
    except ValueError:
        log.exception("Training failed")
    logging.getLogger("other").error("at %s", url)
    said = err()
    assert said.count("ann:***@db") == 3
    assert "s3cret" not in said


def test_what_is_below_the_level_is_not_shown(err: Callable[[], str]) -> None:
    configure_logs("WARNING")
    structlog.stdlib.get_logger("retrain-ml").info("Tier distribution")
    structlog.stdlib.get_logger("retrain-ml").warning("held")
    said = err()
    assert "Tier" not in said
    assert "held" in said
