"""An export format as a table: which canonical column stands where in a row, and how the format is recognised."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

from groundswell.frames import RawChunk
from groundswell.sources.batch import Batch

_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ITEM = re.compile(r"(?P<path>.+?)\.\d+(\.(name|title))?")


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """One export format.

    `fields` names for each canonical column the paths where it may stand; the first that is not blank wins.
    Paths are dotted; their first part (or the whole path, where an export flattens objects into `a.b` or `a/b`) is
    compared by its normal spelling, so `playCount`, `Play Count` and `play_count` are one name.
    `recognises` is asked with the normal spellings of all keys at the beginning of a file.
    """

    name: str
    title: str
    kind: Literal["videos", "readings"]
    fields: Mapping[str, tuple[str, ...]]
    recognises: Callable[[frozenset[str]], bool]
    constants: Mapping[str, str] = dataclasses.field(default_factory=dict)


@lru_cache(maxsize=4096)
def normal(key: str) -> str:
    """Return a key in its normal spelling.

    >>> normal("playCount"), normal("Video ID"), normal("authorMeta/fans")
    ('play_count', 'video_id', 'author_meta.fans')
    """
    spaced = _CAMEL_HUMP.sub("_", key.strip().replace("/", "."))
    return re.sub(r"[\s\-]+", "_", spaced).lower()


def names(keys: frozenset[str]) -> frozenset[str]:
    """Return the normal spellings of keys, and of the objects that flattened keys belong to.

    >>> sorted(names(frozenset({"authorMeta.fans"})))
    ['author_meta', 'author_meta.fans']
    """
    spelled = {normal(key) for key in keys}
    return frozenset(spelled | {name.split(".")[0] for name in spelled})


def chunk(batch: Batch, layout: Format) -> RawChunk:
    """Return the raw values of a batch by canonical column.

    >>> from groundswell.sources.batch import batch_of_objects
    >>> clip = Format("clip", "a clip", "videos", {"views": ("stats.plays", "plays")}, lambda keys: True)
    >>> chunk(batch_of_objects([1, 2], [{"stats": {"plays": 5}}, {"plays": 6}]), clip).columns
    {'views': [5, 6]}
    """
    spellings: dict[str, list[str]] = {}
    for key in sorted(batch.keys):
        spellings.setdefault(normal(key), []).append(key)
    columns: dict[str, list[Any]] = {}
    for column, paths in layout.fields.items():
        found = [values for path in paths for values in _at(batch, spellings, path)]
        if found:
            # Two columns of ids are ids of two things: where the video's own is blank, the other is no substitute.
            columns[column] = found[0] if column == "platform_video_id" else _first_present(found)
    for column, constant in layout.constants.items():
        columns[column] = [constant] * len(batch.lines)
    return RawChunk(layout.kind, batch.lines, columns, batch.broken)


def _at(batch: Batch, spellings: dict[str, list[str]], path: str) -> list[list[Any]]:
    """Return the columns found at a path: flat, flattened item by item, or inside objects."""
    found = [batch.values(key) for key in spellings.get(normal(path), ())]
    if found:
        return found
    head, *inner = path.split(".")
    if inner:
        return [_inside(batch.values(key), inner) for key in spellings.get(normal(head), ())]
    return _items(batch, spellings, normal(path))


def _inside(values: list[Any], inner: list[str]) -> list[Any]:
    for part in inner:
        values = [value.get(part) if type(value) is dict else None for value in values]
    return values


def _items(batch: Batch, spellings: dict[str, list[str]], path: str) -> list[list[Any]]:
    """Return the lists that a spreadsheet export wrote as `hashtags/0/name`, `hashtags/1/name`, …"""
    matches = ((_ITEM.fullmatch(name), keys) for name, keys in spellings.items())
    parts = [batch.values(keys[0]) for match, keys in matches if match and match["path"] == path]
    return [[list(items) for items in zip(*parts, strict=True)]] if parts else []


def _first_present(found: list[list[Any]]) -> list[Any]:
    first, *others = found
    for values in others:
        first = [b if a is None or a == "" else a for a, b in zip(first, values, strict=True)]
    return first
