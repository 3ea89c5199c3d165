"""One computation in two forms that are written together: over the columns of a frame, and for one video alone.

A live request asks about one video, for which a frame costs a hundred times what the arithmetic does. Whatever is put
together from these terms has both forms, so that the two cannot drift apart.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import polars as pl

#: What is known of one video, by column: None or NaN where a number is unknown.
Known = Mapping[str, Any]
UNKNOWN = math.nan


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """A number of a video: `expression` for the rows of a frame, `of_one` for one video (NaN where it is unknown).

    >>> above = column("early_views").log1p() - column("level")
    >>> pl.DataFrame({"early_views": [0], "level": [2.0]}).select(above.expression).item()
    -2.0
    >>> above.of_one({"early_views": 0, "level": 2.0}), above.of_one({"early_views": 0, "level": None})
    (-2.0, nan)
    """

    expression: pl.Expr
    of_one: Callable[[Known], float]

    def or_zero(self) -> Term:
        """Return the number, 0 where it is unknown."""

        def of_one(known: Known) -> float:
            value = self.of_one(known)
            return 0.0 if math.isnan(value) else value

        return Term(self.expression.fill_null(0), of_one)

    def log1p(self) -> Term:
        """Return log(1 + number)."""
        return Term(self.expression.log1p(), lambda known: math.log1p(self.of_one(known)))

    def signed_log(self) -> Term:
        """Return log(1 + |number|) with the sign of the number."""

        def of_one(known: Known) -> float:
            value = self.of_one(known)
            return math.copysign(math.log1p(abs(value)), value)

        return Term(self.expression.sign() * self.expression.abs().log1p(), of_one)

    def per(self, other: Term) -> Term:
        """Return the ratio to the other, unknown where that is 0."""

        def of_one(known: Known) -> float:
            denominator = other.of_one(known)
            return self.of_one(known) / denominator if denominator > 0 else UNKNOWN

        return Term(pl.when(other.expression > 0).then(self.expression / other.expression), of_one)

    def __sub__(self, other: Term) -> Term:
        return Term(self.expression - other.expression, lambda known: self.of_one(known) - other.of_one(known))


def column(name: str) -> Term:
    """Return the number that stands in a column."""

    def of_one(known: Known) -> float:
        value = known[name]
        return UNKNOWN if value is None else float(value)

    return Term(pl.col(name), of_one)


def named(name: str) -> Term:
    """Return 1 where there is a text in the column, else 0."""
    return Term(pl.col(name).is_not_null(), lambda known: float(known[name] is not None))


def length(name: str) -> Term:
    """Return the characters of a text, 0 without one."""
    return Term(pl.col(name).fill_null("").str.len_chars(), lambda known: float(len(known[name] or "")))


def items(name: str) -> Term:
    """Return how many items a list has, 0 without one."""
    return Term(pl.col(name).list.len().fill_null(0), lambda known: float(len(known[name] or ())))


def matches(name: str, pattern: str) -> Term:
    r"""Return how often the pattern is found in a text, 0 without one.

    The pattern must mean the same to Python's `re` and to polars: `\s` and `\d` do not, see BLANKS and DIGITS.

    >>> matches("caption", f"[{DIGITS}]").of_one({"caption": "3 in 10"})
    3.0
    """
    find = re.compile(pattern).findall
    return Term(
        pl.col(name).fill_null("").str.count_matches(pattern), lambda known: float(len(find(known[name] or "")))
    )


def says(name: str, word: str) -> Term:
    """Return 1 where a text holds the ASCII word in any letter case, else 0."""
    search = re.compile(re.escape(word), re.IGNORECASE | re.ASCII).search
    return Term(
        pl.col(name).fill_null("").str.contains(f"(?i){word}"),
        lambda known: float(search(known[name] or "") is not None),
    )


def weekday(name: str) -> Term:
    """Return the weekday of a UTC time, Sunday 0."""
    return Term(pl.col(name).dt.weekday() % 7, lambda known: float(_time(known, name).isoweekday() % 7))


def hour(name: str) -> Term:
    """Return the hour of a UTC time."""
    return Term(pl.col(name).dt.hour(), lambda known: float(_time(known, name).hour))


def _time(known: Known, name: str) -> datetime:
    moment: datetime = known[name]
    return moment


#: For a class of a pattern: what Unicode calls white space, which Python's `\s` has four more of.
BLANKS = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
#: Of each script in Unicode 16 its digit zero, which the other nine follow: Python 3.11 knows fewer of them.
_ZEROS = (
    *(0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0),
    *(0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620),
    *(0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136),
    *(0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0),
    *(0x11C50, 0x11D50, 0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8),
    *(0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0),
)
#: For a class of a pattern: every decimal digit.
DIGITS = "".join(f"{chr(zero)}-{chr(zero + 9)}" for zero in _ZEROS)
