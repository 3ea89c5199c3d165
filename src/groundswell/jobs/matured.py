"""What is known of our own predictions by now: how many have matured, when the rest will, and whether they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from groundswell.jobs.context import Context
from groundswell.records import Estimate, MaturityCount, as_json, rounded
from groundswell.store import predictions

#: Standard errors of a 95 % interval.
_TWO_SIDED = 1.959964
#: A difference of fewer standard deviations than this is too small to matter, however sure it is.
_MATTERS = 0.1


def tell_matured(context: Context, since: datetime, until: datetime) -> dict[str, Any]:
    """Return the counts of predictions made from `since` to `until`, in all and by window, each with a sentence."""
    by_window = predictions.maturity(context.database, since, until)
    told = _told(_together(by_window))
    told["byWindow"] = {
        found.window: {**_told(found), "differs": differs(context, found.window, since, until)} for found in by_window
    }
    return told


def differs(context: Context, window: str, since: datetime, until: datetime) -> dict[str, Any] | None:
    """Return by how many points of score the matured predictions differ from the rest; None where one side is empty."""
    found = predictions.scores(context.database, window, since, until)
    if len(found) < 2 or min(part.n for part in found.values()) < 2:
        return None
    matured, rest = found[True], found[False]
    difference = matured.mean - rest.mean
    error = math.sqrt(matured.variance / matured.n + rest.variance / rest.n)
    low, high = difference - _TWO_SIDED * error, difference + _TWO_SIDED * error
    spread = math.sqrt((matured.variance + rest.variance) / 2)
    clearly = (low > 0 or high < 0) and abs(difference) > _MATTERS * spread
    said = f"{abs(difference):.1f} points {'higher' if difference > 0 else 'lower'} on average than the rest"
    interval = f"(95 % interval {low:+.1f} to {high:+.1f}, n {matured.n:,} and {rest.n:,})"
    return {
        "score": rounded(as_json(Estimate(difference, low, high, matured.n + rest.n)), 2),
        "clearly": clearly,
        "sentence": f"The matured ones were scored {said} {interval}"
        + (": what holds for them need not hold for all." if clearly else ", which is no difference to speak of."),
    }


def sentence(found: MaturityCount) -> str:
    """Return the counts in words.

    >>> by = datetime(2026, 12, 12)
    >>> sentence(MaturityCount("publish", 3980, 1204, 2776, 0, 0, by))
    '1,204 of 3,980 predictions matured; the rest by 12 Dec 2026'
    >>> sentence(MaturityCount("publish", 9, 4, 2, 2, 1, by))
    '4 of 9 predictions matured; 2 more by 12 Dec 2026; 2 are old enough but were not read since; \
1 names no video, so its outcome must be reported'
    """
    parts = [f"{found.matured:,} of {found.predictions:,} predictions matured"]
    rest = found.predictions - found.matured
    if found.maturing:
        who = "the rest" if found.maturing == rest else f"{found.maturing:,} more"
        when = f"by {found.matures_by:%-d %b %Y}" if found.matures_by else "once their posting time is known"
        parts.append(f"{who} {when}")
    if found.unread:
        parts.append(f"{found.unread:,} {_are(found.unread)} old enough but {_were(found.unread)} not read since")
    if found.nameless:
        named = "names no video, so its outcome" if found.nameless == 1 else "name no video, so their outcomes"
        parts.append(f"{found.nameless:,} {named} must be reported")
    return "; ".join(parts)


def _told(found: MaturityCount) -> dict[str, Any]:
    counts = as_json(found)
    del counts["window"]
    return {**counts, "sentence": sentence(found)}


def _together(parts: Sequence[MaturityCount]) -> MaturityCount:
    names = ("predictions", "matured", "maturing", "unread", "nameless")
    total = {name: sum(getattr(part, name) for part in parts) for name in names}
    ends = [part.matures_by for part in parts if part.matures_by]
    return MaturityCount(window="", matures_by=max(ends, default=None), **total)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
