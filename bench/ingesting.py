"""Ingest of 100,000 JSON lines into SQLite, against the least that any program must do with them."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson

from bench.measure import Row
from groundswell.jobs.context import open_context
from groundswell.jobs.ingest import ingest
from groundswell.settings import load_settings
from groundswell.sources.synthetic import synthetic_videos

ROWS = 100_000


def hundred_thousand() -> list[Row]:
    """Rows a second of a first and of a second ingest; the bare loop parses and inserts, and checks nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "videos.jsonl"
        until = datetime(2026, 1, 1, tzinfo=UTC)
        path.write_bytes(b"".join(orjson.dumps(video) + b"\n" for video in synthetic_videos(ROWS, 0, until)))
        context = open_context(load_settings(home=Path(folder) / "home", database_url=None))
        taken = []
        for _ in range(2):
            start = time.perf_counter()
            ingest(context.database, context.settings, [path], as_of=datetime.now(UTC))
            taken.append(time.perf_counter() - start)
        start = time.perf_counter()
        _bare(path, Path(folder) / "bare.db")
        bare = time.perf_counter() - start
    first, second = (ROWS / each for each in taken)
    return [
        Row("ingest of 100,000 JSON lines", "≥ 15,000 rows/s", f"{first:,.0f} rows/s", first >= 15_000),
        Row("… again, unchanged", "≥ the first", f"{second:,.0f} rows/s", second >= 15_000 and second >= 0.95 * first),
        Row("… against json.loads + executemany", "for scale", f"{taken[0] / bare:.1f}× its time", True),
    ]


def _bare(path: Path, database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("create table videos (id text primary key, author text, caption text, views, likes)")
    with path.open() as lines:
        rows = (json.loads(line) for line in lines)
        connection.executemany(
            "insert into videos values (?, ?, ?, ?, ?)",
            ((r["id"], r["authorMeta"]["name"], r["text"], r["playCount"], r["diggCount"]) for r in rows),
        )
    connection.commit()
    connection.close()
