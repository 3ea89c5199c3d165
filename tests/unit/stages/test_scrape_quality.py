"""Each fault of a scraper by its own finding, and an answer to frames that can tell nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from groundswell.frames import MOMENT
from groundswell.records import Outcome
from groundswell.stages.scrape_quality import COLUMNS, TITLES, check_scrape

FIRST = datetime(2025, 6, 1, tzinfo=UTC)
Fault = Callable[[pl.DataFrame], pl.DataFrame]


def readings(videos: int, seed: int, level: float = 9.0) -> pl.DataFrame:
    """Return two readings of each video, a day apart: lognormal views that grow, saves and followers half known."""
    generator = np.random.default_rng(seed)
    views = np.exp(generator.normal(level, 2, videos)) + 20
    counters = {
        "likes": views * generator.beta(2, 20, videos),
        "comments": views * generator.beta(2, 20, videos) * generator.beta(1, 12, videos),
        "shares": views * generator.beta(2, 20, videos) * generator.beta(1, 60, videos),
        "saves": np.where(generator.random(videos) < 0.5, views * generator.beta(1, 99, videos), np.nan),
    }
    followers = np.where(generator.random(videos) < 0.5, np.exp(generator.normal(10, 2, videos)), np.nan)
    late = pl.DataFrame(
        {
            "platform": ["tiktok"] * videos,
            "key": [f"tiktok:{seed}-{number}" for number in range(videos)],
            "observed_at": [FIRST + timedelta(hours=seed, minutes=number % 999) for number in range(videos)],
            "views": np.floor(views),
            **{name: np.floor(values) for name, values in counters.items()},
            "author_followers": np.floor(followers),
        }
    ).with_columns(pl.col("observed_at").cast(MOMENT), pl.col(COLUMNS).fill_nan(None).cast(pl.Int64))
    early = late.with_columns(
        pl.col("observed_at") - timedelta(days=1), (pl.col("views", "likes") * 0.8).floor().cast(pl.Int64)
    )
    return pl.concat([early, late])


def as_shown(name: str) -> pl.Expr:
    """Return the count as an app shows it: 12.3K, 1.2M."""
    count = pl.col(name)
    unit = pl.when(count >= 1_000_000).then(100_000).when(count >= 10_000).then(100).otherwise(1)
    return count // unit * unit


def exchanged(first: str, second: str) -> Fault:
    return lambda frame: frame.with_columns(pl.col(first).alias(second), pl.col(second).alias(first))


def changed(*expressions: pl.Expr) -> Fault:
    return lambda frame: frame.with_columns(*expressions)


def some(share: float, of: str, value: int | None) -> pl.Expr:
    """Return the column with the value in a share of the videos."""
    chosen = pl.col("key").hash(1) % 100 < 100 * share
    return pl.when(chosen).then(pl.lit(value, pl.Int64)).otherwise(of).alias(of)


#: A fault, and the findings that it is to raise and no others.
FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "counts as shown": (changed(*(as_shown(name) for name in COLUMNS)), {"S1"}),
    "only views as shown": (changed(as_shown("views")), {"S1"}),
    "likes and comments exchanged": (exchanged("likes", "comments"), {"S2"}),
    "views and likes exchanged": (exchanged("views", "likes"), {"S2"}),
    "likes and shares exchanged": (exchanged("likes", "shares"), {"S2"}),
    "saves and likes exchanged": (exchanged("saves", "likes"), {"S2", "S5"}),
    "comments and shares exchanged": (exchanged("comments", "shares"), {"S2"}),
    "zeros for unknown saves": (changed(pl.col("saves").fill_null(0)), {"S3", "S5"}),
    "zeros for unknown followers": (changed(pl.col("author_followers").fill_null(0)), {"S3", "S5"}),
    "a third of the likes zero": (changed(some(1 / 3, "likes", 0)), {"S3"}),
    "no saves": (changed(pl.lit(None, pl.Int64).alias("saves")), {"S5"}),
    "a third of the comments unknown": (changed(some(1 / 3, "comments", None)), {"S5"}),
    "all shares one": (changed(pl.lit(1, pl.Int64).alias("shares")), {"S5"}),
    "another platform": (changed(pl.lit("youtube").alias("platform")), {"S5"}),
    "no fault": (changed(), set()),
}


def outcomes(before: pl.DataFrame, recent: pl.DataFrame, min_rows: int = 50) -> dict[str, Outcome]:
    return {finding.code: finding.outcome for finding in check_scrape(before, recent, min_rows)}


def failed(before: pl.DataFrame, recent: pl.DataFrame) -> set[str]:
    return {code for code, outcome in outcomes(before, recent).items() if outcome is Outcome.FAILED}


@pytest.mark.parametrize("videos", [300, 2_000])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_raises_its_finding(fault: str, videos: int) -> None:
    make, expected = FAULTS[fault]
    found = failed(readings(2_000, 1), make(readings(videos, 2)))
    assert found == expected


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_is_mended_raises_its_finding_too(fault: str) -> None:
    make, expected = FAULTS[fault]
    assert failed(make(readings(2_000, 1)), readings(500, 2)) == expected


def test_counters_that_fall_are_found_against_the_reading_before() -> None:
    before, recent = readings(2_000, 1), readings(500, 2)
    late = pl.col("observed_at") == pl.col("observed_at").max().over("key")
    fallen = pl.when(late & (pl.col("key").hash(2) % 3 == 0)).then((pl.col("views") * 0.6).cast(pl.Int64))
    assert failed(before, recent.with_columns(fallen.fill_null(pl.col("views")).alias("views"))) == {"S4"}
    # The next reading of the same videos, all of it lower: each falls from a reading in the frame before.
    next_day = before.filter(late).with_columns(pl.col("observed_at") + timedelta(days=1))
    assert "S4" in failed(before, next_day.with_columns((pl.col("likes") * 0.9).cast(pl.Int64)))


def test_counts_that_were_exact_and_are_now_shown_do_not_fall() -> None:
    before = readings(2_000, 1, level=14.0)
    next_day = before.with_columns(pl.col("observed_at") + timedelta(days=2), *(as_shown(name) for name in COLUMNS))
    assert failed(before, next_day) == {"S1"}


def test_the_numbers_are_told() -> None:
    def frame(views: list[list[int]]) -> pl.DataFrame:
        rows = [
            {"platform": "tiktok", "key": str(video), "observed_at": FIRST + timedelta(hours=hour), "views": count}
            for video, counts in enumerate(views)
            for hour, count in enumerate(counts)
        ]
        empty = [pl.lit(None, pl.Int64).alias(name) for name in COLUMNS if name != "views"]
        return pl.DataFrame(rows).with_columns(pl.col("observed_at").cast(MOMENT), *empty)

    before = frame([[20_001, 20_000], [10_000, 99], [12_345], [9_900]])
    recent = frame([[50_000, 50_100], [70_000, 69_400], [12_300, 12_377]])
    findings = {finding.code: finding.explanation for finding in check_scrape(before, recent, min_rows=1)}
    # Of the latest readings 20,000 and 12,345 are large before, 50,100, 69,400 and 12,377 now.
    assert "in whole hundreds in 66.7% (n 3) after 50.0% (n 2), +16.7 points (" in findings["S1"]
    # Only 10,000 → 99 fell before; of 70,000 → 69,400, a fall of 0.9 %, nothing is said.
    assert "tiktok: views below the reading before in 0.0% (n 3) after 50.0% (n 2), -50.0 points (" in findings["S4"]


def test_platforms_are_compared_each_with_itself() -> None:
    youtube = pl.lit("youtube").alias("platform")
    before = pl.concat([readings(1_500, 1), readings(500, 2).with_columns(youtube, *(as_shown(n) for n in COLUMNS))])
    recent = pl.concat([readings(200, 3), readings(1_800, 4).with_columns(youtube, *(as_shown(n) for n in COLUMNS))])
    assert failed(before, recent) == set()


NOTHING = dict.fromkeys(TITLES, Outcome.NOT_APPLICABLE)


@pytest.mark.parametrize(("before", "now"), [(0, 0), (0, 500), (500, 0), (500, 1), (49, 500), (500, 49)])
def test_few_rows_are_not_taken_for_a_good_scrape(before: int, now: int) -> None:
    found = outcomes(readings(500, 1).head(0) if before == 0 else readings(before, 1), readings(now, 2))
    assert found == NOTHING


def test_frames_of_nulls_and_one_reading_each_get_an_answer() -> None:
    plain = readings(200, 1)
    nothing = plain.with_columns(*(pl.lit(None, pl.Int64).alias(name) for name in COLUMNS))
    assert outcomes(nothing, nothing) == NOTHING | {"S5": Outcome.PASSED}
    once = plain.filter(pl.col("observed_at") == pl.col("observed_at").max().over("key"))
    assert outcomes(once, once.with_columns(pl.col("key") + "x"))["S4"] is Outcome.NOT_APPLICABLE
    timeless = plain.with_columns(pl.lit(None, MOMENT).alias("observed_at"))
    assert set(outcomes(timeless, timeless)) == set(TITLES)
