"""The pictures of one prediction: the chance of each tier, and how the score moves with what can still be chosen."""

from __future__ import annotations

from collections.abc import Sequence

from groundswell.reports import words
from groundswell.reports.canvas import (
    ACCENT,
    GRID,
    HALO,
    INK,
    MUTED,
    OTHER,
    WIDTH,
    Spec,
    canvas,
    nice_ticks,
    note,
    text,
    tick_format,
)
from groundswell.reports.parts import Picture, picture

_HEIGHT, _LEFT, _RIGHT = 150, 40, 18
_SIDE = WIDTH - _LEFT + 30 - _RIGHT
#: Differences of fewer points than this are not worth choosing by.
SMALL = 1.0

Point = tuple[str, float]


def chances(probabilities: Sequence[float], tier: int, held: range) -> Picture:
    """Return the chance of each tier, the highest first; `held` are the tiers of the range."""
    rows = [
        {
            "row": 5 - number,
            "name": f"Tier {number}: {words.TIERS[number]}",
            "share": share,
            "said": f"{share:.0%}",
            "inside": number in held,
            "likeliest": number == tier,
        }
        for number, share in enumerate(probabilities, start=1)
    ]
    row: Spec = {"field": "row", "type": "ordinal", "axis": None, "scale": {"padding": 0}}
    length = {
        "field": "share",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [0, max(probabilities)], "range": [0, WIDTH - 8]},
    }
    bold = {"expr": "datum.likeliest ? 'bold' : 'normal'"}
    layers = [
        {
            "mark": {"type": "bar", "height": 12, "yOffset": 10, "cornerRadiusEnd": 2},
            "encoding": {
                "x": length,
                "y": row,
                "fill": {"condition": {"test": "datum.inside", "value": ACCENT}, "value": OTHER},
            },
        },
        text("name", {"x": {"value": 0}, "y": row}, yOffset=-7, fontWeight=bold, **HALO),
        text("said", {"x": {"value": WIDTH}, "y": row}, yOffset=-7, fontWeight=bold, align="right", **HALO),
    ]
    spec = canvas(rows, layers, height=40 * len(rows), padding={"left": 15, "right": 15, "top": 4, "bottom": 4})
    says = f"Chance of each tier: {'; '.join(f'tier {n} {share:.0%}' for n, share in enumerate(probabilities, 1))}."
    how = (
        "Longer bars are likelier tiers; all five add up to 100%. The bold one is the likeliest, the blue ones are the "
        "range: it is chosen so that 8 in 10 such videos land inside it."
    )
    return picture("How likely each tier is", spec, says, how)


def choices(title: str, points: Sequence[Point], chosen: str | None, what: str, every: int = 1) -> Picture:
    """Return the calibrated score for each choice of one thing, such as the hour; `every` so manieth is labelled."""
    if not points:
        return Picture(title, None, "")
    low, high = min(value for _, value in points), max(value for _, value in points)
    ticks = nice_ticks(max(0.0, low - 1.5), min(100.0, high + 1.5))
    values = [
        {"place": place, "value": value, "ours": name == chosen, "said": f"{value:.0f}"}
        for place, (name, value) in enumerate(points)
    ]
    x = {
        "field": "place",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [-0.5, len(points) - 0.5], "nice": False, "zero": False},
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [ticks[0], ticks[-1]], "range": [_HEIGHT, 0], "nice": False, "zero": False},
        "axis": {"values": ticks, "format": tick_format(ticks, is_share=False), "title": None, "grid": True},
    }
    labels = [
        {"place": place, "label": name}
        for place, (name, _) in enumerate(points)
        if name == chosen or (place % every == 0 and not _beside(place, points, chosen, every))
    ]
    ours = [one for one in values if one["ours"]]
    upright = {"x": x, "y": {"value": 0}, "y2": {"value": _HEIGHT}}
    layers: list[Spec] = [
        {"data": {"values": ours}, "mark": {"type": "rule", "stroke": GRID, "strokeWidth": 10}, "encoding": upright},
        {"mark": {"type": "line", "stroke": ACCENT, "strokeWidth": 2}, "encoding": {"x": x, "y": y}},
        {
            "mark": {"type": "circle", "opacity": 1},
            "encoding": {
                "x": x,
                "y": y,
                "fill": {"condition": {"test": "datum.ours", "value": INK}, "value": ACCENT},
                "size": {"condition": {"test": "datum.ours", "value": 110}, "value": 36},
            },
        },
        {
            "data": {"values": labels},
            **text("label", {"x": x, "y": {"value": _HEIGHT + 14}}, align="center", fontSize=11, fill=MUTED),
        },
        note("calibrated score", 0, -12),
    ]
    padding = {"left": _LEFT, "right": _RIGHT, "top": 24, "bottom": 28}
    spec = canvas(values, layers, _HEIGHT, padding, _SIDE)
    says = f"{title}: {'; '.join(f'{name} {value:.1f}' for name, value in points)}."
    how = f"{_swing(points, what)} The large dot is what you typed; the scale does not begin at 0."
    return picture(title, spec, says, how)


def _beside(place: int, points: Sequence[Point], chosen: str | None, every: int) -> bool:
    """Return whether a label would touch that of what was chosen."""
    at = next((number for number, (name, _) in enumerate(points) if name == chosen), None)
    return at is not None and every > 1 and 0 < abs(place - at) < every


def _swing(points: Sequence[Point], what: str) -> str:
    worst, best = min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])
    swing = best[1] - worst[1]
    if swing < SMALL:
        return f"All else as you typed it, {what} hardly matters here: less than one point of score."
    return (
        f"All else as you typed it, {what} moves the score by up to {words.points(swing)}: lowest at {worst[0]}, "
        f"highest at {best[0]}. This is what the model has seen go together, not what causes views."
    )
