"""How a file holds rows (JSON, JSON lines, CSV, Parquet), found out by looking into it, never by its name."""

from __future__ import annotations

from pathlib import Path

from groundswell.errors import SourceError
from groundswell.sources.batch import Container
from groundswell.sources.containers.compression import beginning
from groundswell.sources.containers.delimited import Delimited
from groundswell.sources.containers.document import Document
from groundswell.sources.containers.json_lines import JsonLines, first_lines, whole_objects
from groundswell.sources.containers.parquet import Parquet

_FOREIGN = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"PK\x03\x04": "a zip archive (or an Excel workbook)",
    b"SQLite format 3": "an SQLite database",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"BZh": "a bzip2 archive",
    b"ORC": "an ORC file",
    b"ARROW1": "an Arrow file",
}
_UNPACK = "Unpack or export it as JSON, JSONL, CSV or Parquet."


def open_container(path: Path) -> Container:
    """Return the file as rows; raises SourceError for what is missing, empty or no table of any kind."""
    try:
        found = path.exists()
    except OSError as error:  # a name too long, or a folder that we may not enter
        raise SourceError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from None
    if not found:
        raise SourceError(f"{path} does not exist.", "Check the path.")
    if not path.is_file():
        raise SourceError(f"{path} is not a file.", "Name the export files themselves.")
    head = beginning(path)
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise SourceError(f"{path} is empty.", "Check that the download is complete.")
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise SourceError(f"{path} is {what}, not an export.", _UNPACK)
    if head.startswith(b"PAR1"):
        return Parquet(path)
    return _text(path, head.removeprefix(b"\xef\xbb\xbf").lstrip())


def _text(path: Path, head: bytes) -> Container:
    if head.startswith(b"<"):
        raise SourceError(f"{path} is an HTML or XML page, not an export.", "Save the data, not the page around it.")
    if head.startswith((b"{", b"[")):
        return _json(path)
    return JsonLines(path) if whole_objects(head) else Delimited(path)


def _json(path: Path) -> Container:
    """Tell a document from JSON lines: a document over many lines has no whole object in its first."""
    first, _, rest = first_lines(path).partition(b"\n")
    if whole_objects(first) and rest.strip():
        return JsonLines(path)
    document = Document(path)
    try:
        document.rows()
    except SourceError:
        if first.startswith(b"{") and whole_objects(rest):
            return JsonLines(path)
        raise
    return document
