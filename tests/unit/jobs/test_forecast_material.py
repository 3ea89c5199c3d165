"""What a forecast line learns from: every video is accounted for, and the parts lie in the order of time."""

from __future__ import annotations

import dataclasses
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from groundswell.errors import SettingsError, TooFewVideosError
from groundswell.jobs.collection import Collection
from groundswell.jobs.forecast_material import Counts, ForecastMaterial, forecast_material
from groundswell.records import Window
from groundswell.stages import features
from tests.made_up_forecast import AS_OF, DAY, HOUR, START, MadeUp, iso, made_up, quick

FORECASTS = [window for window in Window if window.is_forecast]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return made_up(700).collection(tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """A collection in which something is wrong with every twelfth video, and some readings are of nobody."""
    whole = made_up(400)
    wrong: list[dict[str, Any]] = [
        {"posted_at": None},
        {"views": -5},
        {"scraped_at": iso(START - DAY), "posted_at": iso(AS_OF - 30 * DAY)},
        {"views": None, "likes": None, "scraped_at": None},
        {"posted_at": iso(AS_OF - HOUR), "scraped_at": iso(AS_OF)},
    ]
    chosen = range(0, 400, 12)
    videos = [
        row | (wrong[number // 12 % len(wrong)] if number in chosen else {}) for number, row in enumerate(whole.videos)
    ]
    ids = {whole.videos[number]["platform_video_id"] for number in chosen}
    readings = [row for row in whole.readings if row["platform_video_id"] not in ids]
    strangers = [row | {"platform_video_id": f"nobody{number}"} for number, row in enumerate(readings[:7])]
    return MadeUp(videos, [*readings, *strangers]).collection(tmp_path_factory.mktemp("spoilt"))


def material(collection: Collection, window: Window, as_of: datetime = AS_OF, **settings: Any) -> ForecastMaterial:
    return forecast_material(collection, window, quick(**settings), as_of)


def parts_of(counts: Counts) -> int:
    """Return the sum of what became of the videos."""
    learnt = counts.train + counts.calibration + counts.embargo + counts.holdout
    return learnt + counts.immature + counts.without_reading + counts.older_left_out + counts.rejected


@pytest.mark.parametrize("window", FORECASTS)
def test_counts_add_up(collection: Collection, spoilt: Collection, window: Window) -> None:
    for rows in (collection, spoilt):
        for as_of in (AS_OF, START + 100 * DAY):
            counts = material(rows, window, as_of, forecast_max_rows=100).counts
            assert parts_of(counts) == counts.videos
            assert counts.train <= 100
            assert counts.immature == sum(counts.immature_by.values())
            assert counts.rejected == sum(counts.rejected_by.values())
            assert (counts.without_reading > 0) == (window is not Window.PUBLISH)


def test_what_is_wrong_is_named(spoilt: Collection) -> None:
    counts = material(spoilt, Window.PUBLISH).counts
    assert counts.rejected_by == {"negative": 7, "unknown_video": 7, "no_posting_time": 7, "read_before_posted": 7}
    assert counts.immature_by["too_young"] == 6
    assert counts.immature_by["not_read_since"] > 7
    assert counts.videos == 400 + 7


@pytest.mark.parametrize("window", FORECASTS)
def test_parts_lie_in_the_order_of_time_with_an_embargo(collection: Collection, window: Window) -> None:
    found = material(collection, window)
    parts, posted = found.parts, found.rows["posted_at"].to_numpy()
    assert found.rows["posted_at"].is_sorted()
    numbers = np.concatenate([parts.train, parts.calibration, parts.embargo, parts.holdout])
    assert numbers.tolist() == list(range(found.rows.height))
    assert len(parts.holdout) == math.floor(0.2 * found.rows.height)
    usable = len(parts.train) + len(parts.calibration)
    assert len(parts.calibration) == math.floor(0.15 * usable)
    assert posted[parts.calibration].max() + np.timedelta64(72, "h") <= posted[parts.holdout].min()
    assert posted[parts.embargo].min() + np.timedelta64(72, "h") > posted[parts.holdout].min()
    assert posted[parts.train].max() <= posted[parts.calibration].min()
    assert found.training.rows.features.shape == (usable, len(features.of_window(window)))


@pytest.mark.parametrize("most", [100, 50_000])
def test_cut_points_come_from_all_rows_before_the_holdout(collection: Collection, most: int) -> None:
    found = material(collection, Window.PUBLISH, forecast_max_rows=most)
    first = found.rows.height - math.floor(0.2 * found.rows.height)
    before = sorted(found.rows["views"][:first].to_list())
    expected = [before[math.floor(share * (first - 1))] for share in (0.2, 0.4, 0.6, 0.8)]
    assert list(found.cut_points or ()) == expected
    assert list(found.label.cut_points) == expected
    assert len(found.parts.train) == min(most, first - found.counts.embargo - found.counts.calibration)
    assert found.before_holdout.tolist() == list(range(first))
    views = found.rows["views"].to_numpy()[found.parts.holdout]
    assert found.holdout.rows.tiers.tolist() == [1 + sum(cut < one for cut in expected) for one in views]


def test_the_oldest_are_left_out(collection: Collection) -> None:
    whole, newest = (material(collection, Window.PUBLISH, forecast_max_rows=most) for most in (50_000, 200))
    kept = len(newest.parts.train)
    assert (kept, newest.counts.older_left_out) == (200, len(whole.parts.train) - 200)
    assert newest.parts.train.tolist() == whole.parts.train[-len(newest.parts.train) :].tolist()
    assert newest.parts.calibration.tolist() == whole.parts.calibration.tolist()
    assert newest.parts.holdout.tolist() == whole.parts.holdout.tolist()


def test_a_most_label_age_moves_videos_to_read_too_late(collection: Collection) -> None:
    free, bound = material(collection, Window.PUBLISH), material(collection, Window.PUBLISH, label_age_max="90h")
    late = bound.counts.immature_by["read_too_late"]
    assert (free.counts.immature_by["read_too_late"], late > 50) == (0, True)
    assert bound.counts.immature == free.counts.immature + late
    assert bound.counts.videos == free.counts.videos
    assert bound.rows.height == free.rows.height - late
    longer = material(collection, Window.PUBLISH, label_age="120h")
    assert longer.counts.immature_by["not_read_since"] > free.counts.immature_by["not_read_since"]


def test_an_earlier_as_of_makes_later_videos_immature(collection: Collection) -> None:
    now, then = (material(collection, Window.PUBLISH, as_of) for as_of in (AS_OF, START + 90 * DAY))
    posted = collection.posts["posted_at"]
    young = (posted > START + 87 * DAY).sum()
    assert (now.counts.immature_by["too_young"], then.counts.immature_by["too_young"]) == (0, young)
    assert then.rows["posted_at"].max() <= START + 87 * DAY  # type: ignore[operator]
    assert then.counts.videos == now.counts.videos
    early = now.rows.join(then.rows, on="key", how="semi").sort("key")
    names = features.names(features.of_window(Window.PUBLISH))
    first, second = (
        features.compute(rows, features.of_window(Window.PUBLISH)) for rows in (early, then.rows.sort("key"))
    )
    assert first.equals(second, null_equal=True), [name for name in names if not first[name].equals(second[name])]


def test_no_reading_after_as_of_speaks(collection: Collection) -> None:
    as_of = START + 90 * DAY
    until = dataclasses.replace(
        collection,
        posts=collection.posts.filter(pl.col("posted_at") <= as_of - 72 * HOUR),
        readings=collection.readings.filter((pl.col("observed_at") <= as_of + 9 * DAY).fill_null(value=True)),
    )
    whole, cut = material(collection, Window.HOUR_24, as_of), material(until, Window.HOUR_24, as_of)
    for one, other in ((whole.training, cut.training), (whole.holdout, cut.holdout)):
        assert np.array_equal(one.rows.features, other.rows.features, equal_nan=True)
        assert one.rows.tiers.tolist() == other.rows.tiers.tolist()


def test_a_video_without_a_reading_in_the_window_is_left_out(collection: Collection) -> None:
    found = material(collection, Window.HOUR_6)
    own = collection.readings.join(collection.posts.select("key", "posted_at"), on="key")
    age = pl.col("observed_at") - pl.col("posted_at")
    read = own.filter(age >= timedelta(0), age <= 6 * HOUR, pl.col("views").is_not_null())["key"].unique()
    assert set(found.rows["key"]) <= set(read)
    assert found.rows["early_views"].null_count() == 0
    assert found.rows["early_age_hours"].max() <= 6  # type: ignore[operator]
    assert len(found.lessons) > 0
    learnt = np.concatenate([found.parts.train, found.parts.calibration])
    assert set(found.lessons.videos.tolist()) <= set(learnt.tolist())
    assert len(material(collection, Window.PUBLISH).lessons) == 0


def test_a_window_that_closes_after_the_label_age_is_refused(collection: Collection) -> None:
    with pytest.raises(SettingsError, match="LABEL_AGE"):
        quick(label_age="24h")
    settings = quick().model_copy(update={"label_age": 24 * HOUR})
    with pytest.raises(SettingsError, match="24h closes after the label age"):
        forecast_material(collection, Window.HOUR_24, settings, AS_OF)


@pytest.mark.parametrize("window", [Window.PUBLISH, Window.HOUR_6])
def test_too_few_videos_is_an_error_that_names_the_counts(tmp_path: Path, window: Window) -> None:
    few = made_up(40).collection(tmp_path)
    with pytest.raises(TooFewVideosError) as caught:
        material(few, window)
    said = str(caught.value)
    assert "videos have matured" in said
    assert "50 or more" in said
    assert "immature: not_read_since" in said
    assert ("without a reading in the window" in said) == (window is not Window.PUBLISH)
    assert "later readings" in caught.value.hint


def test_none_matured_and_none_at_all_are_too_few(collection: Collection) -> None:
    with pytest.raises(TooFewVideosError, match=r"Only 0 videos .*700 immature: too_young 700"):
        material(collection, Window.PUBLISH, START)
    empty = dataclasses.replace(collection, posts=collection.posts.clear(), readings=collection.readings.clear())
    for window in FORECASTS:
        with pytest.raises(TooFewVideosError, match=r"Only 0 videos .*0 immature: none"):
            material(empty, window)


def test_videos_of_one_day_leave_nothing_before_the_embargo(collection: Collection) -> None:
    day = collection.posts.with_columns(pl.lit(START + 5 * DAY).cast(pl.Datetime("us", "UTC")).alias("posted_at"))
    readings = collection.readings.with_columns(pl.lit(None, pl.Datetime("us", "UTC")).alias("observed_at"))
    once = readings.unique("key", keep="last")
    with pytest.raises(TooFewVideosError, match="cannot be split by time"):
        material(dataclasses.replace(collection, posts=day, readings=once), Window.PUBLISH)


def test_the_same_collection_gives_the_same_data_hash(collection: Collection) -> None:
    first = material(collection, Window.HOUR_6)
    shuffled = dataclasses.replace(
        collection,
        posts=collection.posts.sample(fraction=1, shuffle=True, seed=3),
        readings=collection.readings.sample(fraction=1, shuffle=True, seed=4),
    )
    assert material(shuffled, Window.HOUR_6).data_hash == first.data_hash
    assert first.changed_by_future == ((), first.changed_by_future[1])
    assert first.changed_by_future[1] > 0
