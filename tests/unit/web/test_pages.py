"""The pages as HTML and their twins as JSON: whole whatever is stored, paged, and only for those who may."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from groundswell.jobs.context import Context
from groundswell.store import registry, tables
from groundswell.web import assets
from tests.asking import OPERATOR, OWN, PREDICTOR, READER, Browser
from tests.unit.pages import HOSTILE, Page

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACES = ("/", "/try", "/lines", "/lines/publish", "/models", "/audits", "/runs", "/data")
TWINS = ("/api/today", "/api/lines", "/api/lines/publish", "/api/models", "/api/audits", "/api/runs", "/api/data")
pytestmark = pytest.mark.usefixtures("undrawn")


def context_of(app: FastAPI) -> Context:
    context: Context = app.state.groundswell.context()
    return context


def promote(app: FastAPI, expected: int | None = None, **changed: Any) -> int:
    context = context_of(app)
    plain: dict[str, Any] = {"source": "", "lineage": {}, "evaluation": {}, "decision": {}}
    made = registry.promote(
        context.database,
        window="publish",
        artifact=context.artifacts.put(b"a model"),
        training_rows=context.artifacts.put(b"rows"),
        expected=expected,
        at=context.now(),
        **(plain | changed),
    )
    return made.version


def add_run(app: FastAPI, **changed: Any) -> str:
    row = {"id": str(uuid.uuid4()), "kind": "audit", "status": "completed", "started_at": AT, "report": {}} | changed
    with context_of(app).database.begin() as connection:
        connection.execute(sa.insert(tables.runs), row)
    return str(row["id"])


def check_whole(visitor: Browser, path: str) -> Page:
    answer = visitor.ask("GET", path)
    assert answer.status_code == 200, (path, answer.text[:300])
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert not page.all("script")
    assert not page.all("style")
    assert not [found for _, found in page.tags if "style" in found or any(name.startswith("on") for name in found)]
    return page


def test_whatever_a_version_or_a_report_lacks_every_page_is_whole(open_app: FastAPI, visitor: Browser) -> None:
    first = promote(open_app)
    second = promote(open_app, first, evaluation={"metrics": {}, "baselines": {}}, lineage={"estimatorOf": first})
    made = [
        add_run(open_app, report=report, kind=kind, status=status)
        for kind, status, report in (
            ("audit", "completed", {"auditedAt": "2026-03-01T00:00:00Z"}),
            ("audit", "skipped", {"auditedAt": "2026-03-01T00:00:00Z", "lines": {"publish": {}}}),
            ("retrain", "failed", None),
            ("harvest", "running", None),
            ("retrain", "skipped", {"decision": None}),
            ("something", "completed", {"stepSeconds": {}, "files": []}),
            ("audit", "completed", {"auditedAt": "soon", "recommendation": {}, "history": None, "lines": None}),
        )
    ]
    for path in (
        *PLACES,
        *(f"/models/{number}" for number in (first, second)),
        f"/models/{first}/promote",
        "/lines/publish/rollback",
        *(f"/runs/{run}" for run in made),
        *(f"/audits/{run}" for run in made[:2]),
    ):
        check_whole(visitor, path)
    for path in TWINS:
        assert visitor.ask("GET", path).status_code == 200, path


def test_what_is_hostile_is_shown_and_not_run(open_app: FastAPI, visitor: Browser) -> None:
    said = HOSTILE.replace("\x00", "")
    number = promote(open_app, source=said, lineage={"label": said}, decision={"reason": said, "findings": []})
    run = add_run(open_app, kind=said, status="failed", report={"error": said, "hint": said, "files": [said]})
    with context_of(open_app).database.begin() as connection:
        line = {"run_id": run, "number": 1, "at": AT, "level": said, "said": said}
        connection.execute(sa.insert(tables.run_lines), line)
    for path in ("/", "/models", f"/models/{number}", "/runs", f"/runs/{run}"):
        page = check_whole(visitor, path)
        assert "alert(1)" in page.said, path


def test_lists_come_in_parts(open_app: FastAPI, visitor: Browser) -> None:
    made = [add_run(open_app, started_at=AT.replace(minute=minute)) for minute in range(7)]
    body = visitor.ask("GET", "/api/runs?limit=3&offset=3").json()
    assert [run["runId"] for run in body["runs"]] == made[3:0:-1]
    assert (body["total"], body["limit"], body["offset"]) == (7, 3, 3)
    page = check_whole(visitor, "/runs?limit=3&offset=3&kind=audit")
    links = {found.get("rel"): found["href"] for found in page.all("a")}
    assert links["prev"] == "/runs?kind=audit&limit=3&offset=0"
    assert links["next"] == "/runs?kind=audit&limit=3&offset=6"
    assert "4 to 6 of 7 runs" in page.said


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "offset=-1", "limit=many", "offset=99999999999"])
def test_a_part_that_there_cannot_be_is_refused(visitor: Browser, query: str) -> None:
    for path in ("/api/runs", "/api/models", "/api/audits", "/runs"):
        assert visitor.ask("GET", f"{path}?{query}").status_code == 422, path


@pytest.mark.parametrize("number", ["0", "-1", str(2**31), str(2**70), "x"])
def test_a_number_that_no_version_has_is_refused(visitor: Browser, number: str) -> None:
    for method, path in (
        ("GET", f"/api/models/{number}"),
        ("GET", f"/models/{number}"),
        ("POST", f"/api/models/{number}/promote"),
    ):
        assert visitor.ask(method, path).status_code in {404, 422}, path


def test_each_role_sees_and_does_what_it_may(app: FastAPI, browser: Browser) -> None:
    first = promote(app)
    second = promote(app, first)
    cases = [
        ("GET", "/api/today", {READER: 200, PREDICTOR: 403, OPERATOR: 200}),
        ("GET", "/", {READER: 200, PREDICTOR: 403, OPERATOR: 200}),
        ("GET", "/try", {READER: 403, PREDICTOR: 200, OPERATOR: 200}),
        ("GET", f"/models/{first}/promote", {READER: 403, PREDICTOR: 403, OPERATOR: 200}),
        ("POST", f"/api/models/{first}/promote?expected={second}", {READER: 403, PREDICTOR: 403, OPERATOR: 200}),
        ("POST", "/api/models/rollback?window=publish&expected=99", {READER: 403, PREDICTOR: 403, OPERATOR: 409}),
    ]
    for method, path, expected in cases:
        assert browser.ask(method, path).status_code in {401, 303}, path
        for key, status in expected.items():
            answer = browser.ask(method, path, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == status, (path, key, answer.text[:200])


def test_a_promotion_by_form_needs_the_form(open_app: FastAPI, visitor: Browser) -> None:
    first = promote(open_app)
    second = promote(open_app, first)
    path = f"/models/{first}/promote"
    form = {field["name"]: field["value"] for field in check_whole(visitor, path).all("input")}
    assert form["expected"] == str(second)
    for wrong, status in (({}, 422), ({"expected": str(second)}, 403), (form | {"csrf": "forged"}, 403)):
        assert visitor.ask("POST", path, data=wrong, headers=OWN).status_code == status
    assert visitor.ask("POST", path, data=form, headers={"origin": "http://evil.example"}).status_code == 403
    assert visitor.ask("GET", "/api/models").json()["champions"] == {"publish": second}
    done = visitor.ask("POST", path, data=form, headers=OWN)
    assert (done.status_code, done.headers["location"]) == (303, f"/models/{first}?notice=promoted")
    assert visitor.ask("GET", "/api/models").json()["champions"] == {"publish": first}
    assert "serves from now on" in check_whole(visitor, done.headers["location"]).said
    again = visitor.ask("POST", path, data=form, headers=OWN)
    assert again.status_code == 409


def test_files_may_be_kept_for_ever_under_their_own_hash_only(visitor: Browser) -> None:
    for name in ("page.css", "icon.svg"):
        kept = visitor.ask("GET", assets.asset(name))
        assert (kept.status_code, "immutable" in kept.headers["cache-control"]) == (200, True)
        stem, _, suffix = name.rpartition(".")
        other = visitor.ask("GET", f"/static/{stem}.0123456789abcdef.{suffix}")
        assert (other.content, "immutable" in other.headers["cache-control"]) == (kept.content, False)
    for path in ("/static/nothing.css", "/static/..%2fpages.py", "/static/", "/static/page"):
        assert visitor.ask("GET", path).status_code == 404, path


def test_nothing_is_asked_of_another_host(visitor: Browser, tmp_path: Path) -> None:
    for path in PLACES:
        page = check_whole(visitor, path)
        for _, found in page.tags:
            for name in ("href", "src", "action"):
                assert (found.get(name) or "/").startswith(("/", "#")), (path, found)
