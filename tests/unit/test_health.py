"""Ready or not: the word of the service about itself, which must be true, and name no secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from groundswell.jobs.context import Context
from groundswell.settings import load_settings
from groundswell.store import registry
from groundswell.web.app import create_app
from tests.asking import Browser
from tests.made_up import crown
from tests.unit.test_predictor import VIDEO, always


@pytest.fixture
def service(context: Context) -> Browser:
    """A service on the context's database whose watch looks when the test says so."""
    settings = context.settings.model_copy(update={"database_url": _secret(context.database.url.render_as_string())})
    return Browser(create_app(settings))


def _secret(url: str) -> Any:
    return load_settings(database_url=url).database_url


@pytest.fixture
def ready(context: Context, service: Browser) -> Browser:
    """The service with a champion, loaded."""
    crown(context, always(4))
    service.app.state.watch.look()
    return service


def found(service: Browser) -> tuple[int, str, list[str]]:
    """Return the status, what is said of predictions, and the checks that failed."""
    answer = service.get("/readyz")
    body = answer.json()
    return answer.status_code, body["predictions"], [name for name, check in body["checks"].items() if not check["ok"]]


def test_a_process_is_up_whatever_else_is_not(tmp_path: Path) -> None:
    away = Browser(create_app(load_settings(database_url="postgresql://ann:s3cret@127.0.0.1:1/x", home=tmp_path)))
    assert away.get("/healthz").json() == {"status": "ok"}
    answer = away.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "predictions": "not served",
        "checks": {
            "database": {"ok": False, "said": "the database does not answer"},
            "log": {"ok": True, "said": "nothing has been predicted yet"},
        },
    }


def test_a_service_that_can_answer_and_store_is_ready(ready: Browser) -> None:
    assert found(ready) == (200, "served", [])
    assert ready.ask("HEAD", "/readyz").status_code == 200
    assert ready.post("/api/predict", json={"videos": [VIDEO]}).status_code == 200
    checks = ready.get("/readyz").json()["checks"]
    assert checks["models"]["said"] == "loaded: version 1 of observed"
    assert checks["log"]["said"] == "1 predictions stored, 0 wait, 0 lost"


def test_without_a_champion_it_is_not_ready(service: Browser) -> None:
    assert found(service) == (503, "not served", ["champions"])


def test_a_champion_that_is_not_loaded_yet_is_waited_for(context: Context, ready: Browser) -> None:
    crown(context, always(2))
    assert found(ready) == (503, "served from the loaded models", ["models"])
    ready.app.state.watch.look()
    assert found(ready) == (200, "served", [])


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"something else")])
def test_an_artifact_that_is_missing_or_damaged_is_said(
    context: Context, ready: Browser, spoil: Callable[[Path], Any]
) -> None:
    number = crown(context, always(2))
    sha = registry.version(context.database, number).artifact
    spoil(context.settings.home / "artifacts" / sha[:2] / sha)
    assert found(ready) == (503, "served from the loaded models", ["artifacts", "models"])
    said = ready.get("/readyz").json()["checks"]["artifacts"]["said"]
    assert said == "the bytes of version 2 of observed are missing, unreachable or damaged"


def test_while_the_database_is_gone_loaded_models_answer(context: Context, ready: Browser) -> None:
    path = Path(str(context.database.url.database))
    path.rename(path.with_suffix(".away"))
    assert found(ready) == (503, "served from the loaded models", ["database"])
    path.with_suffix(".away").rename(path)
    assert found(ready) == (200, "served", [])


def test_tables_of_another_version_are_said(context: Context, ready: Browser) -> None:
    with context.database.begin() as connection:
        connection.execute(sa.text("update groundswell_migrations set version_num = '0001'"))
    assert found(ready) == (503, "served from the loaded models", ["migrations"])


def test_predictions_that_wait_to_be_stored_are_said(
    ready: Browser, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def status(self) -> Any:
            return type("Status", (), {"stored": 7, "waiting": 3, "lost": 1, "error": "s3cret at ann@db"})

    ready.app.state.groundswell.logbook = Full()
    assert found(ready) == (503, "served from the loaded models", ["log"])
    said = ready.get("/readyz").json()["checks"]["log"]["said"]
    assert said == "7 predictions stored, 3 wait, 1 lost"
