"""What every picture is made of: colours, sizes, axes, words; every length is set, so that pictures come out alike.

Colours are CSS variables of the page. No size depends on a font: names stand above what they name, rows have a fixed
height, ticks are chosen here. All are drawn for the width of a phone and grow with their box.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
Values = Sequence[Mapping[str, Any]]

WIDTH = 330
INK, MUTED, GRID, PAPER = "var(--ink)", "var(--muted)", "var(--grid)", "var(--paper)"
ACCENT, OTHER, LIMIT, HEAT = "var(--accent)", "var(--other)", "var(--limit)", "var(--heat)"
#: What keeps a line from striking through a word; the page paints it under the letters.
HALO = {"stroke": PAPER, "strokeWidth": 4, "strokeJoin": "round"}
_NICE_STEPS = (0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5)


def nice_ticks(low: float, high: float) -> list[float]:
    """Return up to five round numbers that hold both ends.

    >>> nice_ticks(0.41, 0.58)
    [0.4, 0.45, 0.5, 0.55, 0.6]
    >>> nice_ticks(0, 1)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    power = 10.0 ** math.ceil(math.log10(max(high - low, 1e-6)))
    for step in (nice * power for nice in _NICE_STEPS):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if 0 < last - first <= 4:
            return [round(step * place, 12) for place in range(first, last + 1)]
    return [low, low + power]


def tick_format(ticks: Sequence[float], is_share: bool) -> str:
    """Return the shortest format that tells the ticks apart.

    >>> tick_format([0.4, 0.45], True), tick_format([0.4, 0.425], True), tick_format([0.05, 0.075, 0.1], False)
    ('.0%', '.1%', '.3f')
    """
    scaled = [100 * tick for tick in ticks] if is_share else ticks
    places = next(
        (places for places in range(9) if all(abs(round(tick, places) - tick) < 1e-7 for tick in scaled)),
        9,
    )
    return f".{places}{'%' if is_share else 'f'}"


def across(field: str, ticks: Sequence[float], form: str, grid: bool = True) -> Spec:
    """Return the encoding of a field on a scale from the first tick to the last."""
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": [ticks[0], ticks[-1]], "nice": False, "zero": False},
        "axis": {"values": list(ticks), "format": form, "title": None, "grid": grid},
    }


def text(field: str, place: Spec, **mark: Any) -> Spec:
    """Return a layer that writes a field at a place."""
    style = {"type": "text", "align": "left", "baseline": "middle", "fontSize": 12, "fill": INK, **mark}
    return {"mark": style, "encoding": {**place, "text": {"field": field, "type": "nominal"}}}


def note(said: str, x: float, y: float, **mark: Any) -> Spec:
    """Return a layer that writes one remark at a place in pixels."""
    place = {"x": {"value": x}, "y": {"value": y}}
    return {"data": {"values": [{"said": said}]}, **text("said", place, **{"fontSize": 11, "fill": MUTED, **mark})}


def canvas(values: Values, layers: list[Spec], height: float, padding: Spec, width: float = WIDTH) -> Spec:
    """Return a whole picture of layers; `padding` is what is kept free for axes and remarks."""
    axis = {
        "labelColor": MUTED,
        "labelFontSize": 11,
        "labelOverlap": False,
        "labelBound": False,
        "labelFlush": False,
        "labelLimit": 0,
        "gridColor": GRID,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": width,
        "height": height,
        "padding": padding,
        "autosize": {"type": "none"},
        "background": None,
        "config": {"aria": False, "view": {"stroke": None}, "axis": axis, "font": "sans-serif"},
        "data": {"values": [dict(value) for value in values]},
        "layer": layers,
    }
