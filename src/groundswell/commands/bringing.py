"""Bringing videos: the demo, exports, thresholds and training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundswell import printing
from groundswell.commands.serving import start_server
from groundswell.commands.shared import (
    Json,
    opened,
)
from groundswell.records import as_json


def demo(
    rows: Annotated[int, typer.Option(min=600, max=1_000_000, help="Videos to make up.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the made-up data.")] = 7,
    serve_after: Annotated[bool, typer.Option("--serve", help="Serve the result afterwards.")] = False,
    json: Json = False,
) -> None:
    """Make up videos and outcomes, and take them from ingest to prediction, in the embedded database."""
    from groundswell.demo import run_demo

    with opened() as context:
        with printing.progress("demo") as step:
            body = run_demo(context, rows, seed, step)
        printing.show(body, json, printing.demo)
    if serve_after:
        start_server(context.settings, "127.0.0.1", 8000, json=False)


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Exports of a scraper, or readings.")],
    format: Annotated[str, typer.Option(help="Format of the files, where it is not recognised.")] = "auto",  # noqa: A002
    rejects: Annotated[Path | None, typer.Option(help="Where rejections go, as JSON lines.")] = None,
    json: Json = False,
) -> None:
    """Store the videos or readings of exports; all files or nothing."""
    from groundswell.jobs.ingest import ingest as run
    from groundswell.sources.synthetic import ID_PREFIX
    from groundswell.store import corpus

    with opened() as context, printing.row_progress("ingest") as progress:
        if corpus.count_by_prefix(context.database, ID_PREFIX)[0]:
            typer.echo(
                "warning: the demo's made-up videos are stored here, and a retrain would learn from them", err=True
            )
            typer.echo("hint: keep yours apart: GROUNDSWELL_HOME=./mine groundswell ingest …", err=True)
        report = run(
            context.database,
            context.settings,
            paths,
            as_of=context.now(),
            format=format,
            rejects=rejects,
            progress=progress,
        )
    body = as_json(report)
    refused = body.pop("rejectsFile")  # the answer is the design's and has no place for it
    printing.show(body, json, printing.ingest)
    if refused:
        typer.echo(f"The rejections are in {refused}", err=True)
    if report.read and report.rejected == report.read:
        typer.echo("warning: not one row could be stored; is it the right file, or the wrong --format?", err=True)


def baseline(
    out: Annotated[
        Path | None, typer.Option(help="Where to write; default calibration-baseline.json in the home.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the WES percentiles and tier thresholds of the stored videos."""
    from groundswell.jobs.baseline import write_baseline

    with opened() as context:
        printing.show(write_baseline(context, out), json, printing.baseline)


def extract(
    out: Annotated[Path | None, typer.Option(help="Where to write; default GROUNDSWELL_TRAINING_DATA.")] = None,
    baseline_file: Annotated[Path | None, typer.Option("--baseline", help="Thresholds to label with.")] = None,
    json: Json = False,
) -> None:
    """Write training data that a retrain falls back to while there are few videos."""
    from groundswell.jobs.extract import write_training_data

    with opened() as context:
        printing.show(write_training_data(context, context.now(), out, baseline_file), json, printing.extract)
