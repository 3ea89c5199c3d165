"""A forecast is made from the same posts and readings, whether exports are read or the database that ingested them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from groundswell.errors import SourceError
from groundswell.jobs.collection import Collection, exported_collection, stored_collection
from groundswell.jobs.ingest import ingest
from groundswell.store.database import Database
from groundswell.store.readings import READINGS_SCHEMA
from tests.made_up_forecast import AS_OF, DAY, HOUR, START, MadeUp, iso, made_up, quick, written

POSTED = START + 10 * DAY
VIDEO: dict[str, Any] = {
    "platform": "tiktok",
    "platform_video_id": "1",
    "author": "ann",
    "author_followers": 500,
    "description": "a caption",
    "views": 100,
    "likes": 10,
    "comments": 3,
    "shares": 2,
    "saves": 1,
    "sound_name": "song",
    "hashtags": ["fyp"],
    "duration_seconds": 9,
    "posted_at": iso(POSTED),
    "scraped_at": iso(POSTED + 2 * HOUR),
    "source": "apify",
}


def video(**changed: Any) -> dict[str, Any]:
    return VIDEO | changed


def reading(age: float, views: int | None, **changed: Any) -> dict[str, Any]:
    at = iso(POSTED + age * HOUR)
    bare = {"platform": "tiktok", "platform_video_id": "1", "observed_at": at, "views": views}
    return bare | {"likes": None, "comments": None, "shares": None, "saves": None} | changed


def sorted_of(collection: Collection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return posts and readings in an order of their own."""
    return collection.posts.sort("key"), collection.readings.sort("key", "observed_at")


def same(first: Collection, second: Collection) -> None:
    for one, other in zip(sorted_of(first), sorted_of(second), strict=True):
        assert one.schema == other.schema
        assert one.rows() == other.rows()


def both(database: Database, folder: Path, *exports: MadeUp) -> tuple[Collection, Collection]:
    """Return what the exports hold and what the database holds after they were ingested, one after the other."""
    paths: list[Path] = []
    for number, export in enumerate(exports):
        paths += export.write(folder / str(number), "jsonl" if number % 2 else "parquet")
    for path in paths:
        ingest(database, quick(home=folder / "home"), [path], as_of=AS_OF)
    return exported_collection(paths, AS_OF), stored_collection(database)


def test_exports_give_what_the_database_gives_after_ingesting_them(database: Database, tmp_path: Path) -> None:
    exported, stored = both(database, tmp_path, made_up(300))
    same(exported, stored)
    assert (exported.posts.height, exported.rejected, stored.rejected) == (300, {}, {})
    assert exported.readings.schema == pl.Schema(READINGS_SCHEMA)
    assert stored.name == "the database"
    dated = exported.readings.filter(pl.col("observed_at").is_not_null())
    assert exported.followers.height == dated["author_followers"].drop_nulls().len() > 0


def test_a_second_export_of_the_same_videos_updates_them(database: Database, tmp_path: Path) -> None:
    first = made_up(120)
    later = [
        {
            **row,
            "description": f"edited {row['description']}" if number % 2 else None,
            "posted_at": None if number % 3 else row["posted_at"],
            "views": row["views"] + 50,
            "author_followers": 7_000 + number,
            "likes": 1,
            "comments": 1,
            "shares": 1,
            "scraped_at": iso(AS_OF),
        }
        for number, row in enumerate(first.videos)
    ]
    exported, stored = both(database, tmp_path, first, MadeUp(later, ()))
    same(exported, stored)
    assert exported.posts["posted_at"].null_count() == 0
    assert exported.posts["description"].str.starts_with("edited").sum() == 60
    assert exported.readings.filter(pl.col("observed_at") == AS_OF).height == 120


#: Rows of one video, for which exports and database must say the same.
STORIES: dict[str, tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]]] = {
    "one": ([video()], []),
    "unknown time": ([video(scraped_at=None)], []),
    "readings fall": ([video()], [reading(5, 300), reading(80, 250)]),
    "two readings at one moment": ([video()], [reading(80, 250), reading(80, 300, likes=4)]),
    "a reading when the video was scraped": ([video()], [reading(2, 90, likes=9)]),
    "a reading before the posting": ([video()], [reading(-3, 5), reading(80, 300)]),
    "the newer row misses what never changes": (
        [video(), video(description=None, author=None, hashtags=None, views=500, scraped_at=iso(POSTED + 80 * HOUR))],
        [],
    ),
    "an undated row beside a dated one": ([video(scraped_at=None, views=5_000, description="undated"), video()], []),
    "hashtags as text": ([video(hashtags="#a #b,c")], []),
    "no posting time": ([video(posted_at=None)], [reading(80, 300)]),
}


def test_each_story_of_a_video_is_told_alike(database: Database, tmp_path: Path) -> None:
    named = [
        [[{**row, "platform_video_id": story} for row in rows] for rows in STORIES[story]] for story in sorted(STORIES)
    ]
    videos, readings = ([row for story in named for row in story[part]] for part in (0, 1))
    exported, stored = both(database, tmp_path, MadeUp([], []), MadeUp(videos, readings))
    posts, others = sorted_of(exported)[0], sorted_of(stored)[0]
    assert posts.height == len(STORIES)
    assert posts.rows() == others.rows()
    # What a reading does not tell is a test of its own.
    told = ["key", "observed_at", "views"]
    assert sorted_of(exported)[1].select(told).rows() == sorted_of(stored)[1].select(told).rows()


def test_a_reading_without_a_counter_stays_without_it(database: Database, tmp_path: Path) -> None:
    exported, stored = both(database, tmp_path, MadeUp([video()], [reading(80, None, likes=90)]))
    last = exported.readings.sort("observed_at").rows(named=True)[-1]
    assert (last["views"], last["shares"], last["author_followers"]) == (None, None, None)
    same(exported, stored)


def test_files_may_come_in_any_order_and_form(tmp_path: Path) -> None:
    whole = made_up(150)
    half = [MadeUp(whole.videos[:80], whole.readings[:100]), MadeUp(whole.videos[80:], whole.readings[100:])]
    paths = [*half[0].write(tmp_path / "a"), *half[1].write(tmp_path / "b", "jsonl")]
    expected = exported_collection(paths, AS_OF)
    assert expected.rejected == {}
    same(expected, whole.collection(tmp_path / "whole"))
    for order in itertools.islice(itertools.permutations(paths), 1, None, 5):
        same(exported_collection(order, AS_OF), expected)


def test_the_same_file_twice_adds_nothing(tmp_path: Path) -> None:
    paths = made_up(60).write(tmp_path)
    same(exported_collection([*paths, *paths], AS_OF), exported_collection(paths, AS_OF))


def test_readings_of_unknown_videos_are_refused_and_counted(tmp_path: Path) -> None:
    strangers = [reading(5, 10, platform_video_id=number) for number in ("8", "9", "9")]
    paths = MadeUp([video()], [*strangers, reading(80, 300)]).write(tmp_path, "jsonl")
    found = exported_collection(paths, AS_OF)
    assert found.rejected == {"unknown_video": 3}
    assert found.readings["key"].unique().to_list() == ["tiktok:1"]
    assert exported_collection(paths[1:], AS_OF).posts.is_empty()


def test_rows_are_refused_by_the_rules_of_ingest(database: Database, tmp_path: Path) -> None:
    rows = [
        video(),
        video(platform_video_id="2", views=-1),
        video(platform_video_id="3", posted_at=iso(AS_OF + DAY)),
        video(platform_video_id=None),
        video(platform_video_id="5", likes=10_000),
    ]
    path = written(tmp_path / "videos.jsonl", rows)
    path.write_bytes(path.read_bytes() + b"{broken\n")
    found = exported_collection([path], AS_OF)
    report = ingest(database, quick(home=tmp_path / "home"), [path], as_of=AS_OF)
    assert found.posts["key"].to_list() == ["tiktok:1"]
    assert found.rejected == report.rejected_by
    assert sum(found.rejected.values()) == 5


def test_progress_is_told_and_a_bad_file_is_an_error(tmp_path: Path) -> None:
    told: list[int] = []
    paths = made_up(60).write(tmp_path)
    exported_collection(paths, AS_OF, progress=told.append)
    assert sum(told) == len(made_up(60).videos) + len(made_up(60).readings)
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    for path in (bad, tmp_path / "missing.json"):
        with pytest.raises(SourceError):
            exported_collection([*paths, path], AS_OF)


def test_followers_are_those_of_the_author_when_they_were_observed(database: Database, tmp_path: Path) -> None:
    at = POSTED + 90 * HOUR
    rows = [
        video(),
        video(author_followers=650, views=700, scraped_at=iso(at)),
        video(platform_video_id="2", author=None),
    ]
    for found in both(database, tmp_path, MadeUp(rows, [])):
        seen: list[tuple[Any, ...]] = found.followers.sort("author", "observed_at", nulls_last=True).rows()
        expected: list[tuple[str, str | None, datetime, int]] = [
            ("tiktok", "ann", POSTED + 2 * HOUR, 500),
            ("tiktok", "ann", at, 650),
            ("tiktok", None, POSTED + 2 * HOUR, 500),
        ]
        assert seen == expected
