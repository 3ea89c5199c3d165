"""What the requests of one worker share: the settings, and the database and models once they are reachable."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from fastapi import Request

from groundswell.errors import DatabaseError
from groundswell.jobs.context import Context, label_age, open_context
from groundswell.predictor import Logbook, Predictor
from groundswell.settings import Settings
from groundswell.store import predictions
from groundswell.store.database import Database


class State:
    """Opened at the first request that needs it, so that a server starts while its database is still away."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opening = threading.Lock()
        self._context: Context | None = None
        self._predictor: Predictor | None = None
        #: Where predictions wait until they are stored; None before the first.
        self.logbook: Logbook | None = None

    def context(self) -> Context:
        """Return the context; raises DatabaseError while the database cannot be used."""
        with self._opening:
            if self._context is None:
                self._context = open_context(self.settings)
            return self._context

    def now(self) -> datetime:
        """Return the time by the clock of all processes, by this machine's while the database is away."""
        try:
            return self.context().now()
        except DatabaseError:
            return datetime.now(UTC)

    def predictor(self) -> Predictor:
        """Return the predictor of this worker, which keeps loaded models."""
        context = self.context()
        with self._opening:
            if self._predictor is None:
                self.logbook = Logbook(partial(predictions.log, context.database), _answers(context.database))
                label = label_age(self.settings)
                self._predictor = Predictor(context.database, context.artifacts, label, self.logbook.add)
            return self._predictor

    def close(self) -> None:
        """Store the predictions that still wait, and close the database's connections."""
        if self.logbook is not None:
            self.logbook.close()
        if self._context is not None:
            self._context.database.dispose()


def _answers(database: Database) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            database.revision()
        except DatabaseError:
            return False
        return True

    return answers


def state_of(request: Request) -> State:
    """Return the state of the app that the request came to."""
    state: State = request.app.state.groundswell
    return state
