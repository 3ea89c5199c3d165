"""The app, assembled: routes, the table of errors and the shared state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import groundswell
from groundswell.settings import Settings
from groundswell.web import api, cron
from groundswell.web.errors import add_error_table
from groundswell.web.state import State


def create_app(settings: Settings) -> FastAPI:
    """Return the HTTP service of the settings; its database is opened by the first request that needs it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.groundswell.close()

    app = FastAPI(
        title="groundswell",
        version=groundswell.__version__,
        description="How far will a short video carry, how sure is that, and did it come true?",
        lifespan=lifespan,
    )
    app.state.groundswell = State(settings)
    app.include_router(cron.router)
    app.include_router(api.predicting)
    app.include_router(api.reading)
    app.include_router(api.router)
    add_error_table(app)
    return app
