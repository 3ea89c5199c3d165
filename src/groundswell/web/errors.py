"""Errors become responses here, in one table at the edge: what went wrong, and what to do next."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from groundswell.errors import GroundswellError

log = structlog.stdlib.get_logger("web")


class UnauthorizedError(Exception):
    """The bearer is missing or wrong; the answer does not say which."""


class ForbiddenError(GroundswellError):
    """The key is known, and has another role."""

    hint = "Use a key with that role: GROUNDSWELL_API_KEYS gives each key its own."
    http_status = 403

    def __init__(self, role: str, name: str) -> None:
        super().__init__(f"The key {name!r} has not the role {role!r}.")


def add_error_table(app: FastAPI) -> None:
    """Make every error of the app a JSON answer."""
    app.add_exception_handler(UnauthorizedError, _unauthorized)
    app.add_exception_handler(GroundswellError, _groundswell)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _unauthorized(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": "Unauthorized"}, 401, headers={"WWW-Authenticate": "Bearer"})


def _groundswell(_request: Request, error: Exception) -> JSONResponse:
    hint, status = (error.hint, error.http_status) if isinstance(error, GroundswellError) else ("", 500)
    return JSONResponse({"error": str(error), "hint": hint}, status)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in problems)
    return JSONResponse({"error": said, "hint": "See the API reference at /docs."}, 422)


def _http(_request: Request, error: Exception) -> JSONResponse:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    return JSONResponse({"error": str(detail), "hint": "See the API reference at /docs."}, status)


def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    log.error("Unexpected error", exc_info=error)
    return JSONResponse({"error": "Internal error", "hint": "The server's log says more."}, 500)
