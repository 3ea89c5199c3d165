"""What the commands share: options, the settings and the context they open, and how a run ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groundswell import parsing, printing
from groundswell.records import Window

if TYPE_CHECKING:
    from groundswell.jobs.context import Context, Report
    from groundswell.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
WindowOption = Annotated[Window, typer.Option("--window", help="How long the video has been watched.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="T", help="ISO time beyond which nothing may be known.")]
_FAILED = frozenset({"failed", "already_running"})


def settings_of_command(log_level: str | None = None, **overrides: Any) -> Settings:
    """Return the settings of this process, with logs as they say; raises SettingsError."""
    from groundswell.logs import configure_logs
    from groundswell.settings import load_settings

    settings = load_settings(**overrides)
    # Someone at a terminal reads the report; a log file wants every line.
    configure_logs(log_level or ("WARNING" if sys.stderr.isatty() else "INFO"), settings.log_format)
    return settings


@contextmanager
def opened() -> Iterator[Context]:
    """Yield the context of this command and close its database."""
    from groundswell.jobs.context import open_context

    context = open_context(settings_of_command())
    try:
        yield context
    finally:
        context.database.dispose()


def finish(report: Report, json: bool, view: Any) -> None:
    """Print the report of a run; one that did not end well exits 1."""
    printing.show(report.body, json, view)
    if report.status in _FAILED:
        said = report.body.get("error") or f"A run is under way already: {report.body['runId']}"
        hint = report.body.get("hint") or "Wait for it to end; a killed run's lease expires after 30 seconds."
        printing.print_error(said, hint)
        raise typer.Exit(1)


def past_moment(text: str | None) -> datetime | None:
    """Return the time that `--as-of` names, None where it does not; the future is wrong usage."""
    try:
        moment = parsing.moment(text)
    except parsing.InvalidValueError:
        raise typer.BadParameter(
            f"{text!r} is no ISO 8601 time, such as 2025-03-01T00:00:00Z", param_hint="--as-of"
        ) from None
    if moment and moment > datetime.now(UTC):
        raise typer.BadParameter(f"{text!r} lies in the future", param_hint="--as-of")
    return moment


def write_report(path: Path, page: str) -> None:
    """Write a page of its own, and say where."""
    from groundswell.store.documents import write_page

    write_page(path, page)
    typer.echo(f"The report is in {path}", err=True)
