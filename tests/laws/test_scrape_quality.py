"""What the scrape-quality check promises: the same scraper raises no alarm, on made-up readings and on real ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from groundswell.frames import MOMENT
from groundswell.records import Outcome
from groundswell.stages.scrape_quality import COLUMNS, LEAST, Comparison, check_scrape
from tests.unit.stages.test_scrape_quality import readings


def failed(before: pl.DataFrame, recent: pl.DataFrame) -> set[str]:
    return {finding.code for finding in check_scrape(before, recent) if finding.outcome is Outcome.FAILED}


def alarms_of_the_same_scraper(videos: int, simulations: int) -> Counter[str]:
    # Later videos are a little larger, as they are.
    return Counter(
        code
        for seed in range(simulations)
        for code in failed(readings(1_000, seed), readings(videos, seed + 1_000, level=9.3))
    )


@pytest.mark.parametrize("videos", [60, 300])
def test_the_same_scraper_raises_no_alarm(videos: int) -> None:
    assert not alarms_of_the_same_scraper(videos, 25)


@pytest.mark.slow
@pytest.mark.parametrize("videos", [60, 300, 3_000])
def test_the_same_scraper_raises_no_alarm_at_length(videos: int) -> None:
    assert not alarms_of_the_same_scraper(videos, 300)


def test_the_order_of_rows_changes_nothing() -> None:
    before, recent = readings(400, 1), readings(300, 2)
    mixed = check_scrape(
        before.sample(fraction=1, shuffle=True, seed=1), recent.sample(fraction=1, shuffle=True, seed=2)
    )
    assert check_scrape(before, recent) == mixed


def test_reading_a_video_again_and_again_makes_nothing_surer() -> None:
    before, recent = readings(300, 1), readings(60, 2)
    often = pl.concat([recent.with_columns(pl.col("observed_at").dt.offset_by(f"-{k}h")) for k in range(30)])
    plain, repeated = check_scrape(before, recent), check_scrape(before, often)
    assert plain[:3] == repeated[:3]
    assert plain[4] == repeated[4]


def test_the_interval_of_a_difference_covers_95_times_of_100() -> None:
    generator = np.random.default_rng(4)
    for p, q, n, m in ((0.02, 0.3, 200, 60), (0.5, 0.6, 80, 80), (0.0, 0.05, 500, 100)):
        held = 0
        for _ in range(400):
            before, now = int(generator.binomial(n, p)), int(generator.binomial(m, q))
            found = Comparison("", (before, n), (now, m), 0.1).difference()
            held += (found.low or 0.0) <= q - p <= (found.high or 0.0)
        assert held / 400 == pytest.approx(0.955, abs=0.035)


@pytest.mark.parametrize(("hits", "rows"), [((0, 50), (50, 50)), ((9, 60), (30, 90)), ((120, 400), (20, 200))])
def test_the_interval_of_a_difference_equals_its_formula(hits: tuple[int, int], rows: tuple[int, int]) -> None:
    def wilson(count: int, n: int) -> tuple[float, float, float]:
        z, p = float(stats.norm.ppf(0.975)), count / n
        middle, reach = p + z**2 / (2 * n), z * ((p * (1 - p) + z**2 / (4 * n)) / n) ** 0.5
        return p, (middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n)

    (old, old_low, old_high), (new, new_low, new_high) = wilson(*hits), wilson(*rows)
    found = Comparison("", hits, rows, 0.1).difference()
    assert found.value == pytest.approx(new - old)
    assert found.low == pytest.approx(new - old - ((new - new_low) ** 2 + (old_high - old) ** 2) ** 0.5)
    assert found.high == pytest.approx(new - old + ((new_high - new) ** 2 + (old - old_low) ** 2) ** 0.5)


def of_real(frame: pl.DataFrame) -> pl.DataFrame:
    """Return real rows as readings, those of videos at their posting where no scrape time is known."""
    moments = [name for name in ("scraped_at", "posted_at") if name in frame.columns]
    missing = [pl.lit(None, pl.Int64).alias(name) for name in COLUMNS if name not in frame.columns]
    return frame.with_columns(
        pl.concat_str("platform", pl.lit(":"), "platform_video_id").alias("key"),
        pl.coalesce(moments).cast(MOMENT).alias("observed_at"),
        *missing,
    )


def test_rounded_counts_of_another_scraper_are_noticed(real_data: Path) -> None:
    videos = of_real(pl.read_parquet(real_data / "tiktok_videos.parquet"))
    exact, shown = (videos.filter(pl.col("source") == source) for source in ("creators_2025", "feed_2025"))
    rounded = check_scrape(exact, shown)[0]
    assert (rounded.code, rounded.outcome) == ("S1", Outcome.FAILED)
    assert "tiktok: views of 10,000 or more in whole hundreds in 100.0% (n " in rounded.explanation
    assert "S1" in failed(exact, shown.sample(400, seed=1))


def test_the_day_a_scraper_began_to_round_is_noticed(real_data: Path) -> None:
    # Views of this source are exact in scrapes up to the first days of February 2025 and as shown from the 17th on.
    videos = of_real(pl.read_parquet(real_data / "tiktok_videos.parquet")).filter(pl.col("source") == "creators_2025")
    exact = videos.filter(pl.col("scraped_at") < pl.lit("2025-02-10").str.to_datetime(time_zone="UTC"))
    shown = videos.filter(pl.col("scraped_at") > pl.lit("2025-02-17").str.to_datetime(time_zone="UTC"))
    assert failed(exact, shown) == {"S1"}
    assert failed(exact, shown.sample(200, seed=1)) == {"S1"}


def real_alarms(folder: Path, stride: int, cuts: tuple[int, ...]) -> tuple[Counter[tuple[str, str]], int]:
    """Count the alarms within each source: 300 videos each `stride` against the 3,000 before, and cut at each tenth."""
    alarms: Counter[tuple[str, str]] = Counter()
    compared = 0
    for name in ("tiktok", "youtube"):
        videos = of_real(pl.read_parquet(folder / f"{name}_videos.parquet"))
        for (source,), rows in videos.sort("posted_at", "key").group_by("source", maintain_order=True):
            parts = [
                (rows[max(0, start - 3_000) : start], rows[start : start + 300])
                for start in range(1_000, rows.height - 300, stride)
            ]
            parts += [(rows[: rows.height * k // 10], rows[rows.height * k // 10 :]) for k in cuts]
            compared += len(parts)
            alarms.update((str(source), code) for part in parts for code in failed(*part))
    return alarms, compared


def test_one_real_source_in_two_raises_no_alarm(real_data: Path) -> None:
    alarms, compared = real_alarms(real_data, 6_000, (5,))
    assert compared > 40
    assert set(alarms) <= {("creators_2025", "S1")}  # which began to round: an alarm that is right


@pytest.mark.slow
def test_one_real_source_in_two_raises_no_alarm_at_length(real_data: Path) -> None:
    alarms, compared = real_alarms(real_data, 1_000, tuple(range(1, 10)))
    assert compared > 250
    alarms.pop(("creators_2025", "S1"), None)
    assert sum(alarms.values()) <= 0.02 * compared


def test_real_readings_in_two_raise_no_alarm(real_data: Path) -> None:
    snapshots = of_real(pl.read_parquet(real_data / "tiktok_snapshots.parquet")).sort("observed_at", "key")
    for k in range(1, 10):
        cut = snapshots.height * k // 10
        findings = check_scrape(snapshots[:cut], snapshots[cut:])
        assert {finding.outcome for finding in findings} == {Outcome.PASSED}


def test_real_readings_with_a_fault_put_in_are_noticed(real_data: Path) -> None:
    snapshots = of_real(pl.read_parquet(real_data / "tiktok_snapshots.parquet")).sort("observed_at", "key")
    before, recent = snapshots[:20_000], snapshots[20_000:]
    swapped = recent.with_columns(pl.col("likes").alias("comments"), pl.col("comments").alias("likes"))
    assert "S2" in failed(before, swapped)
    assert "S3" in failed(before, recent.with_columns(pl.lit(0, pl.Int64).alias("shares")))
    assert "S4" in failed(before, recent.with_columns((pl.col("views") * 0.9).cast(pl.Int64)))
    assert failed(before, recent.with_columns(pl.lit(None, pl.Int64).alias("saves"))) == {"S5"}
    assert LEAST.keys() == {"S1", "S2", "S3", "S4", "S5"}
