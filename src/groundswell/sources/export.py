"""An export: a file whose container and format are known, and the chunks of raw rows it yields."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from groundswell.errors import SourceError
from groundswell.frames import RawChunk
from groundswell.sources.batch import Container
from groundswell.sources.containers import open_container
from groundswell.sources.format import Format, chunk, names
from groundswell.sources.formats import ALL

#: The names of the export formats, as `--format` takes them.
FORMATS: tuple[str, ...] = tuple(layout.name for layout in ALL)
_HEAD_ROWS = 200


@dataclasses.dataclass(frozen=True)
class Export:
    """A recognised export file."""

    path: Path
    container: Container
    layout: Format

    @property
    def format(self) -> str:
        """The name of its format, one of FORMATS."""
        return self.layout.name

    @property
    def kind(self) -> Literal["videos", "readings"]:
        """Whether its rows are videos or readings."""
        return self.layout.kind

    def chunks(self, size: int = 20_000) -> Iterator[RawChunk]:
        """Yield all rows in order, at most `size` at a time; raises SourceError where the file is damaged."""
        for batch in self.container.batches(size):
            yield chunk(batch, self.layout)


def open_export(path: Path, format: str = "auto") -> Export:  # noqa: A002
    """Return the file as an export, its format recognised by content unless it is named.

    Raises SourceError where the file cannot be read, is in no known format, or not in the one named.
    """
    wanted = _wanted(format)
    container = open_container(path)
    keys = _first_keys(container)
    layout = next((candidate for candidate in wanted if candidate.recognises(keys)), None)
    if layout is None:
        raise _unrecognised(path, format, keys)
    return Export(path, container, layout)


def _wanted(name: str) -> tuple[Format, ...]:
    if name == "auto":
        return ALL
    wanted = tuple(candidate for candidate in ALL if candidate.name == name)
    if not wanted:
        raise SourceError(f"There is no format {name!r}.", f"Use one of auto, {', '.join(FORMATS)}.")
    return wanted


def _first_keys(container: Container) -> frozenset[str]:
    for batch in container.batches(_HEAD_ROWS):
        if batch.keys:
            return names(batch.keys)
    raise SourceError(f"{container.path} holds no rows.", "Check that the download is complete.")


def _unrecognised(path: Path, format: str, keys: frozenset[str]) -> SourceError:  # noqa: A002
    seen = ", ".join(sorted(keys)[:8])[:200]
    if format == "auto":
        known = ", ".join(candidate.title for candidate in ALL)
        return SourceError(f"{path} is in no known export format; its columns begin: {seen}.", f"Known are {known}.")
    return SourceError(
        f"{path} is not in the format {format!r}; its columns begin: {seen}.",
        "Leave --format out to have it recognised.",
    )
