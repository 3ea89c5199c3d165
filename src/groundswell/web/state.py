"""What the requests of one worker share: the settings, and the database and models once they are reachable."""

from __future__ import annotations

import threading

from fastapi import Request

from groundswell.jobs.context import Context, label_age, open_context
from groundswell.predictor import Predictor
from groundswell.settings import Settings


class State:
    """Opened at the first request that needs it, so that a server starts while its database is still away."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opening = threading.Lock()
        self._context: Context | None = None
        self._predictor: Predictor | None = None

    def context(self) -> Context:
        """Return the context; raises DatabaseError while the database cannot be used."""
        with self._opening:
            if self._context is None:
                self._context = open_context(self.settings)
            return self._context

    def predictor(self) -> Predictor:
        """Return the predictor of this worker, which keeps loaded models."""
        context = self.context()
        with self._opening:
            if self._predictor is None:
                self._predictor = Predictor(context.database, context.artifacts, label_age(self.settings))
            return self._predictor

    def close(self) -> None:
        """Close the database's connections."""
        if self._context is not None:
            self._context.database.dispose()


def state_of(request: Request) -> State:
    """Return the state of the app that the request came to."""
    state: State = request.app.state.groundswell
    return state
