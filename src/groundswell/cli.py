"""The command line: which commands there are, what becomes of errors; `commands` has what they do."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, NoReturn

import typer

from groundswell import printing
from groundswell.commands import bringing, keeping, serving, teaching
from groundswell.errors import GroundswellError

Command = Callable[..., None]
app = typer.Typer(
    help="How far will a short video carry, how sure is that, and did it come true?",
    epilog="Not sure where you are? `groundswell doctor` says what is there, what is missing and what to type next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
#: The help reads like a tour: each stop is a panel.
_TOUR: Mapping[str, Sequence[Command]] = {
    "1. See it work": (bringing.demo,),
    "2. Bring your videos": (bringing.ingest, bringing.baseline, bringing.extract),
    "3. Teach it, and check whether it comes true": (
        teaching.retrain,
        teaching.harvest,
        teaching.audit,
        teaching.recalibrate,
        teaching.backtest,
        teaching.replay,
    ),
    "4. Ask it, and let it serve": (serving.predict, serving.serve, serving.schedule, serving.doctor),
}
_LAST_STOP = "5. Look after it"
_GROUPS: Mapping[str, tuple[str, Mapping[str, Command]]] = {
    "models": (
        "The numbered models: list, show, promote, roll back.",
        {
            "list": keeping.list_models,
            "show": keeping.show_model,
            "promote": keeping.promote_model,
            "rollback": keeping.rollback_model,
        },
    ),
    "calibrations": (
        "Calibrations of the score: list, restore.",
        {"list": keeping.list_calibrations, "restore": keeping.restore_calibration},
    ),
    "db": (
        "The database: create what is missing, migrate, check, back up, restore.",
        {
            "init": keeping.init_database,
            "upgrade": keeping.upgrade_database,
            "check": keeping.check_database,
            "backup": keeping.back_up_database,
            "restore": keeping.restore_database,
        },
    ),
    "alerts": ("Alerts: try whether they arrive.", {"test": keeping.try_alerts}),
}
#: What typer makes of Ctrl-C.
_INTERRUPTED = 130


def _assemble() -> None:
    for stop, commands in _TOUR.items():
        for command in commands:
            app.command(rich_help_panel=stop)(command)
    for name, (said, members) in _GROUPS.items():
        group = typer.Typer(help=said, no_args_is_help=True)
        for member, command in members.items():
            group.command(member)(command)
        app.add_typer(group, name=name, rich_help_panel=_LAST_STOP)


def main() -> None:
    """Run the command of this process; whatever it cannot do exits 1 with `error:` and `hint:`."""
    # Looking for garbage among the modules, while they load and as the process ends, took a third of a short command.
    gc.set_threshold(20_000)
    atexit.register(gc.freeze)
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


_assemble()
