"""Each metric against loops or scikit-learn, on rows that are physically repeated where ours are weighted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from groundswell.calibration import metrics, scores
from groundswell.calibration.scores import Floats, Tiers
from groundswell.stages.evaluate import Holdout, creator_medians, evaluate, yardsticks
from tests.made_up import forecasts, law

TIERS = [1, 2, 3, 4, 5]
Rows = list[tuple[list[int], int, int]]

#: Likelihoods of five tiers in whole numbers (so with zeros and ties), the tier that occurred, how often.
weighted_rows = st.lists(
    st.tuples(st.lists(st.integers(0, 6), min_size=5, max_size=5).filter(any), st.integers(1, 5), st.integers(0, 3)),
    min_size=1,
    max_size=25,
).filter(lambda rows: any(times for _, _, times in rows))


def arrays(rows: Rows) -> tuple[Floats, Tiers, Floats]:
    probabilities = np.array([likelihoods for likelihoods, _, _ in rows], dtype=float)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities, np.array([tier for _, tier, _ in rows]), np.array([float(times) for *_, times in rows])


def slow_rps(p: Floats, tier: int) -> float:
    return sum((sum(p[:k]) - (tier <= k)) ** 2 for k in range(1, 5)) / 4


def slow_log_loss(p: Floats, tier: int) -> float:
    return -math.log(min(max(float(p[tier - 1]), 1e-15), 1.0))


def slow_brier(p: Floats, tier: int) -> float:
    return float(sum((p[k - 1] - (tier == k)) ** 2 for k in TIERS))


def slow_top_label_ece(probabilities: Floats, tiers: Tiers, bins: int = 15) -> float:
    total = 0.0
    for k in range(bins):
        inside = [
            (max(p), p.argmax() + 1 == tier)
            for p, tier in zip(probabilities, tiers, strict=True)
            if k / bins <= max(p) < (k + 1) / bins or (k == bins - 1 and max(p) == 1)
        ]
        if inside:
            total += abs(sum(stated for stated, _ in inside) - sum(hit for _, hit in inside))
    return total / len(tiers)


@pytest.mark.parametrize(
    ("ours", "slow"),
    [
        (scores.ranked_probability_score, slow_rps),
        (scores.log_loss, slow_log_loss),
        (scores.brier_score, slow_brier),
    ],
)
def test_losses_equal_their_loops(ours: Callable[..., Floats], slow: Callable[[Floats, int], float]) -> None:
    @law
    @given(weighted_rows)
    def check(rows: Rows) -> None:
        probabilities, tiers, weights = arrays(rows)
        each = [slow(p, tier) for p, tier in zip(probabilities, tiers, strict=True)]
        losses = ours(probabilities, tiers)
        assert losses == pytest.approx(each, abs=1e-12)
        repeated = [loss for loss, times in zip(each, weights, strict=True) for _ in range(int(times))]
        assert metrics.weighted_mean(losses, weights[None])[0] == pytest.approx(sum(repeated) / len(repeated))

    check()


@law
@given(weighted_rows)
def test_metrics_of_tiers_equal_those_of_scikit_learn(rows: Rows) -> None:
    probabilities, tiers, weights = arrays(rows)
    predicted = scores.likeliest(probabilities)
    matrices = metrics.confusion(tiers, predicted, weights[None])
    y, p = np.repeat(tiers, weights.astype(int)), np.repeat(predicted, weights.astype(int))
    assert np.array_equal(matrices[0], sk.confusion_matrix(y, p, labels=TIERS))
    precision, recall, *_ = sk.precision_recall_fscore_support(y, p, labels=TIERS, zero_division=np.nan)
    assert metrics.precisions(matrices)[0] == pytest.approx(precision, nan_ok=True)
    assert metrics.recalls(matrices)[0] == pytest.approx(recall, nan_ok=True)
    assert metrics.balanced_accuracy(matrices)[0] == pytest.approx(np.nanmean(recall))
    assert metrics.macro_f1(matrices)[0] == pytest.approx(sk.f1_score(y, p, average="macro"))
    kappa = metrics.quadratic_weighted_kappa(matrices)[0]
    if len({*y, *p}) == 1:
        assert np.isnan(kappa)
    else:
        assert kappa == pytest.approx(sk.cohen_kappa_score(y, p, labels=TIERS, weights="quadratic"))


@law
@given(weighted_rows)
def test_top_label_ece_equals_its_loop(rows: Rows) -> None:
    probabilities, tiers, weights = arrays(rows)
    hits = (scores.likeliest(probabilities) == tiers).astype(float)
    ours = metrics.top_label_ece(probabilities.max(axis=1), hits, weights[None])[0]
    times = weights.astype(int)
    assert ours == pytest.approx(slow_top_label_ece(np.repeat(probabilities, times, axis=0), np.repeat(tiers, times)))


@law
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3), st.integers(0, 4)), min_size=2, max_size=30))
def test_weighted_spearman_equals_scipy_on_repeated_rows(rows: list[tuple[int, int, int]]) -> None:
    first, second, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if not weights.any():
        return
    x, y = np.repeat(first, weights.astype(int)), np.repeat(second, weights.astype(int))
    ours = metrics.spearman(first, second, weights[None])[0]
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_draws_do_not_touch_each_other() -> None:
    generator = np.random.default_rng(3)
    first, second = generator.normal(size=(2, 60))
    weights = generator.integers(0, 4, (20, 60)).astype(float)
    together = metrics.spearman(first, second, weights)
    assert together == pytest.approx([metrics.spearman(first, second, one[None])[0] for one in weights])


def test_an_evaluation_reports_every_metric_under_its_own_name() -> None:
    probabilities, tiers = forecasts(400, seed=1)
    views = np.random.default_rng(2).lognormal(tiers, 1.0)
    training, training_authors = np.array([3, 3, 3, 1, 5, 5]), ["ann", "ann", "bob", "bob", None, None]
    authors = [None if row % 7 == 0 else ("ann", "bob", "eve")[row % 3] for row in range(400)]
    against = yardsticks(training, 400, {"creatorMedian": creator_medians(authors, training, training_authors)})
    found = evaluate(probabilities, Holdout(tiers, views, authors), against, draws=100, seed=0)
    predicted = probabilities.argmax(axis=1) + 1
    rows = list(zip(probabilities, tiers, strict=True))
    expected: dict[str, Any] = {
        "accuracy": sk.accuracy_score(tiers, predicted),
        "balancedAccuracy": sk.balanced_accuracy_score(tiers, predicted),
        "withinOne": sum(abs(int(a) - int(b)) <= 1 for a, b in zip(tiers, predicted, strict=True)) / 400,
        "macroF1": sk.f1_score(tiers, predicted, average="macro"),
        "qwk": sk.cohen_kappa_score(tiers, predicted, weights="quadratic"),
        "rps": sum(slow_rps(*row) for row in rows) / 400,
        "logLoss": sk.log_loss(tiers, probabilities, labels=TIERS),
        "brier": sum(slow_brier(*row) for row in rows) / 400,
        "ece": slow_top_label_ece(probabilities, tiers),
        "spearman": stats.spearmanr(probabilities @ [1, 2, 3, 4, 5], views).statistic,
    }
    assert {name: estimate.value for name, estimate in found.metrics.items()} == pytest.approx(expected)
    assert {estimate.n for estimate in found.metrics.values()} == {400}
    assert all(
        estimate.low is not None and estimate.high is not None and estimate.low < estimate.value < estimate.high
        for name, estimate in found.metrics.items()
        if name != "ece"  # a mean of absolute values is biased upwards by resampling
    )
    assert found.confusion_matrix == tuple(map(tuple, sk.confusion_matrix(tiers, predicted).tolist()))
    assert [(report.tier, report.support) for report in found.per_class] == [
        (tier, int((tiers == tier).sum())) for tier in TIERS
    ]
    assert found.creators == 3 + sum(author is None for author in authors)
    # Ann's training videos are of tier 3, the lower median of Bob's (1, 3) is 1, and of everybody 3.
    medians = np.array([1 if author == "bob" else 3 for author in authors])
    assert found.baselines["creatorMedian"]["accuracy"].value == pytest.approx((medians == tiers).mean())
    assert found.baselines["majority"]["accuracy"].value == pytest.approx((tiers == 3).mean())
    shares = np.array([1 / 6, 0, 3 / 6, 0, 2 / 6])
    assert found.baselines["tierShares"]["rps"].value == pytest.approx(
        np.mean([slow_rps(shares, int(tier)) for tier in tiers])
    )
