"""What can be looked up is what training saw: brought up to date step by step, asked for one video at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from groundswell import past
from groundswell.jobs.collection import stored_collection
from groundswell.jobs.forecast_material import mature_videos
from groundswell.jobs.ingest import ingest
from groundswell.records import Window
from groundswell.stages import features
from groundswell.stages.features.early import add_early
from groundswell.stages.features.history import add_history
from groundswell.stages.maturity import LabelAge
from groundswell.store import posts, tables
from groundswell.store.database import Database
from groundswell.store.readings import readings
from tests.made_up_forecast import AS_OF, MadeUp, made_up, quick

LABEL = LabelAge(timedelta(hours=72))
COUNT = 400
#: What a request says of a video: no counters.
ASKED = (
    "key",
    "platform",
    "author",
    "description",
    "sound_name",
    "hashtags",
    "duration_seconds",
    "posted_at",
    "moment",
)


def fill(database: Database, export: MadeUp, folder: Path) -> None:
    ingest(database, quick(home=folder / "home"), export.write(folder), as_of=AS_OF)


def found(database: Database) -> tuple[list[Any], list[Any]]:
    """Return all that can be looked up: posts and tags."""
    post_tables = (tables.own.tables["groundswell.posts"], tables.own.tables["groundswell.post_tags"])
    with database.read() as connection:
        rows = [[tuple(row) for row in connection.execute(table.select())] for table in post_tables]
    return sorted(rows[0], key=repr), sorted(rows[1], key=repr)


def stored_anew(database: Database, label: LabelAge = LABEL) -> tuple[list[Any], list[Any]]:
    """Return what can be looked up after everything was stored at once."""
    collection = stored_collection(database)
    past.store(database, collection.posts, collection.readings, label)
    return found(database)


def cut(export: MadeUp, share: float) -> tuple[MadeUp, MadeUp]:
    """Return the export in two: some of the videos with all readings of theirs until then, and the rest."""
    at = int(len(export.videos) * share)
    early = {row["platform_video_id"] for row in export.videos[:at]}
    first = [row for row in export.readings if row["platform_video_id"] in early][::2]
    chosen = {(row["platform_video_id"], row["observed_at"]) for row in first}
    rest = [row for row in export.readings if (row["platform_video_id"], row["observed_at"]) not in chosen]
    return MadeUp(export.videos[:at], first), MadeUp(export.videos[at:], rest)


def test_refresh_after_an_ingest_is_storing_everything(database: Database, tmp_path: Path) -> None:
    assert posts.state(database) is None
    past.refresh(database, LABEL)
    assert found(database) == ([], [])
    fill(database, made_up(COUNT), tmp_path)
    past.refresh(database, LABEL)
    refreshed = found(database)
    assert len(refreshed[0]) == COUNT
    assert len(refreshed[1]) > 100
    assert refreshed == stored_anew(database)
    past.refresh(database, LABEL)
    assert found(database) == refreshed


def test_refresh_takes_what_came_since(database: Database, tmp_path: Path) -> None:
    first, second = cut(made_up(COUNT), 0.6)
    later = [{**row, "views": row["views"] * 2, "scraped_at": "2025-06-08T00:00:00Z"} for row in first.videos[:40]]
    for number, part in enumerate((first, second, MadeUp(later, ()))):
        fill(database, part, tmp_path / str(number))
        before = posts.state(database)
        past.refresh(database, LABEL)
        after = posts.state(database)
        assert after is not None
        assert before is None or after.last_snapshot > before.last_snapshot
        refreshed = found(database)
        assert refreshed == stored_anew(database)


@pytest.mark.parametrize(
    "other", [LabelAge(timedelta(hours=100)), LabelAge(timedelta(hours=72), timedelta(hours=80))], ids=["age", "most"]
)
def test_another_label_age_makes_everything_anew(database: Database, tmp_path: Path, other: LabelAge) -> None:
    fill(database, made_up(120), tmp_path)
    past.refresh(database, LABEL)
    before = found(database)
    past.refresh(database, other)
    assert found(database) != before
    assert found(database) == stored_anew(database, other)
    past.refresh(database, LABEL)
    assert found(database) == before


@pytest.mark.parametrize("window", [Window.PUBLISH, Window.HOUR_6])
def test_a_live_request_sees_what_training_saw(database: Database, tmp_path: Path, window: Window) -> None:
    fill(database, made_up(COUNT), tmp_path)
    past.refresh(database, LABEL)
    _, learnt, _ = mature_videos(stored_collection(database), window, quick(), AS_OF)
    catalogue = features.of_window(window)
    planned = learnt.select(*ASKED)
    numbers = np.random.default_rng(1).choice(learnt.height, 10, replace=False)
    for number in [*numbers.tolist(), 0, learnt.height - 1]:
        own = planned[number : number + 1]
        live = own if window is Window.PUBLISH else add_early(own, readings(database, own["key"].to_list()), window.age)
        asked = add_history(live, past.look_up(database, live, LABEL), LABEL.age)
        assert differing(asked, learnt[number : number + 1], catalogue) == []


def test_many_requests_at_once_see_what_each_alone_sees(database: Database, tmp_path: Path) -> None:
    fill(database, made_up(COUNT), tmp_path)
    past.refresh(database, LABEL)
    _, learnt, _ = mature_videos(stored_collection(database), Window.PUBLISH, quick(), AS_OF)
    asked = learnt[::7].select(*ASKED)
    together = add_history(asked, past.look_up(database, asked, LABEL), LABEL.age)
    assert differing(together, learnt[::7], features.of_window(Window.PUBLISH)) == []


def test_a_planned_video_of_a_stranger_knows_the_platform_only(database: Database, tmp_path: Path) -> None:
    fill(database, made_up(COUNT), tmp_path)
    past.refresh(database, LABEL)
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    asked = pl.DataFrame(
        {
            "key": ["request:0"],
            "platform": ["tiktok"],
            "author": ["nobody"],
            "sound_name": [None],
            "hashtags": [None],
            "description": [None],
            "duration_seconds": [None],
            "posted_at": [moment],
            "moment": [moment],
        },
        schema_overrides={
            "sound_name": pl.String,
            "hashtags": pl.List(pl.String),
            "description": pl.String,
            "duration_seconds": pl.Int64,
            "posted_at": pl.Datetime("us", "UTC"),
            "moment": pl.Datetime("us", "UTC"),
        },
    )
    known = add_history(asked, past.look_up(database, asked, LABEL), LABEL.age).row(0, named=True)
    assert known["platform_level"] > 0
    assert [known[name] for name in ("creator_median", "hashtag_lift", "followers")] == [None] * 3
    assert (known["creator_posts"], known["immature_posts"], known["sound_lift"]) == (0, 0, 0.0)


def differing(one: pl.DataFrame, other: pl.DataFrame, catalogue: Sequence[features.Feature]) -> list[str]:
    """Return the features in which the frames differ by more than a millionth, each with its values."""
    first, second = (features.matrix(frame, tuple(catalogue)) for frame in (one, other))
    alike = np.isclose(first, second, rtol=1e-6, atol=1e-6, equal_nan=True)
    return [
        f"{feature.name}: {first[row, column]} is not {second[row, column]}"
        for column, feature in enumerate(catalogue)
        for row in np.flatnonzero(~alike[:, column])
    ]
