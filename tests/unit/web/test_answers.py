"""Every answer: its headers, and what an error shows of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI

from groundswell.errors import ArtifactError, DatabaseError
from groundswell.web.guard.headers import POLICY
from tests.asking import OPERATOR, Browser, app_of, bearer

#: What an error of a database or a store may say, and an answer must not.
TELLING = "postgresql://ann:s3cret@db.internal:5432/waves failed: relation groundswell.predictions /srv/secret.db"


def broken(app: FastAPI, error: Exception, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Return somebody who asks an app whose every look at the database fails."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(app.state.groundswell, "context", fail)
    return Browser(app)


@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/docs", "/openapi.json", "/healthz", "/api/today", "/nothing", "/static/page.x.css", "/static/no"],
)
def test_every_answer_has_the_headers(browser: Browser, path: str) -> None:
    for headers in ({}, bearer(OPERATOR), {**bearer(OPERATOR), "accept": "text/html"}):
        answer = browser.get(path, **headers)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "camera=()" in answer.headers["permissions-policy"]
        assert len(answer.headers.get_list("content-security-policy")) == 1
        assert "strict-transport-security" not in answer.headers
        kept = answer.status_code == 200 and path.startswith("/static/")
        assert (answer.headers["cache-control"] == "no-store") != kept
        assert "access-control-allow-origin" not in answer.headers


def test_https_is_asked_for_where_it_is_spoken(tmp_path: Path) -> None:
    by_proxy = Browser(app_of(tmp_path, public_url="https://waves.example"))
    directly = Browser(app_of(tmp_path), "https://waves.example")
    for browser in (by_proxy, directly):
        assert browser.get("/healthz").headers["strict-transport-security"] == "max-age=31536000"


def test_no_page_runs_or_links_to_anything_from_elsewhere(browser: Browser) -> None:
    browser.log_in()
    for path in ("/", "/login", "/docs", "/lines", "/models", "/runs", "/audits", "/data", "/try"):
        page = browser.get(path).text
        assert "<script" not in page
        assert 'style="' not in page, f"{path}: the policy forbids styles in the text"
        assert "http://" not in page.replace("http://www.w3.org", "").replace("http://127.0.0.1", "").replace(
            "http://localhost", ""
        )


@pytest.mark.parametrize("kind", [DatabaseError, ArtifactError])
def test_an_error_of_a_store_goes_into_the_log_and_not_into_the_answer(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, logs: Callable[[], str], kind: type[DatabaseError | ArtifactError]
) -> None:
    browser = broken(app, kind(TELLING), monkeypatch)
    for path in ("/api/today", "/", "/api/runs", "/runs"):
        answer = browser.get(path, **bearer(OPERATOR))
        assert answer.status_code == kind.http_status >= 500
        assert not any(word in answer.text for word in ("s3cret", "internal", "postgresql", "relation", "/srv"))
    assert "relation groundswell.predictions" in logs()


def test_what_nobody_foresaw_shows_nothing(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, logs: Callable[[], str]
) -> None:
    browser = broken(app, ZeroDivisionError(TELLING), monkeypatch)
    answer = browser.get("/api/today", **bearer(OPERATOR))
    assert (answer.status_code, answer.json()["error"]) == (500, "Internal error")
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.json().get("requestId") == answer.headers.get("x-request-id")
    page = browser.get("/", **bearer(OPERATOR))
    assert (page.status_code, page.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "s3cret" not in answer.text + page.text
    assert "ZeroDivisionError" in logs()


def test_an_error_does_not_repeat_what_was_sent_at_length(browser: Browser) -> None:
    long = "<script>" + "x" * 100_000
    for path in (f"/api/lines/{long[:5_000]}", f"/api/runs/{long[:5_000]}", f"/api/runs?kind={long[:5_000]}"):
        assert len(browser.get(path, **bearer(OPERATOR)).text) < 1_000
    answer = browser.post("/api/predict", json={"window": long, "videos": []}, headers=bearer(OPERATOR))
    assert answer.status_code == 422
    assert len(answer.text) < 1_000
    assert "<script>" not in browser.get(f"/runs/{long[:1_000]}", **bearer(OPERATOR)).text


def test_a_method_that_is_not_there_names_those_that_are(browser: Browser) -> None:
    answer = browser.ask("PUT", "/api/predict", headers=bearer(OPERATOR))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert set(answer.json()) == {"error", "hint"}
