"""Teaching, and checking whether it comes true: retrain, harvest, audit, recalibrate, backtest and replay."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from groundswell import printing
from groundswell.commands.shared import (
    AsOf,
    Json,
    WindowOption,
    finish,
    opened,
    past_moment,
    settings_of_command,
    write_report,
)
from groundswell.records import Window


def retrain(
    window: WindowOption = Window.OBSERVED,
    as_of: AsOf = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but publish.")] = False,
    json: Json = False,
) -> None:
    """Train a challenger on the newest videos; the gate decides whether it serves."""
    from groundswell.jobs.retrain import retrain as run

    moment = past_moment(as_of)
    with opened() as context, printing.progress("retrain") as step:
        report = run(context, window, moment or context.now(), dry_run, step)
    finish(report, json, printing.retrain)


def harvest(json: Json = False) -> None:
    """Write the outcomes of our own predictions as later scrapes show them; run again, it changes nothing."""
    from groundswell.jobs.harvest import harvest as run
    from groundswell.printing_loop import harvest as view

    with opened() as context, printing.progress("harvest") as step:
        report = run(context, context.now(), step)
    finish(report, json, view)


def audit(
    since_days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days back; default 90.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Where to write a report with pictures.")] = None,
    json: Json = False,
) -> None:
    """Check whether what we said came true, watch for drift, refit the score's calibration, say what to do."""
    from groundswell.jobs.audit import audit as run

    with opened() as context, printing.progress("audit") as step:
        report = run(context, context.now(), since_days, step)
    if html is not None and report.status in {"completed", "skipped"}:
        from groundswell.reports.audit import render

        write_report(html, render(report.body))
    finish(report, json, printing.audit)


def recalibrate(window: WindowOption = Window.OBSERVED, json: Json = False) -> None:
    """Find new calibrators and ranges for what serves, without training; a gate decides whether they do."""
    from groundswell.jobs.recalibrate import recalibrate as run
    from groundswell.printing_loop import recalibrate as view

    with opened() as context, printing.progress("recalibrate") as step:
        report = run(context, window, context.now(), step)
    finish(report, json, view)


def backtest(  # noqa: PLR0913, PLR0917 - each is an option
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH…]", help="Exports and readings; without any, the database.")
    ] = None,
    window: WindowOption = Window.OBSERVED,
    as_of: AsOf = None,
    html: Annotated[Path | None, typer.Option("--html", help="Where to write a report with pictures.")] = None,
    format: Annotated[str, typer.Option(help="Format of the files, where it is not recognised.")] = "auto",  # noqa: A002
    label_age: Annotated[str | None, typer.Option(help="Age at which an outcome is read, such as 72h.")] = None,
    label_age_max: Annotated[str | None, typer.Option(help="Age beyond which a reading is no outcome.")] = None,
    json: Json = False,
) -> None:
    """Say how well a window can be predicted: export or database in, honest report out, nothing registered."""
    from groundswell.jobs.backtest import backtest as run
    from groundswell.jobs.collection import exported_collection, stored_collection
    from groundswell.printing_backtest import backtest as view

    ages = {"label_age": label_age, "label_age_max": label_age_max}
    settings = settings_of_command("WARNING", **{name: value for name, value in ages.items() if value is not None})
    now = datetime.now(UTC)
    moment = past_moment(as_of) or now
    if paths:
        with printing.row_progress("backtest") as progress:
            collection = exported_collection(paths, now, format, progress)
    else:
        with opened() as context:
            collection = stored_collection(context.database)
    with printing.progress("backtest") as step:
        body = run(collection, window, settings, moment, step)
    if html is not None:
        from groundswell.reports.backtest import render

        write_report(html, render(body))
    printing.show(body, json, view)


def replay(  # noqa: PLR0913, PLR0917 - each is an option
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Exports, and readings of their videos.")],
    window: WindowOption = Window.PUBLISH,
    months: Annotated[int, typer.Option(min=1, max=240, help="Months of four weeks to live through.")] = 12,
    as_of: AsOf = None,
    html: Annotated[Path | None, typer.Option("--html", help="Where to write a report with pictures.")] = None,
    format: Annotated[str, typer.Option(help="Format of the files, where it is not recognised.")] = "auto",  # noqa: A002
    label_age: Annotated[str | None, typer.Option(help="Age at which an outcome is read, such as 72h.")] = None,
    json: Json = False,
) -> None:
    """Live through your exports again, month by month, beside a model that was trained once and left."""
    from groundswell.jobs.collection import exported_collection
    from groundswell.jobs.replay import replay as run
    from groundswell.printing_loop import replay as view

    if not window.is_forecast:
        raise typer.BadParameter("a replay forecasts: choose publish, 1h, 6h or 24h", param_hint="--window")
    settings = settings_of_command("WARNING", **({"label_age": label_age} if label_age is not None else {}))
    now = datetime.now(UTC)
    moment = past_moment(as_of) or now
    with printing.row_progress("replay") as progress:
        collection = exported_collection(paths, now, format, progress)
    with printing.progress("replay") as step:
        body = run(collection, window, settings, moment, months, step)
    if html is not None:
        from groundswell.reports.replay import render

        write_report(html, render(body))
    printing.show(body, json, view)
