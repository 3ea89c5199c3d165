"""Asking it, and letting it serve."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundswell import printing
from groundswell.commands.shared import (
    Json,
    opened,
    settings_of_command,
)
from groundswell.records import Window

if TYPE_CHECKING:
    from groundswell.settings import Settings


class ScheduleFormat(enum.StrEnum):
    """Other schedulers that a schedule can be printed for."""

    CRONTAB = "crontab"
    VERCEL = "vercel"
    K8S = "k8s"


def predict(
    path: Annotated[
        Path, typer.Argument(metavar="[PATH|-]", help="An export, or the JSON of a request; - is stdin.")
    ] = Path("-"),
    window: Annotated[
        Window | None,
        typer.Option("--window", help="How long the video has been watched; else as the request says."),
    ] = None,
    reasons: Annotated[bool, typer.Option("--reasons/--no-reasons", help="Say what moved each score most.")] = True,
    json: Json = False,
) -> None:
    """Predict the tier, a range of tiers, probabilities and score of videos, and say why."""
    from groundswell.jobs.context import label_age
    from groundswell.predictor import Predictor, answer, unknown_fields
    from groundswell.requests import read_videos

    asked = read_videos(sys.stdin.buffer.read() if str(path) == "-" else path, window)
    with opened() as context:
        predictor = Predictor(context.database, context.artifacts, label_age(context.settings))
        found = predictor.predict(asked.videos, asked.window, context.now(), reasons=reasons)
    if unknown := unknown_fields(asked.videos):
        typer.echo(f"warning: fields that mean nothing here were not looked at: {', '.join(unknown)}", err=True)
    printing.show(answer(found), json, printing.predictions)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 8000,
    no_scheduler: Annotated[
        bool, typer.Option("--no-scheduler", help="Bring your own cron: `groundswell schedule` prints it.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes to answer with; default GROUNDSWELL_WORKERS.")
    ] = None,
    json: Json = False,
) -> None:
    """Serve the pages, the prediction API and the cron endpoints, and run what is due."""
    settings = settings_of_command("INFO", **({"workers": workers} if workers is not None else {}))
    start_server(settings, host, port, json, scheduler=not no_scheduler)


def schedule(
    format: Annotated[  # noqa: A002
        ScheduleFormat, typer.Option("--format", help="Whose words: crontab, vercel or k8s.")
    ] = ScheduleFormat.CRONTAB,
    url: Annotated[
        str | None, typer.Option(help="Where the service is reached; default GROUNDSWELL_PUBLIC_URL.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the schedule for a scheduler of your own, in place of the one that runs inside `serve`."""
    from groundswell.scheduling.printed import printed

    printing.show(printed(settings_of_command(), format, url), json, lambda body: str(body["text"]))


def doctor(json: Json = False) -> None:
    """Say what is configured, what is missing, and what to type next; exits 1 where something is broken."""
    from groundswell.overview.doctor import examine
    from groundswell.printing_service import doctor as view

    body = examine(settings_of_command())
    printing.show(body, json, view)
    if body["status"] == "broken":
        raise typer.Exit(1)


def start_server(settings: Settings, host: str, port: int, json: bool, scheduler: bool = False) -> None:
    """Serve until a signal ends it; raises GroundswellError where that would be unsafe, or the address is taken."""
    from groundswell.web.guard.exposure import check_exposure
    from groundswell.web.listening import serve

    check_exposure(settings, host)
    if settings.cron_secret is None:
        typer.echo("warning: CRON_SECRET is not set, so every call of a cron endpoint will be refused", err=True)

    def tell(url: str) -> None:
        if json:
            printing.print_json({"status": "listening", "url": url})
            sys.stdout.flush()
        typer.echo(f"groundswell listens on {url} (API reference at /docs)", err=True)

    serve(settings, host, port, tell, scheduler)
