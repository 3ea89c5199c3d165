"""`demo`: made-up videos and outcomes, taken all the way from ingest to prediction in the embedded database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from groundswell.errors import DatabaseError
from groundswell.jobs.audit import audit
from groundswell.jobs.baseline import write_baseline
from groundswell.jobs.context import Context
from groundswell.jobs.extract import write_training_data
from groundswell.jobs.ingest import ingest
from groundswell.jobs.retrain import retrain
from groundswell.jobs.steps import Progress, silent
from groundswell.predictor import Predictor, answer
from groundswell.records import Window, as_json
from groundswell.sources.synthetic import ID_PREFIX, synthetic_outcomes, synthetic_videos
from groundswell.store import corpus, outcomes, registry

OUTCOMES = 1_000
NOTE = "All of this is made up: it shows how groundswell works, not how well real videos can be predicted."
NEXT = (
    "groundswell models list                 # the version that serves, and the ledger",
    "groundswell serve                       # the same over HTTP, on port 8000",
    "GROUNDSWELL_HOME=./mine groundswell ingest export.json   # your own data, apart from this demo",
    "GROUNDSWELL_HOME=./mine groundswell retrain",
)


def run_demo(context: Context, rows: int, seed: int, progress: Progress = silent) -> dict[str, Any]:
    """Return the report of every step; raises DatabaseError rather than mix made-up rows with a user's own."""
    _refuse_foreign(context)
    now = context.now()
    # A whole day, so that a second demo of the day makes up the same rows and changes nothing.
    until = now.replace(hour=0, minute=0, second=0, microsecond=0)
    progress("making up videos")
    export = _write_export(context.settings.home / "demo" / "videos.jsonl", rows, seed, until)
    progress("ingest")
    report = {"ingest": as_json(ingest(context.database, context.settings, [export], as_of=now))}
    outcomes.insert_missing(context.database, synthetic_outcomes(OUTCOMES, seed, until))
    progress("baseline")
    report["baseline"] = write_baseline(context)
    progress("extract")
    report["extract"] = write_training_data(context, now)
    report["retrain"] = retrain(context, Window.OBSERVED, context.now(), progress=progress).body
    report["audit"] = audit(context, context.now(), progress=progress).body
    progress("predict")
    served = registry.champion(context.database, Window.OBSERVED) is not None
    report["predict"] = _predict(context, rows, seed, until) if served else {"predictions": []}
    return {"rows": rows, "seed": seed, **report, "note": NOTE, "next": list(NEXT)}


def _refuse_foreign(context: Context) -> None:
    if context.database.is_postgres:
        raise DatabaseError(
            "The demo makes up rows and works in the embedded database only.", "Unset DATABASE_URL for the demo."
        )
    _, foreign = corpus.count_by_prefix(context.database, ID_PREFIX)
    if foreign:
        raise DatabaseError(
            f"The database holds {foreign:,} videos that are not the demo's; made-up rows are not mixed with them.",
            "Run the demo in a place of its own: GROUNDSWELL_HOME=./demo groundswell demo",
        )


def _write_export(path: Path, rows: int, seed: int, until: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for video in synthetic_videos(rows, seed, until):
            file.write(orjson.dumps(video) + b"\n")
    return path


def _predict(context: Context, rows: int, seed: int, until: Any) -> dict[str, Any]:
    chosen = {rows // 4, rows // 2, 3 * rows // 4}
    videos = [
        {
            "platformVideoId": video["id"],
            "author": video["authorMeta"]["name"],
            "authorFollowers": video["authorMeta"].get("fans"),
            "description": video["text"],
            "views": video["playCount"],
            "likes": video["diggCount"],
            "shares": video["shareCount"],
            "comments": video["commentCount"],
            "saves": video.get("collectCount"),
            "soundName": video["musicMeta"]["musicName"],
            "hashtags": video["hashtags"],
            "durationSeconds": video["videoMeta"]["duration"],
            "postedAt": video["createTimeISO"],
        }
        for row, video in enumerate(synthetic_videos(rows, seed, until))
        if row in chosen
    ]
    predictor = Predictor(context.database, context.artifacts)
    return answer(predictor.predict(videos, Window.OBSERVED, context.now()))
