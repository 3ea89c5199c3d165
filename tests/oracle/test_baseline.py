"""The calibration baseline against pandas, and the accounting of every video that was left out."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from groundswell.errors import BaselineError
from groundswell.jobs.baseline import wes_label, write_baseline
from groundswell.jobs.context import Context
from groundswell.jobs.extract import write_training_data
from groundswell.stages.baseline import baseline, never_given, thresholds
from groundswell.stages.labels import Label, tier_distribution, weighted_engagement_score
from tests.made_up import NEWEST, law, store, stored, stored_rows, videos

Rows = list[dict[str, Any]]


def computed(rows: Rows, duplicates: int = 0) -> dict[str, Any]:
    frame = stored(rows)
    wes = pl.Series("wes", weighted_engagement_score(frame), dtype=pl.Float64)
    return baseline(frame.select("views", "duration_seconds", wes), frame.height + duplicates, duplicates)


def slow_wes(rows: Rows) -> tuple[pd.Series, dict[str, int]]:
    """The scores that count, and how many videos each reason left out."""
    table = pd.DataFrame(rows).astype({"views": float, "duration_seconds": float})
    reasons = pd.Series("", index=table.index)
    for name in ("views", "duration"):
        column = table["views" if name == "views" else "duration_seconds"]
        reasons[(reasons == "") & column.isna()] = f"null_{name}"
        reasons[(reasons == "") & (column <= 0)] = f"zero_{name}"
    limit = table.loc[reasons == "", "views"].quantile(0.995)
    reasons[(reasons == "") & (table["views"] > limit)] = "extreme_outliers"
    kept = table[reasons == ""]
    wes = (kept[["likes", "comments", "shares"]].fillna(0) * [1, 2, 3]).sum(axis=1) / kept["views"]
    return wes, dict(reasons[reasons != ""].value_counts())


def gappy_videos(rows: int) -> Rows:
    found = videos(rows, seed=6)
    gaps: Rows = [{"views": None}, {"views": 0}, {"duration_seconds": None}, {"duration_seconds": 0}]
    for row, gap in enumerate(gaps):
        for number in range(row, 70 + 10 * row, 10):
            found[number] |= gap
    return found


def test_percentiles_and_accounting_equal_those_of_pandas() -> None:
    rows = gappy_videos(1_500)
    found = computed(rows, duplicates=3)
    wes, left_out = slow_wes(rows)
    expected = {f"p{p}": round(wes.quantile(p / 100), 6) for p in (10, 25, 50, 75, 90, 95, 99)}
    spread = {"mean": round(wes.mean(), 6), "stddev": round(wes.std(ddof=0), 6)}
    assert found["wes_percentiles"] == pytest.approx(expected | spread, abs=1.1e-6)
    stats = found["dataset_stats"]
    assert stats["outliers_breakdown"] == left_out
    assert len(left_out) == 5
    assert (stats["total_fetched"], stats["duplicates_removed"]) == (1_503, 3)
    assert stats["analyzed_count"] == len(wes)


@law
@given(st.lists(stored_rows, min_size=1, max_size=30), st.integers(0, 5))
def test_every_video_is_analyzed_or_left_out_for_one_reason(rows: Rows, duplicates: int) -> None:
    found = computed(rows, duplicates)
    stats = found["dataset_stats"]
    assert stats["outliers_removed"] == sum(stats["outliers_breakdown"].values())
    assert stats["total_fetched"] == duplicates + stats["outliers_removed"] + stats["analyzed_count"]
    assert sum(tier["video_count"] for tier in found["virality_tiers"]) == stats["analyzed_count"]


def test_tiers_are_those_of_the_thresholds() -> None:
    rows = videos(800, seed=2)
    found = computed(rows)
    wes, _ = slow_wes(rows)
    cuts = thresholds(found)
    assert cuts == tuple(found["wes_percentiles"][name] for name in ("p25", "p50", "p75", "p90"))
    counts = [tier["video_count"] for tier in found["virality_tiers"]]
    assert counts == tier_distribution(Label("wes", cuts).tiers(wes.to_numpy()))
    ends = [tier["weighted_score_threshold"] for tier in found["virality_tiers"]]
    assert [end["min"] for end in ends] == [0, *cuts]
    assert [end["max"] for end in ends] == [*cuts, round(wes.max(), 6)]
    assert [tier["score_range"] for tier in found["virality_tiers"]] == [
        [0, 25],
        [25, 45],
        [45, 65],
        [65, 80],
        [80, 100],
    ]


def test_a_score_on_a_threshold_is_counted_in_the_upper_tier() -> None:
    rows = [{"views": 10, "likes": likes, "duration_seconds": 9} for likes in (1, 2, 3, 4, 5) for _ in range(20)]
    found = computed(rows)
    assert thresholds(found) == (0.2, 0.3, 0.4, 0.5)
    assert [tier["video_count"] for tier in found["virality_tiers"]] == [20] * 5


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"virality_tiers": None},
        {"virality_tiers": "five"},
        {"virality_tiers": [{"tier": 1, "weighted_score_threshold": {"min": 0}}]},
        {"virality_tiers": [{"tier": tier, "weighted_score_threshold": {"min": -tier}} for tier in range(1, 6)]},
        {"virality_tiers": [{"tier": tier, "weighted_score_threshold": {"min": np.nan}} for tier in range(1, 6)]},
    ],
)
def test_what_is_no_baseline_has_no_thresholds(broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        thresholds(broken)


def test_the_file_has_the_keys_of_the_seed(context: Context, real_data: Any) -> None:
    def keys(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: keys(item) for name, item in value.items()}
        return [keys(item) for item in value] if isinstance(value, list) else None

    store(context.database, videos(300, seed=3))
    write_baseline(context)
    written = json.loads(context.settings.baseline_path.read_text())
    assert keys(written) == keys(json.loads((real_data / "seed" / "calibration-baseline.json").read_text()))


def test_the_file_labels_as_the_stored_videos_do_without_it(context: Context) -> None:
    store(context.database, gappy_videos(300))
    without = wes_label(context)
    write_baseline(context)
    assert wes_label(context) == without


@law
@given(st.lists(st.integers(0, 5), min_size=4, max_size=4).map(sorted))
def test_a_tier_is_never_given_where_no_engagement_has_it(cuts: list[int]) -> None:
    values = np.arange(0, 7, 0.5)  # below, on and between all of them
    given_ones = set(Label("wes", tuple(map(float, cuts))).tiers(values).tolist())
    assert never_given(cuts) == tuple(tier for tier in range(1, 6) if tier not in given_ones)


@pytest.mark.parametrize(
    ("likes", "begins", "never"),
    [
        ([None], "0, 0, 0, 0, 0", "1, 2, 3, 4"),
        ([0, 10], "0, 0, 0.05, 0.1, 0.1", "1, 4"),
        ([5, 10], "0, 0.05, 0.075, 0.1, 0.1", "4"),
    ],
)
def test_tiers_that_can_never_be_given_are_warned_of(
    context: Context, likes: list[int | None], begins: str, never: str
) -> None:
    same = {"views": 100, "duration_seconds": 9, "comments": 0, "shares": 0}
    rows = [row | same | {"likes": likes[n % len(likes)]} for n, row in enumerate(videos(40, seed=1))]
    store(context.database, rows)
    for work in (write_baseline, wes_label, partial(write_training_data, as_of=NEWEST)):
        with capture_logs() as said:
            work(context)
        ((level, event),) = [(line["log_level"], line["event"]) for line in said]
        assert level == "warning"
        assert f"tiers 1 to 5 begin at {begins}. No video can be of tier {never}, as" in event
        assert "run `groundswell baseline` and `groundswell extract` again" in event


def test_where_each_tier_can_be_given_nothing_is_said(context: Context) -> None:
    store(context.database, videos(300, seed=3))
    with capture_logs() as said:
        write_baseline(context)
        write_training_data(context, NEWEST)
    assert said == []


@pytest.mark.parametrize("rows", [[], [{"platform_video_id": "1", "views": 0, "likes": 3}]])
def test_nothing_to_measure_is_said_as_it_is(context: Context, rows: Rows) -> None:
    store(context.database, rows)
    for work in (write_baseline, wes_label):
        with pytest.raises(BaselineError, match="o stored video") as caught:
            work(context)
        assert "groundswell ingest" in caught.value.hint
    assert not context.settings.baseline_path.exists()
