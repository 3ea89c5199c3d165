"""Files into a database, all or nothing: the same story on SQLite, PostgreSQL and a product's own tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from groundswell.errors import GroundswellError, SourceError
from groundswell.jobs.ingest import IngestReport, ingest, rejects_path
from groundswell.records import as_json
from groundswell.settings import Settings, load_settings
from groundswell.store import tables
from groundswell.store.database import Database
from tests.unit.sources.samples import READINGS, VIDEOS, write_lines

AS_OF = datetime(2025, 6, 1, tzinfo=UTC)
LATER = AS_OF + timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home")


@pytest.fixture(params=["sqlite", "postgres", "product"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


def contents(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Everything that ingest may write, in a fixed order."""
    with database.read() as connection:
        videos = connection.execute(sa.select(tables.scraped_videos)).mappings().all()
        snapshots = connection.execute(sa.select(tables.snapshots)).mappings().all()
    return {
        "videos": sorted((dict(row) for row in videos), key=lambda row: str(row["platform_video_id"])),
        "snapshots": sorted((dict(row) for row in snapshots), key=lambda row: int(row["id"])),
    }


def counts(report: IngestReport) -> tuple[int, int, int, int, int]:
    assert report.read == report.inserted + report.updated + report.unchanged + report.rejected
    assert sum(report.rejected_by.values()) == report.rejected
    return report.read, report.inserted, report.updated, report.unchanged, report.rejected


def row(video: str, views: int | None, day: int | None = None, **more: Any) -> dict[str, Any]:
    scraped_at = None if day is None else f"2025-01-{day:02d}T00:00:00Z"
    return {"platform_video_id": video, "views": views, "scraped_at": scraped_at, "author": "ann", **more}


def write(path: Path, *rows: Any) -> Path:
    return write_lines(path, rows)


@pytest.mark.parametrize("name", VIDEOS)
def test_the_same_file_twice_changes_nothing(database: Database, settings: Settings, tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / "export.jsonl", VIDEOS[name])
    assert counts(ingest(database, settings, [path], as_of=AS_OF)) == (2, 2, 0, 0, 0)
    before = contents(database)
    assert counts(ingest(database, settings, [path], as_of=LATER)) == (2, 0, 0, 2, 0)
    assert contents(database) == before


def test_a_video_is_stored_in_the_products_columns(database: Database, settings: Settings, tmp_path: Path) -> None:
    given = VIDEOS["clockworks"][0] | {"scrapedAt": "2025-01-03T00:00:00.500Z"}
    ingest(database, settings, [write(tmp_path / "export.jsonl", given)], as_of=AS_OF)
    (video,) = contents(database)["videos"]
    assert len(str(video.pop("id"))) == 36
    assert video == {
        "platform": "tiktok",
        "platform_video_id": "7100000000000000001",
        "video_url": "https://example.invalid/@ann/video/7100000000000000001",
        "author": "ann",
        "author_url": None,
        "description": "first #fyp",
        "views": 1000,
        "likes": 100,
        "shares": 3,
        "comments": 7,
        "sound_name": "original sound",
        "sound_url": None,
        "hashtags": ["fyp", "dance"],
        "category": None,
        "duration_seconds": 15,
        "metadata": {
            "bookmarks": 9,
            "followers": 5000,
            "uploaded_at": "2025-01-01T00:00:00Z",
            "scraped_at": "2025-01-03T00:00:00.500Z",
            "source": "clockworks",
        },
        "archived_at": None,
        "created_at": AS_OF,
        "updated_at": AS_OF,
    }
    (snapshot,) = contents(database)["snapshots"]
    assert snapshot.pop("id")
    assert snapshot == {
        "platform": "tiktok",
        "platform_video_id": "7100000000000000001",
        "observed_at": datetime(2025, 1, 3, microsecond=500_000, tzinfo=UTC),
        "views": 1000,
        "likes": 100,
        "shares": 3,
        "comments": 7,
        "saves": 9,
        "author_followers": 5000,
        "recorded_at": AS_OF,
    }


def test_the_newest_observation_wins_and_every_reading_is_kept(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    for day, expected in [(5, (1, 1, 0, 0, 0)), (3, (1, 0, 0, 1, 0)), (7, (1, 0, 1, 0, 0))]:
        path = write(tmp_path / f"{day}.jsonl", row("1", day * 100, day))
        assert counts(ingest(database, settings, [path], as_of=AS_OF + timedelta(days=day))) == expected
    (video,) = contents(database)["videos"]
    assert video["views"] == 700
    assert video["metadata"]["scraped_at"] == "2025-01-07T00:00:00Z"
    assert (video["created_at"], video["updated_at"]) == (AS_OF + timedelta(days=5), AS_OF + timedelta(days=7))
    assert [snapshot["views"] for snapshot in contents(database)["snapshots"]] == [500, 300, 700]


def test_a_reading_of_an_unknown_moment_is_kept_when_it_changed_something(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    path = write(tmp_path / "export.jsonl", row("1", 5), row("1", 9), row("1", 7), row("1", 9))
    assert counts(ingest(database, settings, [path], as_of=AS_OF)) == (4, 1, 2, 1, 0)
    assert [(s["observed_at"], s["views"]) for s in contents(database)["snapshots"]] == [
        (None, 5),
        (None, 7),
        (None, 9),
    ]


def test_a_video_many_times_in_one_file(database: Database, settings: Settings, tmp_path: Path) -> None:
    days = [3, 1, 9, 9, 4, 20, 2]
    path = write(tmp_path / "export.jsonl", *(row("1", day, day) for day in days), row("2", 1, 1))
    assert counts(ingest(database, settings, [path], as_of=AS_OF)) == (8, 2, 5, 1, 0)
    assert [video["views"] for video in contents(database)["videos"]] == [20, 1]
    assert len(contents(database)["snapshots"]) == 7


def test_refused_rows_go_to_a_file_and_the_rest_goes_in(database: Database, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    path.write_text(
        '{"id": "1", "views": 5, "author": "ann"}\n'
        '{"id": "2", "views": -5, "author": "ann"}\n'
        "oops\n"
        '{"views": 5, "author": "ann"}\n'
        '{"id": "3", "views": null, "author": "bob"}\n'
    )
    report = ingest(database, settings, [path], as_of=AS_OF)
    assert counts(report) == (5, 2, 0, 0, 3)
    assert as_json(report) == {
        "read": 5,
        "inserted": 2,
        "updated": 0,
        "unchanged": 0,
        "rejected": 3,
        "rejectedBy": {"invalid_json": 1, "missing_id": 1, "negative": 1},
        "rejectsFile": str(rejects_path(settings, AS_OF)),
    }
    lines = rejects_path(settings, AS_OF).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"file": str(path), "line": 2, "field": "views", "value": "-5", "reason": "negative"},
        {"file": str(path), "line": 3, "field": "", "value": "oops", "reason": "invalid_json"},
        {"file": str(path), "line": 4, "field": "platform_video_id", "value": "", "reason": "missing_id"},
    ]
    assert len(contents(database)["videos"]) == 2


def test_no_rejects_file_without_rejections_unless_it_was_asked_for(
    sqlite_database: Database, settings: Settings, tmp_path: Path
) -> None:
    path = write(tmp_path / "export.jsonl", row("1", 5))
    ingest(sqlite_database, settings, [path], as_of=AS_OF)
    assert not settings.home.exists()
    ingest(sqlite_database, settings, [path], as_of=AS_OF, rejects=tmp_path / "rejects.jsonl")
    assert (tmp_path / "rejects.jsonl").read_text() == ""
    assert sorted(child.name for child in tmp_path.glob("rejects*")) == ["rejects.jsonl"]


def test_a_rejects_file_that_cannot_be_written_stores_nothing(
    sqlite_database: Database, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    path = write(tmp_path / "export.jsonl", row("1", 5), row("2", -5))
    with pytest.raises(GroundswellError, match="cannot be written"):
        ingest(sqlite_database, settings, [path], as_of=AS_OF, rejects=tmp_path / "file" / "rejects.jsonl")
    assert contents(sqlite_database) == {"videos": [], "snapshots": []}


@pytest.mark.parametrize("bad", ["truncated", "foreign", "missing"])
def test_one_bad_file_and_nothing_of_any_is_stored(
    database: Database, settings: Settings, tmp_path: Path, bad: str
) -> None:
    good = write(tmp_path / "good.jsonl", row("1", 5), row("2", -1))
    path = tmp_path / "bad.jsonl"
    if bad == "truncated":
        path.write_bytes(write(path, *(row(str(number), 5) for number in range(30_000))).read_bytes()[:-20])
    elif bad == "foreign":
        path.write_bytes(b"%PDF-1.7")
    with pytest.raises(SourceError):
        ingest(database, settings, [good, path], as_of=AS_OF)
    assert contents(database) == {"videos": [], "snapshots": []}
    assert not list(tmp_path.rglob("*.part"))
    assert not rejects_path(settings, AS_OF).exists()


def test_a_failing_commit_takes_the_rejects_file_along(
    sqlite_database: Database, settings: Settings, tmp_path: Path
) -> None:
    def fail(_connection: sa.Connection) -> None:
        raise RuntimeError("the disk is full")

    sa.event.listen(sqlite_database.engine, "commit", fail)
    path = write(tmp_path / "export.jsonl", row("1", 5), row("2", -1))
    with pytest.raises(RuntimeError, match="disk is full"):
        ingest(sqlite_database, settings, [path], as_of=AS_OF)
    sa.event.remove(sqlite_database.engine, "commit", fail)
    assert not rejects_path(settings, AS_OF).exists()
    assert contents(sqlite_database) == {"videos": [], "snapshots": []}


def test_readings_fill_the_snapshots_and_the_newest_updates_its_video(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    videos = write_lines(tmp_path / "videos.jsonl", VIDEOS["clockworks"])
    readings = write_lines(
        tmp_path / "readings.jsonl",
        [
            *READINGS,
            READINGS[0] | {"scraped_at": "2025-01-02T00:00:00Z", "views": 1200},
            READINGS[0] | {"platform_video_id": "stranger"},
            READINGS[1] | {"scraped_at": None},
            READINGS[0],
        ],
    )
    report = ingest(database, settings, [videos, readings], as_of=AS_OF)
    assert counts(report) == (8, 5, 0, 1, 2)
    assert report.rejected_by == {"missing_moment": 1, "unknown_video": 1}
    first, second = contents(database)["videos"]
    assert (first["views"], first["likes"], first["metadata"]["bookmarks"]) == (1500, 150, 10)
    assert first["metadata"]["scraped_at"] == "2025-01-03T00:00:00Z"
    assert (first["author"], first["metadata"]["followers"]) == ("ann", 5000)
    assert (second["views"], second["likes"]) == (800, 20)
    before = contents(database)
    assert counts(ingest(database, settings, [videos, readings], as_of=LATER)) == (8, 0, 0, 6, 2)
    assert contents(database) == before


METADATA: list[Any] = [None, {}, {"team": "red", "bookmarks": 3}, "text", [], [1], 7, {"scraped_at": "soon"}]


def test_of_two_readings_of_one_moment_the_one_with_more_views_holds_in_any_order(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    videos = write_lines(tmp_path / "videos.jsonl", VIDEOS["clockworks"])
    first = READINGS[0] | {"scraped_at": "2025-01-02T00:00:00Z", "views": 1200}
    for name, views, expected in (("a", 1200, (1, 0, 0)), ("b", 1400, (0, 1, 0)), ("c", 1300, (0, 0, 1))):
        readings = write_lines(tmp_path / f"{name}.jsonl", [first | {"views": views}])
        report = ingest(database, settings, [videos, readings] if name == "a" else [readings], as_of=AS_OF)
        videos_read = 0 if name != "a" else report.inserted - 1
        assert (report.inserted - videos_read, report.updated, report.unchanged) == expected, name
    with database.read() as connection:
        stored = sa.select(tables.snapshots.c.views).where(tables.snapshots.c.views.in_([1200, 1300, 1400]))
        assert connection.execute(stored).scalars().all() == [1400]


@pytest.mark.parametrize("metadata", METADATA, ids=repr)
def test_what_the_user_keeps_in_metadata_stays(
    database: Database, settings: Settings, tmp_path: Path, metadata: Any
) -> None:
    _add(database, metadata=metadata, views=5, author="ann")
    path = write(tmp_path / "export.jsonl", row("1", 9, 3, saves=4))
    assert counts(ingest(database, settings, [path], as_of=LATER)) == (1, 0, 1, 0, 0)
    (video,) = contents(database)["videos"]
    ours = {"bookmarks": 4, "scraped_at": "2025-01-03T00:00:00Z"}
    kept = metadata if isinstance(metadata, dict) else {"previous": metadata} if metadata else {}
    assert video["metadata"] == kept | ours
    assert (video["views"], video["created_at"], video["updated_at"]) == (9, AS_OF, LATER)
    before = contents(database)
    assert counts(ingest(database, settings, [path], as_of=LATER + timedelta(days=1))) == (1, 0, 0, 1, 0)
    assert contents(database) == before


def test_what_was_stored_before_us_becomes_a_snapshot(database: Database, settings: Settings, tmp_path: Path) -> None:
    _add(database, metadata={"scraped_at": "2025-01-01 12:00:00+00", "followers": 3}, views=5, likes=2)
    ingest(database, settings, [write(tmp_path / "export.jsonl", row("1", 9, 3))], as_of=AS_OF)
    found = [(s["observed_at"].day, s["views"], s["author_followers"]) for s in contents(database)["snapshots"]]
    assert sorted(found) == [(1, 5, 3), (3, 9, None)]


def test_malformed_values_in_a_users_sqlite_table(
    sqlite_database: Database, settings: Settings, tmp_path: Path
) -> None:
    with sqlite_database.begin() as connection:
        connection.exec_driver_sql(
            "insert into scraped_videos (id, platform, platform_video_id, views, likes, hashtags, metadata) values"
            " ('a', 'tiktok', '1', 'many', 'few', 'not json', '{broken'), ('b', null, null, null, null, null, null)"
        )
    path = write(tmp_path / "export.jsonl", row("1", 9, 3))
    assert counts(ingest(sqlite_database, settings, [path], as_of=AS_OF)) == (1, 0, 1, 0, 0)
    with sqlite_database.read() as connection:
        (found,) = connection.exec_driver_sql(
            "select views, likes, hashtags, metadata from scraped_videos where platform_video_id = '1'"
        ).all()
    assert tuple(found[:2]) == (9, "few")
    assert json.loads(found[3]) == {"previous": "{broken", "scraped_at": "2025-01-03T00:00:00Z"}


def test_awkward_text_is_stored_as_it_is(database: Database, settings: Settings, tmp_path: Path) -> None:
    caption = "tab\tnewline\nquote\"'\\back\\N \\. {brace} é 🔥 %s %(x)s :name"
    tags = ['a"b', "c'd", "e\\f", "{g}", "h,i", "NULL", "🔥"]
    path = write(tmp_path / "export.jsonl", row("1", 5, 1, description=caption, hashtags=tags))
    ingest(database, settings, [path], as_of=AS_OF)
    (video,) = contents(database)["videos"]
    assert (video["description"], video["hashtags"]) == (caption, tags)
    assert counts(ingest(database, settings, [path], as_of=LATER)) == (1, 0, 0, 1, 0)


def test_progress_tells_every_row(sqlite_database: Database, settings: Settings, tmp_path: Path) -> None:
    seen: list[int] = []
    path = write(tmp_path / "export.jsonl", row("1", 5), row("2", -5), [1])
    ingest(sqlite_database, settings, [path], as_of=AS_OF, progress=seen.append)
    assert sum(seen) == 3


@pytest.mark.parametrize("file", ["tiktok", pytest.param("youtube", marks=pytest.mark.slow)])
def test_real_files_go_in(sqlite_database: Database, settings: Settings, real_data: Path, file: str) -> None:
    paths: Sequence[Path] = [real_data / f"{file}_videos.parquet", real_data / f"{file}_snapshots.parquet"]
    now = datetime(2027, 1, 1, tzinfo=UTC)
    videos = ingest(sqlite_database, settings, paths[:1], as_of=now)
    assert (videos.inserted, videos.rejected) == (videos.read, 0)
    readings = ingest(sqlite_database, settings, paths[1:], as_of=now)
    assert set(readings.rejected_by) <= {"unknown_video"}
    assert readings.inserted > 0.8 * readings.read
    again = ingest(sqlite_database, settings, paths, as_of=now)
    assert (again.inserted, again.updated) == (0, 0)


def _add(database: Database, **values: Any) -> None:
    """Add a video as the user's product wrote it."""
    video = {
        "id": "00000000-0000-0000-0000-00000000000a",
        "platform": "tiktok",
        "platform_video_id": "1",
        "created_at": AS_OF,
        "updated_at": AS_OF,
        **values,
    }
    with database.begin() as connection:
        connection.execute(sa.insert(tables.scraped_videos), [video])
