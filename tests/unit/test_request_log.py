"""Around every request: an id in every line and in the answer, one line of its own, and no secret of a query."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from groundswell.logs import configure_logs
from groundswell.settings import load_settings
from groundswell.store import runs
from groundswell.web import request_log
from groundswell.web.app import create_app
from tests.asking import Browser

CRON = "a-cron-secret"


@pytest.fixture
def lines(logs: Callable[[], str], capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Every line that was logged since, as JSON."""

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    yield read
    logging.getLogger().handlers[:] = []


@pytest.fixture
def service(tmp_path: Path) -> Browser:
    return Browser(create_app(load_settings(home=tmp_path, cron_secret=CRON)))


def test_a_line_tells_what_was_asked_and_how_it_ended(
    service: Browser, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    configure_logs(log_format="json")
    answer = service.get("/healthz?key=s3cret", x_request_id="seven-7")
    (line,) = lines()
    assert answer.headers["x-request-id"] == "seven-7"
    assert line.pop("ms") >= 0
    assert line.pop("timestamp")
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "web",
        "method": "GET",
        "path": "/healthz",
        "request_id": "seven-7",
        "status": 200,
    }


@pytest.mark.parametrize("given", ["", "two words", "a" * 129, "line%0d%0aend\u00e9", "<b>"])
def test_an_id_that_could_do_harm_is_replaced(service: Browser, given: str) -> None:
    answer = service.ask("GET", "/healthz", headers={"x-request-id": given.encode()})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("path", "status"), [("/nothing/here", 404), ("/api/predict", 405), ("/api/cron/recalibrate", 401)]
)
def test_every_answer_has_an_id(service: Browser, path: str, status: int) -> None:
    answer = service.get(path)
    assert (answer.status_code, len(answer.headers["x-request-id"])) == (status, 32)


def test_an_unexpected_error_has_one_too(service: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(service.app.state.metrics, "text", fails)
    service.raises = False
    answer = service.get("/metrics", x_request_id="q")
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "q")


def test_no_path_begins_a_line_of_its_own(service: Browser, lines: Callable[[], list[dict[str, Any]]]) -> None:
    configure_logs(log_format="json")
    service.get("/x%0A2026-01-01 [error] forged")
    (line,) = lines()
    assert line["path"] == "/x%0A2026-01-01%20[error]%20forged"


def test_what_a_run_logs_names_the_request_and_the_run(
    service: Browser, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    configure_logs(log_format="json")
    body = service.get("/api/cron/harvest-outcomes", authorization=f"Bearer {CRON}", x_request_id="q7").json()
    (line,) = [one for one in lines() if one["logger"] == "harvest-outcomes"]
    assert (line["request_id"], line["run_id"]) == ("q7", body["runId"])
    assert runs.find(service.app.state.groundswell.context().database, body["runId"]) is not None


def test_requests_are_counted_by_the_template_of_their_route(service: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[tuple[str, str, int]] = []
    monkeypatch.setattr(service.app.middleware_stack, "_observe", lambda *told: counted.append(told[:3]))
    service.get("/api/audits/7")
    service.get("/api/audits/8?format=html")
    service.get("/no/such/path")
    assert counted == [
        ("GET", "/api/audits/{run_id}", 404),
        ("GET", "/api/audits/{run_id}", 404),
        (request_log.UNMATCHED, request_log.UNMATCHED, 404),
    ]
