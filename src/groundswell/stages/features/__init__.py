"""The feature catalogue: each feature is one declaration, from which training, serving and docs are made."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import polars as pl

from groundswell.records import Window
from groundswell.stages.features.feature import Feature
from groundswell.stages.features.forecast import FORECAST
from groundswell.stages.features.observed import OBSERVED
from groundswell.stages.features.term import Known

__all__ = ["FORECAST", "OBSERVED", "Feature", "compute", "matrix", "names", "of_one", "of_window"]

_SLICE_ROWS = 500_000


@functools.cache
def of_window(window: Window) -> tuple[Feature, ...]:
    """Return the features of a line: never one that is known later than its window.

    >>> {feature.known_at.value for feature in of_window(Window.PUBLISH)}
    {'publish'}
    """
    catalogue = OBSERVED if window is Window.OBSERVED else FORECAST
    return tuple(feature for feature in catalogue if feature.known_at.age <= window.age)


def names(features: tuple[Feature, ...] = OBSERVED) -> tuple[str, ...]:
    """Return the names, in the order of the columns of `matrix`.

    >>> names()[:3]
    ('shareRate', 'commentRate', 'likeRate')
    """
    return tuple(feature.name for feature in features)


def compute(videos: pl.DataFrame, features: tuple[Feature, ...] = OBSERVED) -> pl.DataFrame:
    """Return one row of features a video, as Float64.

    Works slice by slice, so that the memory beyond input and output does not grow with the number of rows.
    """
    expressions = [feature.expression.alias(feature.name) for feature in features]
    if videos.height <= _SLICE_ROWS:
        return videos.select(expressions)
    return pl.concat([part.select(expressions) for part in videos.iter_slices(_SLICE_ROWS)], rechunk=False)


def matrix(videos: pl.DataFrame, features: tuple[Feature, ...] = OBSERVED) -> npt.NDArray[np.float64]:
    """Return the features as an array of shape (videos, features); unknown is NaN."""
    return compute(videos, features).to_numpy(order="c")


def of_one(known: Known, features: tuple[Feature, ...]) -> npt.NDArray[np.float64]:
    """Return the features of one video as a row of `matrix`, without a frame; `known` holds its columns by name.

    Only the features of the forecast windows can be had so.
    """
    return np.array([feature.of_one(known) for feature in features if feature.of_one])
