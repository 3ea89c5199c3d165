"""The command line: parse, call, print. Every command is a face of a function that can be called without it."""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from groundswell import parsing, printing
from groundswell.errors import GroundswellError
from groundswell.records import Window, as_json

if TYPE_CHECKING:
    from groundswell.jobs.context import Context, Report
    from groundswell.settings import Settings

#: The help reads like a tour: each stop is a panel.
_TRY, _BRING, _TEACH, _SERVE, _KEEP = (
    "1. See it work",
    "2. Bring your videos",
    "3. Teach it, and check whether it comes true",
    "4. Ask it, and let it serve",
    "5. Look after it",
)

app = typer.Typer(
    help="How far will a short video carry, how sure is that, and did it come true?",
    epilog="Not sure where you are? `groundswell doctor` says what is there, what is missing and what to type next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="The numbered models: list, show, promote, roll back.", no_args_is_help=True)
db_app = typer.Typer(help="The database: create what is missing, migrate, check, back up.", no_args_is_help=True)
app.add_typer(models_app, name="models", rich_help_panel=_KEEP)
calibrations_app = typer.Typer(help="Calibrations of the score: list, restore.", no_args_is_help=True)
alerts_app = typer.Typer(help="Alerts: try whether they arrive.", no_args_is_help=True)
app.add_typer(calibrations_app, name="calibrations", rich_help_panel=_KEEP)
app.add_typer(db_app, name="db", rich_help_panel=_KEEP)
app.add_typer(alerts_app, name="alerts", rich_help_panel=_KEEP)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
WindowOption = Annotated[Window, typer.Option("--window", help="How long the video has been watched.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="T", help="ISO time beyond which nothing may be known.")]


class ScheduleFormat(enum.StrEnum):
    """Other schedulers that a schedule can be printed for."""

    CRONTAB = "crontab"
    VERCEL = "vercel"
    K8S = "k8s"


_FAILED = frozenset({"failed", "already_running"})
#: What typer makes of Ctrl-C.
_INTERRUPTED = 130


def main() -> None:
    """Run the command of this process; whatever it cannot do exits 1 with `error:` and `hint:`."""
    try:
        app()
    except GroundswellError as error:
        _fail(str(error), error.hint)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            printing.print_error("interrupted", "`groundswell models list` says what serves; a retrain can run again.")
        raise
    except Exception as error:
        import traceback

        traceback.print_exc()
        _fail(
            f"Unexpected {type(error).__name__}: {error}", "This is a fault of groundswell: report the lines above it."
        )


def _fail(error: str, hint: str) -> NoReturn:
    if "--json" in sys.argv:
        printing.print_json({"error": error, "hint": hint})
    printing.print_error(error, hint)
    sys.exit(1)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Answer `--version`."""
    if show:
        from groundswell import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command(rich_help_panel=_TRY)
def demo(
    rows: Annotated[int, typer.Option(min=600, max=1_000_000, help="Videos to make up.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the made-up data.")] = 7,
    serve_after: Annotated[bool, typer.Option("--serve", help="Serve the result afterwards.")] = False,
    json: Json = False,
) -> None:
    """Make up videos and outcomes, and take them from ingest to prediction, in the embedded database."""
    from groundswell.demo import run_demo

    with _opened() as context:
        with printing.progress("demo") as step:
            body = run_demo(context, rows, seed, step)
        printing.show(body, json, printing.demo)
    if serve_after:
        _serve(context.settings, "127.0.0.1", 8000, json=False)


@app.command(rich_help_panel=_BRING)
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

    with _opened() as context, printing.row_progress("ingest") as progress:
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


@app.command(rich_help_panel=_BRING)
def baseline(
    out: Annotated[
        Path | None, typer.Option(help="Where to write; default calibration-baseline.json in the home.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the WES percentiles and tier thresholds of the stored videos."""
    from groundswell.jobs.baseline import write_baseline

    with _opened() as context:
        printing.show(write_baseline(context, out), json, printing.baseline)


@app.command(rich_help_panel=_BRING)
def extract(
    out: Annotated[Path | None, typer.Option(help="Where to write; default GROUNDSWELL_TRAINING_DATA.")] = None,
    baseline_file: Annotated[Path | None, typer.Option("--baseline", help="Thresholds to label with.")] = None,
    json: Json = False,
) -> None:
    """Write training data that a retrain falls back to while there are few videos."""
    from groundswell.jobs.extract import write_training_data

    with _opened() as context:
        printing.show(write_training_data(context, context.now(), out, baseline_file), json, printing.extract)


@app.command(rich_help_panel=_TEACH)
def retrain(
    window: WindowOption = Window.OBSERVED,
    as_of: AsOf = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but publish.")] = False,
    json: Json = False,
) -> None:
    """Train a challenger on the newest videos; the gate decides whether it serves."""
    from groundswell.jobs.retrain import retrain as run

    moment = _moment(as_of)
    with _opened() as context, printing.progress("retrain") as step:
        report = run(context, window, moment or context.now(), dry_run, step)
    _finish(report, json, printing.retrain)


@app.command(rich_help_panel=_TEACH)
def harvest(json: Json = False) -> None:
    """Write the outcomes of our own predictions as later scrapes show them; run again, it changes nothing."""
    from groundswell.jobs.harvest import harvest as run
    from groundswell.printing_loop import harvest as view

    with _opened() as context, printing.progress("harvest") as step:
        report = run(context, context.now(), step)
    _finish(report, json, view)


@app.command(rich_help_panel=_TEACH)
def audit(
    since_days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days back; default 90.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Where to write a report with pictures.")] = None,
    json: Json = False,
) -> None:
    """Check whether what we said came true, watch for drift, refit the score's calibration, say what to do."""
    from groundswell.jobs.audit import audit as run

    with _opened() as context, printing.progress("audit") as step:
        report = run(context, context.now(), since_days, step)
    if html is not None and report.status in {"completed", "skipped"}:
        from groundswell.reports.audit import render

        _write_report(html, render(report.body))
    _finish(report, json, printing.audit)


@app.command(rich_help_panel=_TEACH)
def recalibrate(window: WindowOption = Window.OBSERVED, json: Json = False) -> None:
    """Find new calibrators and ranges for what serves, without training; a gate decides whether they do."""
    from groundswell.jobs.recalibrate import recalibrate as run
    from groundswell.printing_loop import recalibrate as view

    with _opened() as context, printing.progress("recalibrate") as step:
        report = run(context, window, context.now(), step)
    _finish(report, json, view)


@app.command(rich_help_panel=_TEACH)
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
    settings = _settings("WARNING", **{name: value for name, value in ages.items() if value is not None})
    now = datetime.now(UTC)
    moment = _moment(as_of) or now
    if paths:
        with printing.row_progress("backtest") as progress:
            collection = exported_collection(paths, now, format, progress)
    else:
        with _opened() as context:
            collection = stored_collection(context.database)
    with printing.progress("backtest") as step:
        body = run(collection, window, settings, moment, step)
    if html is not None:
        from groundswell.reports.backtest import render

        _write_report(html, render(body))
    printing.show(body, json, view)


@app.command(rich_help_panel=_TEACH)
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
    settings = _settings("WARNING", **({"label_age": label_age} if label_age is not None else {}))
    now = datetime.now(UTC)
    moment = _moment(as_of) or now
    with printing.row_progress("replay") as progress:
        collection = exported_collection(paths, now, format, progress)
    with printing.progress("replay") as step:
        body = run(collection, window, settings, moment, months, step)
    if html is not None:
        from groundswell.reports.replay import render

        _write_report(html, render(body))
    printing.show(body, json, view)


@app.command(rich_help_panel=_SERVE)
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
    with _opened() as context:
        predictor = Predictor(context.database, context.artifacts, label_age(context.settings))
        found = predictor.predict(asked.videos, asked.window, context.now(), reasons=reasons)
    if unknown := unknown_fields(asked.videos):
        typer.echo(f"warning: fields that mean nothing here were not looked at: {', '.join(unknown)}", err=True)
    printing.show(answer(found), json, printing.predictions)


@app.command(rich_help_panel=_SERVE)
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
    settings = _settings("INFO", **({"workers": workers} if workers is not None else {}))
    _serve(settings, host, port, json, scheduler=not no_scheduler)


@app.command(rich_help_panel=_SERVE)
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

    printing.show(printed(_settings(), format, url), json, lambda body: str(body["text"]))


@app.command(rich_help_panel=_SERVE)
def doctor(json: Json = False) -> None:
    """Say what is configured, what is missing, and what to type next; exits 1 where something is broken."""
    from groundswell.overview.doctor import examine
    from groundswell.printing_service import doctor as view

    body = examine(_settings())
    printing.show(body, json, view)
    if body["status"] == "broken":
        raise typer.Exit(1)


@models_app.command("list")
def list_models(
    window: Annotated[Window | None, typer.Option("--window", help="Only this line.")] = None, json: Json = False
) -> None:
    """List every version, newest first, and verify the ledger."""
    from groundswell.jobs.models import list_versions

    with _opened() as context:
        body = list_versions(context, window)
    printing.show(body, json, printing.models)
    if body["ledger"] != "verified":
        printing.print_error(
            f"The ledger is broken: {body['ledgerExplanation']}", "Compare with a backup before you promote anything."
        )
        raise typer.Exit(1)


@models_app.command("show")
def show_model(
    version_: Annotated[int, typer.Argument(metavar="N", min=1, max=2_147_483_647)], json: Json = False
) -> None:
    """Show one version: lineage, evaluation, decision."""
    from groundswell.store import registry

    with _opened() as context:
        printing.show(as_json(registry.version(context.database, version_)), json, printing.model)


@models_app.command("promote")
def promote_model(
    version_: Annotated[int, typer.Argument(metavar="N", min=1, max=2_147_483_647)], json: Json = False
) -> None:
    """Let version N serve its window."""
    from groundswell.jobs.models import promote

    with _opened() as context:
        printing.show(promote(context, version_), json, printing.moved)


@models_app.command("rollback")
def rollback_model(window: WindowOption = Window.OBSERVED, json: Json = False) -> None:
    """Let the champion before the present one serve again."""
    from groundswell.jobs.models import rollback

    with _opened() as context:
        printing.show(rollback(context, window), json, printing.moved)


@calibrations_app.command("list")
def list_calibrations(json: Json = False) -> None:
    """List every calibration of the score, newest first; the newest one speaks, if it is active."""
    from groundswell.jobs.calibrations import list_calibrations as run
    from groundswell.printing_loop import calibrations as view

    with _opened() as context:
        printing.show(run(context), json, view)


@calibrations_app.command("restore")
def restore_calibration(
    version_: Annotated[int, typer.Argument(metavar="N", min=0, max=2_147_483_647)], json: Json = False
) -> None:
    """Let the score be calibrated as version N did again; 0 leaves scores alone."""
    from groundswell.jobs.calibrations import restore
    from groundswell.printing_loop import calibration as view

    with _opened() as context:
        printing.show(restore(context, version_), json, view)


@db_app.command("init")
def init_database(json: Json = False) -> None:
    """Create every table that is missing; the tables of your product are left as they are."""
    _upgrade(json)


@db_app.command("upgrade")
def upgrade_database(json: Json = False) -> None:
    """Migrate our own tables to what this version needs."""
    _upgrade(json)


@db_app.command("check")
def check_database(json: Json = False) -> None:
    """Say whether the database can be used as it is; exits 1 if not."""
    from groundswell.jobs.database import check

    body = check(_settings())
    printing.show(body, json, printing.database)
    if body["status"] != "ready":
        printing.print_error(f"The database at {body['database']} is not ready.", body["hint"])
        raise typer.Exit(1)


@db_app.command("backup")
def back_up_database(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder; it serves as GROUNDSWELL_HOME.")],
    json: Json = False,
) -> None:
    """Copy the embedded database and its models into a folder, while everything runs on."""
    from groundswell.jobs.backup import back_up
    from groundswell.printing_service import backup as view

    with _opened() as context:
        printing.show(back_up(context, folder), json, view)


@alerts_app.command("test")
def try_alerts(json: Json = False) -> None:
    """Send a message to every channel of GROUNDSWELL_ALERT_URLS, and say of each whether it took it."""
    from groundswell.alerting.telling import send_test
    from groundswell.printing_service import alerts as view

    body = send_test(_settings())
    printing.show(body, json, view)
    if body["status"] != "completed":
        printing.print_error("Not every channel took the message.", "Correct GROUNDSWELL_ALERT_URLS and try again.")
        raise typer.Exit(1)


def _upgrade(json: bool) -> None:
    from groundswell.jobs.database import upgrade

    printing.show(upgrade(_settings()), json, printing.database)


def _settings(log_level: str | None = None, **overrides: Any) -> Settings:
    from groundswell.logs import configure_logs
    from groundswell.settings import load_settings

    settings = load_settings(**overrides)
    # Someone at a terminal reads the report; a log file wants every line.
    configure_logs(log_level or ("WARNING" if sys.stderr.isatty() else "INFO"), settings.log_format)
    return settings


@contextmanager
def _opened() -> Iterator[Context]:
    """Yield the context of this command and close its database."""
    from groundswell.jobs.context import open_context

    context = open_context(_settings())
    try:
        yield context
    finally:
        context.database.dispose()


def _serve(settings: Settings, host: str, port: int, json: bool, scheduler: bool = False) -> None:
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


def _write_report(path: Path, page: str) -> None:
    from groundswell.store.documents import write_page

    write_page(path, page)
    typer.echo(f"The report is in {path}", err=True)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = parsing.moment(text)
    except parsing.InvalidValueError:
        raise typer.BadParameter(
            f"{text!r} is no ISO 8601 time, such as 2025-03-01T00:00:00Z", param_hint="--as-of"
        ) from None
    if moment and moment > datetime.now(UTC):
        raise typer.BadParameter(f"{text!r} lies in the future", param_hint="--as-of")
    return moment


def _finish(report: Report, json: bool, view: Any) -> None:
    printing.show(report.body, json, view)
    if report.status in _FAILED:
        said = report.body.get("error") or f"A run is under way already: {report.body['runId']}"
        hint = report.body.get("hint") or "Wait for it to end; a killed run's lease expires after 30 seconds."
        printing.print_error(said, hint)
        raise typer.Exit(1)
