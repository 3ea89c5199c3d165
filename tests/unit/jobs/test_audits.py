"""The audits of the past: frozen once written, and re-openable."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from groundswell.jobs.audit import audit
from groundswell.jobs.audits import UnknownAuditError, digest, list_audits, show_audit
from groundswell.jobs.context import Context
from groundswell.jobs.harvest import harvest
from groundswell.store import runs, tables
from groundswell.store.database import Database
from groundswell.store.listing import Part
from tests.made_up import context_of
from tests.made_up_loop import HOUR, entries, verified
from tests.unit.jobs.test_audit import NOW, fair, say, serve


@pytest.fixture
def audited(tmp_path: Path, database: Database) -> tuple[Context, dict[str, Any]]:
    """A context of 300 outcomes with a line, and what its audit answered."""
    context = context_of(tmp_path, database)
    say(context, *fair(300))
    serve(context, 200, 1.0)
    return context, audit(context, NOW).body


def change(context: Context, run_id: str, **changed: Any) -> None:
    run = runs.find(context.database, run_id)
    assert run is not None
    with context.database.begin() as connection:
        report = run["report"] | changed
        connection.execute(sa.update(tables.runs).filter_by(id=run_id).values(report=report))


def test_a_report_is_opened_as_it_was_written(audited: tuple[Context, dict[str, Any]]) -> None:
    context, body = audited
    assert show_audit(context, body["runId"]) == body | {"frozen": "verified"}
    (entry,) = entries(context.database, "audit")
    assert entry == {"run": body["runId"], "sha256": digest(body)}
    assert verified(context.database).status == "verified"


def test_later_outcomes_and_audits_do_not_change_it(audited: tuple[Context, dict[str, Any]]) -> None:
    context, body = audited
    say(context, *fair(100, off=50))
    audit(context, NOW + HOUR)
    assert show_audit(context, body["runId"]) == body | {"frozen": "verified"}


@pytest.mark.parametrize(
    "changed", [{"alarm": "green!"}, {"ece": 0.5}, {"totalSamples": 299}, {"lines": {}}, {"new": None}], ids=str
)
def test_a_changed_report_is_noticed(audited: tuple[Context, dict[str, Any]], changed: dict[str, Any]) -> None:
    context, body = audited
    change(context, body["runId"], **changed)
    assert show_audit(context, body["runId"])["frozen"] == "changed since it was written"


def test_numbers_are_frozen_by_value(audited: tuple[Context, dict[str, Any]]) -> None:
    """However a database writes them: 1e-05 as 0.00001, 3.0 as 3, −0 as 0."""
    context, body = audited
    change(context, body["runId"], totalSamples=300.0, stepSeconds={})
    assert show_audit(context, body["runId"])["frozen"] == "verified"
    assert digest({"a": [-0.0, 1, 1e-05], "runId": "x"}) == digest({"a": [0, 1.0, 0.00001]})
    assert digest({"a": 1}) != digest({"a": True})


def test_a_report_of_an_older_release_says_that_nothing_froze_it(context: Context) -> None:
    with runs.running(context.database, kind="audit") as run:
        run.finish("completed", {"status": "completed", "ece": 0.1, "totalSamples": 60, "driftDetected": False})
    assert show_audit(context, run.id)["frozen"] == "not in the ledger"
    # It is part of the history, with what it does not know left out, and does not hinder the next.
    say(context, *fair(100))
    body = audit(context, NOW).body
    assert body["status"] == "completed"
    assert body["history"] == [
        {"auditedAt": None, "runId": run.id, "n": 60, "ece": None, "alarm": None, "lines": {}},
    ]


@pytest.mark.parametrize("run_id", [str(uuid.UUID(int=9)), "nine", ""])
def test_an_unknown_audit_is_an_error(context: Context, run_id: str) -> None:
    with pytest.raises(UnknownAuditError) as caught:
        show_audit(context, run_id)
    assert (caught.value.http_status, bool(caught.value.hint)) == (404, True)


def test_a_run_of_another_kind_or_under_way_is_no_audit(context: Context) -> None:
    other = harvest(context, NOW).body["runId"]
    with pytest.raises(UnknownAuditError):
        show_audit(context, other)
    with runs.running(context.database, kind="audit") as run:
        with pytest.raises(UnknownAuditError):
            show_audit(context, run.id)
        run.finish("completed", {})


def test_audits_are_listed_newest_first_each_in_short(context: Context) -> None:
    assert list_audits(context) == {"audits": [], "total": 0, "limit": 100, "offset": 0}
    skipped = audit(context, NOW).body
    say(context, *fair(600, off=30))
    completed = audit(context, NOW + HOUR).body
    found = list_audits(context)["audits"]
    assert [(one["runId"], one["status"], one["alarm"]) for one in found] == [
        (completed["runId"], "completed", "red"),
        (skipped["runId"], "skipped", "insufficient"),
    ]
    assert found[0]["totalSamples"] == 600
    assert found[0]["recommendation"] == completed["recommendation"]
    assert found[1]["ece"] is None
    assert [one["runId"] for one in list_audits(context, Part(1))["audits"]] == [completed["runId"]]


def test_a_failed_audit_is_a_run_and_no_audit(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    from groundswell.jobs import audit as job

    with monkeypatch.context() as patch:
        patch.setattr(job, "_check_scrape", lambda *_: 1 / 0)
        failed = audit(context, NOW).body
    assert failed["status"] == "failed"
    assert entries(context.database, "audit") == []
    assert list_audits(context)["audits"] == []
    with pytest.raises(UnknownAuditError):
        show_audit(context, failed["runId"])
    assert audit(context, NOW).body["history"] == []
