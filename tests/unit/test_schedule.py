"""The plan: when what runs next, and the same in the words of other schedulers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from apscheduler.triggers.cron import CronTrigger

from groundswell.errors import SettingsError
from groundswell.scheduling.plan import next_runs
from groundswell.scheduling.printed import FORMATS, printed
from groundswell.settings import Settings, load_settings
from groundswell.web.routes.cron import router

#: A Wednesday.
NOW = datetime(2026, 7, 1, 5, 0, tzinfo=UTC)
PLANNED = [
    ("/api/cron/retrain-ml?window=observed", "0 3 * * 1"),
    ("/api/cron/retrain-ml?window=publish", "0 3 * * 1"),
    ("/api/cron/calibration-audit", "0 5 1 * *"),
    ("/api/cron/harvest-outcomes", "30 2 * * *"),
]


@pytest.fixture
def settings() -> Settings:
    return load_settings(cron_secret="hidden-secret")


def text(settings: Settings, words: str, **given: Any) -> str:
    return str(printed(settings, words, **given)["text"])


def test_the_next_run_of_each_is_told_soonest_first(settings: Settings) -> None:
    found = [(one.kind, one.window, one.at) for one in next_runs(settings, NOW)]
    assert found == [
        ("audit", None, NOW),
        ("harvest", None, datetime(2026, 7, 2, 2, 30, tzinfo=UTC)),
        ("retrain", "observed", datetime(2026, 7, 6, 3, 0, tzinfo=UTC)),
        ("retrain", "publish", datetime(2026, 7, 6, 3, 0, tzinfo=UTC)),
    ]
    assert found[2][2].strftime("%A") == "Monday", "cron's 1 is Monday"


def test_a_moment_that_has_begun_is_not_next() -> None:
    after = NOW.replace(second=1)
    assert next_runs(load_settings(), after)[-1].at == datetime(2026, 8, 1, 5, 0, tzinfo=UTC)


def test_a_crontab_calls_the_routes(settings: Settings) -> None:
    lines = text(settings, "crontab").splitlines()
    assert "CRON_TZ=UTC" in lines
    jobs = [line for line in lines if re.match(r"[\d*]", line)]
    for line, (path, cron) in zip(jobs, PLANNED, strict=True):
        CronTrigger.from_crontab(" ".join(line.split()[:5]))
        assert line.startswith(f"{cron} curl ")
        assert line.endswith(f'-H "Authorization: Bearer $CRON_SECRET" "http://127.0.0.1:8000{path}"')
    assert all(line.startswith(("#", "CRON_")) for line in lines if line not in jobs)


def test_a_percent_sign_does_not_end_the_command(settings: Settings) -> None:
    assert r'"https://x.example/a\%20b/api/cron/' in text(settings, "crontab", url="https://x.example/a%20b/")


def test_vercel_gets_paths_and_times(settings: Settings) -> None:
    crons = json.loads(text(settings, "vercel"))["crons"]
    assert [(one["path"], one["schedule"]) for one in crons] == PLANNED


def test_kubernetes_gets_a_cron_job_for_each(settings: Settings) -> None:
    documents = list(yaml.safe_load_all(text(settings, "k8s", url="https://x.example")))
    assert [one["metadata"]["name"] for one in documents] == [
        *("groundswell-retrain-observed", "groundswell-retrain-publish", "groundswell-audit", "groundswell-harvest")
    ]
    for document, (path, cron) in zip(documents, PLANNED, strict=True):
        assert (document["apiVersion"], document["kind"]) == ("batch/v1", "CronJob")
        assert (document["spec"]["schedule"], document["spec"]["timeZone"]) == (cron, "Etc/UTC")
        (container,) = document["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        assert container["args"][-2:] == ["Authorization: Bearer $(CRON_SECRET)", f"https://x.example{path}"]
        secret = {"secretKeyRef": {"name": "groundswell", "key": "CRON_SECRET"}}
        assert container["env"] == [{"name": "CRON_SECRET", "valueFrom": secret}]


def test_what_is_printed_exists_and_can_be_got(settings: Settings) -> None:
    got = {route.path for route in router.routes if "GET" in route.methods}  # type: ignore[attr-defined]
    assert {path.split("?")[0] for path, _ in PLANNED} <= got
    assert [job["path"] for job in printed(settings, "vercel")["jobs"]] == [path for path, _ in PLANNED]


@pytest.mark.parametrize("words", FORMATS)
def test_no_schedule_holds_the_secret(settings: Settings, words: str) -> None:
    assert "hidden-secret" not in json.dumps(printed(settings, words))


@pytest.mark.parametrize("url", ['http://x";reboot;"', "http://x/$(id)", "ftp://x", "http://x y", "http://x`id`"])
def test_an_address_that_would_run_something_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(SettingsError):
        printed(settings, "crontab", url)


def test_the_public_address_is_used(settings: Settings) -> None:
    public = load_settings(public_url="https://waves.example/")
    assert printed(public, "crontab")["url"] == "https://waves.example"
