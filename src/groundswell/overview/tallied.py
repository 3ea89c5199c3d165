"""Counts of whole tables, made in the background and kept: a page shows the last ones and how old they are."""

from __future__ import annotations

import dataclasses
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from groundswell.errors import GroundswellError
from groundswell.store.database import Database

log = structlog.stdlib.get_logger("web")
#: A count is made anew when it is older than this, and than so many times what it took.
FRESH_SECONDS, _REST = 60.0, 20.0
#: So long a page waits for a first count before it says that there is none yet.
PATIENCE = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """A count, how many seconds ago it was made and how many it took; None while the first is under way.

    `error` says why the last attempt failed, where it did.
    """

    value: Any
    seconds_ago: float | None = None
    took: float | None = None
    error: str | None = None


class Tallies:
    """What was counted of one database, by name; at most one count is under way."""

    def __init__(self, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._fresh = fresh_seconds
        self._kept: dict[str, tuple[Any, float, float]] = {}
        self._failed: dict[str, str] = {}
        self._wanted: dict[str, Callable[[], Any]] = {}
        self._asked: dict[str, float] = {}
        self._changed = threading.Condition()
        self._counting = False

    def of(self, counts: Mapping[str, Callable[[], Any]], patience: float = PATIENCE) -> dict[str, Tally]:
        """Return the tally of each name at once, or within `patience` seconds after it was first asked for."""
        with self._changed:
            self._want({name: count for name, count in counts.items() if self._is_stale(name)})
            now = time.monotonic()
            asked = max((self._asked.setdefault(name, now) for name in counts), default=now)
            self._changed.wait_for(lambda: self._knows(counts), max(0.0, asked + patience - now))
            return {name: self._tally(name) for name in counts}

    def _knows(self, names: Iterable[str]) -> bool:
        return all(name in self._kept or name in self._failed for name in names)

    def _want(self, counts: Mapping[str, Callable[[], Any]]) -> None:
        self._wanted |= counts
        if self._wanted and not self._counting:
            self._counting = True
            # A count must not keep a server from ending.
            threading.Thread(target=self._count, name="tallies", daemon=True).start()

    def _is_stale(self, name: str) -> bool:
        if name not in self._kept:
            return True
        _, at, took = self._kept[name]
        return time.monotonic() - at > max(self._fresh, _REST * took)

    def _tally(self, name: str) -> Tally:
        if name not in self._kept:
            return Tally(None, error=self._failed.get(name))
        value, at, took = self._kept[name]
        return Tally(value, round(time.monotonic() - at, 1), round(took, 3), self._failed.get(name))

    def _count(self) -> None:
        while True:
            with self._changed:
                if not self._wanted:
                    self._counting = False
                    return
                name = next(iter(self._wanted))
                count = self._wanted[name]
            begun, error = time.monotonic(), None
            try:
                value = count()
            except GroundswellError as failure:
                error = str(failure)
            except Exception:  # whatever it is, the page is to say so and the thread to go on
                log.exception(f"Counting {name} failed")
                error = "The server's log says why."
            with self._changed:
                self._wanted.pop(name, None)
                if error is None:
                    self._kept[name] = (value, time.monotonic(), time.monotonic() - begun)
                    self._failed.pop(name, None)
                else:
                    self._failed[name] = error
                self._changed.notify_all()


_OF_DATABASES: weakref.WeakKeyDictionary[Database, Tallies] = weakref.WeakKeyDictionary()
_LOOKING = threading.Lock()


def tallies_of(database: Database) -> Tallies:
    """Return what this process has counted of the database."""
    with _LOOKING:
        return _OF_DATABASES.setdefault(database, Tallies())
