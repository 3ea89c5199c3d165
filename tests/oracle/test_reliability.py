"""The ECE of scores and its bins, against a loop over pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.calibration.reliability import expected_calibration_error, reliability_bins
from tests.made_up import law

Pairs = list[tuple[int, int]]
#: Scores as `numeric(5,2)` holds them, in hundredths; the edges of the bins more often than by chance.
hundredths = st.integers(0, 10_000) | st.sampled_from(range(0, 10_001, 1_000))
pairs = st.lists(st.tuples(hundredths, hundredths), max_size=40)


def by_bin(found: Pairs) -> list[Pairs]:
    bins: list[Pairs] = [[] for _ in range(10)]
    for predicted, actual in found:
        bins[min(predicted // 1_000, 9)].append((predicted, actual))
    return bins


def means(inside: Pairs) -> tuple[float, float]:
    n = len(inside) or 1
    return sum(p for p, _ in inside) / n / 10_000, sum(a for _, a in inside) / n / 10_000


@law
@given(pairs)
def test_ece_and_bins_equal_their_loop(found: Pairs) -> None:
    predicted, actual = (np.array([pair[side] for pair in found]) / 100 / 100 for side in (0, 1))
    bins = by_bin(found)
    for ours, inside in zip(reliability_bins(predicted, actual), bins, strict=True):
        assert ours.count == len(inside)
        assert (ours.avg_predicted, ours.avg_actual) == pytest.approx(means(inside))
        assert ours.gap == pytest.approx(abs(ours.avg_predicted - ours.avg_actual))
    ece = sum(len(inside) * abs(np.subtract(*means(inside))) for inside in bins) / max(1, len(found))
    assert expected_calibration_error(predicted, actual) == pytest.approx(ece, abs=0.51e-4)


@pytest.mark.parametrize(
    ("predicted", "member"),
    [(0.0, 0), (0.0999, 0), (0.1, 1), (0.3, 3), (0.6, 6), (0.7, 7), (0.9, 9), (0.99999, 9), (1.0, 9)],
)
def test_an_edge_belongs_to_the_upper_bin_and_one_to_the_last(predicted: float, member: int) -> None:
    bins = reliability_bins(np.array([predicted]), np.array([0.5]))
    assert [part.count for part in bins].index(1) == member
    assert bins[member].bin_start <= predicted <= bins[member].bin_end


def test_ece_of_no_pairs_is_zero() -> None:
    assert expected_calibration_error(np.zeros(0), np.zeros(0)) == 0


def test_ece_of_one_bin_is_the_gap_of_its_means() -> None:
    assert expected_calibration_error(np.array([0.41, 0.45, 0.49]), np.array([1.0, 0.0, 0.5])) == 0.05


def test_ece_of_certain_and_wrong_scores_is_one() -> None:
    assert expected_calibration_error(np.array([0.0, 1.0]), np.array([1.0, 0.0])) == 1


def test_ece_has_four_decimals() -> None:
    assert expected_calibration_error(np.array([0.2, 0.2, 0.2]), np.array([0.0, 0.0, 1.0])) == 0.1333
