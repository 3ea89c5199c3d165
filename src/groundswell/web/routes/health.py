"""Is the process up, can it do its work, and how is it doing: for whatever watches over the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from groundswell.access import Role
from groundswell.errors import ArtifactError, DatabaseError, GroundswellError
from groundswell.jobs.context import Context
from groundswell.store import registry
from groundswell.store.database import HEAD
from groundswell.web.guard.callers import guarded
from groundswell.web.state import Here, State

log = structlog.stdlib.get_logger("web")
router = APIRouter(tags=["health"])
measured = APIRouter(tags=["health"], route_class=guarded(Role.READ))
#: An artifact that was read and hashed is not read again for so long: probes come every few seconds.
_READ_AGAIN_SECONDS = 30.0

Check = Mapping[str, Any]


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Is the process up?")
async def healthz() -> dict[str, str]:
    """Answer at once, without looking at the database."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Can predictions be answered, and stored?")
def readyz(state: Here, request: Request) -> JSONResponse:
    """Answer 200 where everything a prediction needs is there, else 503; each check says what it found."""
    checks = request.app.state.readiness.checks(state, request.app.state.watch.serving)
    ready = all(check["ok"] for check in checks.values())
    loaded = bool(request.app.state.watch.serving)
    predictions = "served" if ready else "served from the loaded models" if loaded else "not served"
    body = {"status": "ready" if ready else "not ready", "predictions": predictions, "checks": checks}
    return JSONResponse(body, 200 if ready else 503)


@measured.get(
    "/metrics",
    summary="Everything that is measured, for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def metrics(request: Request) -> Response:
    """Answer in the text format of Prometheus, while the database is away too."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


class Readiness:
    """The checks of one process; what they say names no place and no person, since anybody may ask."""

    def __init__(self) -> None:
        self._read: dict[str, float] = {}

    def checks(self, state: State, serving: Mapping[str, int]) -> dict[str, Check]:
        """Return what was found of database, tables, champions, artifacts, loaded models and the log of predictions."""
        database = _checked(lambda: _database(state))
        found: dict[str, Check] = {"database": database}
        if database["ok"]:
            context = state.context()
            found["migrations"] = _checked(lambda: _migrations(context))
        if all(check["ok"] for check in found.values()):
            found["champions"] = _checked(lambda: _champions(context))
            found["artifacts"] = _checked(lambda: self._artifacts(context))
            found["models"] = _checked(lambda: _models(context, serving))
        found["log"] = _checked(lambda: _log(state))
        return found

    def _artifacts(self, context: Context) -> Check:
        bad, names = [], registry.champions(context.database)
        for window, number in names.items():
            sha = registry.version(context.database, number).artifact
            if time.monotonic() < self._read.get(sha, 0.0):
                continue
            try:
                context.artifacts.get(sha)
            except ArtifactError as error:
                log.error(f"The champion of {window} cannot be read: {error}")
                bad.append(f"version {number} of {window}")
            else:
                self._read[sha] = time.monotonic() + _READ_AGAIN_SECONDS
        if bad:
            return _failed(f"the bytes of {', '.join(bad)} are missing, unreachable or damaged")
        return _passed("the bytes of every champion are what its name says")


def _database(state: State) -> Check:
    state.context().database.revision()
    return _passed("it answers")


def _migrations(context: Context) -> Check:
    found = context.database.revision()
    if found != HEAD:
        return _failed(f"its tables are at {found or 'nothing'}, {HEAD} is needed: run `groundswell db upgrade`")
    return _passed(f"its tables are at {HEAD}")


def _champions(context: Context) -> Check:
    found = registry.champions(context.database)
    if not found:
        return _failed("no model serves any window yet: run `groundswell ingest` and then `groundswell retrain`")
    return _passed(_named(found))


def _models(context: Context, serving: Mapping[str, int]) -> Check:
    behind = dict(registry.champions(context.database).items() - serving.items())
    return _failed(f"this process has not loaded {_named(behind)}") if behind else _passed(f"loaded: {_named(serving)}")


def _log(state: State) -> Check:
    if state.logbook is None:
        return _passed("nothing has been predicted yet")
    status = state.logbook.status()
    said = f"{status.stored:,} predictions stored, {status.waiting:,} wait, {status.lost:,} lost"
    return _passed(said) if status.error is None else _failed(said)


def _named(versions: Mapping[str, int]) -> str:
    return ", ".join(f"version {number} of {window}" for window, number in sorted(versions.items()))


def _checked(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (GroundswellError, sa.exc.SQLAlchemyError) as error:
        log.warning(f"Not ready: {error}")
        return _failed("the database does not answer" if isinstance(error, DatabaseError) else "it cannot be told")


def _passed(said: str) -> Check:
    return {"ok": True, "said": said}


def _failed(said: str) -> Check:
    return {"ok": False, "said": said}
