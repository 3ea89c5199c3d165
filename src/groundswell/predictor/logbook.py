"""The logbook: predictions on their way into the database, in the order in which they were made.

A writer thread stores whatever has gathered in one transaction, so that sixty requests cost one commit. A request waits
for its own rows, but only for a moment: while the database is away or busy, predictions are answered all the same, and
stored once it is back. What then finds no room is counted and told, never dropped in silence.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

log = structlog.stdlib.get_logger("predictor")

Rows = Sequence[Mapping[str, Any]]
#: Rows that may wait for the database; a row takes about two kilobytes.
MOST_WAITING = 100_000
#: Seconds that an answer waits for its rows to be stored.
PATIENCE_SECONDS = 0.5
#: Seconds between attempts while the database is away.
_RETRY_SECONDS = 1.0
#: Seconds that the rows still waiting are given when the process ends.
_LAST_SECONDS = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """Rows stored, rows waiting, rows lost for want of room, and why rows wait (None: they do not)."""

    stored: int
    waiting: int
    lost: int
    error: str | None


@dataclasses.dataclass(slots=True, eq=False)
class _Entry:
    rows: Rows
    done: threading.Event
    taken: bool = False


class Logbook:
    """Stores rows by `write`, which stores all of them or raises; `is_faulty` tells whether the rows are to blame.

    `at_once` does as `write`, but gives up soon; callers use it themselves. May be called from any thread.
    """

    def __init__(
        self,
        write: Callable[[Rows], None],
        is_faulty: Callable[[Exception], bool],
        at_once: Callable[[Rows], None] | None = None,
        most_waiting: int = MOST_WAITING,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        self._write, self._is_faulty, self._at_once = write, is_faulty, at_once
        self._writing = threading.Lock()
        self._most_waiting, self._retry_seconds = most_waiting, retry_seconds
        self._entries: deque[_Entry] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._stored = self._waiting = self._lost = 0
        self._error: str | None = None
        self._begun: float | None = None
        self._writer: threading.Thread | None = None

    def add(self, rows: Rows) -> None:
        """Store rows, by now or as soon as the database takes them."""
        if not rows or self.add_at_once(rows):
            return
        entry = _Entry(rows, threading.Event())
        with self._changed:
            if self._writer is None:
                self._writer = threading.Thread(target=self._run, name="logbook", daemon=True)
                self._writer.start()
            self._make_room(len(rows))
            self._entries.append(entry)
            self._waiting += len(rows)
            self._changed.notify_all()
            is_late = self._error is not None or self._is_slow()
        if not is_late:
            entry.done.wait(PATIENCE_SECONDS)

    def add_at_once(self, rows: Rows) -> bool:
        """Return whether the caller could store its rows by itself: nobody else writes, and nothing waits.

        To wake another thread and wait for it takes longer than to store one prediction.
        """
        if self._at_once is None or not self.is_idle or not self._writing.acquire(blocking=False):
            return False
        try:
            self._at_once(rows)
        except Exception:
            return False  # the writer tries again, and finds out whose fault it is
        finally:
            self._writing.release()
        with self._changed:
            self._stored += len(rows)
        return True

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nobody writes, so that a caller can store its rows by itself."""
        return not self._entries and self._error is None and not self._writing.locked()

    def status(self) -> Status:
        """Return how many rows were stored, wait and were lost."""
        with self._changed:
            return Status(self._stored, self._waiting, self._lost, self._error)

    def close(self, seconds: float = _LAST_SECONDS) -> None:
        """Store what waits, and tell what could not be stored in time."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        if self._writer is not None:
            self._writer.join(seconds)
        if left := self.status().waiting:
            log.error(f"{left:,} predictions were answered and could not be stored before the end: {self._error}")

    def _is_slow(self) -> bool:
        return self._begun is not None and time.monotonic() - self._begun > PATIENCE_SECONDS

    def _make_room(self, rows: int) -> None:
        """Give up the oldest rows where there would be too many; those being stored right now are not given up."""
        while self._waiting + rows > self._most_waiting:
            oldest = next((entry for entry in self._entries if not entry.taken), None)
            if oldest is None:
                return
            self._give_up(oldest, "there was no room for more")

    def _give_up(self, entry: _Entry, why: str) -> None:
        self._entries.remove(entry)
        self._waiting -= len(entry.rows)
        self._lost += len(entry.rows)
        entry.done.set()
        log.error(f"{len(entry.rows):,} predictions were answered and are lost to the log: {why}")

    def _run(self) -> None:
        while entries := self._next():
            is_last = self._closing.is_set()
            if not self._store(entries) and is_last:
                return

    def _next(self) -> list[_Entry]:
        """Return what is to be stored together, once there is anything; nothing once no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._closing.is_set())
            # After a failure one at a time, so that rows which cannot be stored do not hold up the others.
            taken = list(self._entries) if self._error is None else list(self._entries)[:1]
            for entry in taken:
                entry.taken = True
            self._begun = time.monotonic()
            return taken

    def _store(self, entries: list[_Entry]) -> bool:
        """Return whether it is worth going on at once."""
        try:
            with self._writing:
                self._write([row for entry in entries for row in entry.rows])
        except Exception as error:  # whatever it is, the writer must live on
            return self._fail(entries, error)
        with self._changed:
            for entry in entries:
                self._entries.remove(entry)
                self._waiting -= len(entry.rows)
                self._stored += len(entry.rows)
                entry.done.set()
            self._begun = None
            if self._error is not None and not self._entries:
                log.info("The database takes predictions again; all that waited are stored")
                self._error = None
        return True

    def _fail(self, entries: list[_Entry], raised: Exception) -> bool:
        error = str(raised) or type(raised).__name__
        # A full disk, a lock or a read-only database are nobody's fault here: what cannot be stored now waits.
        is_the_rows_fault = len(entries) == 1 and self._is_faulty(raised)
        with self._changed:
            if is_the_rows_fault:
                self._give_up(entries[0], error)
            elif self._error is None:
                log.error(f"Predictions wait to be stored: {error}")
            self._error = error if self._entries else None
            self._begun = None
            for entry in self._entries:
                entry.taken = False
                entry.done.set()  # nobody waits for an outage to end
        if not is_the_rows_fault:
            self._closing.wait(self._retry_seconds)
        return is_the_rows_fault
