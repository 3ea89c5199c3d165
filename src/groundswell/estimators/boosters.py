"""LightGBM's own text of a booster: read safely, checked against what it claims to be."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np

from groundswell.boosting_library import load_lightgbm
from groundswell.calibration.scores import Floats
from groundswell.estimators.single_rows import SingleRows

#: Up to so many rows are asked one by one: a call for several takes as long as four of these.
_FEW_ROWS = 4
#: From this many rows on a second thread pays: waking it costs more than the trees of a few rows do.
_MANY_ROWS = 1_000


@lru_cache(maxsize=64)
def booster_of(text: str) -> Any:
    """Return LightGBM's form of the text."""
    return load_lightgbm().Booster(model_str=text)


@lru_cache(maxsize=64)
def _single_rows_of(text: str) -> SingleRows:
    return SingleRows(booster_of(text))


def output(text: str, features: Floats) -> Floats:
    """Return what the booster says of each row: (rows,) or (rows, classes)."""
    if 0 < len(features) <= _FEW_ROWS:
        found = np.stack([_single_rows_of(text).output(row) for row in features])
        return found[:, 0] if found.shape[1] == 1 else found
    threads = 1 if len(features) < _MANY_ROWS else 2
    return np.asarray(booster_of(text).predict(features, num_threads=threads), dtype=np.float64)


def rounds_of(text: str, trees_a_round: int = 1) -> int:
    """Return how many rounds a booster was grown for."""
    return text.count("\nTree=") // trees_a_round


def check_booster(text: str, features: int, trees_a_round: int) -> str:
    """Return the text of a booster that can be read; raises ValueError where it is cut off or is for other rows."""
    # LightGBM may end the whole process over a text that breaks off: all that its header promises must be there.
    sizes, start = re.search(r"^tree_sizes=([\d ]+)$", text, re.MULTILINE), text.find("\n\nTree=0\n") + 2
    rest = text[start + sum(map(int, sizes[1].split())) :] if sizes else ""
    if not rest.startswith("end of trees\n") or "\nend of parameters\n" not in rest:
        raise ValueError("the booster is incomplete")
    try:
        booster = booster_of(text)
        found = (booster.num_feature(), booster.num_model_per_iteration())
    except load_lightgbm().basic.LightGBMError as error:
        raise ValueError(str(error)) from None
    if found != (features, trees_a_round):
        raise ValueError(f"the booster is for {found[0]} features and {found[1]} tiers")
    return text
