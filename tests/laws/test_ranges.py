"""What a stated range promises: 80 of 100 videos, a run of neighbouring tiers, the likeliest among them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.calibration.ranges import PLAIN_REACH, Reach, conformal_reach, mass_before
from groundswell.calibration.scores import Floats, Tiers, likeliest
from tests.made_up import forecasts, law

likelihoods = st.lists(st.integers(0, 9), min_size=5, max_size=5).filter(any) | st.lists(
    st.floats(1e-9, 1), min_size=5, max_size=5
)
stated = st.lists(likelihoods, min_size=1, max_size=8).map(
    lambda rows: np.array(rows, dtype=float) / np.sum(rows, axis=1, keepdims=True)
)
#: Stated chances sharpened by this power: below 1 they are too timid, above 1 too bold.
sharpnesses = pytest.mark.parametrize("sharpness", [0.3, 1.0, 3.0], ids=["timid", "honest", "bold"])


def slow_mass_before(row: list[float]) -> list[float]:
    """Grow a run from the likeliest tier (the lower of equals) to the likelier neighbour (the lower of equals)."""
    inside = [row.index(max(row))]
    before = [0.0] * 5
    while len(inside) < 5:
        neighbours = [tier for tier in (min(inside) - 1, max(inside) + 1) if 0 <= tier < 5]
        joining = max(neighbours, key=lambda tier: (row[tier], -tier))
        before[joining] = sum(row[tier] for tier in inside)
        inside.append(joining)
    return before


def held(probabilities: Floats, tiers: Tiers, reach: Reach) -> float:
    ranges = reach.ranges(probabilities)
    return float(((ranges[:, 0] <= tiers) & (tiers <= ranges[:, 1])).mean())


@law
@given(stated)
def test_mass_before_equals_its_loop(probabilities: Floats) -> None:
    slow = [slow_mass_before(row) for row in probabilities.tolist()]
    assert mass_before(probabilities) == pytest.approx(np.array(slow), abs=1e-12)


@law
@given(stated, st.floats(-0.5, 1.5))
def test_a_row_alone_has_the_range_that_it_has_among_others(probabilities: Floats, mass: float) -> None:
    many = np.tile(probabilities, (8, 1))
    alone = [Reach(mass).ranges(row[None, :])[0] for row in probabilities]
    assert np.array_equal(Reach(mass).ranges(many)[: len(probabilities)], alone)
    at_a_tie = Reach(float(mass_before(probabilities).max()))
    assert np.array_equal(at_a_tie.ranges(many)[:1], at_a_tie.ranges(probabilities[:1]))


@law
@given(stated, st.floats(-0.5, 1.5))
def test_a_range_is_what_its_loop_gives_and_holds_the_likeliest_tier(probabilities: Floats, mass: float) -> None:
    ranges = Reach(mass).ranges(probabilities)
    found = likeliest(probabilities)
    assert ((ranges[:, 0] >= 1) & (ranges[:, 1] <= 5)).all()
    assert ((ranges[:, 0] <= found) & (found <= ranges[:, 1])).all()
    before = mass_before(probabilities)
    for (low, high), row, top in zip(ranges.tolist(), before, found.tolist(), strict=True):
        # Contiguous: every tier between the ends is inside, and none beyond them.
        inside = [tier for tier in range(1, 6) if row[tier - 1] <= mass or tier == top]
        assert inside == list(range(low, high + 1))


@law
@given(stated, st.floats(0, 1), st.floats(0, 1))
def test_a_longer_reach_never_gives_a_shorter_range(probabilities: Floats, one: float, other: float) -> None:
    shorter, longer = (Reach(mass).ranges(probabilities) for mass in sorted([one, other]))
    assert (longer[:, 0] <= shorter[:, 0]).all()
    assert (longer[:, 1] >= shorter[:, 1]).all()


@law
@given(stated)
def test_a_reach_of_all_takes_in_every_tier(probabilities: Floats) -> None:
    assert Reach(1.0).ranges(probabilities).tolist() == [[1, 5]] * len(probabilities)


def test_a_reach_of_all_takes_in_every_tier_whatever_the_rounding() -> None:
    probabilities = forecasts(20_000, 1)[0]
    probabilities[:, 4] = 0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert (Reach(1.0).ranges(probabilities) == [1, 5]).all()


@law
@given(stated)
def test_a_plain_range_holds_the_promised_share_of_its_own_probabilities(probabilities: Floats) -> None:
    for (low, high), row in zip(PLAIN_REACH.ranges(probabilities).tolist(), probabilities, strict=True):
        assert row[low - 1 : high].sum() >= 0.8 - 1e-9


@sharpnesses
@pytest.mark.parametrize("n", [60, 300, 3_000])
def test_ranges_hold_the_promised_share_of_new_rows_on_average(sharpness: float, n: int) -> None:
    repeats, judged = 12_000 // n + 8, 500
    probabilities, tiers = forecasts(repeats * (n + judged), seed=n, sharpness=sharpness)
    shares = []
    for repeat in range(repeats):
        rows = slice(repeat * (n + judged), (repeat + 1) * (n + judged))
        own, occurred = probabilities[rows], tiers[rows]
        reach = conformal_reach(own[:n], occurred[:n])
        shares.append(held(own[n:], occurred[n:], reach))
    # Coverage given the reach is Beta around 0.8; the rest is binomial.
    error = math.sqrt(0.16 * (1 / n + 1 / judged) / repeats)
    top = (likeliest(probabilities) == tiers).mean()
    assert np.mean(shares) >= 0.8 - 3.5 * error
    # With ⌈(n + 1)·0.8⌉ of n + 1 rows, no more than 0.8 + 1/(n + 1) unless the likeliest tier alone holds more.
    assert np.mean(shares) <= max(0.8 + 1 / (n + 1), top) + 3.5 * error
    assert np.mean(shares) <= max(0.83, top)


@sharpnesses
def test_a_sure_and_right_forecast_needs_only_its_likeliest_tier(sharpness: float) -> None:
    probabilities, _ = forecasts(2_000, 4, sharpness)
    tiers = likeliest(probabilities)
    reach = conformal_reach(probabilities, tiers)
    assert reach.mass == 0
    assert np.array_equal(reach.ranges(probabilities), np.stack([tiers, tiers], axis=1))


@law
@given(stated, st.integers(0, 2**32 - 1))
def test_the_reach_is_the_ranked_mass_before_what_occurred(probabilities: Floats, seed: int) -> None:
    tiers = np.random.default_rng(seed).integers(1, 6, len(probabilities))
    masses = sorted(slow_mass_before(row)[tier - 1] for row, tier in zip(probabilities.tolist(), tiers, strict=True))
    rank = math.ceil((len(tiers) + 1) * 0.8)
    reach = conformal_reach(probabilities, tiers)
    if rank > len(tiers):
        assert (reach.ranges(probabilities) == [1, 5]).all()
    else:
        assert reach.mass == pytest.approx(masses[rank - 1])
        assert held(probabilities, tiers, reach) * len(tiers) >= rank


@pytest.mark.parametrize("n", range(6))
def test_too_few_rows_promise_every_tier(n: int) -> None:
    probabilities, tiers = forecasts(n + 1, 1)
    reach = conformal_reach(probabilities[:n], tiers[:n])
    assert (reach.mass == 1.0) == (n < 4)
    if n < 4:
        assert (reach.ranges(probabilities) == [1, 5]).all()


def test_no_rows_have_no_ranges() -> None:
    assert PLAIN_REACH.ranges(np.zeros((0, 5))).shape == (0, 2)
    assert mass_before(np.zeros((0, 5))).shape == (0, 5)


def test_of_equal_neighbours_the_lower_joins_first() -> None:
    for order in itertools.islice(itertools.permutations([0.1, 0.1, 0.2, 0.2, 0.4]), 0, None, 7):
        found = mass_before(np.array([order]))[0]
        assert found == pytest.approx(slow_mass_before(list(order)))
    assert mass_before(np.full((1, 5), 0.2))[0].tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert mass_before(np.array([[0, 0.3, 0.4, 0.3, 0]])).round(9).tolist() == [[1.0, 0.4, 0.0, 0.7, 1.0]]
