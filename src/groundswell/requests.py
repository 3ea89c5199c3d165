"""Videos to predict, out of what a user has: a request's JSON, or an export of any known format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson

from groundswell.errors import RequestError, SourceError
from groundswell.predictor import REQUEST_FIELDS
from groundswell.sources import open_export

_HINT = 'Give {"videos": [{"views": 1200, "likes": 90, …}]}, or an export that `groundswell ingest` reads.'


def read_videos(given: bytes | Path) -> list[Any]:
    """Return request objects from JSON of a request or from an export; raises RequestError or SourceError."""
    name = "the input" if isinstance(given, bytes) else str(given)
    data = given if isinstance(given, bytes) else _bytes(given)
    content = _json(data)
    enveloped = content["videos"] if isinstance(content, dict) and isinstance(content.get("videos"), list) else None
    videos = enveloped if enveloped is not None else content if isinstance(content, list) else [content]
    if not all(isinstance(item, dict) and _is_request(item) for item in videos):
        videos = _from_export(data, name, enveloped)
    if not videos:
        raise RequestError("There is no video to predict.", _HINT)
    return videos


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from None


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _is_request(item: dict[str, Any]) -> bool:
    return "views" in item and set(item) <= {*REQUEST_FIELDS, *REQUEST_FIELDS.values()}


def _from_export(data: bytes, name: str, otherwise: list[Any] | None) -> list[Any]:
    """Return the videos of an export; what stands under `videos` in a request where it is none."""
    with tempfile.TemporaryDirectory(prefix="groundswell-") as folder:
        path = Path(folder) / "input"
        path.write_bytes(data)
        try:
            export = open_export(path)
        except SourceError as error:
            if otherwise is not None:
                return otherwise
            said = str(error).replace(str(path), name)
            raise RequestError(f"Neither a request nor a known export: {said}", _HINT) from None
        names = {column: name for name, column in REQUEST_FIELDS.items()}
        return [
            {names[column]: value for column, value in zip(chunk.columns, row, strict=True) if column in names}
            for chunk in export.chunks()
            for row in zip(*chunk.columns.values(), strict=True)
        ]
