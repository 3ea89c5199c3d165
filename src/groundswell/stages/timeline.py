"""Which rows train, calibrate and judge a forecast: by time, with an embargo of one label age before the holdout."""

from __future__ import annotations

import dataclasses
import math
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

HOLDOUT_SHARE, CALIBRATION_SHARE = 0.2, 0.15
Rows = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """Row numbers of each part, in time order; `embargo` rows stand too near the holdout to be used."""

    train: Rows
    calibration: Rows
    embargo: Rows
    holdout: Rows

    @property
    def before_holdout(self) -> Rows:
        """All rows before the holdout, those of the embargo too: what the cut-points are made of."""
        return np.concatenate([self.train, self.calibration, self.embargo])


def split_by_time(posted_at: pl.Series, embargo: timedelta) -> Timeline:
    """Return the parts of rows in time order: the latest 20 % judge, the last 15 % before the embargo calibrate.

    A row is before the embargo if its outcome had matured when the first video of the holdout was posted.

    >>> from datetime import datetime
    >>> days = pl.Series([datetime(2025, 1, day) for day in range(1, 31)])
    >>> parts = split_by_time(days, timedelta(days=3))
    >>> [len(part) for part in (parts.train, parts.calibration, parts.embargo, parts.holdout)]
    [19, 3, 2, 6]
    """
    count = len(posted_at)
    first = count - math.floor(HOLDOUT_SHARE * count)
    rows = np.arange(count, dtype=np.int64)
    if first >= count:
        return Timeline(rows, rows[:0], rows[:0], rows[:0])
    usable = int((posted_at <= posted_at[first] - embargo)[:first].sum())
    calibrating = usable - math.floor(CALIBRATION_SHARE * usable)
    return Timeline(rows[:calibrating], rows[calibrating:usable], rows[usable:first], rows[first:])
