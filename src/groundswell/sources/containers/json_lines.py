"""JSON lines: one object a line, read as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from groundswell.errors import SourceError
from groundswell.frames import BrokenLine
from groundswell.sources.batch import Batch, batch_of_objects, shown
from groundswell.sources.containers.compression import unpacked
from groundswell.sources.containers.json_text import BrokenJsonError, parsed

_BOM = b"\xef\xbb\xbf"


class JsonLines:
    """A file of JSON objects, one a line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the rows in order; lines that are no object are reported as broken, blank ones skipped.

        Raises SourceError where the last line breaks off: then the file is not the one that was written.
        """
        with unpacked(self.path) as stream:
            numbered = enumerate(stream, start=1)
            while batch := self._batch(numbered, size):
                yield batch

    def _batch(self, numbered: Iterator[tuple[int, bytes]], size: int) -> Batch | None:
        lines: list[int] = []
        rows: list[dict[str, Any]] = []
        broken: list[BrokenLine] = []
        read = 0
        for number, line in islice(numbered, size):
            read += 1
            text = line.removeprefix(_BOM) if number == 1 else line
            try:
                row = parsed(text)
            except BrokenJsonError:
                if text.strip():
                    broken.append(self._broken(number, text))
                continue
            if type(row) is dict:
                lines.append(number)
                rows.append(row)
            else:
                broken.append(BrokenLine(number, shown(text.strip()), "not_an_object"))
        return batch_of_objects(lines, rows, broken) if read else None

    def _broken(self, number: int, text: bytes) -> BrokenLine:
        if not text.endswith(b"\n"):
            raise SourceError(f"{self.path} is truncated: it breaks off within line {number}.")
        return BrokenLine(number, shown(text.strip()), "invalid_json")


def whole_objects(text: bytes) -> bool:
    """Return whether any line of the text is a JSON object.

    >>> whole_objects(b'oops\\n{"id": 1}\\n{"id"'), whole_objects(b"[")
    (True, False)
    """
    return any(_is_object(line) for line in text.split(b"\n"))


def first_lines(path: Path, count: int = 20) -> bytes:
    """Return the first lines of a file, however long they are."""
    with unpacked(path) as stream:
        return b"".join(islice(stream, count)).removeprefix(_BOM).lstrip()


def _is_object(line: bytes) -> bool:
    stripped = line.strip()
    if not (stripped.startswith(b"{") and stripped.endswith(b"}")):
        return False
    try:
        return isinstance(parsed(stripped), dict)
    except BrokenJsonError:
        return False
