"""What stands between the network and the routes: headers, names, limits, and an answer whatever happens."""

from __future__ import annotations

from fastapi import FastAPI

from groundswell.settings import Settings
from groundswell.web.errors import LastResort, add_error_table
from groundswell.web.guard import login
from groundswell.web.guard.attempts import Attempts
from groundswell.web.guard.headers import SafeHeaders
from groundswell.web.guard.hosts import OwnNames
from groundswell.web.guard.limits import Bounds, Limits
from groundswell.web.openapi import reference
from groundswell.web.openapi.contract import describe
from groundswell.web.routes import webhooks

#: Paths whose answer takes as long as the work: a retrain has a limit of its own.
_LASTING = ("/api/cron/",)


def secure(app: FastAPI, settings: Settings) -> None:
    """Put the app, all of whose routes are there, behind what guards it, and add login, webhook and reference."""
    app.state.attempts = Attempts(app.state.groundswell)
    for router in (login.router, webhooks.router, reference.router):
        app.include_router(router)
    describe(app)
    add_error_table(app)
    # The last one added is the first to see a request.
    app.add_middleware(LastResort)
    bounds = Bounds(int(settings.max_body_mb * 1e6), settings.request_seconds, _LASTING)
    app.add_middleware(Limits, bounds=bounds)
    if not settings.keys:
        app.add_middleware(OwnNames, public_url=settings.public_url)
    app.add_middleware(SafeHeaders, secure=(settings.public_url or "").startswith("https://"))
