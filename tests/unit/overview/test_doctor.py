"""The doctor says what is there, what is not, and what to type; it changes nothing and shows no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from groundswell.jobs.context import open_context
from groundswell.overview.doctor import examine
from groundswell.printing_service import doctor
from groundswell.settings import load_settings

SECRETS = {
    "api_key": "a-long-and-random-key",
    "api_keys": "site:predict:another-long-key",
    "cron_secret": "cron-cron-cron",
    "webhook_secret": "hook-hook-hook",
    "alert_urls": "json://token@example.org/path",
}


def checks(found: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in found["checks"]}


def test_a_fresh_place_works_and_says_what_to_type(tmp_path: Path) -> None:
    found = examine(load_settings(home=tmp_path / "home"))
    assert found["status"] == "incomplete"
    assert not (tmp_path / "home").exists(), "it looks, and changes nothing"
    assert "groundswell ingest" in found["next"][0]
    assert checks(found)["database"] == "missing"


def test_what_is_set_is_ok_and_never_shown(tmp_path: Path) -> None:
    found = examine(load_settings(home=tmp_path / "home", **SECRETS))
    for name in ("API keys", "cron secret", "webhook secret", "alerts"):
        assert checks(found)[name] == "ok"
    said = orjson.dumps(found).decode() + doctor(found)
    assert "site (predict)" in said
    for secret in ("a-long-and-random-key", "another-long-key", "cron-cron-cron", "hook-hook-hook", "token@"):
        assert secret not in said


def test_an_empty_database_wants_videos_and_champions(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", lines="observed 6h")
    open_context(settings).database.dispose()
    found = examine(settings)
    assert checks(found)["database"] == "ok"
    assert checks(found)["videos"] == "missing"
    assert {"line observed", "line 6h"} <= checks(found).keys()
    assert any("retrain --window 6h" in hint for hint in found["next"])


def test_a_server_that_is_away_is_broken_and_first(tmp_path: Path) -> None:
    found = examine(load_settings(home=tmp_path, database_url="postgresql://ann:secret@127.0.0.1:1/none"))
    assert found["status"] == "broken"
    assert checks(found)["database"] == "broken"
    assert "db check" in found["next"][0]
    assert "secret@" not in orjson.dumps(found).decode()


def test_a_home_that_cannot_be_made_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = examine(load_settings(home=tmp_path / "file" / "home"))
    assert checks(found)["home"] == "broken"


@pytest.mark.parametrize("status", ["ok", "missing", "broken"])
def test_every_status_has_its_sign(status: str) -> None:
    verdict = {"ok": "ready", "missing": "incomplete", "broken": "broken"}[status]
    check = {"name": "a", "status": status, "said": "something", "hint": None}
    text = doctor({"status": verdict, "checks": [check], "next": []})
    assert "something" in text
    assert "Next:" not in text
