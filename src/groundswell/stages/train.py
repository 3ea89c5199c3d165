"""Two candidates, `logistic` and `boosted`: tuned and chosen on rows that the holdout never saw."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from groundswell.boosting import Check
from groundswell.calibration.ranges import Reach, conformal_reach
from groundswell.calibration.scores import Floats, log_loss
from groundswell.calibration.tier_calibration import TierCalibrator, choose_tier_calibrator
from groundswell.estimators import Estimator
from groundswell.estimators.boosters import rounds_of
from groundswell.learners import Part, fit_boosted, fit_logistic

#: Inverse ridge penalties that the selection rows choose from.
INVERSE_RIDGES = (0.1, 1.0, 100.0, 10_000.0)
MAX_ROUNDS = 600


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of estimator with its tuned setting, and its log loss on the selection rows."""

    kind: str
    setting: float
    selection_log_loss: float


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """The winner refitted on all training rows, its calibrator and reach, and how the candidates did."""

    estimator: Estimator
    calibrator: TierCalibrator
    reach: Reach
    candidates: tuple[Candidate, ...]


def train(rows: Part, selection: npt.NDArray[np.bool_], seed: int, threads: int, check: Check) -> Trained:
    """Return the better candidate, refitted on all rows.

    `selection` marks the rows that tune, choose and calibrate; the others fit the candidates meanwhile. The winner
    is the candidate of least log loss there, and its calibrator and reach are found on the same rows, the reach on
    chances that a row did not help to calibrate.
    """
    fitting, judging = rows.where(~selection), rows.where(selection)
    if len(np.unique(fitting.tiers)) < 2 or not len(judging):
        fitting, judging = rows, rows
    contenders = [_tuned_logistic(fitting, judging, check), _tuned_boosted(fitting, judging, seed, threads, check)]
    winner, forecast = min(contenders, key=lambda contender: contender[0].selection_log_loss)
    chosen = choose_tier_calibrator(forecast, judging.tiers)
    check()
    refitted = (
        fit_logistic(rows, winner.setting)
        if winner.kind == "logistic"
        else fit_boosted(rows, int(winner.setting), seed, threads, check)
    )
    reach = conformal_reach(chosen.cross_validated, judging.tiers)
    return Trained(refitted, chosen.calibrator, reach, tuple(candidate for candidate, _ in contenders))


#: A candidate and its forecast of the selection rows.
Contender = tuple[Candidate, Floats]


def _tuned_logistic(fitting: Part, judging: Part, check: Check) -> Contender:
    tuned = []
    for inverse_ridge in INVERSE_RIDGES:
        check()
        tuned.append(_contender("logistic", inverse_ridge, fit_logistic(fitting, inverse_ridge), judging))
    return min(tuned, key=lambda contender: contender[0].selection_log_loss)


def _tuned_boosted(fitting: Part, judging: Part, seed: int, threads: int, check: Check) -> Contender:
    estimator = fit_boosted(fitting, MAX_ROUNDS, seed, threads, check, judging)
    return _contender("boosted", float(rounds_of(estimator.text, len(estimator.tiers))), estimator, judging)


def _contender(kind: str, setting: float, estimator: Estimator, judging: Part) -> Contender:
    forecast = estimator.probabilities(judging.features)
    return Candidate(kind, setting, float(log_loss(forecast, judging.tiers).mean())), forecast
