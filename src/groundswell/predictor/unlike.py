"""Where a video is unlike all that the model learnt from: a sure answer there deserves no trust, and says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from groundswell.calibration.scores import Floats
from groundswell.reference import FeatureReference, Reference
from groundswell.stages.features import Feature

#: A value that fewer training videos than this share had was hardly learnt from.
RARE = 0.001
_FLAG = "0 or 1"


class Unlike:
    """Tells of videos in what they are unlike those that a model learnt from, by its reference and its features.

    Only flags can tell: a number that no video had may well lie between those of others. A model of the first release
    has no reference and can tell nothing.
    """

    def __init__(self, reference: Reference | None, features: Sequence[Feature]) -> None:
        known = reference.features if reference else ()
        flags = [column for column in range(len(known)) if features[column].unit == _FLAG]
        self._columns = np.array(flags, dtype=np.int64)
        self._names = [_lowered(features[column].sentence) for column in flags]
        # Whether no, yes and unknown were known well enough, each of shape (flags,).
        self._usual = np.array([_usual(known[column]) for column in flags], dtype=bool).reshape(-1, 3).T

    def told(self, values: Floats) -> list[str | None]:
        """Return for each row of values, shape (rows, features), in what it is unlike them (None: nothing)."""
        told: list[str | None] = [None] * len(values)
        if not len(self._columns):
            return told
        odd = self._odd(values[:, self._columns])
        for row in np.flatnonzero(odd.any(axis=1)).tolist():
            told[row] = _said([self._names[flag] for flag in np.flatnonzero(odd[row]).tolist()])
        return told

    def _odd(self, flags: Floats) -> npt.NDArray[np.bool_]:
        no, yes, unknown = self._usual
        return np.where(flags == 0, ~no, np.where(np.isnan(flags), ~unknown, ~yes))


def _usual(known: FeatureReference) -> list[bool]:
    shares = np.array([*known.shares, known.missing])
    return [bool(share >= RARE) for share in shares[known.bins(np.array([0.0, 1.0, np.nan]))]]


def _said(names: Sequence[str]) -> str:
    return (
        f"Hardly any video that the model learnt from was like this one in: {'; '.join(names)}. "
        "However sure the answer sounds, trust it little."
    )


def _lowered(sentence: str) -> str:
    plain = sentence.rstrip(".")
    return plain if plain[:2].isupper() else plain[0].lower() + plain[1:]
