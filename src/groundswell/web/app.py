"""The app, assembled: routes, the table of errors and the shared state."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import groundswell
from groundswell.reports.drawing import warm_up
from groundswell.scheduling.scheduler import Scheduler
from groundswell.settings import Settings
from groundswell.web import assets
from groundswell.web.guard.security import secure
from groundswell.web.metrics import Metrics, listen, observe_request
from groundswell.web.request_log import RequestLog
from groundswell.web.routes import cron, health, pages, predictions, twins
from groundswell.web.routes.health import Readiness
from groundswell.web.state import State
from groundswell.web.watching import Watch

#: So many new objects wake the collector of cycles. Ten thousand videos are 100,000, and not one of them garbage.
_NEW_OBJECTS = 10_000


def create_app(settings: Settings, scheduler: bool = False) -> FastAPI:
    """Return the HTTP service of the settings; it starts, and answers what it can, while its database is away.

    With `scheduler` it also runs what is due, if it is the one process that leads.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch, state = app.state.watch, app.state.groundswell
        warm_up()  # now, while nobody waits for an answer
        running = Scheduler(settings, state.context, watch.worker) if scheduler else None
        watch.start()
        if running:
            running.start()
        # What is there from the start stays: the collector need not look at all of it again and again.
        gc.freeze()
        gc.set_threshold(_NEW_OBJECTS, 10, 10)
        yield
        if running:
            running.stop()
        watch.stop()
        state.close()

    app = FastAPI(
        title="groundswell",
        version=groundswell.__version__,
        description="How far will a short video carry, how sure is that, and did it come true?",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.groundswell = State(settings)
    app.state.watch = Watch(app.state.groundswell)
    app.state.readiness = Readiness()
    app.state.metrics = Metrics(app.state.groundswell)
    listen()
    # Routes are tried in this order: what is asked most comes first.
    for router in (predictions.predicting, predictions.reading, health.router, health.measured, cron.router):
        app.include_router(router)
    for router in (twins.reading, twins.trying, twins.operating):
        app.include_router(router)
    for router in (pages.seeing, pages.trying, pages.operating, assets.router):
        app.include_router(router)
    secure(app, settings)
    # Around everything, the answers to unexpected errors too.
    app.middleware_stack = RequestLog(app.build_middleware_stack(), observe_request)
    return app
