"""What holds for any input: features and metrics stay in their bounds, splits are partitions, tiers are ordered."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.calibration import metrics, scores
from groundswell.calibration.intervals import clustered_mean, creator_clusters
from groundswell.calibration.platt import Platt, cross_entropy
from groundswell.calibration.reliability import expected_calibration_error, reliability_bins
from groundswell.jobs.material import Material, Side, live_material
from groundswell.records import Estimate
from groundswell.stages import features, gate
from groundswell.stages.evaluate import Holdout, creator_medians, evaluate, yardsticks
from groundswell.stages.labels import Label, views_cut_points
from groundswell.stages.split import stratified
from tests.made_up import law, stored, stored_rows

Rows = list[dict[str, Any]]
shares = st.floats(0, 1)
likelihoods = st.lists(st.integers(0, 9), min_size=5, max_size=5).filter(any)
judged = st.lists(
    st.tuples(likelihoods, st.integers(1, 5), st.sampled_from(["ann", "bob", None])), min_size=1, max_size=20
)


@law
@given(st.lists(stored_rows, max_size=6))
def test_features_are_between_0_and_1_and_never_null(rows: Rows) -> None:
    frame = features.compute(stored(rows))
    assert frame.schema == dict.fromkeys(features.names(), pl.Float64)
    values = features.matrix(stored(rows))
    assert values.shape == (len(rows), 15)
    assert ((values >= 0) & (values <= 1)).all()


@law
@given(st.lists(stored_rows, min_size=1, max_size=6), st.integers(0, 5))
def test_features_of_a_video_do_not_depend_on_its_neighbours(rows: Rows, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(rows))
    assert np.array_equal(features.matrix(stored([rows[k] for k in order])), features.matrix(stored(rows))[order])


@law
@given(judged, judged)
def test_metrics_stay_in_their_bounds_and_intervals_around_them(rows: Any, training: Any) -> None:
    probabilities = np.array([likelihood for likelihood, *_ in rows], dtype=float)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    tiers, authors = np.array([tier for _, tier, _ in rows]), [author for *_, author in rows]
    holdout = Holdout(tiers, np.arange(len(rows), dtype=float), authors)
    learnt = np.array([tier for _, tier, _ in training])
    medians = creator_medians(authors, learnt, [row[2] for row in training])
    found = evaluate(probabilities, holdout, yardsticks(learnt, len(rows), {"creatorMedian": medians}), 100, 0)
    bounds = {"qwk": (-1, 1), "spearman": (-1, 1), "logLoss": (0, 34.6), "brier": (0, 2)}
    for measured in (found.metrics, *found.baselines.values()):
        for name, estimate in measured.items():
            low, high = bounds.get(name, (0, 1))
            for value in (estimate.value, estimate.low, estimate.high):
                assert value is None or np.isnan(value) or low - 1e-9 <= value <= high + 1e-9, name
            assert estimate.n == len(rows)
            assert is_ordered(estimate)
    assert sum(map(sum, found.confusion_matrix)) == len(rows)
    assert sum(report.support for report in found.per_class) == len(rows)


def is_ordered(estimate: Estimate) -> bool:
    if estimate.low is None or estimate.high is None:
        return estimate.low is estimate.high
    return estimate.low <= estimate.high


@law
@given(st.lists(likelihoods, min_size=1, max_size=10), st.integers(1, 5))
def test_a_sure_and_right_forecast_cannot_be_beaten(rows: list[list[int]], tier: int) -> None:
    stated = np.array(rows, dtype=float) / np.sum(rows, axis=1, keepdims=True)
    sure, tiers = np.tile(np.eye(5)[tier - 1], (len(rows), 1)), np.full(len(rows), tier)
    for loss in (scores.ranked_probability_score, scores.log_loss, scores.brier_score):
        assert (loss(sure, tiers) <= loss(stated, tiers) + 1e-12).all()
        assert loss(sure, tiers) == pytest.approx(np.zeros(len(rows)))
    assert (scores.score(stated) >= 12.5 - 1e-9).all()
    assert (scores.score(stated) <= 90 + 1e-9).all()


@law
@given(st.lists(st.tuples(shares, shares), max_size=40))
def test_ece_is_between_0_and_1_and_bins_hold_every_pair(pairs: list[tuple[float, float]]) -> None:
    predicted, actual = (np.array([pair[side] for pair in pairs], dtype=float) for side in (0, 1))
    assert 0 <= expected_calibration_error(predicted, actual) <= 1
    assert expected_calibration_error(predicted, predicted) == 0
    bins = reliability_bins(predicted, actual)
    assert sum(part.count for part in bins) == len(pairs)
    for part in bins:
        assert part.count == 0 or part.bin_start - 1e-12 <= part.avg_predicted <= part.bin_end + 1e-12


@law
@given(st.floats(0, 1), st.integers(1, 20))
def test_a_value_lies_in_its_bin(value: float, bins: int) -> None:
    member = int(metrics.bin_of(np.array([value]), bins)[0])
    assert 0 <= member < bins
    assert member / bins <= value
    assert value < (member + 1) / bins or value == 1


@law
@given(st.floats(-50, 50), st.floats(-50, 50), st.lists(shares, min_size=1, max_size=9))
def test_a_sigmoid_stays_a_share_and_keeps_or_turns_the_order(a: float, b: float, x: list[float]) -> None:
    values = Platt(a, b).apply(np.sort(x))
    assert ((values >= 0) & (values <= 1)).all()
    assert (np.diff(values) * -np.sign(a) >= 0).all()


@law
@given(st.lists(st.tuples(shares, shares), min_size=1, max_size=20))
def test_cross_entropy_is_finite_and_least_at_the_truth(pairs: list[tuple[float, float]]) -> None:
    p, y = np.array(pairs).T
    assert np.isfinite(cross_entropy(p, y)).all()
    assert (cross_entropy(y, y) <= cross_entropy(p, y) + 1e-9).all()


@law
@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 5)), max_size=50), st.floats(0, 1))
def test_a_split_takes_its_share_of_every_tier(rows: list[tuple[int, int]], share: float) -> None:
    hashes, tiers = np.array([row[0] for row in rows], dtype=np.uint64), np.array([row[1] for row in rows], dtype=int)
    chosen = stratified(hashes, tiers, share)
    for tier in range(1, 6):
        own = chosen[tiers == tier]
        assert own.sum() == int(share * len(own))


@law
@given(st.lists(stored_rows, min_size=12, max_size=30), st.integers(0, 3))
def test_both_sides_of_the_material_are_all_of_it(rows: Rows, seed: int) -> None:
    usable = [{**row, "views": (row["views"] or 0) + 1, "likes": row["likes"] or 0} for row in rows]
    found = live_material(stored(usable), None, seed)
    assert len(found.training) + len(found.holdout) == len(rows)
    assert not set(found.training.keys.tolist()) & set(found.holdout.keys.tolist())
    assert len(found.selection) == len(found.training)
    assert labelled_by_cut_points(found.training, found)
    assert labelled_by_cut_points(found.holdout, found)


def labelled_by_cut_points(side: Side, material: Material) -> bool:
    assert material.cut_points is not None
    assert side.quantity is not None
    return np.array_equal(Label("views", material.cut_points).tiers(side.quantity), side.rows.tiers)


@law
@given(st.lists(st.integers(1, 20), min_size=1, max_size=50))
def test_tiers_rise_with_the_quantity(views: list[int]) -> None:
    values = np.sort(np.array(views, dtype=float))
    cuts = views_cut_points(values)
    for quantity in ("views", "wes"):
        tiers = Label(quantity, cuts).tiers(values)
        assert (np.diff(tiers) >= 0).all()
        assert set(tiers.tolist()) <= {1, 2, 3, 4, 5}


@law
@given(st.lists(st.sampled_from(["ann", "bob", "", None]), min_size=1, max_size=20))
def test_clusters_are_numbered_without_gaps_and_only_named_creators_share_one(authors: list[str | None]) -> None:
    found = creator_clusters(authors).tolist()
    assert sorted(set(found)) == list(range(len(set(found))))
    for first, one in enumerate(authors):
        for second, other in enumerate(authors):
            assert (found[first] == found[second]) == (first == second or bool(one and one == other))


@law
@given(st.lists(st.tuples(st.floats(-9, 9), st.integers(0, 4)), min_size=2, max_size=20), st.floats(-5, 5))
def test_a_shift_of_all_values_moves_the_mean_and_not_its_error(rows: list[tuple[float, int]], by: float) -> None:
    values = np.array([value for value, _ in rows])
    of = np.unique([cluster for _, cluster in rows], return_inverse=True)[1].astype(np.int64)
    plain, moved = clustered_mean(values, of), clustered_mean(values + by, of)
    assert moved[0] == pytest.approx(plain[0] + by, abs=1e-9)
    assert moved[1] == pytest.approx(plain[1], abs=1e-7, nan_ok=True)


@law
@given(st.floats(0, 0.5), st.integers(2, 5_000), st.floats(0, 0.1))
def test_a_worse_challenger_is_never_likelier_to_be_promoted(error: float, creators: int, margin: float) -> None:
    deltas = [-0.02, 0.0, 0.005, 0.02]
    chances = [gate.promotion_chance(delta, error, creators, margin) for delta in deltas]
    assert all(0 <= chance <= 1 for chance in chances)
    assert chances == sorted(chances, reverse=True)
