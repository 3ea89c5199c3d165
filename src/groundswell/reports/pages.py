"""HTML pages from templates, in which everything is escaped that a template did not write itself."""

from __future__ import annotations

from typing import Any

import jinja2

from groundswell.reports import words

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("groundswell.reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"count": words.count, "share": words.share, "figure": words.figure}


def page(template: str, **values: Any) -> str:
    """Return one HTML page; it links to nothing and runs nothing."""
    return _ENVIRONMENT.get_template(template).render(**values)
