"""The bands of a reliability diagram: their bins, their ends, and how often they hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from groundswell.calibration.bands import ReliabilityBand, reliability_curve
from groundswell.calibration.intervals import share_of, wilson
from groundswell.calibration.reliability import reliability_bins
from groundswell.calibration.scores import Floats


def drawn(n: int, seed: int, kind: str) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    chance = generator.beta(1, 1, n).round(4)
    hits = (generator.random(n) < chance).astype(float)
    return chance, hits if kind == "hits" else generator.beta(8 * chance + 1e-6, 8 * (1 - chance) + 1e-6)


@pytest.mark.parametrize("kind", ["hits", "shares"])
def test_the_bins_are_those_of_the_ece(kind: str) -> None:
    predicted, actual = drawn(300, 1, kind)
    for ours, plain in zip(
        reliability_curve(predicted, actual, 50, 1), reliability_bins(predicted, actual), strict=True
    ):
        for name in ("bin_start", "bin_end", "avg_predicted", "avg_actual", "count", "gap"):
            assert getattr(ours, name) == pytest.approx(getattr(plain, name))


@pytest.mark.parametrize("rows", [1, 10, 4_000])
@pytest.mark.parametrize("tenths", range(11))
def test_wilson_equals_scipy(tenths: int, rows: int) -> None:
    hits = tenths * rows // 10
    theirs = scipy.stats.binomtest(hits, rows).proportion_ci(method="wilson")
    ours = wilson(np.array([hits / rows]), np.array([float(rows)]), np.array([1.959963985]))
    assert ours[:, 0] == pytest.approx([theirs.low, theirs.high], abs=1e-9)
    told = share_of(hits, rows)
    assert [told.low, told.high] == pytest.approx([theirs.low, theirs.high], abs=1e-12)
    assert told.n == rows


def inside(band: ReliabilityBand, name: str, value: float) -> bool:
    low, high = getattr(band, f"{name}_low"), getattr(band, f"{name}_high")
    return bool(low - 1e-12 <= value <= high + 1e-12)


@pytest.mark.parametrize("kind", ["hits", "shares"])
@pytest.mark.parametrize("n", [30, 100, 1_000])
def test_both_bands_hold_what_they_promise(n: int, kind: str) -> None:
    """Of calibrated pairs the truth of a bin is its mean prediction, and its mean outcome belongs in the other band."""
    held: dict[str, list[bool]] = {"actual": [], "expected": []}
    for seed in range(120):
        for band in reliability_curve(*drawn(n, seed, kind), 200, seed):
            if band.count:
                held["actual"].append(inside(band, "actual", band.avg_predicted))
                held["expected"].append(inside(band, "expected", band.avg_actual))
    assert {name: np.mean(each) >= 0.92 for name, each in held.items()} == {"actual": True, "expected": True}


def test_shares_have_narrower_bands_than_hits() -> None:
    widths = {}
    for kind in ("hits", "shares"):
        bands = reliability_curve(*drawn(2_000, 3, kind), 200, 1)
        widths[kind] = np.array([[b.actual_high - b.actual_low, b.expected_high - b.expected_low] for b in bands])  # type: ignore[operator]
    assert (widths["shares"] < 0.7 * widths["hits"]).all()


@pytest.mark.parametrize(("predicted", "bin_of_it"), [(0.0, 0), (1.0, 9)])
@pytest.mark.parametrize("actual", [0.0, 0.5, 1.0])
def test_one_pair_has_bands_in_its_bin_and_none_elsewhere(predicted: float, bin_of_it: int, actual: float) -> None:
    for k, band in enumerate(reliability_curve(np.array([predicted]), np.array([actual]), 50, 1)):
        ends = (band.actual_low, band.actual_high, band.expected_low, band.expected_high)
        assert band.count == (k == bin_of_it)
        assert (
            all(end is None for end in ends)
            if not band.count
            else all(0 <= end <= 1 for end in ends if end is not None)
        )


def test_no_pairs_have_empty_bins() -> None:
    assert [band.count for band in reliability_curve(np.zeros(0), np.zeros(0), 50, 1)] == [0] * 10
