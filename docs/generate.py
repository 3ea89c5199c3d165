"""Write the references among the documents from the code: `python docs/generate.py`."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import typer
from pydantic_core import PydanticUndefined

from groundswell.cli import app
from groundswell.settings import Settings, variable
from groundswell.stages.features import FORECAST, OBSERVED
from groundswell.web.app import create_app
from groundswell.web.openapi.reference import Field, Route, groups_of, shapes_of

FOLDER = Path(__file__).parent
_NOTE = "<!-- Written by `python docs/generate.py` from the code; a test compares the two. -->\n"
_COMMANDS = """# Commands

Every command takes `--help`, and `--json`, which prints one JSON object on stdout; progress and logs go to stderr.
The exit code is 0, or 1 with `error:` and `hint:` on stderr, or 2 for wrong usage. A retrain or audit that was
`skipped` exits 0; `already_running` and `failed` exit 1.
"""
_API = """# HTTP API

JSON in camelCase. A running server has this page at `/docs` and the OpenAPI document at `/openapi.json`. Errors are
`{"error", "hint"}`, with the `requestId` under which the log says more.
"""
_FEATURES = """# Features

Each is one declaration in `stages/features`, from which training, serving and this page are made. A line takes those
known at its window or before. In the forecast windows a feature may be unknown: a creator's first video has no median
before it. Those of `observed` are clipped to [0, 1].
"""
_SETTINGS = """# Settings

Read from the environment and from a file `.env` in the current folder; an empty value counts as unset. A value that
cannot be used is refused with its key, its value and what is expected.

| name | default | what it is |
|---|---|---|
"""


def main() -> None:
    """Write them."""
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def documents() -> dict[str, str]:
    """Return the text of each document by its name."""
    return {"api.md": api(), "commands.md": commands(), "features.md": features(), "settings.md": settings()}


def api() -> str:
    """Return the reference of the HTTP API: the same as the page /docs of a running server."""
    document = create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]
    parts = [_NOTE + _API]
    for name, routes in groups_of(document).items():
        parts += [f"## {name[0].upper()}{name[1:]}\n", *(_api_route(route) for route in routes)]
    parts.append("## Shapes\n")
    for name, (said, fields) in shapes_of(document).items():
        rows = [f"| {_field(one)} | {_cell(one.kind)} | {_cell(one.said)} |" for one in fields]
        table = ["| field | kind | what it is |", "|---|---|---|", *rows, ""] if rows else []
        parts.append("\n".join([f"### {name}\n", f"{said}\n", *table]))
    return "\n".join(parts)


def _field(one: Field) -> str:
    return f"`{one.name}`" + ("" if one.required else " (optional)")


def _api_route(route: Route) -> str:
    lines = [f"### {route.method} {route.path}\n", f"{route.summary}. {route.said}\n", f"Asks for {route.caller}.\n"]
    if route.parameters:
        lines += ["| parameter | where | kind | what it is |", "|---|---|---|---|"]
        lines += [
            f"| {_field(one)} | {one.place} | {_cell(one.kind)} | {_cell(one.said)} |" for one in route.parameters
        ]
        lines.append("")
    if route.body:
        lines.append(f"Takes `{route.body}`.\n")
    for said, example in route.examples:
        lines += [f"{said}:\n", "```json", example, "```\n"]
    lines += ["| answer | meaning | body |", "|---|---|---|"]
    lines += [f"| {status} | {_cell(said)} | {_cell(', '.join(names))} |" for status, said, names in route.answers]
    return "\n".join([*lines, ""])


def commands() -> str:
    """Return the reference of all commands."""
    return "\n".join([_NOTE + _COMMANDS, *(_command(path, command) for path, command in walk())])


def features() -> str:
    """Return the tables of all features: those of the forecast windows and those of `observed`."""
    parts = [
        f"## {title}\n\n| name | known at | theme | unit | what it is |\n|---|---|---|---|---|\n"
        + "".join(
            f"| `{each.name}` | `{each.known_at.value}` | {each.theme} | {each.unit} | {each.sentence} |\n"
            for each in catalogue
        )
        for title, catalogue in (("Forecast windows", FORECAST), ("Window observed", OBSERVED))
    ]
    return "\n".join([_NOTE + _FEATURES, *parts])


def settings() -> str:
    """Return the table of all settings."""
    rows = [
        f"| `{variable(name)}` | {_default(field.default)} | {_cell(field.description or '')}{_values(field)} |"
        for name, field in Settings.model_fields.items()
    ]
    return _NOTE + _SETTINGS + "\n".join(rows) + "\n"


def walk(group: Any = None, path: str = "groundswell") -> Iterator[tuple[str, Any]]:
    """Yield the words and the definition of every command."""
    found: Any = group or typer.main.get_command(app)
    for name, command in found.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def options(command: Any) -> dict[str, Any]:
    """Return the options of a command by the word that is typed, `--help` apart."""
    return {option: param for param in command.params for option in param.opts if option.startswith("-")}


def arguments(command: Any) -> list[Any]:
    """Return the arguments of a command."""
    return [param for param in command.params if not param.opts[0].startswith("-")]


def _command(path: str, command: Any) -> str:
    words = [_metavar(argument) for argument in arguments(command)]
    usage = " ".join([path, "[OPTIONS]" if options(command) else "", *words]).replace("  ", " ").strip()
    parts = [f"## {path}\n", f"{command.help}\n", f"```text\n{usage}\n```\n"]
    rows = [
        *(f"| `{_cell(_metavar(argument))}` | | {_cell(argument.help or '')} |" for argument in arguments(command)),
        *(
            f"| `{name}{_cell(_value(param))}` | {_default(param.default)} | {_cell(param.help or '')} |"
            for name, param in options(command).items()
        ),
    ]
    return "\n".join([*parts, "| what to type | default | what it is |\n|---|---|---|", *rows]) + "\n"


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _value(param: Any) -> str:
    if param.is_flag:
        return ""
    kind = param.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return " " + "|".join(kind)
    if param.metavar:
        return f" {param.metavar}"
    return {int: " N", Path: " FILE"}.get(kind, " WORD")


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined or value is False:
        return ""
    if isinstance(value, timedelta):
        return f"`{value / timedelta(hours=1):g}h`"
    return f"`{getattr(value, 'value', value)}`"


def _values(field: Any) -> str:
    """Return the values or limits that a setting allows, as a sentence."""
    if typing.get_origin(field.annotation) is Literal:
        return f" One of {', '.join(f'`{value}`' for value in typing.get_args(field.annotation))}."
    limits = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    said = [
        f"{words} {_limit(getattr(limit, name))}"
        for limit in field.metadata
        for name, words in limits.items()
        if getattr(limit, name, None) is not None
    ]
    return f" Allowed: {', '.join(said)}." if said else ""


def _limit(value: Any) -> str:
    return f"{value / timedelta(hours=1):g} hours" if isinstance(value, timedelta) else f"{value:g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
