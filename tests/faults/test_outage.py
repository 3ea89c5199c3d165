"""The database goes and comes back while a server answers: predictions go on, it says so, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.acceptance.process import EASY, Place, made_up, serving, until, write_export
from tests.faults.wire import Wire

CRON = {"CRON_SECRET": "cron-cron-cron"}
VIDEO = {
    "views": 150_000,
    "likes": 9_000,
    "shares": 400,
    "comments": 120,
    "durationSeconds": 24,
    "platformVideoId": "7",
}


@pytest.fixture
def wire(postgres_url: str) -> Iterator[Wire]:
    made = Wire(Path(str(make_url(postgres_url).query["host"])) / ".s.PGSQL.5432")
    yield made
    made.cut()


@pytest.fixture
def place(postgres_url: str, wire: Wire, tmp_path: Path) -> Place:
    url = make_url(postgres_url)
    through = f"postgresql://{url.username}@127.0.0.1:{wire.port}/{url.database}"
    made = Place(tmp_path, {**EASY, **CRON, "DATABASE_URL": through})
    write_export(tmp_path / "export.jsonl", made_up(900))
    made.run("ingest", "export.jsonl")
    made.run("retrain")
    return made


def stored(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {str(row[0]) for row in connection.execute("select id from groundswell.predictions").fetchall()}


def test_predictions_go_on_while_the_database_is_away(place: Place, wire: Wire, postgres_url: str) -> None:
    with serving(place) as server:

        def ask() -> dict[str, Any]:
            response = server.post("/api/predict", {"videos": [VIDEO]})
            assert response.status == 200, response.body
            (found,) = response.body["predictions"]
            assert "tier" in found, found
            return dict(found)

        before = ask()
        assert server.get("/readyz").status == 200

        wire.cut()
        away = [ask() for _ in range(5)]
        assert {one["modelVersion"] for one in away} == {before["modelVersion"]}
        assert away[0]["probabilities"] == before["probabilities"]
        assert server.get("/healthz").status == 200
        unready = server.get("/readyz")
        assert unready.status == 503
        failed = server.post("/api/cron/retrain-ml", authorization=f"Bearer {CRON['CRON_SECRET']}")
        assert failed.status == 500
        assert failed.body["status"] == "failed"
        assert failed.body["hint"]

        wire.mend()
        until(lambda: server.get("/readyz").status == 200, "the server is ready again")
        after = ask()
        asked = {one["predictionId"] for one in (before, *away, after)}
        until(lambda: asked <= stored(postgres_url), "what was answered in the meantime is stored")
