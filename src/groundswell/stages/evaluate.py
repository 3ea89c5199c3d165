"""How good a forecast is on rows that nobody trained on: every metric with n and its interval, beside the baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from groundswell.calibration import metrics, scores
from groundswell.calibration.intervals import creator_clusters, estimates
from groundswell.calibration.scores import Floats, Tiers
from groundswell.records import TIERS, Estimate, TierReport

#: Takes weights (draws, rows) and gives one value a draw for each metric.
Measure = Callable[[Floats], dict[str, Floats]]
_MODEL = "model"


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
    measures = {
        _MODEL: _measure_forecast(probabilities, holdout),
        **_baselines(holdout, training_tiers, training_authors),
    }

    # One pass over the draws for the model and its baselines: drawing costs more than measuring.
    def measure(weights: Floats) -> dict[str, Floats]:
        return {f"{who}.{name}": value for who, each in measures.items() for name, value in each(weights).items()}

    found = estimates(measure, clusters, draws, seed)
    by_source: dict[str, dict[str, Estimate]] = {who: {} for who in measures}
    for key, estimate in found.items():
        who, name = key.split(".")
        by_source[who][name] = estimate
    matrix = confusion_matrix(probabilities, holdout.tiers)
    return Evaluation(
        n=len(holdout.tiers),
        creators=len(np.unique(clusters)),
        metrics=by_source.pop(_MODEL),
        confusion_matrix=matrix,
        per_class=per_class(matrix),
        baselines=by_source,
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


def _measure_forecast(probabilities: Floats, holdout: Holdout) -> Measure:
    tiers, predicted = holdout.tiers, scores.likeliest(probabilities)
    hits = (predicted == tiers).astype(np.float64)
    confidence, expected = probabilities.max(axis=1), scores.expected_tier(probabilities)
    of_tiers, of_probabilities = _measure_tiers(predicted, tiers), _measure_probabilities(probabilities, tiers)

    def measure(weights: Floats) -> dict[str, Floats]:
        return {
            **of_tiers(weights),
            **of_probabilities(weights),
            "ece": metrics.top_label_ece(confidence, hits, weights),
            "spearman": metrics.spearman(expected, holdout.quantity, weights),
        }

    return measure


def _baselines(holdout: Holdout, tiers: Tiers, authors: Sequence[str | None]) -> dict[str, Measure]:
    shares = np.bincount(tiers, minlength=6)[1:6] / len(tiers)
    always = np.full(len(holdout.tiers), int(shares.argmax()) + 1)
    return {
        "majority": _measure_tiers(always, holdout.tiers),
        "creatorMedian": _measure_tiers(_creator_medians(holdout, tiers, authors), holdout.tiers),
        "tierShares": _measure_probabilities(np.tile(shares, (len(holdout.tiers), 1)), holdout.tiers),
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


def _measure_tiers(predicted: Tiers, tiers: Tiers) -> Measure:
    hits = (predicted == tiers).astype(np.float64)
    near = (np.abs(predicted - tiers) <= 1).astype(np.float64)

    def measure(weights: Floats) -> dict[str, Floats]:
        matrices = metrics.confusion(tiers, predicted, weights)
        return {
            "accuracy": metrics.weighted_mean(hits, weights),
            "balancedAccuracy": metrics.balanced_accuracy(matrices),
            "withinOne": metrics.weighted_mean(near, weights),
            "macroF1": metrics.macro_f1(matrices),
            "qwk": metrics.quadratic_weighted_kappa(matrices),
        }

    return measure


def _measure_probabilities(probabilities: Floats, tiers: Tiers) -> Measure:
    losses = {
        "rps": scores.ranked_probability_score(probabilities, tiers),
        "logLoss": scores.log_loss(probabilities, tiers),
        "brier": scores.brier_score(probabilities, tiers),
    }

    def measure(weights: Floats) -> dict[str, Floats]:
        return {name: metrics.weighted_mean(rows, weights) for name, rows in losses.items()}

    return measure
