"""The chances that the gate states, against the gate itself on simulated contests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from groundswell.records import Verdict
from groundswell.stages import gate
from groundswell.stages.gate import Comparison, Policy, Scored, Standing
from tests.laws.test_gate import GOOD
from tests.made_up import clustered_noise, clusters

MARGIN = 0.005
POLICY = Policy(accuracy_floor=0.6, margin=MARGIN, min_comparable_rows=100)


def contest(true_delta: float, noise: float, groups: int, seed: int) -> Comparison:
    """Compare two versions whose losses differ by `true_delta` on average, and by creator and video at random."""
    of, generator = clusters(groups, seed), np.random.default_rng(seed)
    rows = np.arange(len(of), dtype=np.uint64)
    champion = generator.uniform(0.05, 0.3, len(of))
    challenger = champion + true_delta + clustered_noise(of, generator, noise)
    return gate.compare(Scored(rows, challenger), Scored(rows, champion), of, 1, MARGIN)


def promoted(found: Comparison) -> bool:
    return gate.decide(GOOD, 5, Standing.CONTEST, found, POLICY).decision is Verdict.PROMOTE


def simulate(true_delta: float, noise: float, groups: int, gates: int) -> tuple[float, float, float]:
    """The share promoted, and the mean of the two stated chances."""
    found = [contest(true_delta, noise, groups, seed) for seed in range(gates)]
    return (
        float(np.mean([promoted(one) for one in found])),
        float(np.mean([one.chance_equal for one in found])),
        float(np.mean([one.chance_worse for one in found])),
    )


def agrees(share: float, stated: float, gates: int) -> bool:
    # Beyond chance: the stated chance is itself estimated from each contest's error.
    return bool(abs(share - stated) <= 3 * (max(stated, 0.005) * (1 - stated) / gates) ** 0.5 + 0.015)


@pytest.mark.parametrize("noise", [0.01, 0.025, 0.06])
def test_an_equal_challenger_is_promoted_at_the_stated_chance(noise: float) -> None:
    share, stated, _ = simulate(0.0, noise, groups=150, gates=500)
    assert agrees(share, stated, 500), (share, stated)


@pytest.mark.parametrize("noise", [0.025, 0.15, 0.4])
def test_a_challenger_worse_by_two_points_is_promoted_at_the_stated_chance(noise: float) -> None:
    share, _, stated = simulate(gate.WORSE, noise, groups=150, gates=500)
    assert agrees(share, stated, 500), (share, stated)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.01, 0.02, 0.04, 0.1])
@pytest.mark.parametrize("groups", [30, 300])
def test_stated_chances_hold_over_2000_gates(noise: float, groups: int) -> None:
    equal, stated_equal, _ = simulate(0.0, noise, groups, gates=2_000)
    worse, _, stated_worse = simulate(gate.WORSE, noise, groups, gates=2_000)
    assert agrees(equal, stated_equal, 2_000), (equal, stated_equal)
    assert agrees(worse, stated_worse, 2_000), (worse, stated_worse)


def test_comparison_equals_a_t_interval_of_the_paired_difference_where_every_row_has_its_own_creator() -> None:
    generator = np.random.default_rng(4)
    champion, challenger = generator.random((2, 50))
    rows = np.arange(50, dtype=np.uint64)
    found = gate.compare(Scored(rows, challenger), Scored(rows, champion), np.arange(50), 3, MARGIN)
    high = stats.ttest_rel(challenger, champion).confidence_interval(0.90).high
    assert (found.champion, found.n, found.creators) == (3, 50, 50)
    assert found.delta == pytest.approx(sum(challenger - champion) / 50)
    assert found.upper == pytest.approx(high)
