"""Is it still the same scraper? Five ways in which an export changes while the videos do not, each told by its numbers.

Every check compares shares before and now, a platform at a time, and fails only where the 95 % interval of the
difference lies beyond a least one; a change in either direction is a change of the scraper. A video counts once a
period, by its latest reading, since its readings say the same thing again and again. Other creators or larger videos
move such shares too, but by less: the least differences are set by that.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from groundswell.calibration.intervals import share_of
from groundswell.records import Estimate, Finding, Outcome

COUNTERS = ("views", "likes", "comments", "shares", "saves")
COLUMNS = (*COUNTERS, "author_followers")
TITLES = {
    "S1": "Counts are as exact as before",
    "S2": "Counters stand in their own columns",
    "S3": "Unknown counts are not given as zeros",
    "S4": "Counters do not fall",
    "S5": "The format is as before",
}
#: How far a share must have moved for certain.
LEAST = {"S1": 0.2, "S2": 0.1, "S3": 0.15, "S4": 0.05, "S5": 0.2}
#: Two counters that changed order in so many more videos have exchanged their columns.
LEAST_EXCHANGE = 0.45
#: A platform that had at least this share of the rows, and has none, is gone.
LEAST_PLATFORM = 0.05
#: Apps show 12.3K and 1.2M: of exact counts one in a hundred is such a number.
_SHOWN_FROM, _SHOWN_UNIT = 10_000, 100
_MILLION, _MILLION_UNIT = 1_000_000, 100_000
#: Which counter is hardly ever above which.
_ABOVE = (("likes", "views"), ("comments", "likes"), ("shares", "likes"))
#: Counters so small say nothing by their order.
_FEWEST_COUNTED = 10
#: From so many views on, a counter of exactly 0 is rare.
_MANY_VIEWS = 1_000
#: A fall by a smaller part is a correction, as when a platform takes out robots.
_LEAST_FALL = 0.01
#: Which part of the rows that are no longer null must have become zeros.
_BACK_AS_ZEROS = 0.5

#: The counts of one platform in one period, by name.
Counts = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """Which share is compared: `hits` of `rows`, both numbers of videos, and the least change that matters."""

    code: str
    what: str
    hits: pl.Expr
    rows: pl.Expr
    least: float


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """One share before and now, each as hits and rows, and how far apart they must be."""

    what: str
    before: tuple[int, int]
    now: tuple[int, int]
    least: float

    def difference(self) -> Estimate:
        """Return now − before with its 95 % interval, for independent rows.

        Source: Newcombe, "Interval estimation for the difference between independent proportions", Statist. Med. 17
        (1998), method 10: two Wilson intervals, squared and added.

        >>> found = Comparison("", (48, 80), (56, 70), 0.2).difference()
        >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)  # its example (a), 56/70 − 48/80
        (0.2, 0.0524, 0.3339)
        """
        old, new = share_of(*self.before), share_of(*self.now)
        value = new.value - old.value
        down = np.hypot(new.value - (new.low or 0.0), (old.high or 0.0) - old.value)
        up = np.hypot((new.high or 0.0) - new.value, old.value - (old.low or 0.0))
        return Estimate(value, value - float(down), value + float(up), self.now[1])

    def changed(self) -> bool:
        """Return whether the two are for certain further apart than the least difference."""
        found = self.difference()
        return (found.low or 0.0) > self.least or (found.high or 0.0) < -self.least

    def words(self) -> str:
        """Return the comparison as a phrase with its numbers."""
        found = self.difference()
        (old, old_rows), (new, new_rows) = self.before, self.now
        return (
            f"{self.what} in {new / new_rows:.1%} (n {new_rows:,}) after {old / old_rows:.1%} (n {old_rows:,}), "
            f"{100 * found.value:+.1f} points ({100 * (found.low or 0.0):+.1f} to {100 * (found.high or 0.0):+.1f}; "
            f"{100 * self.least:.0f} matter)"
        )


def check_scrape(before: pl.DataFrame, recent: pl.DataFrame, min_rows: int = 50) -> tuple[Finding, ...]:
    """Return the findings S1–S5 on recent readings against those before.

    Both frames have platform, key, observed_at and COLUMNS, null for unknown. A share with fewer than `min_rows` videos
    on either side is not compared, and a check with nothing to compare is not applicable. S4 looks at the last two
    readings of each video, of which the earlier one may be from before.
    """
    min_rows = max(1, min_rows)
    every = _ordered(before, recent)
    old, new = _counts(every.filter(~pl.col("now"))), _counts(every.filter("now"))
    found: dict[str, list[Comparison]] = {code: [] for code in TITLES}
    for platform in sorted(set(old) & set(new)):
        for code, comparison in _compared(platform, old[platform], new[platform], min_rows):
            found[code].append(comparison)
    found["S4"] += _falls(every)
    found["S5"] += _platforms(old, new)
    enough = {code: [row for row in rows if min(row.before[1], row.now[1]) >= min_rows] for code, rows in found.items()}
    return tuple(_finding(code, rows, min_rows) for code, rows in enough.items())


def _finding(code: str, compared: list[Comparison], min_rows: int) -> Finding:
    if not compared:
        said = f"There is no share of {min_rows} videos or more both before and now"
        return Finding(code, TITLES[code], Outcome.NOT_APPLICABLE, said)
    changed = [row for row in compared if row.changed()]
    if changed:
        return Finding(code, TITLES[code], Outcome.FAILED, "; ".join(row.words() for row in changed))
    nearest = max(compared, key=lambda row: abs(row.difference().value) / row.least)
    said = f"None of {len(compared)} shares has changed by what matters; the nearest: {nearest.words()}"
    return Finding(code, TITLES[code], Outcome.PASSED, said)


def _shares() -> Iterator[Share]:
    """Yield every share that is simply compared."""
    for name in COLUMNS:
        large = pl.col(name).filter(pl.col(name) >= _SHOWN_FROM)
        shown = large.filter(large % _SHOWN_UNIT == 0)
        # The followers of a creator stand beside each of their videos: each number counts once.
        once = name == "author_followers"
        hits, rows = (shown.n_unique(), large.n_unique()) if once else (shown.len(), large.len())
        yield Share("S1", f"{name} of {_SHOWN_FROM:,} or more in whole hundreds", hits, rows, LEAST["S1"])
        yield Share("S5", f"{name} unknown", pl.col(name).null_count(), pl.len(), LEAST["S5"])
    for first, second in _ABOVE:
        yield _above(first, second, LEAST["S2"])
    for first, second in itertools.combinations(COUNTERS[1:], 2):
        yield _above(first, second, LEAST_EXCHANGE)
    for name in COUNTERS[1:]:
        seen = pl.col(name).filter(pl.col("views") >= _MANY_VIEWS)
        hits, rows = (seen == 0).sum(), seen.count()
        yield Share("S3", f"{name} exactly 0 at {_MANY_VIEWS:,} views or more", hits, rows, LEAST["S3"])


def _above(first: str, second: str, least: float) -> Share:
    a, b = pl.col(first), pl.col(second)
    # A zero beside a large number says that something is missing, which is another check's.
    told = ((a != b) & (pl.min_horizontal(a, b) > 0) & (pl.max_horizontal(a, b) >= _FEWEST_COUNTED)).fill_null(
        value=False
    )
    return Share("S2", f"{first} above {second}", (told & (a > b)).sum(), told.sum(), least)


_SHARES = tuple(_shares())


def _ordered(before: pl.DataFrame, recent: pl.DataFrame) -> pl.DataFrame:
    """Return all readings, those of a video together, in time and the recent ones (`now`) last."""
    wanted = ("platform", "key", "observed_at", *COLUMNS)
    every = pl.concat([before.select(wanted).with_columns(now=False), recent.select(wanted).with_columns(now=True)])
    # Numbers instead of texts, since their order does not matter. But every counter takes part: of two readings of one
    # moment, it must not matter which came first.
    numbered = every.with_columns(key=pl.col("key").cast(pl.Categorical).to_physical())
    return numbered.sort("key", "now", "observed_at", *COLUMNS)


def _last(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the last row of each video and period."""
    video = pl.struct("key", "now")
    return frame.filter(video.ne_missing(video.shift(-1)).fill_null(value=True))


def _counts(readings: pl.DataFrame) -> dict[str, Counts]:
    """Return all that is counted of the latest reading of each video, by platform."""
    known = [(name, pl.col(name).drop_nulls()) for name in COLUMNS]
    found = (
        _last(readings)
        .group_by("platform")
        .agg(
            pl.len().alias("rows"),
            *(share.hits.alias(f"hits {number}") for number, share in enumerate(_SHARES)),
            *(share.rows.alias(f"rows {number}") for number, share in enumerate(_SHARES)),
            *(column.len().alias(f"{name} known") for name, column in known),
            *(column.unique_counts().max().fill_null(0).alias(f"{name} commonest") for name, column in known),
            *((column == 0).sum().alias(f"{name} zero") for name, column in known),
        )
    )
    return {str(row["platform"]): row for row in found.iter_rows(named=True)}


def _compared(platform: str, old: Counts, new: Counts, min_rows: int) -> Iterator[tuple[str, Comparison]]:
    for number, share in enumerate(_SHARES):
        was, now = ((int(side[f"hits {number}"]), int(side[f"rows {number}"])) for side in (old, new))
        yield share.code, Comparison(f"{platform}: {share.what}", was, now, share.least)
    for name in COLUMNS:
        was, now = ((int(side[f"{name} commonest"]), int(side[f"{name} known"])) for side in (old, new))
        if (was[0] == was[1]) != (now[0] == now[1]):  # constant on one side only
            yield "S5", Comparison(f"{platform}: {name} at its commonest value", was, now, LEAST["S5"])
        zeros = _zeros_for_missing(platform, name, old, new, min_rows)
        if zeros is not None:
            yield "S3", zeros


def _zeros_for_missing(platform: str, name: str, old: Counts, new: Counts, min_rows: int) -> Comparison | None:
    """Return the comparison of zeros among all videos, where as many nulls went as zeros came (or the reverse)."""
    if min(old["rows"], new["rows"]) < min_rows:
        return None
    was, now = ((int(side["rows"] - side[f"{name} known"]), int(side["rows"])) for side in (old, new))
    gone = Comparison(f"{platform}: {name} unknown", was, now, LEAST["S3"])
    was, now = ((int(side[f"{name} zero"]), int(side["rows"])) for side in (old, new))
    come = Comparison(f"{platform}: {name} exactly 0 instead of unknown", was, now, LEAST["S3"])
    back = -come.difference().value / gone.difference().value if gone.changed() else 0.0
    return come if back >= _BACK_AS_ZEROS else None


def _falls(every: pl.DataFrame) -> Iterator[Comparison]:
    """Yield, a platform and counter, the share of videos whose last reading is below the one before it."""
    for name in COUNTERS[:2]:
        known = every.select("platform", "key", "now", later=name).drop_nulls("later")
        same = pl.col("key") == pl.col("key").shift(1)
        last = _last(known.with_columns(earlier=pl.when(same).then(pl.col("later").shift(1))).drop_nulls("earlier"))
        counts = last.group_by("platform", "now").agg(_fell().sum().alias("fell"), pl.len().alias("pairs"))
        found = {(str(row[0]), row[1]): (int(row[2]), int(row[3])) for row in counts.iter_rows()}
        for platform in sorted({platform for platform, _ in found}):
            was, now = (found.get((platform, side), (0, 0)) for side in (False, True))
            yield Comparison(f"{platform}: {name} below the reading before", was, now, LEAST["S4"])


def _fell() -> pl.Expr:
    """Return whether a counter fell by more than a correction, and by more than it was rounded to."""
    later, earlier = pl.col("later"), pl.col("earlier")
    # Below a million, a hundredth is more than what was rounded away.
    shown = (earlier >= _MILLION) & (later % _MILLION_UNIT == 0)
    rounding = pl.when(shown).then(_MILLION_UNIT).otherwise(0)
    return earlier - later > pl.max_horizontal(_LEAST_FALL * earlier, rounding)


def _platforms(old: Mapping[str, Counts], new: Mapping[str, Counts]) -> Iterator[Comparison]:
    """Yield the share of each platform that is only there before or only now."""
    total_old, total_new = (sum(int(side["rows"]) for side in counts.values()) for counts in (old, new))
    for platform in sorted(set(old) ^ set(new)):
        was, now = (int(counts[platform]["rows"]) if platform in counts else 0 for counts in (old, new))
        yield Comparison(f"{platform}: its part of the videos", (was, total_old), (now, total_new), LEAST_PLATFORM)
