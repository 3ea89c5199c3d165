"""What Prometheus is told: of this process as it happens, of the rest as it is stored, and never an error."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from groundswell import telemetry
from groundswell.jobs.context import Context
from groundswell.settings import load_settings
from groundswell.store import alerts, runs, workers
from groundswell.store.alerts import Alert
from groundswell.web import metrics
from groundswell.web.app import create_app
from tests.asking import Browser
from tests.made_up import NEWEST, crown
from tests.unit.test_predictor import VIDEO, always

AUDIT: dict[str, Any] = {
    "alarm": "amber",
    "lines": {"observed": {"alarm": "green"}},
    "matured": {
        "byWindow": {"observed": {"predictions": 10, "matured": 4}, "publish": {"predictions": 0, "matured": 0}}
    },
}


@pytest.fixture
def service(context: Context) -> Browser:
    url = load_settings(database_url=context.database.url.render_as_string()).database_url
    return Browser(create_app(context.settings.model_copy(update={"database_url": url})))


def told(service: Browser, **headers: str) -> dict[tuple[str, ...], float]:
    """Return every sample: its name, its labels as name=value, and its value."""
    service.app.state.metrics._stored._until = 0.0
    answer = service.get("/metrics", **headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def gained(before: dict[tuple[str, ...], float], after: dict[tuple[str, ...], float], *sample: str) -> float:
    return after[sample] - before.get(sample, 0.0)


def test_requests_are_timed_by_route_and_status(service: Browser) -> None:
    before = told(service)
    service.get("/healthz")
    service.get("/no/such/path")
    service.get("/no/other/path")
    after = told(service)
    count = "groundswell_request_seconds_count"
    assert gained(before, after, count, "method=GET", "route=/healthz", "status=200") == 1
    assert gained(before, after, count, "method=unmatched", "route=unmatched", "status=404") == 2
    assert not [sample for sample in after if any("/no/" in part for part in sample)]


def test_stages_and_predictions_are_counted(service: Browser) -> None:
    before = told(service)
    with telemetry.stage("features"):
        pass
    telemetry.predicted("publish", [3, 3, 5])
    after = told(service)
    assert gained(before, after, "groundswell_stage_seconds_count", "stage=features") == 1
    assert gained(before, after, "groundswell_predictions_total", "tier=3", "window=publish") == 2
    assert gained(before, after, "groundswell_predictions_total", "tier=5", "window=publish") == 1


def test_the_stages_of_a_prediction_are_timed(service: Browser, context: Context) -> None:
    crown(context, always(4))
    before = told(service)
    assert service.post("/api/predict", json={"videos": [VIDEO]}).status_code == 200
    after = told(service)
    for stage in ("read", "features", "model", "log"):
        assert gained(before, after, "groundswell_stage_seconds_count", f"stage={stage}") >= 1, stage


def test_what_is_stored_is_told(service: Browser, context: Context) -> None:
    version = crown(context, always(4))
    with runs.running(context.database, kind="audit") as run:
        run.finish("completed", AUDIT)
    alerts.note(context.database, Alert("alarm:scores", "amber", "title", "said"), timedelta(hours=1))
    workers.beat(context.database, "00000000-0000-0000-0000-000000000001", "host", 1, {"observed": version})
    found = told(service)
    expected = {
        ("groundswell_database_up",): 1,
        ("groundswell_champion_version", "window=observed"): version,
        ("groundswell_champion_everywhere", "window=observed"): 1,
        ("groundswell_last_run_status", "kind=audit", "status=completed", "window="): 1,
        ("groundswell_last_run_status", "kind=audit", "status=failed", "window="): 0,
        ("groundswell_alarm", "line=scores", "state=amber"): 1,
        ("groundswell_alarm", "line=scores", "state=red"): 0,
        ("groundswell_alarm", "line=observed", "state=green"): 1,
        ("groundswell_matured_share", "window=observed"): 0.4,
        ("groundswell_workers",): 1,
        ("groundswell_scheduler_led",): 0,
        ("groundswell_alerts_standing",): 1,
    }
    assert {sample: found[sample] for sample in expected} == expected
    age = (context.now() - NEWEST).total_seconds()
    assert found["groundswell_champion_age_seconds", "window=observed"] == pytest.approx(age, abs=60)
    assert ("groundswell_matured_share", "window=publish") not in found


def test_an_empty_database_is_told(service: Browser) -> None:
    found = told(service)
    assert found["groundswell_database_up",] == 1
    assert not [sample for sample in found if sample[0].startswith("groundswell_champion")]


def test_while_the_database_is_away_the_rest_is_told(context: Context) -> None:
    away = load_settings(database_url="postgresql://ann:s3cret@127.0.0.1:1/x", home=context.settings.home)
    service = Browser(create_app(away))
    assert service.get("/healthz").status_code == 200
    found = told(service)
    assert found["groundswell_database_up",] == 0
    assert "groundswell_request_seconds_count" in {sample[0] for sample in found}


def test_a_report_that_somebody_changed_hides_nothing_else(service: Browser, context: Context) -> None:
    with runs.running(context.database, kind="audit") as run:
        run.finish("completed", {"lines": {"observed": 7}, "matured": "soon"})
    assert told(service)["groundswell_database_up",] == 1


def test_the_database_is_asked_now_and_then_only(
    service: Browser, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Context] = []
    monkeypatch.setattr(metrics, "_metrics", lambda context: asked.append(context) or [])  # type: ignore[func-returns-value]
    for _ in range(3):
        service.get("/metrics")
    assert len(asked) == 1


def test_where_keys_are_set_metrics_ask_for_one(context: Context) -> None:
    url = load_settings(database_url=context.database.url.render_as_string(), api_keys="ann:read:0123456789")
    service = Browser(create_app(url.model_copy(update={"home": context.settings.home})))
    assert service.get("/metrics").status_code == 401
    assert told(service, authorization="Bearer 0123456789")["groundswell_database_up",] == 1
