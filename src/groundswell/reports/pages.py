"""HTML pages from templates, in which everything is escaped that a template did not write itself."""

from __future__ import annotations

from typing import Any

import jinja2

from groundswell.reports import words

#: The templates of reports, and the parts that other pages share with them.
LOADER = jinja2.PackageLoader("groundswell.reports")


def environment(loader: jinja2.BaseLoader = LOADER) -> jinja2.Environment:
    """Return where templates are filled: everything is escaped, and a value that is not given is an error."""
    made = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"count": words.count, "share": words.share, "figure": words.figure}
    return made


_ENVIRONMENT = environment()


def page(template: str, **values: Any) -> str:
    """Return one HTML page; it links to nothing and runs nothing."""
    return _ENVIRONMENT.get_template(template).render(**values)
