"""Pictures as data: Vega-Lite specs of dots, cells, chances and bars."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from groundswell.reports.canvas import (
    ACCENT,
    HALO,
    HEAT,
    INK,
    LIMIT,
    MUTED,
    OTHER,
    WIDTH,
    Spec,
    Values,
    across,
    canvas,
    nice_ticks,
    note,
    text,
    tick_format,
)
from groundswell.reports.words import Metric, is_number, shortened, value_of

MAX_BARS = 12
_ROW: Spec = {"field": "row", "type": "ordinal", "axis": None, "scale": {"padding": 0}}
_ONLY_KNOWN = [{"filter": "isValid(datum.value)"}]


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One dot with its interval: name, estimate, how it is written, and whether the picture is about it."""

    name: str
    estimate: Mapping[str, Any] | None
    said: str
    ours: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A mark in all rows, such as a ceiling: its place and its name."""

    at: float
    name: str


def dots(metric: Metric, rows: Sequence[Row], rule: Rule | None = None) -> Spec | None:
    """Return rows of dots with their intervals on one scale; none where no row has a value."""
    if not any(is_number(value_of(row.estimate)) for row in rows):
        return None
    ticks = _dot_ticks(rows, rule, metric.is_share)
    form = tick_format(ticks, metric.is_share)
    colour = {"condition": {"test": "datum.ours", "value": ACCENT}, "value": OTHER}
    low, value = across("low", ticks, form), across("value", ticks, form)
    bold = {"expr": "datum.ours ? 'bold' : 'normal'"}
    layers = _ruled(rule, len(rows), ticks, form) if rule else []
    layers += [
        {
            "transform": _ONLY_KNOWN,
            "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.5, "yOffset": 8},
            "encoding": {"x": low, "x2": {"field": "high"}, "y": _ROW, "stroke": colour},
        },
        {
            "transform": _ONLY_KNOWN,
            "mark": {"type": "circle", "size": 80, "opacity": 1, "yOffset": 8},
            "encoding": {"x": value, "y": _ROW, "fill": colour},
        },
        text("name", {"x": {"value": 0}, "y": _ROW}, yOffset=-8, fontWeight=bold, **HALO),
        text("said", {"x": {"value": WIDTH}, "y": _ROW}, yOffset=-8, fontWeight=bold, align="right", **HALO),
    ]
    padding = {"left": 15, "right": 15, "top": 22 if rule else 4, "bottom": 26}
    values = [_dot(place, row) for place, row in enumerate(rows)]
    return canvas(values, layers, height=36 * len(rows), padding=padding)


def heat(matrix: Sequence[Sequence[float]]) -> Spec:
    """Return the confusion matrix: a row for each actual tier, shaded by the row's shares, with the counts."""
    cells = [
        {
            "actual": actual,
            "named": named,
            "share": number / sum(counts) if sum(counts) else 0,
            "said": f"{number / sum(counts):.0%}" if sum(counts) else "–",
            "count": f"{number:,.0f}",
        }
        for actual, counts in enumerate(matrix, start=1)
        for named, number in enumerate(counts, start=1)
    ]
    axis = {"title": None, "ticks": False, "domain": False, "labelAngle": 0, "labelFontSize": 12}
    column = {"field": "named", "type": "ordinal", "axis": {**axis, "orient": "top"}, "scale": {"padding": 0.04}}
    row = {"field": "actual", "type": "ordinal", "axis": axis, "scale": {"padding": 0.04}}
    place = {"x": column, "y": row}
    shade = {"field": "share", "type": "quantitative", "scale": {"domain": [0, 1], "range": [0.07, 1]}, "legend": None}
    edge = {"condition": {"test": "datum.named === datum.actual", "value": INK}, "value": "none"}
    layers = [
        {
            "mark": {"type": "rect", "fill": HEAT, "cornerRadius": 3, "strokeWidth": 1.5},
            "encoding": {**place, "fillOpacity": shade, "stroke": edge},
        },
        text("said", place, align="center", yOffset=-7, fontWeight="bold"),
        text("count", place, align="center", yOffset=9, fontSize=11),
        note("named tier", 0, -28),
        note("actual", -40, -10),
    ]
    padding = {"left": 46, "right": 4, "top": 40, "bottom": 4}
    return canvas(cells, layers, height=46 * len(matrix), padding=padding, width=WIDTH - 20)


def reliability(bins: Values) -> Spec | None:
    """Return chances named against how often they came true, above bars of how many videos; none without videos."""
    filled = [found for found in bins if found["count"] and is_number(found["avgPredicted"])]
    if not filled:
        return None
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    said = across("avgPredicted", ticks, ".0%", grid=False)
    true = {**across("avgActual", ticks, ".0%"), "scale": {"domain": [0, 1], "range": [250, 0]}}
    size = {"field": "count", "type": "quantitative", "scale": {"range": [30, 250], "zero": True}, "legend": None}
    most = max(found["count"] for found in filled)
    counts = {
        "field": "count",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0, most], "range": [340, 292]},
    }
    diagonal = [{"avgPredicted": 0, "avgActual": 0, "x2": 1, "y2": 1}]
    honest = {
        "data": {"values": diagonal},
        "mark": {"type": "rule", "stroke": MUTED, "strokeDash": [4, 4]},
        "encoding": {"x": said, "y": true, "x2": {"field": "x2"}, "y2": {"field": "y2"}},
    }
    line = {"mark": {"type": "line", "stroke": ACCENT, "strokeWidth": 2}, "encoding": {"x": said, "y": true}}
    dot = {"mark": {"type": "circle", "fill": ACCENT, "opacity": 1}, "encoding": {"x": said, "y": true, "size": size}}
    bars_of_bins = {
        "mark": {"type": "bar", "fill": OTHER, "binSpacing": 2},
        "encoding": {
            "x": {**across("binStart", ticks, ".0%", grid=False), "bin": "binned"},
            "x2": {"field": "binEnd"},
            "y": counts,
        },
    }
    captions = [note("came true", 4, 10), note(f"videos by the chance said, at most {most:,} in a bar", 0, 280)]
    layers: list[Spec] = [{"layer": [honest, line, dot]}, bars_of_bins, *captions]
    padding = {"left": 40, "right": 20, "top": 10, "bottom": 26}
    spec = canvas(filled, layers, height=340, padding=padding, width=WIDTH - 30)
    return {**spec, "resolve": {"scale": {"y": "independent"}}}


def bars(rows: Sequence[tuple[str, float, str]], room: int = 60) -> Spec | None:
    """Return bars from sentence, length and how it is written, each under its sentence; none without rows.

    `room` is kept free beside the longest bar for what is written there.
    """
    shown = rows[:MAX_BARS]
    if not shown:
        return None
    longest = max(0.0, *(length for _, length, _ in shown)) or 1.0
    values = [
        {"row": place, "sentence": _two_lines(sentence), "length": max(length, 0.0), "said": said}
        for place, (sentence, length, said) in enumerate(shown)
    ]
    length_of = {
        "field": "length",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0, longest], "range": [0, WIDTH - room]},
    }
    layers = [
        {
            "mark": {"type": "bar", "fill": ACCENT, "height": 10, "yOffset": 16},
            "encoding": {"x": length_of, "y": _ROW},
        },
        text("sentence", {"x": {"value": 0}, "y": _ROW}, yOffset=-14, lineHeight=15),
        text("said", {"x": length_of, "y": _ROW}, xOffset=6, yOffset=16, fontSize=11, fill=MUTED),
    ]
    return canvas(values, layers, height=52 * len(shown), padding={"left": 15, "right": 15, "top": 4, "bottom": 4})


def _dot_ticks(rows: Sequence[Row], rule: Rule | None, is_share: bool) -> list[float]:
    ends = [end for row in rows for end in _ends(row.estimate)] + ([rule.at] if rule else [])
    low, high = min(ends), max(ends)
    spare = 0.06 * (high - low) or 0.05
    least, most = (low - spare if low < 0 else max(0.0, low - spare)), high + spare
    return nice_ticks(least, max(high, min(1.0, most)) if is_share else most)


def _ends(estimate: Mapping[str, Any] | None) -> list[float]:
    if estimate is None or not is_number(estimate["value"]):
        return []
    return [end for end in (estimate["value"], estimate["low"], estimate["high"]) if is_number(end)]


def _dot(place: int, row: Row) -> dict[str, Any]:
    ends = _ends(row.estimate)
    name = shortened(row.name, max(8, 54 - len(row.said)))
    spread = {"value": ends[0], "low": min(ends), "high": max(ends)} if ends else {"value": None}
    return {"row": place, "name": name, "said": row.said, "ours": row.ours, **spread}


def _ruled(rule: Rule, rows: int, ticks: Sequence[float], form: str) -> list[Spec]:
    along = (rule.at - ticks[0]) / (ticks[-1] - ticks[0])
    align = "left" if along < 0.25 else "right" if along > 0.75 else "center"
    x = across("at", ticks, form)
    marks = {
        "data": {"values": [{"at": rule.at, "row": row} for row in range(rows)]},
        "mark": {
            "type": "tick",
            "fill": LIMIT,
            "orient": "vertical",
            "size": 18,
            "thickness": 2,
            "yOffset": 8,
            "opacity": 1,
        },
        "encoding": {"x": x, "y": _ROW},
    }
    name = text("name", {"x": x, "y": {"value": -10}}, align=align, fill=LIMIT, fontSize=11)
    return [marks, {"data": {"values": [{"at": rule.at, "name": rule.name}]}, **name}]


def _two_lines(sentence: str) -> list[str]:
    lines = textwrap.wrap(shortened(sentence, 200), 54, max_lines=2, placeholder="…") or ["–"]
    return lines if len(lines) > 1 else ["", *lines]
