"""The log of a run: what is said while it runs, kept in the database step by step."""

from __future__ import annotations

import contextlib
import contextvars
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa

from groundswell.errors import DatabaseError
from groundswell.logs import spoken
from groundswell.store import run_lines
from groundswell.store.database import Database
from groundswell.store.run_lines import Line

#: A run that says more is heard no further.
MOST_LINES = 2_000
_LONGEST = 10_000
_FULL = f"A run's log is kept up to {MOST_LINES:,} lines; what it said beyond them is in the log of its process alone."

_current: contextvars.ContextVar[RunLog | None] = contextvars.ContextVar("run_log", default=None)


class RunLog(logging.Handler):
    """Gathers the lines of one run; `flush` stores them, so that a killed run keeps what it had said by then."""

    def __init__(self, database: Database, run_id: str) -> None:
        super().__init__(logging.INFO)
        self._database, self._run_id = database, run_id
        self._waiting: list[Line] = []
        self._number = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line that was said in this run, and not elsewhere in the process."""
        if _current.get() is not self or self._number >= MOST_LINES:
            return
        self._number += 1
        last = self._number == MOST_LINES
        said, level = (_FULL, "warning") if last else (_storable(spoken(record)), record.levelname.lower())
        self._waiting.append(Line(self._number, datetime.fromtimestamp(record.created, UTC), level, said))

    def flush(self) -> None:
        """Store the lines that wait; where that fails they wait on, and the run goes on."""
        with self.lock or contextlib.nullcontext():
            waiting, self._waiting = self._waiting, []
        try:
            run_lines.add(self._database, self._run_id, waiting)
        except (DatabaseError, sa.exc.SQLAlchemyError):
            with self.lock or contextlib.nullcontext():
                self._waiting = waiting + self._waiting


@contextlib.contextmanager
def kept_log(database: Database, run_id: str) -> Iterator[RunLog]:
    """Keep what is said in the block as the log of the run."""
    kept, root = RunLog(database, run_id), logging.getLogger()
    token = _current.set(kept)
    root.addHandler(kept)
    try:
        yield kept
    finally:
        root.removeHandler(kept)
        _current.reset(token)
        kept.flush()


def _storable(said: str) -> str:
    """Return the text as both databases can hold it."""
    return said[:_LONGEST].encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
