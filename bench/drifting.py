"""Drift of twenty features over a million rows, and a check of half a million readings."""

from __future__ import annotations

import numpy as np
import polars as pl

from bench.measure import Row, peak_megabytes, resident_megabytes, seconds
from groundswell.calibration.scores import Floats
from groundswell.frames import MOMENT
from groundswell.reference import reference_of
from groundswell.stages.drift import Period, find_cut_point_drift, find_drift
from groundswell.stages.scrape_quality import COLUMNS, check_scrape

ROWS = 1_000_000
FEATURES = 20
READINGS = 500_000
_FIRST = 1_735_689_600_000_000


def million_rows() -> list[Row]:
    """Time and memory of drift in one period and in two, with rows on their own and with creators."""
    generator = np.random.default_rng(0)
    names = [f"f{number}" for number in range(FEATURES)]
    reference = reference_of(names, _served(generator, 10_000), generator.integers(1, 6, 10_000))
    values, creators = _served(generator, ROWS), generator.integers(0, ROWS // 20, ROWS)
    plain, clustered = Period(values), Period(values, creators)
    before = resident_megabytes()
    peak = peak_megabytes(lambda: find_drift(reference, names, clustered, None))
    what = f"drift of {FEATURES} features over {ROWS:,} rows"
    taken = seconds(lambda: find_drift(reference, names, plain, None))
    of_creators = seconds(lambda: find_drift(reference, names, clustered, None))
    both = seconds(lambda: find_drift(reference, names, clustered, clustered))
    cut_points = seconds(lambda: find_cut_point_drift((0.2, 0.7, 1.2, 2.1), np.abs(values[:, 0]), creators))
    return [
        Row(what, "< 3 s", f"{taken:.2f} s", taken < 3),
        Row("… by 50,000 creators", "< 3 s", f"{of_creators:.2f} s", of_creators < 3),
        Row("… in two periods of as many rows each", "", f"{both:.2f} s", True),
        Row("… memory beyond the features", "", f"{peak - before:.0f} MB beside {values.nbytes / 2**20:.0f} MB", True),
        Row(f"cut-point drift over {ROWS:,} outcomes", "", f"{cut_points:.2f} s", True),
    ]


def half_million_readings() -> list[Row]:
    """Time of the scrape-quality check of so many readings, half of them recent."""
    generator = np.random.default_rng(1)
    readings = _readings(generator, READINGS)
    halves = readings[: READINGS // 2], readings[READINGS // 2 :]
    taken = seconds(lambda: check_scrape(*halves))
    return [Row(f"scrape quality of {READINGS:,} readings", "< 2 s", f"{taken:.2f} s", taken < 2)]


def _served(generator: np.random.Generator, rows: int) -> Floats:
    values = generator.normal(size=(rows, FEATURES))
    values[:, 1::4] = np.floor(24 * generator.random((rows, FEATURES // 4)))
    values[:, 2::4][generator.random((rows, FEATURES // 4)) < 0.3] = np.nan
    values[:, 3::4] = generator.random((rows, FEATURES // 4)) < 0.2
    return values


def _readings(generator: np.random.Generator, rows: int) -> pl.DataFrame:
    views = np.exp(generator.normal(9, 2, rows)).astype(np.int64)
    counters = {name: (views * generator.beta(1, 20, rows)).astype(np.int64) for name in COLUMNS[1:]}
    return pl.DataFrame(
        {
            "platform": pl.Series(generator.choice(["tiktok", "youtube"], rows)),
            "key": pl.Series(generator.integers(0, rows // 5, rows)).cast(pl.String),
            "observed_at": pl.Series(_FIRST + 5_000_000 * np.arange(rows)).cast(MOMENT),
            "views": views,
            **counters,
        }
    )
