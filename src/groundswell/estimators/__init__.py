"""Estimators: features in, chances of the five tiers out; stored as JSON, never as anything executable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from groundswell.estimators.blend import BlendedEstimator, TierShares
from groundswell.estimators.classifiers import BoostedEstimator, LogisticEstimator
from groundswell.estimators.estimator import Estimator, finite
from groundswell.estimators.ordinal import OrdinalEstimator
from groundswell.estimators.regressions import LinearEstimator, RegressionEstimator

__all__ = ["Estimator", "estimator_from_content"]

_KINDS: dict[str, Callable[[dict[str, Any], int], Estimator]] = {
    LogisticEstimator.kind: LogisticEstimator.from_content,
    BoostedEstimator.kind: BoostedEstimator.from_content,
    LinearEstimator.kind: LinearEstimator.from_content,
    RegressionEstimator.kind: RegressionEstimator.from_content,
    OrdinalEstimator.kind: OrdinalEstimator.from_content,
    TierShares.kind: TierShares.from_content,
}


def estimator_from_content(content: dict[str, Any], features: int) -> Estimator:
    """Return the estimator that `content()` described; raises ValueError, KeyError or TypeError where it is none."""
    if content["kind"] == BlendedEstimator.kind:
        members = tuple(estimator_from_content(member, features) for member in content["members"])
        return BlendedEstimator(members, tuple(finite(content, "weights", (len(members),)).tolist()))
    if content["kind"] not in _KINDS:
        raise ValueError(f"this version knows no estimator of kind {content['kind']!r}")
    return _KINDS[content["kind"]](content, features)
