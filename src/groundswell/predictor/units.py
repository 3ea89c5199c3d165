"""Values of features as people write them: logarithms undone, shares of a whole in what the whole is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_SIZES = (
    "under 10,000 followers",
    "10,000 to 100,000 followers",
    "100,000 to 500,000 followers, or unknown",
    "500,000 to 1,000,000 followers",
    "over 1,000,000 followers",
)
#: How the values of a unit are written; every other unit stands behind its number.
_WRITTEN: Mapping[str, Callable[[float], str]] = {
    "0 or 1": lambda value: "yes" if value else "no",
    "log ratio": lambda value: f"{np.exp(value):.2f} times",
    # Those of `observed` are shares of a whole, or steps.
    "3 minutes": lambda value: f"{180 * value:,.4g} seconds",
    "30 hashtags": lambda value: f"{30 * value:,.4g} hashtags",
    "2,000 characters": lambda value: f"{2_000 * value:,.4g} characters",
    "50 views a follower": lambda value: f"{50 * value:,.4g} views a follower",
    "day": lambda value: f"{23 * value:.0f}:00 UTC",
    "week from Sunday": lambda value: _DAYS[round(6 * value)],
    "step": lambda value: _SIZES[round(5 * value - 0.5)],
}


def shown(value: float | None, unit: str) -> str:
    """Return a value in the words of its unit.

    >>> shown(np.log1p(1200.0), "log(1 + views)"), shown(12.5, "seconds"), shown(np.log(2.0), "log ratio")
    ('1,200 views', '12.5 seconds', '2.00 times')
    >>> shown(24 / 180, "3 minutes"), shown(0.3, "step"), shown(1 / 6, "week from Sunday"), shown(None, "day")
    ('24 seconds', '10,000 to 100,000 followers', 'Monday', 'unknown')
    """
    if value is None:
        return "unknown"
    if unit.startswith("log(1 + "):
        return f"{np.expm1(value):,.0f} {unit.removeprefix('log(1 + ').removesuffix(')')}"
    return _WRITTEN[unit](value) if unit in _WRITTEN else f"{value:,.4g} {unit}"
