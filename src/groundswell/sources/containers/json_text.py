"""JSON as scrapers write it: strict and fast where it can be, Python's lenient reader where it must."""

from __future__ import annotations

import json
from typing import Any

import orjson


class BrokenJsonError(ValueError):
    """The text is not JSON."""


def parsed(text: bytes) -> Any:
    """Return the value of a JSON text; raises BrokenJsonError.

    `NaN` and `Infinity`, which Python's own writer leaves, are read as such, so that the field is refused
    (`not_finite`) and not the line.

    >>> parsed(b'{"views": NaN}')
    {'views': nan}
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        strict = error
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BrokenJsonError(str(strict)) from None
