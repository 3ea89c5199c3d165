"""Growing a booster: LightGBM with the settings under which a fit repeats, stopped where judging rows say so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from groundswell.boosting_library import load_lightgbm
from groundswell.calibration.scores import Floats

#: Called between steps; raises when the run's time is up or its lease is lost.
Check = Callable[[], None]

#: Together these make a fit repeat to the last bit on the same machine.
REPEATABLE: Mapping[str, Any] = {"deterministic": True, "force_row_wise": True, "verbosity": -1}


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """Rows to grow on: features, what to predict, and optionally a weight and a start value for each row."""

    features: Floats
    target: npt.NDArray[Any]
    weight: Floats | None = None
    start: Floats | None = None


def grow(
    sample: Sample,
    settings: Mapping[str, Any],
    rounds: int,
    check: Check,
    judging: Sample | None = None,
    patience: int = 30,
) -> str:
    """Return the text of a booster of `rounds` rounds, fewer where the judging rows stopped improving before."""
    lightgbm = load_lightgbm()
    params = {**REPEATABLE, **settings}
    data = lightgbm.Dataset(
        sample.features, sample.target, weight=sample.weight, init_score=sample.start, params=params
    )
    callbacks = [lambda _environment: check()]
    valid = []
    if judging is not None:
        valid = [lightgbm.Dataset(judging.features, judging.target, init_score=judging.start, reference=data)]
        callbacks.append(lightgbm.early_stopping(patience, verbose=False))
    booster = lightgbm.train(params, data, rounds, valid_sets=valid, callbacks=callbacks, keep_training_booster=True)
    best = booster.best_iteration if judging is not None else rounds
    text: str = booster.model_to_string(num_iteration=max(best, 1))
    return text


def codes(tiers: npt.NDArray[np.int64], present: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return tiers as LightGBM wants classes: numbers from 0 among the tiers that occur.

    >>> codes(np.array([2, 5, 2]), np.array([2, 5])).tolist()
    [0, 1, 0]
    """
    return np.searchsorted(present, tiers)
