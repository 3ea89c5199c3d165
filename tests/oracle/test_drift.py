"""Drift against loops that anyone can follow: bins, shares, effective rows, the index, its discoveries, cut-points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from groundswell.calibration.scores import Floats
from groundswell.reference import BINS, FeatureReference, effective_rows, reference_of
from groundswell.stages.drift import FALSE_DISCOVERIES, Period, find_cut_point_drift, find_drift, stability_index
from groundswell.stages.labels import Label, views_cut_points
from tests.made_up import clusters, law

values = st.none() | st.integers(-3, 3).map(float) | st.floats(-1e6, 1e6)
columns = st.lists(values, min_size=1, max_size=60)
counts = st.lists(st.integers(0, 400), min_size=2, max_size=8).filter(any)


def slow_edges(known: list[float]) -> list[float]:
    """Every distinct value and the number before the least, or the deciles; each is a value that occurs."""
    distinct = sorted(set(known))
    if len(distinct) <= BINS:
        return [math.nextafter(distinct[0], -math.inf), *distinct] if distinct else []
    ordered = sorted(known)
    return sorted({ordered[k * (len(ordered) - 1) // BINS] for k in range(1, BINS)})


def slow_bin(edges: list[float], value: float | None) -> int:
    if value is None:
        return len(edges) + 1
    return sum(edge < value for edge in edges)


@law
@given(columns, columns)
def test_bins_and_shares_equal_their_loop(trained: list[float | None], served: list[float | None]) -> None:
    column = np.array(trained, dtype=float)
    found = reference_of(["x"], column[:, None], np.ones(len(column), dtype=np.int64)).features[0]
    edges = slow_edges([value for value in trained if value is not None])
    assert found.edges == pytest.approx(edges, rel=1e-12)
    member = [slow_bin(edges, value) for value in trained]
    shares = [member.count(number) / len(member) for number in range(len(edges) + 2)]
    assert [*found.shares, found.missing] == pytest.approx(shares, abs=1e-6)
    assert found.bins(np.array(served, dtype=float)).tolist() == [slow_bin(list(found.edges), v) for v in served]


def slow_index(trained: list[int], now: list[int]) -> tuple[float, float, float]:
    """The debiased index, half its interval and its p-value, by loops over the bins that occur."""
    bins = [(a, b) for a, b in zip(trained, now, strict=True) if a + b > 0]
    n, m = sum(trained), sum(now)
    shares = [((a + 0.5) / (n + len(bins) / 2), (b + 0.5) / (m + len(bins) / 2)) for a, b in bins]
    index = sum((q - p) * math.log(q / p) for p, q in shares)
    scale, freedom = 1 / n + 1 / m, len(bins) - 1
    slopes = [(1 - math.log(q / p) - q / p, 1 + math.log(q / p) - p / q) for p, q in shares]
    variance = 2 * freedom * scale**2
    for side, rows in enumerate((n, m)):
        mean = sum(pair[side] * slope[side] for pair, slope in zip(shares, slopes, strict=True))
        squares = sum(pair[side] * slope[side] ** 2 for pair, slope in zip(shares, slopes, strict=True))
        variance += (squares - mean**2) / rows
    return (
        index - freedom * scale,
        1.959963984540054 * math.sqrt(variance),
        float(stats.chi2.sf(index / scale, freedom)),
    )


@law
@given(counts, st.data())
def test_the_index_equals_its_loop(trained: list[int], data: st.DataObject) -> None:
    now = data.draw(st.lists(st.integers(0, 400), min_size=len(trained), max_size=len(trained)).filter(any))
    n, m = sum(trained), sum(now)
    found, p_value = stability_index(np.array(trained) / n, n, np.array(now) / m, m)
    if sum(a + b > 0 for a, b in zip(trained, now, strict=True)) == 1:
        assert (found.value, found.low, found.high, p_value) == (0.0, 0.0, 0.0, 1.0)
        return
    index, reach, slow_p_value = slow_index(trained, now)
    expected = [max(0.0, index - reach), max(0.0, index), max(0.0, index + reach)]
    assert [found.low, found.value, found.high] == pytest.approx(expected, abs=1e-9)
    assert p_value == pytest.approx(slow_p_value, abs=1e-9)


def test_the_slopes_are_those_of_the_index() -> None:
    p, q, step = np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.25, 0.35]), 1e-7

    def index(p: Floats, q: Floats) -> float:
        return float(((q - p) * np.log(q / p)).sum())

    for k, (a, b) in enumerate(zip(p, q, strict=True)):
        nudge = step * (np.arange(3) == k)
        assert (index(p + nudge, q) - index(p, q)) / step == pytest.approx(1 - math.log(b / a) - b / a, abs=1e-5)
        assert (index(p, q + nudge) - index(p, q)) / step == pytest.approx(1 + math.log(b / a) - a / b, abs=1e-5)


def slow_effective_rows(member: list[int], of: list[int]) -> float:
    n, groups = len(member), sorted(set(of))
    sizes = [of.count(group) for group in groups]
    fewest = n**2 / sum(size**2 for size in sizes)
    occurring = sorted(set(member))
    if len(groups) == n or len(groups) == 1 or len(occurring) == 1:
        return float(n) if len(groups) == n else fewest
    effect = 0.0
    for number in occurring:
        share = member.count(number) / n
        rest = [
            sum(1 for m, o in zip(member, of, strict=True) if o == group and m == number) - size * share
            for group, size in zip(groups, sizes, strict=True)
        ]
        variance = len(groups) / (len(groups) - 1) * sum(r**2 for r in rest) / n**2
        effect += variance * n / share / (len(occurring) - 1)
    return min(max(n / max(effect, 1.0), fewest), n)


@law
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=40))
def test_effective_rows_equal_their_loop(rows: list[tuple[int, int]]) -> None:
    member, of = [row[0] for row in rows], [row[1] for row in rows]
    numbers = np.unique(np.array(of), return_inverse=True)[1].astype(np.int64)
    found = effective_rows(np.array(member), 5, numbers)
    assert found == pytest.approx(slow_effective_rows(member, of))


def test_an_effective_row_is_worth_an_independent_one() -> None:
    # Redrawn shares of clustered rows scatter as those of that many independent rows would.
    generator = np.random.default_rng(3)
    shares, effective = [], []
    for seed in range(400):
        of = clusters(150, seed)
        member = (generator.normal(size=150)[of] + generator.normal(size=len(of)) > 0).astype(np.int64)
        shares.append(member.mean())
        effective.append(effective_rows(member, 2, of))
    assert np.var(shares) == pytest.approx(0.25 / np.mean(effective), rel=0.2)
    assert np.mean(effective) < 0.75 * len(of)


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    generator = np.random.default_rng(8)
    features = generator.normal(size=(4_000, 12))
    names = [f"f{number}" for number in range(12)]
    reference = reference_of(names, features, np.ones(4_000, dtype=np.int64))
    moved = generator.normal(size=(900, 12)) + np.linspace(0, 0.2, 12)
    shifts = [feature.current for feature in find_drift(reference, names, Period(moved), None).features]
    told = [shift for shift in shifts if shift is not None]
    ordered = sorted(shift.p_value for shift in told)
    largest = max(
        (p for rank, p in enumerate(ordered, 1) if p <= FALSE_DISCOVERIES * rank / len(ordered)), default=-1.0
    )
    discovered = [shift.adjusted_p_value <= FALSE_DISCOVERIES for shift in told]
    assert discovered == [shift.p_value <= largest for shift in told]
    assert 0 < sum(discovered) < len(told) == 12


@law
@given(st.lists(st.integers(0, 40).map(float), min_size=60, max_size=150))
def test_cut_points_and_tiers_are_those_of_the_labels(views: list[float]) -> None:
    quantities, trained = np.array(views), (5.0, 10.0, 20.0, 30.0)
    found = find_cut_point_drift(trained, quantities)
    assert tuple(point.now.value for point in found.points if point.now) == views_cut_points(quantities)
    tiers = Label("views", trained).tiers(quantities).tolist()
    assert [share.value for share in found.tiers] == pytest.approx([tiers.count(k) / len(tiers) for k in range(1, 6)])
    for point in found.points:
        assert point.now is not None
        assert point.at_or_below is not None
        assert point.at_or_below.value == pytest.approx(sum(view <= point.trained for view in views) / len(views))
        assert (point.now.low or 0.0) <= point.now.value <= (point.now.high or 0.0)


def test_the_mix_of_training_is_what_a_share_at_or_below_is_held_against() -> None:
    trained = FeatureReference("tier", (1.0, 2.0, 3.0, 4.0), (0.4, 0.1, 0.1, 0.2, 0.2), 0.0, 1_000.0)
    found = find_cut_point_drift((0.0, 1.0, 2.0, 4.0), np.zeros(100), None, trained)
    assert [point.expected for point in found.points] == pytest.approx([0.4, 0.5, 0.6, 0.8])
