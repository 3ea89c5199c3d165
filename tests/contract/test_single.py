"""One live video, answered without a frame, is what a batch says of it: both databases, every window, odd requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from groundswell import past
from groundswell.errors import DatabaseError
from groundswell.jobs.ingest import ingest
from groundswell.predictor.inputs import OneInput, forecast_inputs, forecast_inputs_of_one
from groundswell.predictor.requested import REQUEST_FIELDS, Refusal, read_request
from groundswell.records import Window
from groundswell.stages import features
from groundswell.stages.maturity import LabelAge
from groundswell.store import tables
from groundswell.store.database import Database
from tests.made_up_forecast import AS_OF, DAY, HOUR, MadeUp, Row, iso, made_up, quick

LABEL = LabelAge(timedelta(hours=72))
WINDOWS = [window for window in Window if window.is_forecast]
#: They differ from 6h in one number; every run of the tests has that and `publish`.
RARER = (Window.HOUR_1, Window.HOUR_24)
#: A running variance loses digits that a variance has.
LOOSE = {"creatorSpread": 1e-6, "creatorSpreadLong": 1e-6}


def fill(database: Database, export: MadeUp, folder: Path) -> None:
    ingest(database, quick(home=folder / "home"), export.write(folder), as_of=AS_OF)


def by_frame(database: Database, video: Row, window: Window, at: datetime) -> OneInput | Refusal:
    found = forecast_inputs(database, read_request([video], window, at), window, LABEL, at)
    if found.requested.refusals:
        return found.requested.refusals[0]
    row = found.requested.rows.select(REQUEST_FIELDS.values()).row(0, named=True)
    return OneInput(row, found.values[0], found.followers[0])


def alone(database: Database, video: Row, window: Window, at: datetime) -> OneInput | Refusal:
    (row,) = read_request([video], window, at).rows.select(REQUEST_FIELDS.values()).iter_rows(named=True)
    return forecast_inputs_of_one(database, row, window, LABEL, at)


def differing(found: OneInput | Refusal, expected: OneInput | Refusal, window: Window) -> Any:
    if isinstance(found, Refusal) or isinstance(expected, Refusal):
        return [] if found == expected else [(found, expected)]
    named = zip(
        features.names(features.of_window(window)), found.values.tolist(), expected.values.tolist(), strict=True
    )
    wrong: list[Any] = [
        (name, mine, theirs)
        for name, mine, theirs in named
        if not np.isclose(mine, theirs, rtol=1e-9, atol=LOOSE.get(name, 2e-9), equal_nan=True)
    ]
    if (found.video, found.followers) != (expected.video, expected.followers):
        wrong.append((found.video, expected.video, found.followers, expected.followers))
    return wrong


def requests(export: MadeUp, count: int, seed: int) -> Sequence[tuple[Row, datetime]]:
    """Return requests about stored, planned and unknown videos, from which one thing or another is left out."""
    generator = np.random.default_rng(seed)
    asked = []
    for number in generator.choice(len(export.videos), count, replace=False).tolist():
        stored = export.videos[number]
        posted_at = datetime.fromisoformat(stored["posted_at"])
        video = {name: stored[name] for name in REQUEST_FIELDS.values() if name in stored}
        kept = [name for name in video if name == "platform" or generator.random() > 0.15]
        video = {name: video[name] for name in kept}
        kind = generator.random()
        at = posted_at + float(generator.choice([0, 0.5, 2, 12, 30, 80, 80])) * HOUR
        if kind < 0.2:
            video.pop("platform_video_id", None)
        elif kind < 0.3:
            video["platform_video_id"] = f"unknown{number}"
        if generator.random() < 0.4:
            age = min(float(generator.choice([-1, 0, 0.2, 3, 20])) * HOUR, at - posted_at)
            video |= {"views": stored["views"], "scraped_at": iso(posted_at + age)}
        elif (video.get("scraped_at") or "") > iso(at):
            del video["scraped_at"]
        if generator.random() < 0.2:
            video["hashtags"] = [[], ["FYP", "fyp", " #Cat", "none", ""], ["ÑANDÚ"] * 3][int(generator.integers(0, 3))]
        asked.append((video, at))
    return asked


@pytest.mark.parametrize(
    "window",
    [pytest.param(window, id=window.value, marks=pytest.mark.slow if window in RARER else ()) for window in WINDOWS],
)
def test_one_video_is_answered_as_in_a_batch(database: Database, tmp_path: Path, window: Window) -> None:
    export = made_up(250)
    fill(database, export, tmp_path)
    past.refresh(database, LABEL)
    refused = answered = 0
    for video, at in requests(export, 60, seed=10 + WINDOWS.index(window)):
        requested = read_request([video], window, at)
        if requested.refusals:
            continue
        expected = by_frame(database, video, window, at)
        assert differing(alone(database, video, window, at), expected, window) == [], (video, at)
        refused += isinstance(expected, Refusal)
        answered += isinstance(expected, OneInput)
    assert answered > 15
    assert refused > 3 or window is Window.PUBLISH


PLAN: Row = {
    "platform": "tiktok",
    "author": "creator3",
    "description": "how to fold a paper crane #diy #cat ñ ✨ 3",
    "hashtags": ["diy", "cat"],
    "soundName": "Paper Moon",
    "durationSeconds": 24,
    "postedAt": iso(AS_OF + 3 * HOUR),
}
POSTED = iso(AS_OF - 2 * DAY)
ODD: dict[str, Row] = {
    "a plan": {},
    "nothing at all": dict.fromkeys(PLAN),
    "no author": {"author": None},
    "an unknown author": {"author": "nobody"},
    "no sound": {"soundName": None},
    "an unknown sound": {"soundName": "never heard"},
    "no hashtags": {"hashtags": None},
    "an empty list": {"hashtags": []},
    "40 hashtags": {"hashtags": [f"tag{number}" for number in range(38)] + ["diy", "cat"]},
    "an unknown platform": {"platform": "elsewhere"},
    "no posting time": {"postedAt": None},
    "far ahead": {"postedAt": iso(AS_OF + 300 * DAY)},
    "long ago": {"postedAt": iso(AS_OF - 60 * DAY)},
    "before everything": {"postedAt": "2010-01-01T00:00:00Z"},
    "counted": {"views": 5, "likes": 1},
    "followers": {"authorFollowers": 10**9},
    "followers of none": {"authorFollowers": 0},
    "followers of today": {"authorFollowers": 7, "postedAt": iso(AS_OF - 60 * DAY)},
    "followers of then": {"authorFollowers": 7, "postedAt": POSTED, "scrapedAt": iso(AS_OF - 3 * DAY)},
    "a colon in the id": {"platformVideoId": "a:b"},
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with 200 videos, of which nothing can be looked up yet: ask, do not change."""
    folder = tmp_path_factory.mktemp("filled")
    database = Database(f"sqlite:///{folder / 'groundswell.db'}")
    database.prepare()
    fill(database, made_up(200), folder)
    yield database
    database.dispose()


@pytest.mark.parametrize("changed", ODD.values(), ids=ODD.keys())
def test_an_odd_plan_is_answered_as_in_a_batch(filled: Database, changed: Row) -> None:
    video = PLAN | changed
    found = alone(filled, video, Window.PUBLISH, AS_OF)
    assert isinstance(found, OneInput)
    assert found.values.shape == (len(features.of_window(Window.PUBLISH)),)
    assert differing(found, by_frame(filled, video, Window.PUBLISH, AS_OF), Window.PUBLISH) == []


def test_a_moment_in_another_zone_is_the_same(filled: Database) -> None:
    elsewhere = AS_OF.astimezone(timezone(timedelta(hours=9)))
    found = [alone(filled, PLAN | {"postedAt": None}, Window.PUBLISH, at) for at in (AS_OF, elsewhere)]
    assert differing(found[0], found[1], Window.PUBLISH) == []


def test_readings_that_fall_together_are_answered_as_in_a_batch(database: Database, tmp_path: Path) -> None:
    fill(database, made_up(60), tmp_path)
    posted_at = AS_OF - 2 * DAY
    bare = {"platform": "tiktok", "platform_video_id": "twice", "recorded_at": AS_OF}
    metadata = {"scraped_at": iso(posted_at + 3 * HOUR), "uploaded_at": iso(posted_at)}
    for now, then in ((900, 400), (300, 400), (None, 400), (900, None)):
        with database.begin() as connection:
            for table in (tables.snapshots, tables.scraped_videos):
                connection.execute(sa.delete(table).where(table.c.platform_video_id == "twice"))
            for age, views in ((1, 100), (3, then)):
                row = bare | {"observed_at": posted_at + age * HOUR, "views": views, "likes": 3}
                connection.execute(sa.insert(tables.snapshots), row)
            stored: Row = {"platform": "tiktok", "platform_video_id": "twice", "views": now, "metadata": metadata}
            stored |= {"hashtags": ["diy"], "author": "creator1", "created_at": AS_OF}
            connection.execute(sa.insert(tables.scraped_videos), stored)
        video = {"platform": "tiktok", "platformVideoId": "twice"}
        for window in WINDOWS:
            found = alone(database, video, window, AS_OF)
            assert isinstance(found, OneInput)
            assert found.video["author"] == "creator1"
            assert differing(found, by_frame(database, video, window, AS_OF), window) == [], (now, then, window)


def test_what_came_since_is_seen_by_the_very_next(database: Database, tmp_path: Path) -> None:
    fill(database, made_up(100), tmp_path)
    fresh = PLAN | {"author": "fresh"}
    before = alone(database, fresh, Window.PUBLISH, AS_OF)
    row = made_up(100).videos[0] | {
        "platform": "tiktok",
        "platform_video_id": "fresh1",
        "author": "fresh",
        "views": 5_000,
        "posted_at": iso(AS_OF - 6 * DAY),
        "scraped_at": iso(AS_OF - 2 * DAY),
    }
    fill(database, MadeUp([row], ()), tmp_path / "more")
    after = alone(database, fresh, Window.PUBLISH, AS_OF)
    assert isinstance(before, OneInput)
    assert isinstance(after, OneInput)
    videos = features.names(features.of_window(Window.PUBLISH)).index("creatorVideos")
    assert (before.values[videos], after.values[videos]) == (0, 1)
    assert differing(after, by_frame(database, fresh, Window.PUBLISH, AS_OF), Window.PUBLISH) == []


def test_a_database_that_fails_says_so(database: Database, tmp_path: Path) -> None:
    fill(database, made_up(20), tmp_path)
    past.refresh(database, LABEL)
    with database.begin() as connection:
        tables.own.tables["groundswell.post_tags"].drop(connection)
    with pytest.raises(DatabaseError, match="post_tags"):
        alone(database, PLAN, Window.PUBLISH, AS_OF)


def test_garbage_in_somebody_elses_row_is_unknown(sqlite_database: Database) -> None:
    stored = {"platform": "tiktok", "platform_video_id": "odd", "author": "ann", "created_at": AS_OF}
    with sqlite_database.begin() as connection:
        connection.execute(sa.insert(tables.scraped_videos), stored)
        changes = "author = x'00ff', hashtags = '{\"broken', duration_seconds = 'x', metadata = ?, views = 'many'"
        connection.exec_driver_sql(
            f"update scraped_videos set {changes}", ('{"uploaded_at": "2025-5-3 1:02:03", "scraped_at": true}',)
        )
    found = alone(sqlite_database, {"platform": "tiktok", "platformVideoId": "odd"}, Window.PUBLISH, AS_OF)
    assert isinstance(found, OneInput)
    assert [found.video[name] for name in ("author", "hashtags", "duration_seconds")] == [None] * 3
    assert found.video["posted_at"] == datetime(2025, 5, 3, 1, 2, 3, tzinfo=AS_OF.tzinfo)
