"""How good a forecast is on rows that nobody trained on: every metric with n and its interval, beside the baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from groundswell.calibration import metrics, scores
from groundswell.calibration.intervals import Clusters, creator_clusters, estimates
from groundswell.calibration.scores import Floats, Tiers
from groundswell.records import TIERS, Estimate, TierReport


@dataclasses.dataclass(frozen=True, slots=True)
class Holdout:
    """The rows that judge: their tiers, the label's quantity, their authors (None: unknown)."""

    tiers: Tiers
    quantity: Floats
    authors: Sequence[str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics, confusion matrix (rows actual), per-tier report and baselines of one holdout of `n` rows."""

    n: int
    creators: int
    metrics: Mapping[str, Estimate]
    confusion_matrix: tuple[tuple[int, ...], ...]
    per_class: tuple[TierReport, ...]
    baselines: Mapping[str, Mapping[str, Estimate]]


def evaluate(
    probabilities: Floats,
    holdout: Holdout,
    training_tiers: Tiers,
    training_authors: Sequence[str | None],
    draws: int,
    seed: int,
) -> Evaluation:
    """Return the evaluation of probabilities (rows, 5) on the holdout; intervals are 95 % and creator-clustered."""
    clusters = creator_clusters(holdout.authors)
    matrix = confusion_matrix(probabilities, holdout.tiers)
    return Evaluation(
        n=len(holdout.tiers),
        creators=len(np.unique(clusters)),
        metrics=_measure(probabilities, holdout, clusters, draws, seed),
        confusion_matrix=matrix,
        per_class=per_class(matrix),
        baselines=_baselines(holdout, clusters, training_tiers, training_authors, draws, seed),
    )


def confusion_matrix(probabilities: Floats, tiers: Tiers) -> tuple[tuple[int, ...], ...]:
    """Return the 5×5 counts of actual (row) against likeliest (column) tier."""
    counts = metrics.confusion(tiers, scores.likeliest(probabilities), np.ones((1, len(tiers))))[0]
    return tuple(tuple(int(cell) for cell in row) for row in counts)


def per_class(matrix: tuple[tuple[int, ...], ...]) -> tuple[TierReport, ...]:
    """Return precision, recall and support of each tier; None where the tier was never predicted or is absent."""
    counts = np.asarray(matrix, dtype=np.float64)[None]
    precision, recall = metrics.precisions(counts)[0], metrics.recalls(counts)[0]
    return tuple(
        TierReport(tier, _number(precision[tier - 1]), _number(recall[tier - 1]), sum(matrix[tier - 1]))
        for tier in TIERS
    )


def accuracy(probabilities: Floats, tiers: Tiers) -> float:
    """Return the share of rows whose likeliest tier occurred."""
    return float((scores.likeliest(probabilities) == tiers).mean())


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _measure(probabilities: Floats, holdout: Holdout, clusters: Clusters, draws: int, seed: int) -> dict[str, Estimate]:
    tiers, predicted = holdout.tiers, scores.likeliest(probabilities)
    losses = {
        "accuracy": (predicted == tiers).astype(np.float64),
        "withinOne": (np.abs(predicted - tiers) <= 1).astype(np.float64),
        "rps": scores.ranked_probability_score(probabilities, tiers),
        "logLoss": scores.log_loss(probabilities, tiers),
        "brier": scores.brier_score(probabilities, tiers),
    }
    confidence, expected = probabilities.max(axis=1), scores.expected_tier(probabilities)

    def measure(weights: Floats) -> dict[str, Floats]:
        matrices = metrics.confusion(tiers, predicted, weights)
        return {
            **{name: metrics.weighted_mean(rows, weights) for name, rows in losses.items()},
            "balancedAccuracy": metrics.balanced_accuracy(matrices),
            "macroF1": metrics.macro_f1(matrices),
            "qwk": metrics.quadratic_weighted_kappa(matrices),
            "ece": metrics.top_label_ece(confidence, losses["accuracy"], weights),
            "spearman": metrics.spearman(expected, holdout.quantity, weights),
        }

    return estimates(measure, clusters, draws, seed)


def _baselines(
    holdout: Holdout, clusters: Clusters, tiers: Tiers, authors: Sequence[str | None], draws: int, seed: int
) -> dict[str, dict[str, Estimate]]:
    shares = np.bincount(tiers, minlength=6)[1:6] / len(tiers)
    always = np.full(len(holdout.tiers), int(shares.argmax()) + 1)
    return {
        "majority": _judge_tiers(always, holdout.tiers, clusters, draws, seed),
        "creatorMedian": _judge_tiers(_creator_medians(holdout, tiers, authors), holdout.tiers, clusters, draws, seed),
        "tierShares": _judge_shares(shares, holdout.tiers, clusters, draws, seed),
    }


def _creator_medians(holdout: Holdout, tiers: Tiers, authors: Sequence[str | None]) -> Tiers:
    """Return for each holdout row the (lower) median tier of its creator in training, of everybody where unknown."""
    by_author: dict[str, list[int]] = {}
    for author, tier in zip(authors, tiers.tolist(), strict=True):
        if author:
            by_author.setdefault(author, []).append(tier)
    medians = {author: sorted(own)[(len(own) - 1) // 2] for author, own in by_author.items()}
    everybody = sorted(tiers.tolist())[(len(tiers) - 1) // 2]
    return np.array([medians.get(author or "", everybody) for author in holdout.authors], dtype=np.int64)


def _judge_tiers(predicted: Tiers, tiers: Tiers, clusters: Clusters, draws: int, seed: int) -> dict[str, Estimate]:
    hits = (predicted == tiers).astype(np.float64)
    near = (np.abs(predicted - tiers) <= 1).astype(np.float64)

    def measure(weights: Floats) -> dict[str, Floats]:
        matrices = metrics.confusion(tiers, predicted, weights)
        return {
            "accuracy": metrics.weighted_mean(hits, weights),
            "withinOne": metrics.weighted_mean(near, weights),
            "qwk": metrics.quadratic_weighted_kappa(matrices),
        }

    return estimates(measure, clusters, draws, seed)


def _judge_shares(shares: Floats, tiers: Tiers, clusters: Clusters, draws: int, seed: int) -> dict[str, Estimate]:
    probabilities = np.tile(shares, (len(tiers), 1))
    losses = {
        "rps": scores.ranked_probability_score(probabilities, tiers),
        "logLoss": scores.log_loss(probabilities, tiers),
        "brier": scores.brier_score(probabilities, tiers),
    }

    def measure(weights: Floats) -> dict[str, Any]:
        return {name: metrics.weighted_mean(rows, weights) for name, rows in losses.items()}

    return estimates(measure, clusters, draws, seed)
