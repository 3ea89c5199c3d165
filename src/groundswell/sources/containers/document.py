"""A JSON document: an array of objects, or an answer of an API around one. It is held in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from groundswell.errors import SourceError
from groundswell.frames import BrokenLine
from groundswell.sources.batch import Batch, batch_of_objects, shown
from groundswell.sources.containers.compression import unpacked
from groundswell.sources.containers.json_text import BrokenJsonError, parsed

#: Where answers of scraping services and APIs keep their rows.
_ENVELOPES = ("data", "videos", "items", "itemList", "results", "aweme_list", "rows")


class Document:
    """A file that is one JSON value."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the rows in order; a row's line is its number in the array."""
        rows = self.rows()
        for start in range(0, len(rows), size):
            yield _batch(start, rows[start : start + size])

    def rows(self) -> list[Any]:
        """Return the items of the document; raises SourceError where it is not JSON from end to end."""
        return self._rows

    @cached_property
    def _rows(self) -> list[Any]:
        with unpacked(self.path) as stream:
            text = stream.read().removeprefix(b"\xef\xbb\xbf")
        try:
            return items(parsed(text))
        except BrokenJsonError as error:
            raise SourceError(f"{self.path} is not complete JSON: {error}.") from None


def items(value: Any) -> list[Any]:
    """Return the rows of a JSON value: of a list, of the list in an answer's envelope, or the value as only row.

    >>> items({"data": {"videos": [{"id": 1}], "cursor": 9}})
    [{'id': 1}]
    """
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for name in _ENVELOPES:
            if isinstance(value.get(name), (list, dict)):
                return items(value[name])
    return [value]


def _batch(start: int, rows: list[Any]) -> Batch:
    numbered = list(enumerate(rows, start=start + 1))
    objects = [(number, row) for number, row in numbered if isinstance(row, dict)]
    broken = [
        BrokenLine(number, shown(repr(row)), "not_an_object") for number, row in numbered if not isinstance(row, dict)
    ]
    return batch_of_objects([number for number, _ in objects], [row for _, row in objects], broken)
