"""What the requests of one worker share: the settings, and the database and models once they are reachable."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from groundswell.jobs.context import Context, label_age, open_context
from groundswell.predictor import Logbook, Predictor, Rows
from groundswell.settings import Settings
from groundswell.store import predictions
from groundswell.store.database import Database, are_to_blame

#: The watch asks every second; one that has heard nothing for so long hears nothing from a database that hangs.
_SILENT_SECONDS = 5.0
#: How long an answer waits for another process that writes to the embedded database; some are made in the event loop.
_PATIENCE_SECONDS = 0.02


class State:
    """Opened at the first request that needs it, so that a server starts while its database is still away."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opening = threading.Lock()
        self._context: Context | None = None
        self._predictor: Predictor | None = None
        self._ahead = timedelta(0)
        self._heard_at: float | None = None
        #: Where predictions wait until they are stored; None before the first.
        self.logbook: Logbook | None = None

    def context(self) -> Context:
        """Return the context; raises DatabaseError while the database cannot be used."""
        with self._opening:
            if self._context is None:
                self._context = open_context(self.settings)
            return self._context

    def now(self) -> datetime:
        """Return the time by the clock of all processes, as far as this one knows it without asking."""
        return datetime.now(UTC) + self._ahead

    def heard(self, now: datetime) -> None:
        """Take note that the database answered, and what time its clock says."""
        self._ahead, self._heard_at = now - datetime.now(UTC), time.monotonic()

    def is_near(self) -> bool:
        """Return whether an answer need wait for nobody: the database is a file to which a connection is free, models
        are loaded, and nothing is stored at the moment."""
        is_idle = self.logbook is not None and self.logbook.is_idle
        return is_idle and self._is_embedded() and self.context().database.has_room

    def is_away(self) -> bool:
        """Return whether the database has been silent for so long that no request should wait for it."""
        if self._heard_at is None or self._is_embedded():  # a file answers, whoever else writes to it
            return False
        return time.monotonic() - self._heard_at > _SILENT_SECONDS

    def _is_embedded(self) -> bool:
        return self._context is not None and not self._context.database.is_postgres

    def predictor(self) -> Predictor:
        """Return the predictor of this worker, which keeps loaded models."""
        context = self.context()
        with self._opening:
            if self._predictor is None:
                self.logbook = _logbook(context.database)
                label = label_age(self.settings)
                self._predictor = Predictor(context.database, context.artifacts, label, self.logbook.add, self.is_away)
            return self._predictor

    def store_at_once(self, rows: Rows) -> bool:
        """Return whether predictions could be stored without waiting for anybody."""
        return self.logbook is not None and self.logbook.add_at_once(rows)

    def store(self, rows: Rows) -> None:
        """Store predictions, by now or as soon as the database takes them."""
        self.predictor()  # with it comes the logbook
        if self.logbook is not None:
            self.logbook.add(rows)

    def close(self) -> None:
        """Store the predictions that still wait, and close the database's connections."""
        if self.logbook is not None:
            self.logbook.close()
        if self._context is not None:
            self._context.database.dispose()


def _logbook(database: Database) -> Logbook:
    write = partial(predictions.log, database)
    # A server may hang, and then takes its callers with it; the embedded database is but a file.
    at_once = None if database.is_postgres else partial(predictions.log, database, patience_seconds=_PATIENCE_SECONDS)
    return Logbook(write, are_to_blame, at_once)


def state_of(request: Request) -> State:
    """Return the state of the app that the request came to."""
    state: State = request.app.state.groundswell
    return state


async def _here(request: Request) -> State:
    # FastAPI would call a plain function in a thread of its own, which takes longer than the rest of many an answer.
    return state_of(request)


#: The state, as an argument of a route.
Here = Annotated[State, Depends(_here)]
