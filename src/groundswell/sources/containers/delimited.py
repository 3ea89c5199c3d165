"""CSV and its cousins: a header, then rows split by commas, semicolons or tabs, read as a stream."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from groundswell.errors import SourceError
from groundswell.frames import BrokenLine
from groundswell.sources.batch import Batch, batch_of_columns, shown
from groundswell.sources.containers.compression import beginning, unpacked

_DELIMITERS = (",", ";", "\t", "|")
#: A caption of 10 MB is one refused row; beyond this a quote was never closed.
_LONGEST_FIELD = 64 * 1024 * 1024
_LONGEST_HEADER = 1024 * 1024
_ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Delimited:
    """A file of delimited text whose first row names the columns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the rows in order, blank fields as None; a row of another width than the header's is broken.

        Raises SourceError for text that is not UTF-8 (or UTF-16 with its mark) and for a file that breaks off.
        """
        csv.field_size_limit(_LONGEST_FIELD)
        head = beginning(self.path)
        encoding = next((name for mark, name in _ENCODINGS.items() if head.startswith(mark)), "utf-8")
        with unpacked(self.path) as stream:
            text = io.TextIOWrapper(stream, encoding=encoding, newline="")
            try:
                yield from _Records(self.path, text, _delimiter(text)).batches(size)
            except UnicodeDecodeError:
                raise SourceError(
                    f"{self.path} is not an export: it is not text in UTF-8.", "Save it again as UTF-8."
                ) from None


class _Records:
    """The records of one open file, and where in it they stand."""

    def __init__(self, path: Path, text: IO[str], delimiter: str) -> None:
        self.path = path
        self.reader = csv.reader(self._watched(text), delimiter=delimiter, strict=True)
        self.whole = True  # whether the last line read ends as a line does
        self.line = 0  # the last line of the record before this one
        self.last = 0  # the first line of the newest record
        self.header = next((record for _, record in self._records() if isinstance(record, list)), [])

    def _watched(self, text: IO[str]) -> Iterator[str]:
        for line in text:
            self.whole = line.endswith(("\n", "\r"))
            yield line

    def batches(self, size: int) -> Iterator[Batch]:
        records = self._records()
        yield self._batch([])  # a table without rows still has its columns
        while some := list(islice(records, size)):
            yield self._batch(some)

    def _batch(self, records: list[tuple[int, list[str] | BrokenLine]]) -> Batch:
        width = len(self.header)
        rows = [(n, record) for n, record in records if isinstance(record, list) and len(record) == width]
        broken = [
            self._broken(n, record) for n, record in records if not isinstance(record, list) or len(record) != width
        ]
        values = zip(*(record for _, record in rows), strict=True) if rows else ([] for _ in self.header)
        columns: dict[str, list[Any]] = {
            name: [value or None for value in column] for name, column in zip(self.header, values, strict=True)
        }
        return batch_of_columns([number for number, _ in rows], columns, broken)

    def _records(self) -> Iterator[tuple[int, list[str] | BrokenLine]]:
        while True:
            start = self.line + 1
            try:
                record: list[str] | BrokenLine = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                record = self._unreadable(start, error)
            self.line = self.reader.line_num
            if record:
                self.last = start
                yield start, record

    def _unreadable(self, line: int, error: csv.Error) -> BrokenLine:
        if "unexpected end" in str(error):
            raise SourceError(f"{self.path} is truncated: it breaks off within the row of line {line}.") from None
        if "field limit" in str(error):
            raise SourceError(f"{self.path} has a quote in line {line} that is never closed.") from None
        return BrokenLine(line, str(error), "invalid_csv")

    def _broken(self, line: int, record: list[str] | BrokenLine) -> BrokenLine:
        if isinstance(record, BrokenLine):
            return record
        if not self.whole and len(record) < len(self.header) and line == self.last:
            raise SourceError(f"{self.path} is truncated: it breaks off within line {line}.")
        return BrokenLine(line, shown(",".join(record)), "wrong_field_count")


def _delimiter(text: IO[str]) -> str:
    """Return the delimiter that splits the header into the most columns, and leave the text at its start."""
    header = text.readline(_LONGEST_HEADER)
    text.seek(0)
    return max(_DELIMITERS, key=header.count)
