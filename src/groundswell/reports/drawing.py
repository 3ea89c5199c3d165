"""From a Vega-Lite spec to an inline SVG: drawn in this process, by the bundle inside vl-convert, without a network."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import orjson
import vl_convert
from markupsafe import Markup

_OPENING = re.compile(r"^<svg[^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>")
#: Pictures that are kept, some 20 kB each: drawing one takes 40 ms, in which no other thread of Python runs.
_KEPT = 512


def drawn(spec: Mapping[str, Any], says: str) -> Markup:
    """Return the picture as an SVG element that tells a screen reader what it says.

    Its colours are CSS variables of the page, so that one drawing serves light, dark and paper; its size is that of
    its box. The namespaces that a file of its own would need are left out.
    """
    width, height, inner = _drawn(orjson.dumps(spec, option=orjson.OPT_SERIALIZE_NUMPY))
    opening = Markup('<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}">').format(says, width, height)
    return opening + Markup(inner)  # noqa: S704 - Vega has escaped what it was given


def warm_up() -> None:
    """Draw a first picture, which takes most of a second in which no other thread runs; those after it are quick.

    It has a layer of each kind of mark that ours have: the first of a kind takes twice as long as the next.
    """
    place = {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "nominal"}}
    layers = [{"mark": mark, "encoding": place} for mark in ("bar", "rule", "point", "line", "area", "text")]
    schema, values = "https://vega.github.io/schema/vega-lite/v6.json", [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]
    drawn({"$schema": schema, "data": {"values": values}, "layer": layers}, "nothing")


@functools.lru_cache(maxsize=_KEPT)
def _drawn(spec: bytes) -> tuple[str, str, str]:
    """Return width, height and what is inside the SVG element of a spec, given as JSON."""
    svg = vl_convert.vegalite_to_svg(spec.decode(), allowed_base_urls=[])
    found = _OPENING.match(svg)
    if found is None:
        raise ValueError(f"not an SVG of known size: {svg[:80]}")
    return found.group(1), found.group(2), svg[found.end() :]
