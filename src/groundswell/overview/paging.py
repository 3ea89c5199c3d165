"""A part of a list, and how it is told: what was asked for, how many there are in all."""

from __future__ import annotations

from typing import Any

from groundswell.store.listing import Part

#: How many entries a part has where nobody says otherwise, and the most it may have.
USUAL, MOST = 50, 200


def told_part(part: Part, total: int) -> dict[str, int]:
    """Return the paging of an answer.

    >>> told_part(Part(50, 100), 120)
    {'total': 120, 'limit': 50, 'offset': 100}
    """
    return {"total": total, "limit": part.limit, "offset": part.offset}


def seconds_between(start: Any, end: Any) -> float | None:
    """Return the seconds between two moments; None where one is not known."""
    return None if start is None or end is None else round((end - start).total_seconds(), 3)
