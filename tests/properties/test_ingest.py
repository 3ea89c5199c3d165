"""Laws of ingest: nothing raises, every row has one outcome, and order does not matter where times are known."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from groundswell.frames import VIDEO_SCHEMA, RawChunk
from groundswell.jobs.ingest import IngestReport, ingest
from groundswell.settings import Settings, load_settings
from groundswell.stages.ingest import REASONS, clean, reconcile, rounds
from groundswell.store import tables
from groundswell.store.database import Database

stored_law = limits(deadline=None, derandomize=True, max_examples=40)
law = limits(deadline=None, derandomize=True, max_examples=200)
AS_OF = datetime(2025, 6, 1, tzinfo=UTC)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["1e999", "-0", "٣", "2025-13-01", "\ud800", "\x00", "nan", "9" * 400, "0001-01-01T00:00+23:59"])
    | st.datetimes()
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
wild_rows = st.lists(st.dictionaries(st.sampled_from(sorted(VIDEO_SCHEMA)), anything), min_size=1, max_size=6)


def as_chunk(rows: Sequence[dict[str, Any]], kind: Any = "videos") -> RawChunk:
    columns = {name: [row.get(name) for row in rows] for name in VIDEO_SCHEMA}
    return RawChunk(kind, list(range(1, len(rows) + 1)), columns, [])


@law
@given(wild_rows, st.sampled_from(["videos", "readings"]))
def test_whatever_a_row_holds_it_is_kept_or_refused(rows: list[dict[str, Any]], kind: str) -> None:
    cleaned = clean(as_chunk(rows, kind), "file", AS_OF)
    assert sorted([*cleaned.frame["line"], *(one.line for one in cleaned.rejections)]) == list(range(1, len(rows) + 1))
    for rejection in cleaned.rejections:
        assert rejection.reason in REASONS
        assert len(rejection.value) <= 200
        assert orjson.dumps(rejection)


@law
@given(wild_rows)
def test_what_is_kept_is_kept_the_same_again(rows: list[dict[str, Any]]) -> None:
    first = clean(as_chunk(rows), "file", AS_OF).frame.drop("line")
    again = clean(as_chunk(first.to_dicts()), "file", AS_OF)
    assert again.rejections == []
    assert again.frame.drop("line").equals(first)


moments = st.none() | st.integers(0, 5).map(lambda day: AS_OF - timedelta(days=9 - day))
small = st.none() | st.integers(0, 4)
observations = st.fixed_dictionaries(
    {
        "platform_video_id": st.sampled_from(["a", "b", "c"]),
        "views": small,
        "shares": small,
        "author": st.none() | st.sampled_from(["ann", "bob"]),
        "hashtags": st.none() | st.lists(st.sampled_from(["x", "y"]), max_size=2),
        "scraped_at": moments,
    }
)


def age_order(row: dict[str, Any]) -> tuple[datetime, int]:
    """What a newer observation has more of: scrape time, and at equal or unknown ones, views."""
    views = -1 if row["views"] is None else row["views"]
    return row["scraped_at"] or AS_OF - timedelta(days=9_999), views


def slow_fold(stored: dict[str, dict[str, Any]], row: dict[str, Any]) -> str:
    """Reconcile one row the obvious way."""
    key = row["platform_video_id"]
    if key not in stored:
        stored[key] = row
        return "inserted"
    old = stored[key]
    new = {name: old[name] if row[name] is None else row[name] for name in row}
    if age_order(row) <= age_order(old) or new == old:
        return "unchanged"
    stored[key] = new
    return "updated"


@law
@given(st.lists(observations, max_size=12))
def test_reconciling_by_rounds_is_reconciling_row_by_row(rows: list[dict[str, Any]]) -> None:
    slow: dict[str, dict[str, Any]] = {}
    oldest_first = sorted(rows, key=lambda row: (*age_order(row), -1 if row["views"] is None else row["views"]))
    expected = [slow_fold(slow, row) for row in oldest_first]
    stored = pl.DataFrame(schema=VIDEO_SCHEMA)
    found = {"inserted": 0, "updated": 0, "unchanged": 0}
    frame = clean(as_chunk(rows), "file", AS_OF).frame.drop("line")
    for part in rounds(frame):
        result = reconcile(stored, part)
        found["inserted"] += result.insert.height
        found["updated"] += result.update.height
        found["unchanged"] += result.unchanged.height
        changed = pl.concat([result.insert, result.update])
        rest = stored.join(changed, on=["platform", "platform_video_id"], how="anti")
        stored = pl.concat([rest, changed])
    assert found == {name: expected.count(name) for name in found}
    kept = {row["platform_video_id"]: row for row in stored.to_dicts()}
    assert {key: {name: kept[key][name] for name in row} for key, row in slow.items()} == slow


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared database file without rows, to be copied for each example."""
    path = tmp_path_factory.mktemp("empty") / "groundswell.db"
    database = Database(f"sqlite:///{path}")
    database.prepare()
    database.dispose()
    return path


@contextmanager
def copied(empty: Path) -> Iterator[tuple[Database, Settings, Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(f"sqlite:///{shutil.copy(empty, folder / 'groundswell.db')}")
        yield database, load_settings(home=folder), folder
        database.dispose()


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def everything(database: Database) -> list[Any]:
    with database.read() as connection:
        return [
            sorted(map(str, connection.execute(sa.select(table)).all()))
            for table in (tables.scraped_videos, tables.snapshots)
        ]


def counters(database: Database) -> dict[str, tuple[int | None, str]]:
    table = tables.scraped_videos
    with database.read() as connection:
        rows = connection.execute(sa.select(table.c.platform_video_id, table.c.views, table.c.metadata)).all()
    return {key: (views, metadata["scraped_at"]) for key, views, metadata in rows}


def assert_counted(report: IngestReport, rows: int) -> None:
    assert report.read == rows
    assert report.read == report.inserted + report.updated + report.unchanged + report.rejected


spoilt = st.sampled_from([{}, {"views": -1}, {"platform_video_id": None}, {"shares": "few"}, {"author": 1.5}])


@stored_law
@given(st.lists(st.tuples(observations, spoilt), min_size=1, max_size=8))
def test_a_file_twice_changes_nothing_and_every_row_counts_once(
    empty: Path, rows: list[tuple[dict[str, Any], Any]]
) -> None:
    with copied(empty) as (database, settings, folder):
        path = write(folder / "export.jsonl", [row | flaw for row, flaw in rows])
        assert_counted(ingest(database, settings, [path], as_of=AS_OF), len(rows))
        before = everything(database)
        again = ingest(database, settings, [path], as_of=AS_OF + timedelta(days=1))
        assert_counted(again, len(rows))
        assert (again.inserted, again.updated) == (0, 0)
        assert everything(database) == before


timed = observations.filter(lambda row: row["scraped_at"] is not None and row["views"] is not None)


@stored_law
@given(st.lists(timed, max_size=5, unique_by=lambda row: (row["platform_video_id"], row["scraped_at"])))
def test_the_order_of_files_does_not_matter_where_times_are_known(empty: Path, rows: list[dict[str, Any]]) -> None:
    if len(rows) < 2:
        return
    found = []
    for reverse in (False, True):
        with copied(empty) as (database, settings, folder):
            parts = [write(folder / "a.jsonl", rows[::2]), write(folder / "b.jsonl", rows[1::2])]
            ingest(database, settings, sorted(parts, reverse=reverse), as_of=AS_OF, format="canonical")
            found.append(counters(database))
    assert found[0] == found[1]
