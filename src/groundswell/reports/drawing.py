"""From a Vega-Lite spec to an inline SVG: drawn in this process, by the bundle inside vl-convert, without a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import vl_convert
from markupsafe import Markup

_OPENING = re.compile(r"^<svg[^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>")


def drawn(spec: Mapping[str, Any], says: str) -> Markup:
    """Return the picture as an SVG element that tells a screen reader what it says.

    Its colours are CSS variables of the page, so that one drawing serves light, dark and paper; its size is that of
    its box. The namespaces that a file of its own would need are left out.
    """
    svg = vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=[])
    found = _OPENING.match(svg)
    if found is None:
        raise ValueError(f"not an SVG of known size: {svg[:80]}")
    width, height = found.groups()
    opening = Markup('<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}">').format(says, width, height)
    return opening + Markup(svg[found.end() :])  # noqa: S704 - Vega has escaped what it was given
