"""A reliability diagram with its bands: what was said, what came true, and what chance alone would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from groundswell.reports import reading
from groundswell.reports.canvas import ACCENT, MUTED, OTHER, WIDTH, Spec, across, canvas, note
from groundswell.reports.words import Body

_PLOT, _COUNTS = (250.0, 0.0), (340.0, 292.0)
_TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
#: Which part of its bin a shaded band covers, and the most of the picture it may.
_BREADTH, _BROADEST = 0.62, 0.1


def filled(bins: Sequence[Body]) -> list[dict[str, Any]]:
    """Return the bins that can be drawn, each with every figure of a bin; an interval that is not known is a point."""
    told = []
    for one in bins:
        count, said, true = (reading.number(one, name) for name in ("count", "avgPredicted", "avgActual"))
        if not count or said is None or true is None:
            continue
        low, high = reading.number(one, "actualLow"), reading.number(one, "actualHigh")
        start, end = reading.number(one, "binStart"), reading.number(one, "binEnd")
        told.append(
            {
                "said": said,
                "true": true,
                "low": true if low is None else low,
                "high": true if high is None else high,
                "expectedLow": reading.number(one, "expectedLow"),
                "expectedHigh": reading.number(one, "expectedHigh"),
                "count": count,
                "start": said - 0.05 if start is None else start,
                "end": said + 0.05 if end is None else end,
            }
        )
    return told


def banded(bins: Sequence[Body]) -> Spec | None:
    """Return means of outcomes with their intervals over shaded bands of chance, above bars of counts; or none."""
    told = filled(bins)
    if not told:
        return None
    most = max(one["count"] for one in told)
    breadth = min(_BREADTH * min(one["end"] - one["start"] for one in told), _BROADEST)
    said, true = across("said", _TICKS, ".0%", grid=False), _up("true")
    bands = [
        {**one, "left": max(0.0, one["said"] - breadth / 2), "right": min(1.0, one["said"] + breadth / 2)}
        for one in told
        if one["expectedLow"] is not None and one["expectedHigh"] is not None
    ]
    shade = {
        "data": {"values": bands},
        "mark": {"type": "rect", "fill": OTHER, "opacity": 0.32, "cornerRadius": 2},
        "encoding": {
            "x": {**said, "field": "left"},
            "x2": {"field": "right"},
            "y": _up("expectedLow"),
            "y2": {"field": "expectedHigh"},
        },
    }
    honest = {
        "data": {"values": [{"said": 0, "true": 0, "x2": 1, "y2": 1}]},
        "mark": {"type": "rule", "stroke": MUTED, "strokeDash": [4, 4]},
        "encoding": {"x": said, "y": true, "x2": {"field": "x2"}, "y2": {"field": "y2"}},
    }
    interval = {
        "mark": {"type": "rule", "stroke": ACCENT, "strokeWidth": 2},
        "encoding": {"x": said, "y": _up("low"), "y2": {"field": "high"}},
    }
    dot = {"mark": {"type": "circle", "fill": ACCENT, "opacity": 1, "size": 60}, "encoding": {"x": said, "y": true}}
    counts = {
        "mark": {"type": "bar", "fill": OTHER, "binSpacing": 2},
        "encoding": {
            "x": {**across("start", _TICKS, ".0%", grid=False), "bin": "binned"},
            "x2": {"field": "end"},
            "y": {
                "field": "count",
                "type": "quantitative",
                "axis": None,
                "scale": {"domain": [0, most], "range": list(_COUNTS)},
            },
        },
    }
    remarks = [note("came true", 4, 10), note(f"how many said so, at most {most:,.0f} in a bar", 0, 280)]
    layers: list[Spec] = [{"layer": [shade, honest, interval, dot]}, counts, *remarks]
    padding = {"left": 40, "right": 20, "top": 10, "bottom": 26}
    spec = canvas(told, layers, height=340, padding=padding, width=WIDTH - 30)
    return {**spec, "resolve": {"scale": {"y": "independent"}}}


def _up(field: str) -> Spec:
    return {**across(field, _TICKS, ".0%"), "scale": {"domain": [0, 1], "range": list(_PLOT)}}
