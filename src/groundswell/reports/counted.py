"""Pictures of counts: how many on each day, and how long each step took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from groundswell.reports import charts, words
from groundswell.reports.canvas import ACCENT, GRID, MUTED, WIDTH, Spec, Values, canvas, text
from groundswell.reports.courses import time_ticks
from groundswell.reports.parts import Picture, picture

_HEIGHT, _LEFT, _RIGHT = 140, 48, 18
_SIDE = WIDTH - _LEFT + 30 - _RIGHT
_EPOCH = date(1970, 1, 1)


def by_day(title: str, days: Values, until: datetime, span: int, what: str) -> Picture:
    """Return bars of `n` by `day` over the last `span` days; `what` is counted, such as "videos"."""
    last = (until.astimezone(UTC).date() - _EPOCH).days
    first = last - span + 1
    values = [
        {"start": at + 0.1, "end": at + 0.9, "n": one["n"]}
        for one in days
        if first <= (at := (date.fromisoformat(str(one["day"])) - _EPOCH).days) <= last
    ]
    if not values:
        return Picture(title, None, "", f"No {what} in the last {span} days.")
    most = max(one["n"] for one in values)
    x: Spec = {
        "field": "start",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [first, last + 1], "nice": False, "zero": False},
    }
    ticks = _round_ticks(most)
    y = {
        "field": "n",
        "type": "quantitative",
        "scale": {"domain": [0, ticks[-1]], "range": [_HEIGHT, 0], "nice": False},
        "axis": {"values": ticks, "format": "~s", "title": None, "grid": True},
    }
    marks = [{"at": at + 0.5, "label": label} for at, label in time_ticks(first, last)]
    ground = {"x": {"value": 0}, "x2": {"value": _SIDE}, "y": {"value": _HEIGHT}}
    layers: list[Spec] = [
        {
            "mark": {"type": "rect", "fill": ACCENT},
            "encoding": {"x": x, "x2": {"field": "end"}, "y": y, "y2": {"datum": 0}},
        },
        {"data": {"values": [{}]}, "mark": {"type": "rule", "stroke": GRID}, "encoding": ground},
        {
            "data": {"values": marks},
            **text(
                "label",
                {"x": {**x, "field": "at"}, "y": {"value": _HEIGHT + 14}},
                align="center",
                fontSize=11,
                fill=MUTED,
            ),
        },
    ]
    spec = canvas(values, layers, _HEIGHT, {"left": _LEFT, "right": _RIGHT, "top": 10, "bottom": 28}, _SIDE)
    total = sum(one["n"] for one in values)
    says = f"{title}: {total:,} {what} on {len(values)} of the last {span} days, at most {most:,} on one."
    how = f"A bar is one day in UTC; its height is how many {what} it brought. A gap is a day without any."
    return picture(title, spec, says, how)


def shares(title: str, named: Sequence[Mapping[str, object]], what: str, unknown: str) -> Picture:
    """Return bars of `n` by `name`, most first; a null name is written as `unknown`."""
    total = sum(int(str(one["n"])) for one in named)
    rows = [
        (str(one["name"] or unknown), float(str(one["n"])), f"{one['n']:,}, {int(str(one['n'])) / total:.0%}")
        for one in named
        if total
    ]
    says = f"{title}: {'; '.join(f'{name} {said}' for name, _, said in rows) or words.UNKNOWN}."
    how = f"Longer bars are more {what}; beside each stand its count and its share of all {total:,}."
    return picture(title, charts.bars(rows, room=110), says, how)


def steps(seconds: Mapping[str, float]) -> Picture:
    """Return how long each step of a run took, in the order of the steps."""
    rows = [
        (name, taken, f"{taken:.1f} s" if taken >= 0.1 else f"{1000 * taken:.0f} ms") for name, taken in seconds.items()
    ]
    says = f"Seconds by step: {'; '.join(f'{name} {said}' for name, _, said in rows) or words.UNKNOWN}."
    how = f"The steps in their order; longer bars took longer. Together {sum(seconds.values()):.1f} s."
    return picture("Where the time went", charts.bars(rows), says, how)


def _round_ticks(most: int) -> list[int]:
    """Return up to five whole ticks from 0 to at least the most.

    >>> _round_ticks(3), _round_ticks(870)
    ([0, 1, 2, 3], [0, 250, 500, 750, 1000])
    """
    power = 1
    while True:
        for nice in (1, 2, 2.5, 5):
            step = nice * power
            if step == int(step) and 4 * step >= most:
                return [int(step) * place for place in range(-(-most // int(step)) + 1)]
        power *= 10
