"""A planned video as a page shows it: the tier in words, the range, and what would move the score."""

from __future__ import annotations

from typing import Any

from groundswell.reports import reading, tried, words
from groundswell.reports.parts import Picture
from groundswell.reports.words import TIERS, Body

#: Chances that lie closer together than this are not worth telling apart.
_CLOSE = 0.05


def told_try(body: Body) -> dict[str, Any]:
    """Return what the template `try.html` shows of a prediction."""
    found = reading.part(body, "prediction")
    tier, low, high = (
        reading.whole(found, "tier") or 0,
        reading.whole(found, "range", "low") or 1,
        reading.whole(found, "range", "high") or 5,
    )
    cuts = reading.numbers(body, "label", "cutPoints") if reading.said(body, "label", "label") == "views" else []
    age = reading.number(body, "labelAgeHours")
    after = "" if age is None else f" {words.hours(age)} after posting"
    probabilities = reading.numbers(found, "probabilities")
    score, plain = reading.number(found, "calibratedScore") or 0.0, reading.number(found, "score") or 0.0
    return {
        "tier": tier,
        "headline": _headline(probabilities, tier, low, high),
        "views": f"That is {_between(cuts, tier, tier)} views{after}." if cuts else "",
        "range": f"tier {low}" if low == high else f"tiers {low} to {high}",
        "range_chance": reading.number(found, "range", "probability"),
        "range_views": f"{_between(cuts, low, high)} views" if cuts else "",
        "likely": probabilities[tier - 1] if len(probabilities) == 5 else None,
        "nearly": _nearly(probabilities, tier),
        "notice": reading.said(found, "notice", unknown=""),
        "score": f"{score:.0f}",
        "plain": None if reading.found(found, "calibrationVersion") is None else f"{plain:.0f}",
        "reasons": [_reason(one) for one in reading.parts(found, "reasons")],
        "pictures": [tried.chances(probabilities, tier, range(low, high + 1)), *_choices(body)],
    }


def _headline(probabilities: list[float], tier: int, low: int, high: int) -> str:
    """Return the tier in words; the range, where two other tiers or more are nearly as likely.

    >>> _headline([0.05, 0.05, 0.6, 0.2, 0.1], 3, 3, 4), _headline([0.24, 0.2, 0.19, 0.18, 0.19], 1, 1, 5)
    ('Tier 3 of 5: about usual', 'Anything from tier 1 to tier 5')
    """
    if low < high and sum(max(probabilities, default=0.0) - share < _CLOSE for share in probabilities) > 2:
        return f"Anything from tier {low} to tier {high}"
    return f"Tier {tier} of 5: {TIERS.get(tier, '')}"


def _nearly(probabilities: list[float], tier: int) -> str:
    """Return the tiers that are almost as likely as the likeliest, in words.

    >>> _nearly([0.1, 0.25, 0.24, 0.22, 0.19], 2), _nearly([0.05, 0.05, 0.6, 0.2, 0.1], 3)
    ('Tiers 3 and 4 are nearly as likely: look at the range rather than at the tier.', '')
    """
    close = [
        str(other)
        for other, share in enumerate(probabilities, start=1)
        if other != tier and probabilities[tier - 1] - share < _CLOSE
    ]
    if not close:
        return ""
    named = f"Tier {close[0]} is" if len(close) == 1 else f"Tiers {', '.join(close[:-1])} and {close[-1]} are"
    return f"{named} nearly as likely: look at the range rather than at the tier."


def _reason(one: Body) -> dict[str, str]:
    points = reading.number(one, "points") or 0.0
    text = reading.said(one, "text")
    _, _, rest = text.partition(": ")
    return {
        "points": words.signed(points, 1),
        "theme": reading.said(one, "theme"),
        "text": rest or text,
        "up": "up" if points > 0 else "down",
    }


def _choices(body: Body) -> list[Picture]:
    hours = [(f"{one['hour']:02d}:00", one["calibratedScore"]) for one in reading.parts(body, "byHour")]
    durations = [(f"{one['seconds']} s", one["calibratedScore"]) for one in reading.parts(body, "byDuration")]
    typed = reading.whole(body, "durationSeconds")
    hour = reading.whole(body, "hour")
    found = []
    if hours:
        chosen = None if hour is None else f"{hour:02d}:00"
        found.append(tried.choices("If it were posted at another hour (UTC)", hours, chosen, "the hour of posting", 4))
    if durations:
        chosen = None if typed is None else f"{typed} s"
        found.append(tried.choices("If it were shorter or longer", durations, chosen, "the duration", 2))
    return found


def _between(cuts: list[float], low: int, high: int) -> str:
    """Return the views of tiers in words.

    >>> cuts = [1000.0, 5000.0, 20_000.0, 90_000.0]
    >>> _between(cuts, 1, 1), _between(cuts, 2, 4), _between(cuts, 5, 5), _between(cuts, 1, 5)
    ('up to 1,000', '1,000 to 90,000', 'more than 90,000', 'any number of')
    """
    if low == 1 and high == 5:
        return "any number of"
    if low == 1:
        return f"up to {_rounded(cuts[high - 1])}"
    if high == 5:
        return f"more than {_rounded(cuts[low - 2])}"
    return f"{_rounded(cuts[low - 2])} to {_rounded(cuts[high - 1])}"


def _rounded(views: float) -> str:
    """Return views to three digits, which is more than anybody can promise.

    >>> _rounded(1_239_079.0), _rounded(640.0)
    ('1,240,000', '640')
    """
    return f"{float(f'{views:.3g}'):,.0f}"
