"""Some rows of a container, seen by column: what every container yields and every format reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from groundswell.frames import BrokenLine

#: How much of a broken line is shown.
SHOWN_CHARACTERS = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Rows with the line of each, the keys that occur in any of them, and the values of a key."""

    lines: list[int]
    keys: frozenset[str]
    values: Callable[[str], list[Any]]
    broken: list[BrokenLine] = dataclasses.field(default_factory=list)


class Container(Protocol):
    """A file as rows, whatever the rows mean."""

    path: Path

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield all rows in order, at most `size` at a time; raises SourceError where the file is damaged."""
        ...


def batch_of_objects(lines: list[int], rows: list[dict[str, Any]], broken: list[BrokenLine] | None = None) -> Batch:
    """Return JSON objects as a batch.

    >>> batch = batch_of_objects([1, 2], [{"id": 7}, {"views": 3}])
    >>> sorted(batch.keys), batch.values("views")
    (['id', 'views'], [None, 3])
    """
    keys = frozenset[str]().union(*rows)
    return Batch(lines, keys, lambda key: [row.get(key) for row in rows], broken or [])


def batch_of_columns(lines: list[int], columns: dict[str, list[Any]], broken: list[BrokenLine] | None = None) -> Batch:
    """Return columns as a batch."""
    return Batch(lines, frozenset(columns), columns.__getitem__, broken or [])


def shown(line: str | bytes) -> str:
    """Return the beginning of a broken line, fit for the rejects file.

    >>> shown(b'{"id": \\xff')
    '{"id": �'
    """
    head = line[:SHOWN_CHARACTERS]
    return (head.decode("utf-8", "replace") if isinstance(head, bytes) else head).replace("\x00", "�")
