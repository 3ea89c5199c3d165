"""`backtest`: an export or the database in, an honest report out, and nothing registered."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import numpy as np

from groundswell.calibration.scores import likeliest, ranked_probability_score
from groundswell.heads import Fitting, Outcomes, fit_classifier
from groundswell.jobs.backtest_observed import backtest_observed
from groundswell.jobs.collection import Collection
from groundswell.jobs.forecast_challenger import make_forecast
from groundswell.jobs.forecast_material import ForecastMaterial, forecast_material
from groundswell.jobs.forecast_report import DIGITS, describe, report
from groundswell.jobs.steps import Progress, Steps, silent
from groundswell.records import Decision, Window, as_json, rounded
from groundswell.settings import Settings
from groundswell.stages import gate, leakage

#: Somebody waits for a backtest and no champion does: it may take this many times as long as a retrain.
TIME_LIMITS = 10
#: Rounds of the learner that is asked what a random split would have claimed.
RANDOM_SPLIT_ROUNDS = 100


def backtest(
    collection: Collection, window: Window, settings: Settings, as_of: datetime, progress: Progress = silent
) -> dict[str, Any]:
    """Return how well the window can be told on the collection: what a retrain would have been judged by.

    Raises TooFewVideosError where too few videos have matured.
    """
    steps = Steps(TIME_LIMITS * settings.time_limit_seconds, progress)
    told = _forecast(collection, window, settings, as_of, steps) if window.is_forecast else None
    body, decision = told or backtest_observed(collection, settings, as_of, steps)
    return {
        "status": "completed",
        "window": window.value,
        "source": collection.name,
        "asOf": as_json(as_of),
        **rounded(body, DIGITS),
        "findings": as_json(decision.findings),
        "decision": as_json(dataclasses.replace(decision, findings=())),
        "stepSeconds": steps.seconds(),
    }


def _forecast(
    collection: Collection, window: Window, settings: Settings, as_of: datetime, steps: Steps
) -> tuple[dict[str, Any], Decision]:
    steps.begin("features")
    material = forecast_material(collection, window, settings, as_of)
    challenger = make_forecast(settings, material, steps)
    steps.begin("random split")
    split = _random_split(settings, material, steps)
    found = leakage.tell_random_split(split["accuracy"], split["honestAccuracy"], split["n"])
    decision = gate.decide(
        challenger.evaluation.metrics,
        len(np.unique(material.training.rows.tiers)),
        gate.Standing.FIRST,
        None,
        gate.Policy(settings.forecast_floor, settings.margin, settings.min_comparable_rows),
        (*challenger.told, found),
        challenger.checks,
    )
    body = {**report(challenger), **describe(material), "randomSplit": split}
    return body | {"trainAccuracy": challenger.train_accuracy}, decision


def _random_split(settings: Settings, material: ForecastMaterial, steps: Steps) -> dict[str, Any]:
    """Return the accuracy that a random fifth of the same videos would have shown, beside that of the latest fifth."""
    parts = material.parts
    everything = material.outcomes(np.arange(material.rows.height, dtype=np.int64))
    honest = np.concatenate([parts.train, parts.calibration])
    order = np.random.default_rng(settings.seed).permutation(material.rows.height)
    fitting = Fitting(material.log_cuts, settings.seed, settings.threads, steps.check)
    holdout = len(parts.holdout)
    random_accuracy, random_rps = _judged(everything, order[holdout:][: len(honest)], order[:holdout], fitting)
    honest_accuracy, honest_rps = _judged(everything, honest, parts.holdout, fitting)
    return {
        "accuracy": random_accuracy,
        "rps": random_rps,
        "honestAccuracy": honest_accuracy,
        "honestRps": honest_rps,
        "gap": random_accuracy - honest_accuracy,
        "n": holdout,
    }


def _judged(rows: Outcomes, training: Any, judging: Any, fitting: Fitting) -> tuple[float, float]:
    learner = fit_classifier(rows.where(training), fitting, RANDOM_SPLIT_ROUNDS)
    judged = rows.where(judging)
    forecast = learner.probabilities(judged.features)
    accuracy = float((likeliest(forecast) == judged.tiers).mean())
    return accuracy, float(ranked_probability_score(forecast, judged.tiers).mean())
