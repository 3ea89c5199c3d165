"""What a stored body holds, read without surprises: what is missing, null or of another kind reads as not known.

A page of an audit is made from what was stored, perhaps a year ago and by an older version, so nothing here raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from groundswell.reports.words import UNKNOWN, Body

_NO_ESTIMATE: Body = {"value": None, "low": None, "high": None, "n": None}


def found(body: Any, *keys: str) -> Any:
    """Return what lies at the end of the keys, or None.

    >>> found({"a": {"b": 3}}, "a", "b"), found({"a": None}, "a", "b")
    (3, None)
    """
    for key in keys:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def part(body: Any, *keys: str) -> Body:
    """Return the object at the end of the keys; an empty one where there is none."""
    inner = found(body, *keys)
    return inner if isinstance(inner, Mapping) else {}


def parts(body: Any, *keys: str) -> list[Body]:
    """Return the objects of the list at the end of the keys."""
    inner = found(body, *keys)
    return [one for one in inner if isinstance(one, Mapping)] if isinstance(inner, list | tuple) else []


def number(body: Any, *keys: str) -> float | None:
    """Return the finite number at the end of the keys, if there is one.

    >>> number({"n": 3}, "n"), number({"n": "3"}, "n"), number({"n": float("nan")}, "n"), number({"n": True}, "n")
    (3, None, None, None)
    """
    inner = found(body, *keys)
    known = isinstance(inner, int | float) and not isinstance(inner, bool) and math.isfinite(inner)
    return inner if known else None


def numbers(body: Any, *keys: str) -> list[float]:
    """Return the finite numbers of the list at the end of the keys."""
    inner = found(body, *keys)
    read = [number({"one": one}, "one") for one in inner] if isinstance(inner, list | tuple) else []
    return [one for one in read if one is not None]


def whole(body: Any, *keys: str) -> int | None:
    """Return the whole number at the end of the keys, if there is one."""
    inner = number(body, *keys)
    return None if inner is None else round(inner)


def said(body: Any, *keys: str, unknown: str = UNKNOWN) -> str:
    """Return the text at the end of the keys, or that it is not known."""
    inner = found(body, *keys)
    return inner if isinstance(inner, str) and inner else unknown


def truth(body: Any, *keys: str) -> bool | None:
    """Return the yes or no at the end of the keys, or None."""
    inner = found(body, *keys)
    return inner if isinstance(inner, bool) else None


def estimate(body: Any, *keys: str) -> Body:
    """Return the estimate at the end of the keys with all of `value`, `low`, `high` and `n`; a bare number counts."""
    inner = found(body, *keys)
    if isinstance(inner, Mapping):
        return {name: number(inner, name) for name in _NO_ESTIMATE}
    return {**_NO_ESTIMATE, "value": number({"value": inner}, "value")}


def moment(body: Any, *keys: str) -> datetime | None:
    """Return the moment at the end of the keys in UTC, if it can be read.

    >>> moment({"at": "2025-06-01T14:30:00+02:00"}, "at"), moment({"at": "soon"}, "at")
    (datetime.datetime(2025, 6, 1, 12, 30, tzinfo=datetime.timezone.utc), None)
    """
    try:
        read = datetime.fromisoformat(said(body, *keys))
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def day(body: Any, *keys: str) -> str:
    """Return the day of the moment at the end of the keys."""
    read = moment(body, *keys)
    return UNKNOWN if read is None else f"{read:%Y-%m-%d}"


def minute(body: Any, *keys: str) -> str:
    """Return the moment at the end of the keys to the minute."""
    read = moment(body, *keys)
    return UNKNOWN if read is None else f"{read:%Y-%m-%d %H:%M} UTC"
