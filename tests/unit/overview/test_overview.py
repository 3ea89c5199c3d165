"""What there is to see, as JSON: of an empty place, and of one in which something has happened."""

from __future__ import annotations

import dataclasses
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from groundswell.errors import ChampionMovedError, SourceError, UnknownVersionError
from groundswell.jobs import models as moves
from groundswell.jobs.context import Context
from groundswell.jobs.ingest import ingest
from groundswell.overview import audited, data, lines, models, runs, tallied, today
from groundswell.records import Window, as_json
from groundswell.settings import load_settings
from groundswell.store import registry, tables, workers
from groundswell.store.listing import Part

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ECE = {"value": 0.2, "low": 0.15, "high": 0.25, "n": 800}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are waited for, so that no test hangs on how fast they are."""
    monkeypatch.setattr(tallied.Tallies.of, "__defaults__", (10.0,))


def promote(context: Context, window: str = "publish", expected: int | None = None, **changed: Any) -> int:
    metrics = {"accuracy": {"value": 0.4, "low": 0.35, "high": 0.45, "n": 900}}
    plain: dict[str, Any] = {
        "artifact": context.artifacts.put(b"a model"),
        "training_rows": context.artifacts.put(b"rows"),
        "source": "scraped_videos",
        "lineage": {"rows": 900, "label": "views", "cutPoints": [1, 2, 3, 4]},
        "evaluation": {"metrics": metrics},
        "decision": {"reason": "better", "findings": []},
    }
    made = registry.promote(context.database, window=window, expected=expected, at=context.now(), **(plain | changed))
    return made.version


def add_run(context: Context, **changed: Any) -> str:
    row = {
        "id": str(uuid.uuid4()),
        "kind": "audit",
        "window": None,
        "status": "completed",
        "started_at": AT,
        "finished_at": AT + timedelta(seconds=4),
        "report": {"status": "completed"},
    } | changed
    with context.database.begin() as connection:
        connection.execute(sa.insert(tables.runs), row)
    return str(row["id"])


def add_audit(context: Context, alarm: str, at: datetime, action: str = "none") -> str:
    why = {"action": action, "why": f"because it is {alarm}"}
    line = {"alarm": alarm, "alarmReason": "so it is", "n": 300, "recommendation": why, "reliability": []}
    report = {
        "status": "completed",
        "alarm": alarm,
        "ece": 0.2,
        "measures": {"ece": ECE},
        "totalSamples": 800,
        "auditedAt": as_json(at),
        "recommendation": why,
        "lines": {"publish": line},
    }
    return add_run(context, report=report, started_at=at)


def titles(context: Context) -> dict[str, dict[str, Any]]:
    body = today.show_today(context)
    orjson.dumps(body)
    return {one["title"]: one for one in body["attention"]}


def store_video(context: Context) -> None:
    with context.database.begin() as connection:
        connection.execute(sa.insert(tables.scraped_videos), {"platform": "tiktok", "platform_video_id": "1"})


def test_of_an_empty_place_every_body_is_whole_and_says_what_to_do_first(context: Context) -> None:
    found = titles(context)
    assert found["No video is stored yet"]["command"] == "groundswell ingest PATH"
    assert set(found) == {"No video is stored yet", "Nothing has been audited yet", "No key is set"}
    assert [line["champion"] for line in lines.list_lines(context)["lines"]] == [None] * len(Window)
    line = lines.show_line(context, Window.PUBLISH)
    assert (line["champion"], line["evaluation"], line["audit"], line["rollbackTo"]) == (None, None, None, None)
    assert models.list_models(context, Part())["models"] == []
    assert runs.list_runs(context, Part())["total"] == 0
    assert audited.list_audits(context, Part())["audits"] == []
    assert data.show_data(context)["videos"]["counted"]["total"] == 0


def test_what_is_scheduled_and_serves_nothing_needs_a_human(context: Context) -> None:
    store_video(context)
    promote(context, "observed")
    found = titles(context)
    assert found["Nothing serves publish yet"]["command"] == "groundswell retrain --window publish"
    assert "Nothing serves observed yet" not in found


@pytest.mark.parametrize(
    ("alarm", "action", "urgency", "command"),
    [
        ("red", "recalibrate", "act", "groundswell recalibrate --window publish"),
        ("red", "none", "act", None),
        ("amber", "retrain", "act", "groundswell retrain --window publish"),
        ("amber", "none", "know", None),
    ],
)
def test_an_alarm_needs_a_human_with_what_the_audit_recommends(
    context: Context, alarm: str, action: str, urgency: str, command: str | None
) -> None:
    run = add_audit(context, alarm, context.now(), action)
    one = titles(context)[f"Line publish is {alarm}"]
    assert (one["urgency"], one["command"], one["link"]) == (urgency, command, f"/audits/{run}")
    assert one["text"] == (f"because it is {alarm}." if command else "so it is.")


def test_a_green_audit_needs_nobody_until_it_is_overdue(context: Context) -> None:
    now = context.now()
    add_audit(context, "green", now - timedelta(days=34))
    assert not [title for title in titles(context) if "green" in title or "overdue" in title]


def test_an_overdue_audit_needs_a_human(context: Context) -> None:
    add_audit(context, "green", context.now() - timedelta(days=40))
    assert titles(context)["The audit is overdue"]["text"] == "The last one is 40 days old."


def test_a_failed_run_needs_a_human_until_the_next_one_of_its_kind(context: Context) -> None:
    report = {"error": "Harvest failed: no room", "hint": "Make room."}
    run = add_run(context, kind="harvest", status="failed", report=report)
    one = titles(context)["The last harvest failed"]
    assert (one["text"], one["link"]) == ("Harvest failed: no room. Make room.", f"/runs/{run}")
    add_run(context, kind="harvest", started_at=AT + timedelta(hours=1))
    assert "The last harvest failed" not in titles(context)


def test_a_held_model_is_told_until_one_is_promoted(context: Context) -> None:
    report = {"reason": "Test accuracy 44.1% below 60% gate", "decision": {"enough": "60%"}}
    add_run(context, kind="retrain", window="publish", status="skipped", report=report)
    one = titles(context)["The newest model of publish was held"]
    assert one["text"] == "Test accuracy 44.1% below 60% gate; nothing serves."
    assert lines.show_line(context, Window.PUBLISH)["held"]["decision"] == {"enough": "60%"}
    add_run(context, kind="retrain", window="publish", started_at=AT + timedelta(hours=1))
    assert "The newest model of publish was held" not in titles(context)


def test_a_broken_ledger_needs_a_human(context: Context) -> None:
    promote(context)
    with context.database.begin() as connection:
        connection.execute(sa.update(tables.model_versions).values(lineage={"rows": 1}))
    assert titles(context)["The ledger is broken"]["link"] == "/models"


def test_a_key_that_is_set_is_not_asked_for(context: Context) -> None:
    settings = load_settings(home=context.settings.home, api_key="a-key-of-some-length")
    assert "No key is set" not in titles(dataclasses.replace(context, settings=settings))


def test_a_rollout_names_whom_it_waits_for(context: Context) -> None:
    number = promote(context)
    worker = str(uuid.uuid4())
    workers.beat(context.database, worker, "box", 41, {"publish": 99})
    (line,) = [one for one in lines.list_lines(context)["lines"] if one["window"] == "publish"]
    assert line["rollout"]["waitingFor"] == [{"host": "box", "pid": 41, "serves": 99}]
    workers.beat(context.database, worker, "box", 41, {"publish": number})
    rollout = models.show_model(context, number)["rollout"]
    assert (rollout["waitingFor"], rollout["workers"]) == ([], 1)
    assert rollout["completedAt"] is not None


def test_models_are_told_in_parts_with_what_they_replaced(context: Context) -> None:
    first = promote(context)
    second = promote(context, expected=first)
    other = promote(context, "observed")
    body = models.list_models(context, Part(2))
    assert [one["version"] for one in body["models"]] == [other, second]
    assert (body["total"], body["windows"]) == (3, {"publish": 2, "observed": 1})
    assert body["ledger"]["status"] == "verified"
    assert models.list_models(context, Part(), Window.PUBLISH)["total"] == 2
    told = models.show_model(context, second)
    assert (told["comparedWith"], told["champion"], told["rollbackTo"]) == (first, True, first)
    assert [move["kind"] for move in told["moves"]] == ["promote"]
    with pytest.raises(UnknownVersionError):
        models.show_model(context, 77)


def test_a_recalibration_tells_whose_estimator_it_has(context: Context) -> None:
    first = promote(context, evaluation={"metrics": {}, "topFeatures": [1]})
    second = promote(context, expected=first, lineage={"estimatorOf": first, "recalibratedFrom": first})
    assert models.show_model(context, second)["origin"] == {
        "version": first,
        "evaluation": {"metrics": {}, "topFeatures": [1]},
    }
    assert models.show_model(context, first)["origin"] is None


def test_a_plan_says_what_would_serve_and_a_move_only_happens_as_planned(context: Context) -> None:
    first = promote(context)
    second = promote(context, expected=first)
    plan = models.plan_rollback(context, Window.PUBLISH)
    assert (plan["serving"]["version"], plan["chosen"]["version"], plan["changes"]) == (second, first, True)
    assert not models.plan_promotion(context, second)["changes"]
    with pytest.raises(ChampionMovedError, match=f"version {second}, no longer version {first}"):
        moves.rollback(context, Window.PUBLISH, expected=first)
    with pytest.raises(ChampionMovedError, match="no longer none"):
        moves.promote(context, first, expected=0)
    assert moves.rollback(context, Window.PUBLISH, expected=second)["champion"] == first
    with pytest.raises(ChampionMovedError):
        moves.promote(context, second, expected=second)
    assert moves.promote(context, second, expected=first)["moved"]


def test_an_ingest_is_a_run_with_its_rejections(context: Context, tmp_path: Path) -> None:
    path = tmp_path / "few.jsonl"
    rows = [{"platform": "tiktok", "platform_video_id": str(n), "views": views} for n, views in enumerate((5, -1, "x"))]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    ingest(context.database, context.settings, [path], as_of=AT)
    body = data.show_data(context)["ingests"]
    assert (body["of"], body["read"]) == (1, 3)
    assert {one["reason"]: one["n"] for one in body["rejectedBy"]} == {"negative": 1, "not_a_number": 1}
    assert all(one["meaning"] for one in body["rejectedBy"])
    (run,) = runs.list_runs(context, Part())["runs"]
    assert run["said"] == "3 rows read, 1 new, 0 updated, 2 rejected"
    report = runs.show_run(context, run["runId"])["report"]
    assert report["files"] == ["few.jsonl"]
    assert str(tmp_path) not in json.dumps(report)


def test_an_ingest_that_failed_is_a_failed_run_that_says_why(context: Context, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        ingest(context.database, context.settings, [tmp_path / "none.jsonl"], as_of=AT)
    (run,) = runs.list_runs(context, Part())["runs"]
    assert (run["kind"], run["status"]) == ("ingest", "failed")
    assert run["error"].startswith("Ingest failed: ")
    assert run["hint"]


def test_a_run_that_is_not_there_is_said_whatever_was_asked(context: Context) -> None:
    for name in ("nobody", "", str(uuid.uuid4()), "' or 1=1 --"):
        with pytest.raises(runs.UnknownRunError):
            runs.show_run(context, name)


def test_days_are_those_of_the_last_ninety_and_names_beyond_the_first_are_put_together(context: Context) -> None:
    now = context.now()
    many = data.MOST_NAMED + 5
    rows = [
        {"platform": f"p{n:02d}", "platform_video_id": str(n), "created_at": now - timedelta(days=10 * n)}
        for n in range(many)
    ]
    with context.database.begin() as connection:
        connection.execute(sa.insert(tables.scraped_videos), rows)
    counted = data.show_data(context)["videos"]["counted"]
    assert counted["total"] == many
    assert sum(one["n"] for one in counted["byPlatform"]) == many
    assert counted["byPlatform"][-1] == {"name": "others", "n": 5}
    assert [one["n"] for one in counted["byDay"]] == [1] * 10


@pytest.mark.parametrize(
    ("scores", "line", "window", "state"),
    [
        ("green", "green", None, "green"),
        ("green", "amber", "publish", "amber"),
        ("amber", "red", "publish", "red"),
        ("red", "red", None, "red"),
        ("insufficient", "green", None, "insufficient"),
        ("red", "amber", None, "red"),
    ],
)
def test_the_worst_alarm_is_the_one_that_is_told(
    context: Context, scores: str, line: str, window: str | None, state: str
) -> None:
    report = {"alarm": scores, "auditedAt": as_json(context.now()), "lines": {"publish": {"alarm": line}}}
    add_run(context, report=report)
    alarm = today.show_today(context)["alarm"]
    assert (alarm["window"], alarm["alarm"]) == (window, state)
