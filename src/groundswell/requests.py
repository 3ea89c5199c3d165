"""Videos to predict, out of what a user has: a request's JSON, or an export of any known format."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import orjson

from groundswell.errors import RequestError, SourceError
from groundswell.predictor import REQUEST_FIELDS
from groundswell.records import Window
from groundswell.sources import open_export

_HINT = 'Give {"videos": [{"views": 1200, "likes": 90, …}]}, or an export that `groundswell ingest` reads.'


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The request objects, and the window they are asked about."""

    videos: list[Any]
    window: Window


def read_videos(given: bytes | Path, window: Window | None = None) -> Asked:
    """Return what is asked by JSON of a request or by an export; raises RequestError or SourceError.

    The window is the one given, else the one that the request names, else `observed`.
    """
    name = "the input" if isinstance(given, bytes) else str(given)
    data = given if isinstance(given, bytes) else _bytes(given)
    content = _json(data)
    enveloped = content["videos"] if isinstance(content, dict) and isinstance(content.get("videos"), list) else None
    videos = enveloped if enveloped is not None else content if isinstance(content, list) else [content]
    asked = window or _named_window(content)
    if not all(isinstance(item, dict) and _is_request(item, asked) for item in videos):
        videos = _from_export(data, name, enveloped)
    if not videos:
        raise RequestError("There is no video to predict.", _HINT)
    return Asked(videos, asked)


def _named_window(content: Any) -> Window:
    named = content.get("window") if isinstance(content, dict) else None
    try:
        return Window(named) if named else Window.OBSERVED
    except ValueError:
        raise RequestError(f"There is no window {named!r}.", f"Choose one of {', '.join(Window)}.") from None


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


def _is_request(item: dict[str, Any], window: Window) -> bool:
    """Return whether the object has only fields of a request; a described video has views, a planned one may not."""
    return (window.is_forecast or "views" in item) and set(item) <= {*REQUEST_FIELDS, *REQUEST_FIELDS.values()}


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
