"""Telling: what a run is worth telling, in words to act upon, through a real channel, and never twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from groundswell.alerting import channels
from groundswell.alerting.telling import send_test, tell_run
from groundswell.alerting.topics import of_artifact, of_run
from groundswell.errors import DatabaseError, NoChampionError, SettingsError
from groundswell.jobs.context import Context
from groundswell.jobs.running import Job, run_job
from groundswell.jobs.steps import Steps, silent
from groundswell.records import Window
from groundswell.settings import load_settings
from groundswell.store import alerts, runs
from groundswell.store.alerts import GOOD
from groundswell.store.database import Database
from tests.inbox import Inbox
from tests.made_up import context_of

JOB = Job("retrain", "Training", "retrain-ml")
FAILED = {"status": "failed", "error": "Training failed: no rows", "hint": "Ingest some.", "runId": "r"}
HELD = {
    "status": "skipped",
    "reason": "Test accuracy 44.1% below 60% gate",
    "champion": 3,
    "decision": {"decision": "hold", "reason": "Test accuracy 44.1% below 60% gate", "enough": "60 % accuracy"},
    "evaluation": {"metrics": {"accuracy": {"value": 0.441, "low": 0.39, "high": 0.49, "n": 400}}},
    "runId": "r",
}
RED = {
    "alarm": "red",
    "alarmReason": "ECE 0.2100 is above 0.15 and not by chance: p 0.001 of the test of perfect calibration, n 900",
    "notify": True,
    "recommendation": {"action": "recalibrate", "why": "The chances are off."},
}
GREEN = {"alarm": "green", "alarmReason": "ECE 0.0300 is not above 0.15 and may be chance", "notify": False}
AUDIT = {"status": "completed", "runId": "r"}


def titles(kind: str, window: str | None, body: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one.topic: (one.state, one.title) for one in of_run(kind, window, body)}


def test_a_failed_run_is_told_with_what_to_do() -> None:
    (alert,) = of_run("retrain", "publish", FAILED)
    assert (alert.topic, alert.state, alert.title) == ("run:retrain:publish", "failed", "Retrain of publish failed")
    assert alert.said == "Training failed: no rows\nIngest some."
    assert alert.run_id == "r"


def test_a_held_model_is_told_with_the_reason_figures_and_what_serves() -> None:
    worked, held = of_run("retrain", "observed", HELD)
    assert (worked.topic, worked.state) == ("run:retrain:observed", GOOD)
    assert (held.topic, held.state, held.title) == (
        "held:retrain:observed",
        "held",
        "The new model of observed was held",
    )
    assert held.said.splitlines() == [
        "Test accuracy 44.1% below 60% gate.",
        "Test accuracy 44.1% (95 % interval 39.0% to 49.0%, n 400).",
        "Version 3 serves on.",
        "Enough would be: 60 % accuracy",
    ]


def test_a_promotion_ends_what_was_held() -> None:
    found = titles("retrain", "observed", {"status": "completed", "modelVersion": 4, "decision": {"reason": "Better"}})
    assert found["held:retrain:observed"] == (GOOD, "A new model of observed was promoted")


def test_a_recalibration_that_changes_nothing_is_no_news() -> None:
    assert list(titles("recalibrate", "publish", HELD)) == ["run:recalibrate:publish"]


def test_alarms_are_told_line_by_line_where_the_audit_says_so() -> None:
    persisting = {**RED, "alarm": "amber"}
    first = {**RED, "alarm": "amber", "notify": False}
    unknown = {"alarm": "insufficient", "alarmReason": "too few", "notify": False}
    body = AUDIT | RED | {"lines": {"observed": GREEN, "publish": persisting, "1h": first, "6h": unknown}}
    assert titles("audit", None, body) == {
        "run:audit": (GOOD, "Audit works again"),
        "alarm:scores": ("red", "Alarm red: the scores"),
        "alarm:observed": (GOOD, "The alarm of the line observed is green again"),
        "alarm:publish": ("amber", "Alarm amber: the line publish"),
    }
    said = {one.topic: one.said for one in of_run("audit", None, body)}
    assert said["alarm:publish"].splitlines() == [
        f"{RED['alarmReason']}.",
        "The chances are off.",
        "Run `groundswell recalibrate --window publish`.",
    ]


@pytest.mark.parametrize(
    "body", [HELD | {"dryRun": True}, FAILED | {"dryRun": True}, {"status": "already_running", "runId": "r"}, {}]
)
def test_what_changes_nothing_is_not_told(body: dict[str, Any]) -> None:
    assert of_run("retrain", "observed", body) == ()


@pytest.mark.parametrize("kind", ["retrain", "audit", "harvest", "recalibrate"])
def test_a_report_without_figures_can_be_told(kind: str) -> None:
    for status in ("completed", "skipped", "failed"):
        of_run(kind, "publish", {"status": status})
        of_run(kind, None, {"status": status, "decision": None, "evaluation": None, "lines": None})


def test_a_champion_that_cannot_be_loaded_is_told() -> None:
    alert = of_artifact("publish", "The artifact a is missing.")
    assert (alert.topic, alert.state) == ("artifact:publish", "unreadable")
    assert "groundswell models rollback --window publish" in alert.said
    assert of_artifact("publish", None).state == GOOD


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.close()


@pytest.fixture
def refusing() -> Iterator[Inbox]:
    made = Inbox(status=500)
    yield made
    made.close()


@pytest.fixture
def make(tmp_path: Any, sqlite_database: Database) -> Callable[..., Context]:
    def context(**changed: Any) -> Context:
        return context_of(tmp_path / "home", sqlite_database, **changed)

    return context


def fails(_steps: Steps, _run: runs.Run) -> dict[str, Any]:
    raise NoChampionError("No model serves.", "Run it.")


def completes(_steps: Steps, _run: runs.Run) -> dict[str, Any]:
    return {"status": "completed"}


def run(context: Context, work: Callable[[Steps, runs.Run], dict[str, Any]]) -> dict[str, Any]:
    return run_job(context, JOB, work, silent, Window.PUBLISH).body


def test_every_run_tells_once_what_is_new_with_a_link(make: Callable[..., Context], inbox: Inbox) -> None:
    context = make(alert_urls=inbox.url, public_url="https://waves.example")
    first = run(context, fails)
    told = inbox.arrived.get(timeout=30)
    assert told["title"] == "groundswell: Retrain of publish failed"
    assert told["message"].splitlines() == [
        "Training failed: No model serves.",
        "Run it.",
        f"https://waves.example/runs/{first['runId']}",
    ]
    assert told["type"] == "warning"
    run(context, fails)
    run(context, completes)
    run(context, completes)
    assert inbox.titles() == ["groundswell: Retrain of publish works again"]
    assert alerts.standing(context.database) == []


def test_a_dead_channel_is_said_without_its_secrets_and_the_others_are_told(
    make: Callable[..., Context], inbox: Inbox, refusing: Inbox, logs: Callable[[], str]
) -> None:
    nobody = "json://ann:s3cret@127.0.0.1:9/hook-t0ken"
    unknown = "nonsense://s3cret-t0ken"
    context = make(alert_urls=f"{nobody}, {refusing.url} {unknown} {inbox.url}")
    assert run(context, fails)["status"] == "failed"
    assert inbox.titles() == ["groundswell: Retrain of publish failed"]
    assert "did not arrive through channel 1: JSON: the channel did not take it" in logs()
    assert "did not arrive through channel 2: JSON: the channel did not take it" in logs()
    assert "did not arrive through channel 3: unknown: this is no URL that apprise knows" in logs()
    assert "s3cret" not in logs()
    assert "t0ken" not in logs()
    run(context, fails)
    assert inbox.titles() == [], "one channel was told"


def test_what_no_channel_took_is_told_by_the_next_run(make: Callable[..., Context], inbox: Inbox) -> None:
    run(make(alert_urls="json://127.0.0.1:9"), fails)
    context = make(alert_urls=inbox.url)
    run(context, fails)
    assert inbox.titles() == ["groundswell: Retrain of publish failed"]


def test_a_channel_that_hangs_is_left_behind(
    make: Callable[..., Context], inbox: Inbox, monkeypatch: pytest.MonkeyPatch, logs: Callable[[], str]
) -> None:
    monkeypatch.setattr(channels, "PATIENCE_SECONDS", 0.0)
    inbox.hold.clear()
    assert run(make(alert_urls=inbox.url), completes)["status"] == "completed"
    assert run(make(alert_urls=inbox.url), fails)["status"] == "failed"
    assert "did not arrive through channel 1: JSON: no answer within 0 s" in logs()
    inbox.hold.set()
    inbox.arrived.get(timeout=30)


def test_without_channels_it_is_noted_for_the_page(make: Callable[..., Context]) -> None:
    context = make()
    run(context, fails)
    (found,) = alerts.standing(context.database)
    assert (found.topic, found.sent_at) == ("run:retrain:publish", None)


def test_nothing_about_alerts_fails_a_run(
    make: Callable[..., Context], monkeypatch: pytest.MonkeyPatch, logs: Callable[[], str]
) -> None:
    def refuse(*_: object) -> None:
        raise DatabaseError("The disk is full.")

    monkeypatch.setattr(alerts, "note", refuse)
    assert run(make(), fails)["status"] == "failed"
    assert "Nobody could be told: DatabaseError: The disk is full." in logs()
    tell_run(make().settings, make().database, "audit", None, {"status": "completed", "lines": 7})


def test_a_test_message_says_of_each_channel_whether_it_arrived(inbox: Inbox, refusing: Inbox) -> None:
    body = send_test(load_settings(alert_urls=f"{inbox.url} {refusing.url}", public_url="https://waves.example"))
    assert body == {
        "status": "failed",
        "channels": [
            {"channel": "1: JSON", "arrived": True, "said": "arrived"},
            {"channel": "2: JSON", "arrived": False, "said": "the channel did not take it"},
        ],
    }
    told = inbox.arrived.get(timeout=30)
    assert told["message"] == "This is a test of groundswell at https://waves.example. Nothing is wrong."
    assert send_test(load_settings(alert_urls=inbox.url))["status"] == "completed"


def test_without_channels_there_is_nothing_to_test() -> None:
    with pytest.raises(SettingsError, match="GROUNDSWELL_ALERT_URLS is not set"):
        send_test(load_settings())
