"""The learners of a forecast and their blend: weighted, calibrated and given a reach on rows they never saw."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from groundswell.calibration.ranges import Reach, conformal_reach
from groundswell.calibration.scores import Floats, log_loss
from groundswell.calibration.tier_calibration import TierCalibrator, choose_tier_calibrator
from groundswell.estimators import Estimator
from groundswell.estimators.blend import BlendedEstimator, TierShares, blend_weights
from groundswell.estimators.classifiers import BoostedEstimator
from groundswell.estimators.ordinal import OrdinalEstimator
from groundswell.estimators.regressions import LinearEstimator, RegressionEstimator
from groundswell.heads import (
    Base,
    Fitting,
    Outcomes,
    base_of,
    fit_classifier,
    fit_linear,
    fit_ordinal,
    fit_regression,
    more_rounds,
)

#: A learner of less weight than this is left out of what is served.
SMALLEST_WEIGHT = 0.03
#: What the weights are before any calibration row has spoken, and how many rows that is worth.
EXPECTED_WEIGHTS = {"boosted": 0.5, "boostedOrdinal": 0.5}
EXPECTED_ROWS = 30
#: A blend must beat the tier shares on the calibration rows by this many standard errors, or they are what is said.
LEAST_LEAD = 1.0
#: Under this many training videos trees are not tried: a line through the past does better.
FEWEST_ROWS_FOR_TREES = 300
#: Fits that run at once, each on threads of its own.
AT_ONCE = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Learner:
    """One learner: its log loss on the calibration rows and its weight in the blend."""

    kind: str
    log_loss: float
    weight: float


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """The blend refitted on all rows, its calibrator and reach, how the learners did, and the regression among them."""

    estimator: BlendedEstimator
    calibrator: TierCalibrator
    reach: Reach
    learners: tuple[Learner, ...]
    regression: LinearEstimator | RegressionEstimator


def train_forecast(training: Outcomes, calibration: Outcomes, lessons: Outcomes, fitting: Fitting) -> Forecast:
    """Return the blend of the learners, chosen by log loss on the calibration rows, which come after the training rows.

    `lessons` are further rows of the same videos: those of training videos are learnt from at once, those of
    calibration videos when all rows are.

    The weights are those of greatest likelihood there; the tier shares take part, so that a line that knows nothing
    ends at them alone. Calibrator and reach are found on the same rows, the reach on chances that a row did not help
    to calibrate; then the learners are refitted on both parts.
    """
    known = lessons.where(np.isin(lessons.videos, training.videos))
    tried = _try_learners(base_of(training.and_also(known), fitting.seed), calibration, fitting)
    chances = [learner.probabilities(calibration.features) for learner in tried]
    rows = np.arange(len(calibration))
    weights = _weights(tried, np.stack([p[rows, calibration.tiers - 1] for p in chances], axis=1))
    mixed = np.asarray(sum(weight * p for weight, p in zip(weights, chances, strict=True)))
    chosen = choose_tier_calibrator(mixed, calibration.tiers)
    everything = training.and_also(calibration).and_also(lessons)
    fitting.check()
    refitted = _refit(tried, weights, base_of(everything, fitting.seed), fitting)
    kept = [number for number, weight in enumerate(weights) if weight > 0]
    regressions = [learner for learner in refitted if isinstance(learner, (LinearEstimator, RegressionEstimator))]
    return Forecast(
        estimator=BlendedEstimator(
            tuple(refitted[number] for number in kept), tuple(float(weights[number]) for number in kept)
        ),
        calibrator=chosen.calibrator,
        reach=conformal_reach(chosen.cross_validated, calibration.tiers),
        learners=tuple(
            Learner(learner.kind, float(log_loss(p, calibration.tiers).mean()), float(weight))
            for learner, p, weight in zip(tried, chances, weights, strict=True)
        ),
        regression=regressions[-1],
    )


def _try_learners(base: Base, calibration: Outcomes, fitting: Fitting) -> list[Estimator]:
    simple: list[Estimator] = [TierShares.of(base.rows.once().tiers), fit_linear(base, fitting)]
    known = np.unique(base.rows.tiers)
    few = len(np.unique(base.rows.videos)) < FEWEST_ROWS_FOR_TREES
    if few or len(known) < 2 or not np.isin(calibration.tiers, known).any():
        return simple
    return simple + _at_once(
        [
            lambda: fit_regression(base, fitting, calibration, None),
            lambda: fit_classifier(base.rows, fitting, calibration),
            lambda: fit_ordinal(base, fitting, calibration),
        ]
    )


def _refit(tried: Sequence[Estimator], weights: Floats, base: Base, fitting: Fitting) -> list[Estimator]:
    """Return the learners fitted on all rows; a booster without weight stays as it was tried, the regression apart."""
    return _at_once([partial(_again, *each, base, fitting) for each in zip(tried, weights, strict=True)])


def _again(learner: Estimator, weight: float, base: Base, fitting: Fitting) -> Estimator:
    match learner:
        case TierShares():
            return TierShares.of(base.rows.once().tiers)
        case LinearEstimator():
            return fit_linear(base, fitting)
        case RegressionEstimator():
            return fit_regression(base, fitting, more_rounds(learner.text), learner.errors)
        case BoostedEstimator() if weight:
            return fit_classifier(base.rows, fitting, more_rounds(learner.text, len(learner.tiers)))
        case OrdinalEstimator() if weight:
            return fit_ordinal(base, fitting, more_rounds(learner.text))
    return learner


def _at_once(fits: Sequence[Callable[[], Estimator]]) -> list[Estimator]:
    """Return the results in the order of the fits; LightGBM lets go of Python's lock, so that two run side by side."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [future.result() for future in [pool.submit(fit) for fit in fits]]


def _weights(tried: Sequence[Estimator], likelihoods: Floats) -> Floats:
    """Return the weight of each learner; all of it is the tier shares' (the first) where nothing clearly beats them."""
    expected = np.array([EXPECTED_WEIGHTS.get(learner.kind, 0.0) for learner in tried])
    weights = _without_small(blend_weights(likelihoods, 1.0 + EXPECTED_ROWS * expected))
    blended, shares = (np.log(np.clip(chances, 1e-12, None)) for chances in (likelihoods @ weights, likelihoods[:, 0]))
    lead = blended - shares
    if lead.mean() < LEAST_LEAD * lead.std() / np.sqrt(len(lead)):
        return np.asarray(np.eye(len(tried))[0])
    return weights


def _without_small(weights: Floats) -> Floats:
    kept = np.where(weights >= SMALLEST_WEIGHT, weights, 0.0)
    return np.asarray(kept / kept.sum())
