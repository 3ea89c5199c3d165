"""Times as somebody else wrote them: texts in, UTC moments out, a column at a time."""

from __future__ import annotations

import polars as pl

from groundswell.frames import MOMENT
from groundswell.parsing import EARLIEST_MOMENT, lenient, moment


def moments(texts: pl.Series) -> pl.Series:
    """Return the times of ISO 8601 texts, a time without a zone as UTC; null where there is none to be read or none
    that is plausible.

    The usual forms are read all at once, the others (epochs, odd ISO texts) one by one.

    >>> moments(pl.Series("at", ["2025-01-02T03:04:05Z", "1735787045", "soon"])).to_list()
    [datetime.datetime(2025, 1, 2, 3, 4, 5, tzinfo=zoneinfo.ZoneInfo(key='UTC')), \
datetime.datetime(2025, 1, 2, 3, 4, 5, tzinfo=zoneinfo.ZoneInfo(key='UTC')), None]
    """
    spaced = texts.str.strip_chars().str.replace("[Tt]", " ").str.replace("[Zz]$", "+00:00")
    zoned = pl.select(
        pl.when(spaced.str.contains(r":\d\d(\.\d+)?$") & ~spaced.str.contains(r"[+-]\d\d:\d\d$"))
        .then(spaced + "+00:00")
        .otherwise(spaced)
    ).to_series()
    usual = zoned.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False)
    unusual = texts.filter(usual.is_null() & texts.is_not_null())
    one_by_one = {text: lenient(moment, text) for text in unusual.unique()}
    read = texts.replace_strict(one_by_one, default=None, return_dtype=MOMENT) if one_by_one else usual
    found = pl.coalesce(usual, read)
    return pl.select(pl.when(found >= EARLIEST_MOMENT).then(found)).to_series().alias(texts.name)
