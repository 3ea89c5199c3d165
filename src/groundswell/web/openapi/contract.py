"""What the OpenAPI document says beyond the routes' own words: who may call, what may go wrong, what comes back."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from groundswell.web.openapi.answers import ANSWERS, Models, schemas

Document = dict[str, Any]

_SCHEMES: Document = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key of GROUNDSWELL_API_KEY or GROUNDSWELL_API_KEYS."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "groundswell_session",
        "description": "The cookie of a login; a change by it must come from a page of this service.",
    },
    "cron": {"type": "http", "scheme": "bearer", "description": "CRON_SECRET, and nothing else."},
    "webhook": {
        "type": "http",
        "scheme": "bearer",
        "description": "GROUNDSWELL_WEBHOOK_SECRET; also as X-Groundswell-Secret, or as `secret` in the address.",
    },
}
_SAID = {
    400: "The body cannot be read, or what is asked for is no request.",
    401: "The key, secret or session is missing or wrong.",
    403: "The key has another role, or a change by cookie did not come from a page of this service.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    409: "It cannot be done as things stand; the hint says what would have to change.",
    413: "The body is too large.",
    421: "While no key is set, only requests for this machine by its own name are answered.",
    422: "A parameter or the body is not what is expected.",
    500: "Something failed that nobody foresaw; the log of the server says more.",
    502: "The scraper's service did not give the items; nothing was stored.",
    503: "The database is away, or there was no answer in time.",
}
#: Of every route but those that say whether the process is up; a body may come with any request.
_ALWAYS = (400, 408, 413, 421, 422, 500, 503)
_OPEN = ("/healthz", "/readyz")


def describe(app: FastAPI) -> None:
    """Make the app's OpenAPI document say all of it; it is made once, when somebody asks."""
    made = app.openapi

    @functools.cache
    def openapi() -> Document:
        return described(made())

    app.openapi = openapi  # type: ignore[method-assign] # this is how FastAPI has it


def described(document: Document) -> Document:
    """Return the document with security schemes, with every error of every route, and with what comes back."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    named = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        named.pop(unused, None)
    named |= schemas()
    for path, method, operation in operations(document):
        _describe(path, method, operation)
    return document


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Document]]:
    """Yield path, method and description of each route."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _describe(path: str, method: str, operation: Document) -> None:
    operation["security"] = _security(path)
    answers = operation.setdefault("responses", {})
    for status in _statuses(path):
        answers[str(status)] = _error(status)
    for status, models in ANSWERS.get((method, path), {}).items():
        answers[str(status)] = _answer(answers.get(str(status), {}), models, keeps=status == 200)
    operation["responses"] = dict(sorted(answers.items()))


def _answer(before: Document, models: Models, *, keeps: bool) -> Document:
    """Return an answer that is one of the models, beside what else a route says that it may answer with."""
    named = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    schema = named[0] if len(named) == 1 else {"anyOf": named}
    others = before.get("content", {}) if keeps else {}
    said = " ".join((models[0].__doc__ or "").split()) if keeps else before.get("description", "")
    return {**before, "description": said, "content": {**others, "application/json": {"schema": schema}}}


def _security(path: str) -> list[Document]:
    if path in _OPEN:
        return []
    if path.startswith("/api/cron/"):
        return [{"cron": []}]
    if path.startswith("/api/webhooks/"):
        return [{"webhook": []}]
    return [{"key": []}, {"session": []}]


def _statuses(path: str) -> set[int]:
    if path in _OPEN:
        return {400, 408, 413, 503}
    found = {*_ALWAYS, 401}
    if path.startswith("/api/cron/"):
        return found | {409}
    if path.startswith("/api/webhooks/"):
        return found | {409, 502}
    return found | {403, 404, 409}


def _error(status: int) -> Document:
    said: Document = {
        "description": _SAID[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status == 401:
        said["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if status == 503:
        said["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return said
