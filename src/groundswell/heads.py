"""How the learners of a forecast are fitted: a ridge regression of log-views, and three boosters.

Every booster stops where rows that it does not learn from say so, and is then refitted on all rows with as many
rounds. The two that stand on the ridge see, of their own rows, only what ridges without those rows expected.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from groundswell.boosting import Check, Sample, codes, grow
from groundswell.calibration.scores import Floats, Tiers
from groundswell.estimators.boosters import rounds_of
from groundswell.estimators.classifiers import BoostedEstimator
from groundswell.estimators.ordinal import OrdinalEstimator, questions
from groundswell.estimators.regressions import (
    Errors,
    LinearEstimator,
    RegressionEstimator,
    Ridge,
    design,
)

SETTINGS: dict[str, Any] = {
    "min_data_in_leaf": 30,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 20.0,
}
#: Step of a round: many rows bear larger ones, and would otherwise take too long.
SMALL_STEP, LARGE_STEP = 0.05, 0.1
VERY_MANY_ROWS = 25_000
#: Leaves of a tree: few for the classifier, whose five trees a round say much already, and for few rows.
FEW_LEAVES, MANY_LEAVES = 7, 15
MANY_ROWS = 10_000
MAX_ROUNDS = 1_000
PATIENCE = 40
#: All rows are more than those a booster was stopped on, and bear a few rounds more.
MORE_ROUNDS = 1.1
PENALTIES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
FOLDS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Outcomes:
    """Rows with their outcome: features (rows, features), tiers 1–5, log-views, and a number for each one's video."""

    features: Floats
    tiers: Tiers
    log_views: Floats
    videos: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tiers)

    def where(self, chosen: Any) -> Outcomes:
        """Return the rows of a mask, a slice or indices."""
        return Outcomes(self.features[chosen], self.tiers[chosen], self.log_views[chosen], self.videos[chosen])

    def once(self) -> Outcomes:
        """Return the first row of each video."""
        return self.where(np.unique(self.videos, return_index=True)[1])

    def and_also(self, others: Outcomes) -> Outcomes:
        """Return these rows and then the others."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(others), strict=True)
        return Outcomes(*(np.concatenate(pair) for pair in pairs))


@dataclasses.dataclass(frozen=True, slots=True)
class Fitting:
    """What every fit needs besides rows: where the tiers begin, seed, threads, and whom to ask whether to go on."""

    log_cuts: tuple[float, ...]
    seed: int
    threads: int
    check: Check

    def settings(self, rows: Outcomes, **own: Any) -> dict[str, Any]:
        """Return LightGBM's settings for one of the boosters on so many rows."""
        step = SMALL_STEP if len(rows) < VERY_MANY_ROWS else LARGE_STEP
        return {**SETTINGS, "learning_rate": step, "seed": self.seed, "num_threads": self.threads, **own}


def fit_ridge(rows: Outcomes) -> Ridge:
    """Return a ridge regression of log-views, its penalty chosen by leave-one-out error."""
    from sklearn.linear_model import RidgeCV

    known = ~np.isnan(rows.features)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, rows.features, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, rows.features - mean, 0.0) ** 2).sum(axis=0) / count)
    scale = np.where(spread > 1e-9, spread, 1.0)
    # A column that is unknown throughout, or never, has nothing to say by being unknown.
    missing = np.flatnonzero((~known).any(axis=0) & known.any(axis=0))
    regression = RidgeCV(alphas=PENALTIES).fit(design(rows.features, mean, scale, missing), rows.log_views)
    return Ridge(
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        missing=tuple(missing.tolist()),
        weights=tuple(regression.coef_.tolist()),
        intercept=float(regression.intercept_),
    )


def expected_out_of_fold(rows: Outcomes, seed: int) -> Floats:
    """Return what ridges expected of rows that they were not fitted on; under ten videos, what the one ridge did."""
    from sklearn.model_selection import GroupKFold

    if len(np.unique(rows.videos)) < 2 * FOLDS:
        return fit_ridge(rows).expected(rows.features)
    expected = np.empty(len(rows))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    for fitted, left_out in folds.split(rows.features, groups=rows.videos):
        expected[left_out] = fit_ridge(rows.where(fitted)).expected(rows.features[left_out])
    return expected


@dataclasses.dataclass(frozen=True, slots=True)
class Base:
    """Rows with the ridge fitted on them, and what ridges that did not see them expected of each."""

    rows: Outcomes
    ridge: Ridge
    expected: Floats


def base_of(rows: Outcomes, seed: int) -> Base:
    """Return the rows with their ridge."""
    return Base(rows, fit_ridge(rows), expected_out_of_fold(rows, seed))


def fit_linear(base: Base, fitting: Fitting) -> LinearEstimator:
    """Return the ridge and the errors it made out of fold."""
    return LinearEstimator(base.ridge, Errors.of(base.rows.log_views - base.expected, fitting.log_cuts))


def fit_classifier(rows: Outcomes, fitting: Fitting, judging: Outcomes | int) -> BoostedEstimator:
    """Return the boosted classifier, stopped by judging rows, or grown for a number of rounds."""
    present = np.unique(rows.tiers)
    judge = None
    if isinstance(judging, Outcomes):
        known = judging.where(np.isin(judging.tiers, present))
        judge = Sample(known.features, codes(known.tiers, present))
    settings = fitting.settings(rows, objective="multiclass", num_class=len(present), num_leaves=FEW_LEAVES)
    text = _grown(Sample(rows.features, codes(rows.tiers, present)), settings, fitting, judging, judge)
    return BoostedEstimator(tuple(int(tier) for tier in present), text)


def fit_regression(base: Base, fitting: Fitting, judging: Outcomes | int, errors: Errors | None) -> RegressionEstimator:
    """Return the boosted regression; its errors are those on the judging rows, or the ones given."""
    rows, judge = base.rows, None
    if isinstance(judging, Outcomes):
        judge = Sample(judging.features, judging.log_views, start=base.ridge.expected(judging.features))
    sample = Sample(rows.features, rows.log_views, start=base.expected)
    text = _grown(
        sample, fitting.settings(rows, objective="regression", num_leaves=_leaves(rows)), fitting, judging, judge
    )
    if errors is None and isinstance(judging, Outcomes):
        bare = RegressionEstimator(base.ridge, text, Errors((), ()))
        errors = Errors.of(judging.log_views - bare.expected(judging.features), fitting.log_cuts)
    return RegressionEstimator(base.ridge, text, errors or Errors.of(np.zeros(1), fitting.log_cuts))


def fit_ordinal(base: Base, fitting: Fitting, judging: Outcomes | int) -> OrdinalEstimator:
    """Return the booster of the four questions, stopped by judging rows, or grown for a number of rounds."""
    judge = None
    if isinstance(judging, Outcomes):
        judge = _asked(judging, base.ridge.expected(judging.features), fitting.log_cuts)
    sample = _asked(base.rows, base.expected, fitting.log_cuts)
    text = _grown(
        sample, fitting.settings(base.rows, objective="binary", num_leaves=_leaves(base.rows)), fitting, judging, judge
    )
    return OrdinalEstimator(base.ridge, text, fitting.log_cuts)


def more_rounds(text: str, trees_a_round: int = 1) -> int:
    """Return for how many rounds the refit on all rows is grown."""
    return max(1, math.floor(MORE_ROUNDS * rounds_of(text, trees_a_round)))


def _leaves(rows: Outcomes) -> int:
    return FEW_LEAVES if len(rows) < MANY_ROWS else MANY_LEAVES


def _asked(rows: Outcomes, expected: Floats, log_cuts: tuple[float, ...]) -> Sample:
    passed = np.concatenate([rows.tiers > number for number in range(1, len(log_cuts) + 1)])
    return Sample(questions(rows.features, expected, log_cuts), passed.astype(np.int64))


def _grown(
    sample: Sample, settings: dict[str, Any], fitting: Fitting, judging: Outcomes | int, judge: Sample | None
) -> str:
    rounds = judging if isinstance(judging, int) else MAX_ROUNDS
    return grow(sample, settings, rounds, fitting.check, judge, PATIENCE)
