"""Readings: a video's counters at one moment, and nothing else about it."""

from groundswell.sources.format import Format
from groundswell.sources.formats.canonical import COUNTERS, IDENTITY, SCRAPED_AT, columns

FIELDS = {**IDENTITY, **SCRAPED_AT, **COUNTERS}
_NAMES = frozenset(alias for aliases in FIELDS.values() for alias in aliases)


def _recognises(keys: frozenset[str]) -> bool:
    found = columns(keys, FIELDS)
    return keys <= _NAMES and found >= {"platform_video_id", "scraped_at"} and bool(found & COUNTERS.keys())


READINGS = Format(
    name="readings",
    title="readings",
    kind="readings",
    fields=FIELDS,
    recognises=_recognises,
)
