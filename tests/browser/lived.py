"""A service that has lived a little: two lines, audits of a year, promotions, a held model, a failed run, refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from groundswell.demo import run_demo
from groundswell.jobs.audit import audit
from groundswell.jobs.context import Context, label_age, open_context
from groundswell.jobs.harvest import harvest
from groundswell.jobs.ingest import ingest
from groundswell.jobs.retrain import retrain
from groundswell.predictor import Predictor
from groundswell.records import Window, as_json
from groundswell.settings import Settings, load_settings
from groundswell.sources.synthetic import synthetic_videos
from groundswell.store import entries, registry, tables

ROWS, SEED = 3_000, 7
#: Few videos calibrate by chance, and few draws are quick.
EASY: dict[str, Any] = {"bootstrap": 100, "forecast_max_ece": 0.5, "accuracy_floor": 0.35}
DAY = timedelta(days=1)
_FAILURE = "Harvest failed: The database at postgresql://db/app failed: connection refused"
#: What earlier audits found: days ago, ECE and alarm.
_EARLIER = ((300, 0.21, "red"), (240, 0.17, "red"), (180, 0.09, "amber"), (120, 0.05, "green"), (60, 0.06, "green"))


def settings_of(home: Path, **changed: Any) -> Settings:
    """Return the settings of a service in that home."""
    return load_settings(home=home, **(EASY | changed))


def live(home: Path) -> Context:
    """Return a context in which all of it has happened."""
    context = open_context(settings_of(home))
    run_demo(context, ROWS, SEED)
    now = context.now()
    assert retrain(context, Window.PUBLISH, now).status == "completed"
    _predict(context, now)
    _refuse_some(context, home, now)
    harvest(context, context.now())
    audit(context, context.now())
    _remember(context, now)
    _promote_again(context)
    _fail(context)
    return context


def _predict(context: Context, now: datetime) -> None:
    """Predict videos at their posting, as a server of those days would have."""
    predictor = Predictor(context.database, context.artifacts, label_age(context.settings))
    until = now.replace(hour=0, minute=0, second=0, microsecond=0)
    planned = sorted(synthetic_videos(ROWS, SEED, until), key=_posted)[-600:-100]
    for start in range(0, len(planned), 50):
        part = planned[start : start + 50]
        at = _posted(part[0])
        predictor.predict([_asked(row, at) for row in part], Window.PUBLISH, at)


def _posted(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["createTimeISO"])


def _asked(row: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    return {
        "platform": "tiktok",
        "platformVideoId": row["id"],
        "author": (row.get("authorMeta") or {}).get("name"),
        "description": row.get("text"),
        "durationSeconds": (row.get("videoMeta") or {}).get("duration"),
        "postedAt": as_json(at),
    }


def _refuse_some(context: Context, home: Path, now: datetime) -> None:
    rows = [
        {"platform": "tiktok", "platform_video_id": f"bad{number}", "views": views, "likes": 1}
        for number, views in enumerate((-1, "many", 2.5, 10, 20))
    ]
    path = home / "few.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\nnot json\n")
    ingest(context.database, context.settings, [path], as_of=now)


def _remember(context: Context, now: datetime) -> None:
    """Store audits of the past, as they would have been written."""
    with context.database.begin() as connection:
        newest = connection.execute(
            sa.select(tables.runs).filter_by(kind="audit").order_by(tables.runs.c.started_at.desc())
        ).mappings().first()  # fmt: skip
        assert newest is not None
        for number, (days, ece, alarm) in enumerate(_EARLIER):
            at = now - days * DAY
            lines = {"publish": {"alarm": alarm, "n": 300, "measures": {"ece": _estimate(ece + 0.01)}}}
            report = {
                **newest["report"],
                "auditedAt": as_json(at),
                "ece": ece,
                "alarm": alarm,
                "measures": {**newest["report"]["measures"], "ece": _estimate(ece)},
                "lines": lines,
                "history": [],
            }
            row = {"id": f"00000000-0000-4000-8000-{number:012d}", "report": report, "started_at": at}
            connection.execute(sa.insert(tables.runs), {**newest, **row, "finished_at": at + timedelta(seconds=3)})


def _estimate(ece: float) -> dict[str, Any]:
    return {"value": ece, "low": ece - 0.02, "high": ece + 0.02, "n": 800}


def _promote_again(context: Context) -> None:
    """Give `observed` a second version, so that there is one to go back to."""
    first = registry.champion(context.database, Window.OBSERVED)
    assert first is not None
    registry.promote(
        context.database,
        window=Window.OBSERVED,
        artifact=first.artifact,
        training_rows=first.training_rows,
        source=first.source,
        lineage=first.lineage,
        evaluation=first.evaluation,
        decision={**first.decision, "reason": "ΔRPS against version 1 is -0.004, upper end 0.001, margin 0.005"},
        expected=first.version,
        at=context.now(),
    )


def _fail(context: Context) -> None:
    now = context.now()
    run = entries.note_run(
        context.database,
        "harvest",
        "failed",
        {"status": "failed", "error": _FAILURE, "hint": "Check DATABASE_URL, and that the server is up.",
         "stepSeconds": {"follow": 0.2, "read": 10.1}},
        now,
    )  # fmt: skip
    said = ("Following 400 predictions", "Reading the videos of 400 predictions", _FAILURE)
    with context.database.begin() as connection:
        connection.execute(
            sa.insert(tables.run_lines),
            [
                {"run_id": run, "number": number, "at": now, "level": level, "said": text}
                for number, (level, text) in enumerate(zip(("info", "info", "error"), said, strict=True))
            ],
        )
