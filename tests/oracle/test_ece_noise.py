"""The ECE that a perfect forecast would show by chance, against loops, and whether it tells honest from dishonest."""

from __future__ import annotations

import numpy as np
import pytest

from groundswell.calibration import scores
from groundswell.calibration.metrics import top_label_ece
from groundswell.calibration.reliability import ece_if_calibrated
from groundswell.calibration.scores import Floats, Tiers
from tests.made_up import forecasts


def slow_ece(confidence: Floats, hits: Floats, bins: int) -> float:
    gaps = [0.0] * bins
    for stated, hit in zip(confidence.tolist(), hits.tolist(), strict=True):
        gaps[min(int(stated * bins + 1e-12), bins - 1)] += stated - hit
    return sum(abs(gap) for gap in gaps) / len(confidence)


def slow_noise(confidence: Floats, draws: int, seed: int, bins: int) -> list[float]:
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        hits = np.array([float(generator.random() < stated) for stated in confidence.tolist()])
        found.append(slow_ece(confidence, hits, bins))
    return found


def ece(probabilities: Floats, tiers: Tiers) -> float:
    hits = (scores.likeliest(probabilities) == tiers).astype(float)
    return float(top_label_ece(probabilities.max(axis=1), hits, np.ones((1, len(tiers))))[0])


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("seed", range(3))
def test_noise_equals_its_loop_draw_by_draw(bins: int, seed: int) -> None:
    confidence = np.random.default_rng(seed + 10).uniform(0.2, 1, 60)
    confidence[:2] = 1.0, 0.4
    found = ece_if_calibrated(confidence, 25, seed, bins)
    assert found == pytest.approx(slow_noise(confidence, 25, seed, bins), abs=1e-12)


def test_noise_is_that_of_drawn_holdouts() -> None:
    confidence = np.random.default_rng(3).uniform(0.2, 1, 400)
    generator = np.random.default_rng(4)
    drawn = [
        float(top_label_ece(confidence, (generator.random(400) < confidence).astype(float), np.ones((1, 400)))[0])
        for _ in range(2_000)
    ]
    found = ece_if_calibrated(confidence, 2_000, 5)
    assert np.quantile(found, [0.1, 0.5, 0.9, 0.95]) == pytest.approx(
        np.quantile(drawn, [0.1, 0.5, 0.9, 0.95]), rel=0.05
    )


def test_noise_shrinks_with_the_root_of_the_rows() -> None:
    confidence = np.random.default_rng(6).uniform(0.2, 0.95, 100)
    noise = {times: ece_if_calibrated(np.tile(confidence, times), 400, 7).mean() for times in (4, 16, 64)}
    for times in (16, 64):
        assert noise[times] * np.sqrt(times) == pytest.approx(noise[4] * 2, rel=0.06)


def test_noise_of_one_bin_is_half_a_normal() -> None:
    confidence = np.full(2_500, 0.5)  # its hits are off by 0.5/√n, of which the mean size is √(2/π)
    found = ece_if_calibrated(confidence, 4_000, 8)
    assert found.mean() == pytest.approx(np.sqrt(2 / np.pi) * 0.5 / 50, rel=0.03)


def test_forecasts_that_are_sure_have_no_noise() -> None:
    assert ece_if_calibrated(np.ones(50), 10, 1).tolist() == [0.0] * 10


def test_noise_repeats_with_its_seed() -> None:
    confidence = np.random.default_rng(9).uniform(0.2, 1, 80)
    again = ece_if_calibrated(confidence, 20, 3)
    assert np.array_equal(ece_if_calibrated(confidence, 20, 3), again)
    assert not np.array_equal(ece_if_calibrated(confidence, 20, 4), again)


@pytest.mark.parametrize("rows", [100, 1_000])
def test_an_honest_forecast_stays_under_its_95_percent_noise_in_95_of_100(rows: int) -> None:
    inside = []
    for seed in range(400):
        probabilities, tiers = forecasts(rows, seed)
        noise = np.quantile(ece_if_calibrated(probabilities.max(axis=1), 200, seed), 0.95)
        inside.append(ece(probabilities, tiers) <= noise)
    # Of 400 simulations 95 % are 380 with a standard deviation of 4.4; the quantile itself is one of 200 draws.
    assert 0.92 <= np.mean(inside) <= 0.98


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_a_forecast_that_over_or_understates_passes_its_noise(sharpness: float) -> None:
    for seed in range(20):
        probabilities, tiers = forecasts(2_000, seed, sharpness)
        assert ece(probabilities, tiers) > np.quantile(ece_if_calibrated(probabilities.max(axis=1), 200, seed), 0.95)
