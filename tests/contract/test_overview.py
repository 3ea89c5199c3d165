"""What there is to see, on both databases: the same words of the same rows."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

from groundswell.jobs.context import Context
from groundswell.overview import audited, data, lines, models, runs, tallied, today
from groundswell.records import Window
from groundswell.store import entries, registry, tables, workers
from groundswell.store.database import Database
from groundswell.store.listing import Part
from tests.made_up import context_of
from tests.made_up_loop import predicted


@pytest.fixture
def context(tmp_path: Path, database: Database) -> Context:
    return context_of(tmp_path / "home", database)


def test_every_body_can_be_made_of_what_either_database_holds(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallied.Tallies.of, "__defaults__", (20.0,))
    database, now = context.database, context.now()
    for expected in (None, 1):
        registry.promote(
            database,
            window="publish",
            artifact=context.artifacts.put(b"a model"),
            training_rows=context.artifacts.put(b"rows"),
            source="scraped_videos",
            lineage={"rows": 10},
            evaluation={"metrics": {"accuracy": {"value": 0.4, "low": 0.3, "high": 0.5, "n": 10}}},
            decision={"reason": "better"},
            expected=expected,
            at=now,
        )
    workers.beat(database, str(uuid.uuid4()), "box", 41, {"publish": 1})
    run = entries.note_run(database, "ingest", "completed", {"read": 3, "rejectedBy": {"negative": 2}}, now)
    failed = entries.note_run(database, "harvest", "failed", {"error": "no room"}, now)
    with database.begin() as connection:
        line = {"run_id": failed, "number": 1, "at": now, "level": "error", "said": "no room"}
        connection.execute(sa.insert(tables.run_lines), line)
        video = {"platform": "tiktok", "platform_video_id": "1", "created_at": now, "metadata": {"source": "feed"}}
        connection.execute(sa.insert(tables.scraped_videos), video)
    predicted(database, predicted_at=now - timedelta(days=5), matures_at=now - timedelta(days=2))
    told = {
        "today": today.show_today(context),
        "lines": lines.list_lines(context),
        "line": lines.show_line(context, Window.PUBLISH),
        "models": models.list_models(context, Part(1)),
        "model": models.show_model(context, 2),
        "audits": audited.list_audits(context, Part()),
        "runs": runs.list_runs(context, Part(1)),
        "run": runs.show_run(context, failed),
        "data": data.show_data(context),
    }
    orjson.dumps(told)
    titles = {one["title"] for one in told["today"]["attention"]}
    waiting = "1 prediction waits for a later reading"
    assert {"The last harvest failed", "Nothing serves observed yet", waiting} <= titles
    assert told["today"]["ledger"]["status"] == "verified"
    assert told["line"]["rollbackTo"] == 1
    assert told["line"]["rollout"]["waitingFor"] == [{"host": "box", "pid": 41, "serves": 1}]
    assert [one["version"] for one in told["models"]["models"]] == [2]
    assert [move["previous"] for move in told["model"]["moves"]] == [1]
    assert told["runs"]["kinds"] == {"harvest": 1, "ingest": 1}
    assert [line["said"] for line in told["run"]["log"]] == ["no room"]
    assert told["data"]["videos"]["counted"]["bySource"] == [{"name": "feed", "n": 1}]
    assert told["data"]["matured"]["counted"]["unread"] == 1
    assert told["data"]["ingests"]["rejectedBy"][0]["n"] == 2
    assert runs.show_run(context, run)["said"] == "3 rows read, 0 new, 0 updated, 0 rejected"
