"""Ingest: exports into the database, all of them or nothing, and what was refused into a file."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

import orjson
import polars as pl
import sqlalchemy as sa

from groundswell import parsing
from groundswell.errors import DatabaseError, GroundswellError
from groundswell.frames import KEY, VIDEO_SCHEMA, RawChunk
from groundswell.records import Rejection, as_json, utc
from groundswell.settings import Settings
from groundswell.sources import open_export
from groundswell.stages.ingest import Cleaned, clean, reconcile, rounds
from groundswell.store import entries, videos
from groundswell.store.database import Database

#: What a run of it is called in the table of runs.
KIND = "ingest"
#: Called after each chunk with the number of rows read since the last call.
Progress = Callable[[int], None]


@dataclasses.dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of the rows: `read = inserted + updated + unchanged + rejected`.

    Of a file of videos, rows are inserted or updated as videos. Of a file of readings, a row is inserted as a
    snapshot, and unchanged where that reading is known already; it is never counted as updated, though the newest
    reading of a video updates its counters. `rejects_file` says where the refused rows are, None without any.
    """

    read: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    rejected_by: dict[str, int]
    rejects_file: str | None


def ingest(
    database: Database,
    settings: Settings,
    paths: Sequence[Path],
    *,
    as_of: datetime,
    format: str = "auto",  # noqa: A002
    rejects: Path | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Return what became of the rows of all the files, which are stored in one transaction and noted as a run.

    Refused rows go to `rejects`, by default to `rejects_path` and only where there are any. Raises SourceError for
    a file that cannot be read, and then nothing of any file is stored.
    """
    begun = entries.now(database)
    named = {"files": [path.name for path in paths]}
    try:
        report = _store_files(database, settings, paths, utc(as_of), format, rejects, progress)
    except Exception as error:
        with contextlib.suppress(DatabaseError):  # the first error says more
            entries.note_run(database, KIND, "failed", _why(error) | named, begun)
        raise
    told = {name: value for name, value in as_json(report).items() if name != "rejectsFile"}
    with contextlib.suppress(DatabaseError):  # the rows are stored, whether or not that can be noted
        entries.note_run(database, KIND, "completed", {"status": "completed"} | told | named, begun)
    return report


def _why(error: Exception) -> dict[str, Any]:
    told = {"status": "failed", "error": f"Ingest failed: {str(error) or type(error).__name__}"}
    return told | ({"hint": error.hint} if isinstance(error, GroundswellError) else {})


def _store_files(
    database: Database,
    settings: Settings,
    paths: Sequence[Path],
    moment: datetime,
    format: str,  # noqa: A002
    rejects: Path | None,
    progress: Progress | None,
) -> IngestReport:
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    refused = _Rejects(rejects or rejects_path(settings, moment), always=rejects is not None)
    with refused, _no_search_for_cycles(), database.begin() as connection:
        for path in paths:
            for chunk in open_export(path, format).chunks():
                done, rejections = _store(connection, chunk, parsing.text(str(path)) or "", moment)
                refused.write(rejections)
                outcomes.update(done)
                reasons.update(rejection.reason for rejection in rejections)
                if progress:
                    progress(len(chunk.lines) + len(chunk.broken))
        refused.publish()
    rejected = reasons.total()
    return IngestReport(
        outcomes.total() + rejected,
        outcomes["inserted"],
        outcomes["updated"],
        outcomes["unchanged"],
        rejected,
        dict(sorted(reasons.items())),
        str(refused.path) if refused.published else None,
    )


def rejects_path(settings: Settings, as_of: datetime) -> Path:
    """Return where the rejections of an ingest run go by default."""
    return settings.home / "rejects" / f"ingest-{utc(as_of):%Y%m%dT%H%M%S%fZ}.jsonl"


def _store(
    connection: sa.Connection, chunk: RawChunk, file: str, moment: datetime
) -> tuple[Counter[str], list[Rejection]]:
    """Store the rows of a chunk; return how many had each outcome, and the rejections of the others."""
    cleaned = clean(chunk, file, moment)
    if chunk.kind == "readings":
        return _store_readings(connection, cleaned, file, moment)
    outcomes: Counter[str] = Counter()
    for part in rounds(cleaned.frame):
        outcomes.update(_store_videos(connection, part, moment))
    return outcomes, cleaned.rejections


def _store_videos(connection: sa.Connection, incoming: pl.DataFrame, moment: datetime) -> Counter[str]:
    before = videos.stored(connection, incoming)
    result = reconcile(before, incoming)
    videos.insert(connection, result.insert, moment)
    _update(connection, result.update, before, moment)
    # An unknown moment is not unique: without it, only a reading that changed something is one that we had not.
    changed = pl.concat([result.insert, result.update]).select(*KEY, pl.lit(value=True).alias("changed"))
    marked = incoming.join(changed, on=KEY, how="left")
    readings = marked.filter(pl.col("scraped_at").is_not_null() | pl.col("changed").is_not_null())
    videos.append_snapshots(connection, readings, moment)
    return Counter(inserted=result.insert.height, updated=result.update.height, unchanged=result.unchanged.height)


def _store_readings(
    connection: sa.Connection, cleaned: Cleaned, file: str, moment: datetime
) -> tuple[Counter[str], list[Rejection]]:
    before = videos.stored(connection, cleaned.frame.unique(KEY))
    strangers = cleaned.frame.join(before, on=KEY, how="anti", maintain_order="left")
    known = cleaned.frame.join(before, on=KEY, how="semi", maintain_order="left")
    inserted = videos.append_snapshots(connection, known, moment)
    corrected = videos.correct_snapshots(connection, known, moment) if inserted < known.height else 0
    newest = known.sort("scraped_at").unique(KEY, keep="last")
    absent = [
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in VIDEO_SCHEMA.items() if name not in known.columns
    ]
    _update(connection, reconcile(before, newest.with_columns(absent)).update, before, moment)
    rejections = [
        Rejection(file, line, "platform_video_id", video, "unknown_video")
        for line, video in strangers.select("line", "platform_video_id").rows()
    ]
    everything = sorted([*cleaned.rejections, *rejections], key=lambda rejection: rejection.line)
    return Counter(inserted=inserted, updated=corrected, unchanged=known.height - inserted - corrected), everything


def _update(connection: sa.Connection, changed: pl.DataFrame, before: pl.DataFrame, moment: datetime) -> None:
    """Overwrite stored videos, after what they said until now has its place among the snapshots."""
    replaced = before.join(changed, on=KEY, how="semi").filter(pl.col("scraped_at").is_not_null())
    videos.append_snapshots(connection, replaced, moment)
    videos.update(connection, changed, before, moment)


@contextlib.contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Pause Python's search for cyclic garbage: rows hold none, and looking for it costs a third of the time."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


class _Rejects:
    """The rejects file of one run: it takes its name when all rows are stored, and goes if that fails."""

    def __init__(self, path: Path, *, always: bool) -> None:
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self.always = always
        self.stream: IO[bytes] | None = None
        self.published = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.stream is not None:
            self.stream.close()
            self.part.unlink(missing_ok=True)
        if kind is not None and self.published:
            self.path.unlink(missing_ok=True)

    def write(self, rejections: Sequence[Rejection]) -> None:
        """Add rejections, one JSON object a line."""
        if rejections:
            self._open().write(b"".join(orjson.dumps(rejection) + b"\n" for rejection in rejections))

    def publish(self) -> None:
        """Give the file its name, where there is anything in it or it was asked for."""
        if self.always or self.stream is not None:
            self._open().close()
            self.part.replace(self.path)
            self.published = True

    def _open(self) -> IO[bytes]:
        if self.stream is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.stream = self.part.open("wb")
            except OSError as error:
                raise GroundswellError(
                    f"The rejects file {self.path} cannot be written: {error.strerror}.",
                    "Name another with --rejects.",
                ) from None
        return self.stream
