"""Files for people: JSON documents and pages, written whole or not at all; documents are read plain or gzipped."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson

from groundswell.errors import GroundswellError
from groundswell.store.files import write_whole

_GZIP = b"\x1f\x8b"


def write_document(path: Path, content: dict[str, Any]) -> None:
    """Store the content as JSON under the path, over what was there; a failure leaves that as it was.

    Raises GroundswellError where the path cannot be written.
    """
    data = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
    _write(path, data, "Name another place with --out, or set GROUNDSWELL_HOME.")


def write_page(path: Path, page: str) -> None:
    """Store an HTML page under the path, as `write_document` does a document; errors as there."""
    _write(path, page.encode(), "Name another place with --html.")


def _write(path: Path, data: bytes, hint: str) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise GroundswellError(f"{path} cannot be written: {error.strerror}.", hint) from None


def read_document(path: Path, error: type[GroundswellError]) -> dict[str, Any]:
    """Return the JSON object in the file, gzipped or not; raises `error` saying why it cannot be read."""
    try:
        data = path.read_bytes()
        content = orjson.loads(gzip.decompress(data) if data.startswith(_GZIP) else data)
    except FileNotFoundError:
        raise error(f"There is no file {path}.") from None
    except (OSError, EOFError, orjson.JSONDecodeError) as reason:
        raise error(f"{path} cannot be read as JSON: {reason}.") from None
    if not isinstance(content, dict):
        raise error(f"{path} holds no JSON object.")
    return content
