"""The API reference at /docs: made from the OpenAPI document, by this server, with nothing from elsewhere."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from groundswell.web.openapi.contract import Document, operations
from groundswell.web.rendering import render

router = APIRouter(include_in_schema=False)
_CALLERS = {
    "key": "a key of the API, or the session of a login",
    "cron": "CRON_SECRET as bearer, and nothing else",
    "webhook": "GROUNDSWELL_WEBHOOK_SECRET",
}
_NOBODY = "anybody"


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a field: its name, where it stands, what it is, whether it must be there, and what it means."""

    name: str
    place: str
    kind: str
    required: bool
    said: str


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """A route as a reader looks it up; `answers` are status, meaning and the names of what comes back."""

    method: str
    path: str
    summary: str
    said: str
    caller: str
    parameters: list[Field]
    body: str
    examples: list[tuple[str, str]]
    answers: list[tuple[str, str, list[str]]]

    @property
    def anchor(self) -> str:
        """The name by which a link leads to it."""
        return f"{self.method}{self.path}".translate(str.maketrans("/{}", "---")).lower()


@router.get("/docs")
def reference_page(request: Request) -> HTMLResponse:
    """Answer every route: what it takes, what it answers, and what may go wrong."""
    document = request.app.openapi()
    return render(
        request, "reference.html", groups=groups_of(document), shapes=shapes_of(document), twin="/openapi.json"
    )


def groups_of(document: Document) -> dict[str, list[Route]]:
    """Return the routes of an OpenAPI document by what they are about."""
    groups: dict[str, list[Route]] = {}
    for path, method, operation in operations(document):
        groups.setdefault((operation.get("tags") or ["others"])[0], []).append(
            _route(path, method, operation, document)
        )
    return dict(sorted(groups.items()))


def shapes_of(document: Document) -> dict[str, tuple[str, list[Field]]]:
    """Return what each schema means and its fields, by its name."""
    return {name: (_said(schema), list(_fields(schema))) for name, schema in sorted(_schemas(document).items())}


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return in words what a schema allows.

    >>> kind_of({"type": "array", "items": {"$ref": "#/components/schemas/Run"}})
    'list of Run'
    >>> kind_of({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]})
    'integer from 0, or null'
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return ", or ".join(kind_of(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " | ".join(str(one) for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    said = str(schema.get("format") or schema.get("type") or "anything")
    low, high = schema.get("minimum", schema.get("minLength")), schema.get("maximum", schema.get("maxLength"))
    said += "" if low is None else f" from {low}"
    return said if high is None else f"{said} to {high}"


def _route(path: str, method: str, operation: Document, document: Document) -> Route:
    contents: list[Document] = list(operation.get("requestBody", {}).get("content", {}).values())
    content: Document = contents[0] if contents else {}
    security = operation.get("security") or []
    return Route(
        method.upper(),
        path,
        operation.get("summary", ""),
        operation.get("description", ""),
        _CALLERS[next(iter(security[0]))] if security else _NOBODY,
        [_parameter(one) for one in operation.get("parameters", [])],
        kind_of(content["schema"]) if content else "",
        list(_examples(content, document)),
        [
            (status, answer.get("description", ""), sorted(_named(answer)))
            for status, answer in operation["responses"].items()
        ],
    )


def _parameter(one: Document) -> Field:
    schema = one.get("schema", {})
    return Field(one["name"], one["in"], kind_of(schema), one.get("required", False), one.get("description", ""))


def _examples(content: Document, document: Document) -> Iterator[tuple[str, str]]:
    """Yield the examples of a body, by what each shows."""
    schema: Document = content.get("schema", {})
    named: Document = _schemas(document).get(kind_of(schema), schema)
    for one in content.get("examples", {}).values():
        yield one.get("summary", ""), json.dumps(one["value"], indent=2)
    for value in named.get("examples", []):
        yield "Example", json.dumps(value, indent=2)


def _named(answer: Document) -> set[str]:
    schemas = [one.get("schema", {}) for one in answer.get("content", {}).values()]
    return {name.removeprefix("or ") for schema in schemas if schema for name in kind_of(schema).split(", ")}


def _fields(schema: Mapping[str, Any]) -> Iterator[Field]:
    required = schema.get("required", [])
    for name, one in schema.get("properties", {}).items():
        yield Field(name, "", kind_of(one), name in required, one.get("description", ""))


def _schemas(document: Document) -> dict[str, Any]:
    return dict(document["components"]["schemas"])


def _said(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description", "")) or (kind_of(schema) if "enum" in schema else "")
