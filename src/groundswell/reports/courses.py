"""Estimates over time: lines with their intervals, a limit across, and lanes below for what happened when."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from groundswell.reports.canvas import (
    ACCENT,
    GRID,
    LIMIT,
    MUTED,
    OTHER,
    PAPER,
    WIDTH,
    Spec,
    canvas,
    nice_ticks,
    note,
    text,
    tick_format,
)
from groundswell.reports.charts import Rule
from groundswell.reports.words import Body, is_number

_HEIGHT, _LANE, _LEFT, _RIGHT = 170, 17, 82, 18
_SIDE = WIDTH - _LEFT + 30 - _RIGHT
_MOST_TICKS = 4
_DASHES = [6, 3]
#: Shorter than this, ticks are days; longer, beginnings of months.
_SHORT = 75.0
_MONTHS = (1, 2, 3, 4, 6, 12, 24, 60, 120)
_SIGNS = {
    "promoted": ("triangle-up", "var(--good)"),
    "held": ("cross", "var(--plain)"),
    "recalibrated": ("circle", "var(--accent)"),
    "amber": ("triangle-up", "var(--warn)"),
    "red": ("square", "var(--bad)"),
    "green": ("circle", "var(--good)"),
    "insufficient": ("circle", "none"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """An estimate over time: its name, a moment and an estimate each, and whether the picture is about it."""

    name: str
    points: Sequence[tuple[datetime, Body]]
    ours: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Lane:
    """The moments at which something of one kind happened."""

    kind: str
    moments: Sequence[datetime]


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """How estimates are written, whether each has a bar of its own, and whether the scale begins at 0.

    Between two estimates more than `gap` days apart nothing is known, so no line is drawn.
    """

    is_share: bool = False
    bars: bool = False
    from_zero: bool = False
    gap: float = math.inf


def courses(drawn: Sequence[Course], look: Look, rule: Rule | None = None, lanes: Sequence[Lane] = ()) -> Spec | None:
    """Return lines with intervals over a time axis that lines and lanes share; none where nothing is known."""
    known = [(course, _known(course)) for course in drawn]
    known = [(course, points) for course, points in known if points]
    if not known:
        return None
    moments = [at for _, points in known for at, *_ in points]
    moments += [_days(at) for lane in lanes for at in lane.moments]
    low, high = min(moments), max(moments)
    x = _along(low, high)
    ends = [end for _, points in known for _, *values in points for end in values]
    ends += [rule.at] if rule else []
    y = _upward([*ends, 0.0] if look.from_zero else ends, look.is_share)
    shown = [lane for lane in lanes if lane.moments]
    layers = _time_axis(low, high, x)
    layers += [_limit(rule, y)] if rule else []
    for course, points in sorted(known, key=lambda pair: pair[0].ours):
        layers += _course(course, points, x, y, look)
    for row, lane in enumerate(shown):
        layers += _lane(lane, _HEIGHT + 36 + _LANE * row, x)
    named = [*(_sample(course) for course, _ in known), *([(rule.name, LIMIT, _DASHES, False)] if rule else [])]
    layers += _names(named) if len(named) > 1 else []
    padding = {"left": _LEFT, "right": _RIGHT, "top": 26 if len(named) > 1 else 10, "bottom": 8}
    return canvas([], layers, _HEIGHT + 26 + (_LANE * len(shown) + 4 if shown else 0), padding, _SIDE)


def _along(low: float, high: float) -> Spec:
    """Return the encoding of days, with some room at both ends."""
    spare = max(0.03 * (high - low), 0.75)
    scale = {"domain": [low - spare, high + spare], "nice": False, "zero": False}
    return {"field": "at", "type": "quantitative", "axis": None, "scale": scale}


def _upward(ends: Sequence[float], is_share: bool) -> Spec:
    """Return the encoding of values, without a field, on a scale that holds all ends."""
    ticks = _ticks(min(ends), max(ends), is_share)
    return {
        "type": "quantitative",
        "scale": {"domain": [ticks[0], ticks[-1]], "range": [_HEIGHT, 0], "nice": False, "zero": False},
        "axis": {"values": ticks, "format": tick_format(ticks, is_share), "title": None, "grid": True},
    }


def _known(course: Course) -> list[tuple[float, float, float, float]]:
    """Return days since 1970, value, low and high of each known estimate."""
    told = []
    for at, estimate in sorted(course.points, key=lambda pair: pair[0]):
        value, low, high = estimate.get("value"), estimate.get("low"), estimate.get("high")
        if value is None or not is_number(value):
            continue
        known = [end for end in (value, low, high) if end is not None and is_number(end)]
        told.append((_days(at), value, min(known), max(known)))
    return told


def _course(course: Course, points: Sequence[tuple[float, ...]], x: Spec, y: Spec, look: Look) -> list[Spec]:
    colour = ACCENT if course.ours else OTHER
    names = ("at", "value", "low", "high")
    runs = [[dict(zip(names, point, strict=True)) for point in run] for run in _runs(points, look.gap)]
    every = {"values": [{**one, "run": place} for place, run in enumerate(runs) for one in run]}
    alone = {"values": [one for run in runs for one in run if look.bars or len(run) == 1]}
    together = {"values": [] if look.bars else every["values"]}
    low, value = {**y, "field": "low"}, {**y, "field": "value"}
    shade = {"type": "area", "fill": colour, "opacity": 0.2}
    bar = {"type": "rule", "stroke": colour, "strokeWidth": 2, "opacity": 0.6}
    line = {"type": "line", "stroke": colour, "strokeWidth": 2, "strokeDash": [1, 0] if course.ours else [5, 3]}
    dot = {"type": "circle", "fill": colour, "size": 42, "opacity": 1}
    run_of = {"detail": {"field": "run", "type": "nominal"}}
    spread = {"x": x, "y": low, "y2": {"field": "high"}}
    layers: list[Spec] = [
        {"data": together, "mark": shade, "encoding": {**spread, **run_of}},
        {"data": alone, "mark": bar, "encoding": spread},
        {"data": every, "mark": line, "encoding": {"x": x, "y": value, **run_of}},
        {"data": every, "mark": dot, "encoding": {"x": x, "y": value}},
    ]
    return [layer for layer in layers if layer["data"]["values"]]


def _runs(points: Sequence[tuple[float, ...]], gap: float) -> list[list[tuple[float, ...]]]:
    """Return the points in runs, a new one after each gap."""
    runs: list[list[tuple[float, ...]]] = []
    for point in points:
        if runs and point[0] - runs[-1][-1][0] <= gap:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _limit(rule: Rule, y: Spec) -> Spec:
    mark = {"type": "rule", "stroke": LIMIT, "strokeDash": _DASHES, "strokeWidth": 1.5}
    return {"data": {"values": [{"level": rule.at}]}, "mark": mark, "encoding": {"y": {**y, "field": "level"}}}


def _lane(lane: Lane, height: float, x: Spec) -> list[Spec]:
    shape, colour = _SIGNS.get(lane.kind, ("diamond", MUTED))
    values = [{"at": day} for day in sorted({_days(at) for at in lane.moments})]
    edge = {"stroke": "var(--plain)", "strokeWidth": 1.5} if colour == "none" else {"stroke": PAPER, "strokeWidth": 0.5}
    return [
        _across_at(height),
        {
            "data": {"values": values},
            "mark": {"type": "point", "shape": shape, "fill": colour, "size": 50, "opacity": 1, **edge},
            "encoding": {"x": x, "y": {"value": height}},
        },
        note(lane.kind, -8, height, align="right"),
    ]


def _across_at(height: float) -> Spec:
    mark = {"type": "rule", "stroke": GRID}
    ends = {"x": {"value": 0}, "x2": {"value": _SIDE}, "y": {"value": height}}
    return {"data": {"values": [{}]}, "mark": mark, "encoding": ends}


def _sample(course: Course) -> tuple[str, str, list[int], bool]:
    """Return the name of a course and how its line looks."""
    return course.name, *((ACCENT, [1, 0]) if course.ours else (OTHER, [5, 3])), course.ours


def _names(named: Sequence[tuple[str, str, list[int], bool]]) -> list[Spec]:
    layers: list[Spec] = []
    for place, (name, colour, dash, bold) in enumerate(named):
        left = place * 110
        sample = {"type": "rule", "stroke": colour, "strokeWidth": 2, "strokeDash": dash}
        ends = {"x": {"value": left}, "x2": {"value": left + 22}, "y": {"value": -14}}
        layers += [
            {"data": {"values": [{}]}, "mark": sample, "encoding": ends},
            note(name, left + 28, -14, fontWeight="bold" if bold else "normal", fontSize=12),
        ]
    return layers


def _time_axis(low: float, high: float, x: Spec) -> list[Spec]:
    values = [{"at": at, "label": label} for at, label in time_ticks(low, high)]
    mark = {"type": "rule", "stroke": GRID}
    upright = {"x": x, "y": {"value": 0}, "y2": {"value": _HEIGHT}}
    label = text("label", {"x": x, "y": {"value": _HEIGHT + 14}}, align="center", fontSize=11, fill=MUTED)
    return [{"data": {"values": values}, "mark": mark, "encoding": upright}, {"data": {"values": values}, **label}]


def time_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return up to four marks between two days since 1970, each with its label.

    >>> [label for _, label in time_ticks(20_000, 20_001)], [label for _, label in time_ticks(19_900, 20_240)]
    (['4 Oct 2024', '5 Oct 2024'], ['Jul 2024', 'Oct 2024', 'Jan 2025', 'Apr 2025'])
    """
    if high - low < _SHORT:
        first, last = round(low), round(high)
        days = sorted({first, (first + last) // 2, last})
        return [(float(at), f"{_date(at):%-d %b %Y}") for at in days]
    begins = [_month(place) for place in range(_place(low), _place(high) + 1)]
    inside = [at for at in begins if low <= _days(at) <= high]
    for apart in _MONTHS:
        kept = [at for at in inside if (12 * at.year + at.month - 1) % apart == 0]
        kept = kept if len(kept) > 1 else inside[::apart]
        if len(kept) <= _MOST_TICKS:
            return [(_days(at), f"{at:%b %Y}") for at in kept]
    return [(_days(at), f"{at:%b %Y}") for at in (inside[0], inside[-1])]


def _ticks(low: float, high: float, is_share: bool) -> list[float]:
    spare = 0.06 * (high - low) or 0.01
    least = low - spare if low < 0 else max(0.0, low - spare)
    return nice_ticks(least, max(high, min(1.0, high + spare)) if is_share else high + spare)


def _days(at: datetime) -> float:
    return at.timestamp() / timedelta(days=1).total_seconds()


def _date(days: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)


def _place(days: float) -> int:
    at = _date(days)
    return 12 * at.year + at.month - 1


def _month(place: int) -> datetime:
    return datetime(place // 12, place % 12 + 1, 1, tzinfo=UTC)


def lanes_of(kinds: Sequence[str], happened: Sequence[tuple[str, datetime]]) -> list[Lane]:
    """Return a lane of each kind in the order of `kinds`, with the moments of what happened."""
    told: dict[str, list[datetime]] = {kind: [] for kind in kinds}
    for kind, moments in itertools.groupby(sorted(happened), key=lambda pair: pair[0]):
        if kind in told:
            told[kind] = [at for _, at in moments]
    return [Lane(kind, moments) for kind, moments in told.items()]


def summary(course: Course, written: Any) -> str:
    """Return a course in words, for those who cannot see it: its first and its last known estimate."""
    known = [(at, estimate) for at, estimate in sorted(course.points, key=lambda pair: pair[0]) if _is_known(estimate)]
    if not known:
        return f"{course.name}: not known"
    told = [f"{written(estimate)} on {at:%Y-%m-%d}" for at, estimate in (known[0], known[-1])]
    return f"{course.name}: {' and '.join(told) if len(known) > 1 else told[0]}"


def _is_known(estimate: Body) -> bool:
    return is_number(estimate.get("value"))
