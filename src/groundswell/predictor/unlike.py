"""Where a video is unlike all that the model learnt from: a sure answer there deserves no trust, and says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groundswell.calibration.scores import Floats
from groundswell.reference import FeatureReference, Reference
from groundswell.stages.features import Feature

#: A value that fewer training videos than this share had was hardly learnt from.
RARE = 0.001
_FLAG = "0 or 1"


def unlike(reference: Reference | None, features: Sequence[Feature], values: Floats) -> list[str | None]:
    """Return for each row of values, shape (rows, features), in what it is unlike the training videos (None: nothing).

    Only flags can tell: a number that no video had may well lie between those of others.
    """
    if reference is None:
        return [None] * len(values)
    told: dict[int, list[str]] = {}
    for column, known in enumerate(reference.features):
        if features[column].unit == _FLAG:
            for row in np.flatnonzero(_is_rare(known, values[:, column])):
                told.setdefault(int(row), []).append(_lowered(features[column].sentence))
    return [_said(told[row]) if row in told else None for row in range(len(values))]


def _is_rare(known: FeatureReference, values: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.array([*known.shares, known.missing])[known.bins(values)] < RARE


def _said(names: Sequence[str]) -> str:
    return (
        f"Hardly any video that the model learnt from was like this one in: {'; '.join(names)}. "
        "However sure the answer sounds, trust it little."
    )


def _lowered(sentence: str) -> str:
    plain = sentence.rstrip(".")
    return plain if plain[:2].isupper() else plain[0].lower() + plain[1:]
