"""How the classifiers are fitted: multinomial logistic regression and boosted trees."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import numpy.typing as npt

from groundswell.boosting import Check, Sample, codes, grow
from groundswell.calibration.scores import Floats, Tiers
from groundswell.estimators.classifiers import BoostedEstimator, LogisticEstimator

PATIENCE = 30
BOOSTED_SETTINGS = {
    "objective": "multiclass",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
}
WEIGHT_CAP = 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Rows to learn from: features (rows, features) and tiers 1–5."""

    features: Floats
    tiers: Tiers

    def __len__(self) -> int:
        return len(self.tiers)

    def where(self, mask: npt.NDArray[np.bool_]) -> Part:
        """Return the rows of the mask."""
        return Part(self.features[mask], self.tiers[mask])


def class_weights(tiers: Tiers) -> dict[int, float]:
    """Return `n/(5·count)` for each tier that occurs, capped at three times the smallest.

    >>> class_weights(np.array([1] * 8 + [2] * 2))
    {1: 0.25, 2: 0.75}
    """
    present, counts = np.unique(tiers, return_counts=True)
    weights = len(tiers) / (5 * counts)
    capped = np.minimum(weights, WEIGHT_CAP * weights.min())
    return {int(tier): float(weight) for tier, weight in zip(present, capped, strict=True)}


def fit_logistic(rows: Part, inverse_ridge: float) -> LogisticEstimator:
    """Return a multinomial logistic regression on standardised features, weighted by class, with a ridge penalty."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(rows.features)
    regression = LogisticRegression(C=inverse_ridge, solver="newton-cholesky", max_iter=100)
    with warnings.catch_warnings():
        # A fit that stops early is only a weaker candidate: the selection rows see that, nobody needs the warning.
        warnings.simplefilter("ignore")
        regression.fit(scaler.transform(rows.features), rows.tiers, sample_weight=_row_weights(rows.tiers))
    weights, intercepts = regression.coef_, regression.intercept_
    if len(weights) == 1:  # two tiers: scikit-learn keeps the log-odds of the second alone
        weights = np.vstack([np.zeros_like(weights), weights])
        intercepts = np.concatenate([np.zeros(1), intercepts])
    return LogisticEstimator(
        tiers=tuple(int(tier) for tier in regression.classes_),
        mean=tuple(scaler.mean_.tolist()),
        scale=tuple(scaler.scale_.tolist()),
        weights=tuple(tuple(row) for row in weights.tolist()),
        intercepts=tuple(intercepts.tolist()),
    )


def fit_boosted(
    rows: Part, rounds: int, seed: int, threads: int, check: Check, judging: Part | None = None
) -> BoostedEstimator:
    """Return a LightGBM booster of `rounds` rounds, fewer where `judging` rows stop improving before."""
    present = np.unique(rows.tiers)
    settings = {**BOOSTED_SETTINGS, "num_class": len(present), "seed": seed, "num_threads": threads}
    sample = Sample(rows.features, codes(rows.tiers, present), _row_weights(rows.tiers))
    judge = None
    if judging is not None:
        known = judging.where(np.isin(judging.tiers, present))
        judge = Sample(known.features, codes(known.tiers, present))
    text = grow(sample, settings, rounds, check, judge, PATIENCE)
    return BoostedEstimator(tuple(int(tier) for tier in present), text)


def _row_weights(tiers: Tiers) -> Floats:
    weights = class_weights(tiers)
    return np.array([weights.get(tier, 0.0) for tier in range(6)])[tiers]
