"""How good a forecast is on rows that nobody trained on: every metric with n and its interval, beside the baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from groundswell.calibration import metrics, scores
from groundswell.calibration.intervals import creator_clusters, estimates
from groundswell.calibration.scores import Floats, Tiers
from groundswell.records import TIERS, Estimate, TierReport

#: Takes weights (draws, rows) and gives one value a draw for each metric.
Measure = Callable[[Floats], dict[str, Floats]]
Mask = npt.NDArray[np.bool_]
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


@dataclasses.dataclass(frozen=True, slots=True)
class Yardsticks:
    """What needs no model: the tier shares known before the holdout, and baselines that name a tier for each row."""

    shares: Floats
    tiers: Mapping[str, Tiers]


def yardsticks(training_tiers: Tiers, rows: int, others: Mapping[str, Tiers]) -> Yardsticks:
    """Return the baselines for so many holdout rows: always the likeliest tier of training, and the others given."""
    shares = np.bincount(training_tiers, minlength=6)[1:6] / len(training_tiers)
    return Yardsticks(shares, {"majority": np.full(rows, int(shares.argmax()) + 1), **others})


def evaluate(probabilities: Floats, holdout: Holdout, yardsticks: Yardsticks, draws: int, seed: int) -> Evaluation:
    """Return the evaluation of probabilities (rows, 5) on the holdout; intervals are 95 % and creator-clustered."""
    clusters = creator_clusters(holdout.authors)
    measures = {_MODEL: _measure_forecast(probabilities, holdout), **_baselines(holdout, yardsticks)}

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


def _baselines(holdout: Holdout, against: Yardsticks) -> dict[str, Measure]:
    named = {name: _measure_named(tiers, holdout.tiers) for name, tiers in against.tiers.items()}
    shares = np.tile(against.shares, (len(holdout.tiers), 1))
    return {**named, "tierShares": _measure_probabilities(shares, holdout.tiers)}


def _measure_named(predicted: Tiers, tiers: Tiers) -> Measure:
    """Return the measures of a baseline that names one tier; its RPS is that of somebody who is sure."""
    of_tiers, rps = _measure_tiers(predicted, tiers), scores.ranked_probability_score(certain(predicted), tiers)

    def measure(weights: Floats) -> dict[str, Floats]:
        return {**of_tiers(weights), "rps": metrics.weighted_mean(rps, weights)}

    return measure


def certain(tiers: Tiers) -> Floats:
    """Return the forecast, shape (rows, 5), of somebody who names a tier and is sure.

    >>> certain(np.array([2])).tolist()
    [[0.0, 1.0, 0.0, 0.0, 0.0]]
    """
    return np.asarray(tiers[:, None] == np.arange(1, 6), dtype=np.float64)


def creator_medians(
    authors: Sequence[str | None], training_tiers: Tiers, training_authors: Sequence[str | None]
) -> Tiers:
    """Return for each author the (lower) median tier of their training videos, of everybody's where unknown."""
    by_author: dict[str, list[int]] = {}
    for author, tier in zip(training_authors, training_tiers.tolist(), strict=True):
        if author:
            by_author.setdefault(author, []).append(tier)
    medians = {author: sorted(own)[(len(own) - 1) // 2] for author, own in by_author.items()}
    everybody = sorted(training_tiers.tolist())[(len(training_tiers) - 1) // 2]
    return np.array([medians.get(author or "", everybody) for author in authors], dtype=np.int64)


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


#: What is told of each slice of the holdout, and with how many draws: there are many slices.
SLICE_METRICS = ("accuracy", "withinOne", "rps", "logLoss", "qwk")
SLICE_DRAWS = 200


def evaluate_slice(probabilities: Floats, holdout: Holdout, chosen: Mask, seed: int) -> dict[str, Any] | None:
    """Return n and SLICE_METRICS of the chosen holdout rows, None where there are none."""
    if not chosen.any():
        return None
    authors = [author for author, taken in zip(holdout.authors, chosen, strict=True) if taken]
    part = Holdout(holdout.tiers[chosen], holdout.quantity[chosen], authors)
    forecast, tiers = probabilities[chosen], part.tiers
    of_tiers = _measure_tiers(scores.likeliest(forecast), tiers)
    of_probabilities = _measure_probabilities(forecast, tiers)

    def measure(weights: Floats) -> dict[str, Floats]:
        return {**of_tiers(weights), **of_probabilities(weights)}

    found = estimates(measure, creator_clusters(authors), SLICE_DRAWS, seed)
    return {"n": len(tiers), **{name: found[name] for name in SLICE_METRICS}}


def coverage(ranges: npt.NDArray[np.int64], holdout: Holdout, draws: int, seed: int) -> Estimate:
    """Return the share of rows whose tier lies in its range (rows, 2), with its interval."""
    held = ((ranges[:, 0] <= holdout.tiers) & (holdout.tiers <= ranges[:, 1])).astype(np.float64)

    def measure(weights: Floats) -> dict[str, Floats]:
        return {"coverage": metrics.weighted_mean(held, weights)}

    return estimates(measure, creator_clusters(holdout.authors), draws, seed)["coverage"]
