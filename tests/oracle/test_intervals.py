"""Clustered intervals against naive resampling of creators, and against what they promise: 95 of 100."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from groundswell.calibration import metrics
from groundswell.calibration.intervals import (
    FEWEST_CREATORS,
    Clusters,
    bootstrap_weights,
    clustered_mean,
    creator_clusters,
    estimates,
    evidence_clusters,
)
from groundswell.calibration.scores import Floats
from tests.made_up import clustered_noise, clusters


def naive_draws(values: Floats, other: Floats, of: Clusters, draws: int, seed: int) -> tuple[Floats, Floats]:
    """Means and rank correlations of data sets in which whole creators are drawn and their rows repeated."""
    generator = np.random.default_rng(seed)
    rows = [np.flatnonzero(of == creator) for creator in range(int(of.max()) + 1)]
    means, correlations = [], []
    for _ in range(draws):
        chosen = np.concatenate([rows[creator] for creator in generator.integers(0, len(rows), len(rows))])
        means.append(values[chosen].mean())
        correlations.append(stats.spearmanr(values[chosen], other[chosen]).statistic)
    return np.array(means), np.array(correlations)


def test_bootstrap_has_the_distribution_of_naive_resampling() -> None:
    generator = np.random.default_rng(5)
    of = clusters(40, seed=5)
    values = clustered_noise(of, generator, 1.0)
    other = values + generator.normal(0, 1, len(values))
    ours = np.concatenate(
        [
            np.column_stack([metrics.weighted_mean(values, block), metrics.spearman(values, other, block)])
            for block in bootstrap_weights(of, 1_500, seed=1)
        ]
    )
    for mine, naive in zip(ours.T, naive_draws(values, other, of, 1_500, seed=2), strict=True):
        assert stats.ks_2samp(mine, naive).pvalue > 0.01
        assert mine.std() == pytest.approx(naive.std(), rel=0.08)


def test_each_draw_takes_as_many_creators_as_there_are_and_all_rows_of_each() -> None:
    of = clusters(30, seed=2)
    first = np.unique(of, return_index=True)[1]
    for block in bootstrap_weights(of, 200, seed=3):
        assert (block[:, first].sum(axis=1) == 30).all()
        assert np.array_equal(block, block[:, first][:, of])


def test_blocks_of_draws_say_the_same_as_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    of = clusters(12, seed=4)
    whole = np.concatenate(list(bootstrap_weights(of, 50, seed=6)))
    monkeypatch.setattr("groundswell.calibration.intervals._BLOCK_CELLS", 7 * len(of))
    assert np.array_equal(np.concatenate(list(bootstrap_weights(of, 50, seed=6))), whole)


def test_rows_without_an_author_are_their_own_clusters() -> None:
    assert creator_clusters(["ann", None, "bob", "", "ann", None]).tolist() == [0, 1, 2, 3, 0, 4]


@pytest.mark.parametrize("units", [True, False])
@pytest.mark.parametrize("creators", [1, FEWEST_CREATORS - 1, FEWEST_CREATORS])
def test_rows_are_one_by_creator_where_many_are_named_and_by_unit_where_few_are(creators: int, units: bool) -> None:
    generator = np.random.default_rng(creators)
    who: list[str | None] = [*(f"c{n}" for n in range(creators)), None, "", None]
    rows = [*range(len(who)), *generator.integers(0, len(who), 150).tolist()]
    named = [who[row] for row in rows]
    # Some units are called as creators are.
    unit = [None, "", *(f"c{n}" for n in generator.integers(0, 60, len(rows) - 2))]
    found = evidence_clusters(named, unit if units else None).tolist()
    assert sorted(set(found)) == list(range(max(found) + 1))
    for first in range(len(rows)):
        for second in range(first):
            if creators >= FEWEST_CREATORS and (named[first] or named[second]):
                same = named[first] == named[second]
            else:
                same = bool(units and unit[first] and unit[first] == unit[second])
            assert (found[first] == found[second]) == same


def test_clustered_error_is_that_of_the_cluster_bootstrap() -> None:
    of = clusters(400, seed=8)
    values = clustered_noise(of, np.random.default_rng(8), 1.0) + 0.1 * of / of.max()
    mean, error, freedom = clustered_mean(values, of)
    drawn = np.concatenate([metrics.weighted_mean(values, block) for block in bootstrap_weights(of, 3_000, seed=0)])
    assert mean == pytest.approx(values.mean())
    sizes = np.bincount(of).astype(float)
    assert freedom == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum() - 1)
    assert error == pytest.approx(drawn.std(), rel=0.06)
    assert error > 1.3 * values.std(ddof=1) / len(values) ** 0.5  # what ignoring the creators would claim


def test_clustered_error_is_the_plain_one_where_every_cluster_has_one_row() -> None:
    values = np.random.default_rng(1).normal(size=77)
    assert clustered_mean(values, np.arange(77))[1:] == pytest.approx((values.std(ddof=1) / 77**0.5, 76))


def test_one_creator_alone_gives_no_interval() -> None:
    values, of = np.array([1.0, 2.0, 4.0]), np.zeros(3, dtype=np.int64)
    assert np.isnan(clustered_mean(values, of)[1])
    found = estimates(lambda weights: {"mean": metrics.weighted_mean(values, weights)}, of, 100, seed=0)["mean"]
    assert (found.low, found.high, found.n) == (None, None, 3)
    assert found.value == pytest.approx(7 / 3)


def covered(groups: int, simulations: int, draws: int) -> float:
    """The share of 95 % bootstrap intervals that hold the true mean, 0, of clustered data."""
    held = 0
    for seed in range(simulations):
        of = clusters(groups, seed)
        values = clustered_noise(of, np.random.default_rng(seed), 1.0)

        def mean(weights: Floats, values: Floats = values) -> dict[str, Floats]:
            return {"mean": metrics.weighted_mean(values, weights)}

        found = estimates(mean, of, draws, seed)["mean"]
        held += found.low is not None and found.high is not None and found.low <= 0 <= found.high
    return held / simulations


def within_binomial_error(share: float, expected: float, simulations: int, bias: float) -> bool:
    return bool(abs(share - expected) <= bias + 3 * (expected * (1 - expected) / simulations) ** 0.5)


def test_intervals_cover_the_truth_95_times_of_100() -> None:
    # A percentile interval of 120 clusters is a little too narrow: a point of bias is allowed.
    assert within_binomial_error(covered(120, 400, 300), 0.95, 400, bias=0.01)


@pytest.mark.slow
def test_intervals_cover_the_truth_95_times_of_100_at_length() -> None:
    assert within_binomial_error(covered(250, 4_000, 1_000), 0.95, 4_000, bias=0.005)


def test_one_sided_interval_of_the_clustered_error_covers_95_times_of_100() -> None:
    held = 0
    for seed in range(2_000):
        of = clusters(60, seed)
        mean, error, freedom = clustered_mean(clustered_noise(of, np.random.default_rng(seed), 1.0), of)
        held += mean + stats.t.ppf(0.95, freedom) * error > 0
    assert within_binomial_error(held / 2_000, 0.95, 2_000, bias=0.005)
