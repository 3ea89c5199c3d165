"""Logs: one line an event on stderr, named after the job that speaks; nothing on stdout."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest
import structlog


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
