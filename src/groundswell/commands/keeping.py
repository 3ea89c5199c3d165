"""Looking after it: models, calibrations, the database and alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundswell import printing
from groundswell.commands.shared import (
    Json,
    WindowOption,
    opened,
    settings_of_command,
)
from groundswell.errors import GroundswellError
from groundswell.records import Window, as_json


def list_models(
    window: Annotated[Window | None, typer.Option("--window", help="Only this line.")] = None, json: Json = False
) -> None:
    """List every version, newest first, and verify the ledger."""
    from groundswell.jobs.models import list_versions

    with opened() as context:
        body = list_versions(context, window)
    printing.show(body, json, printing.models)
    if body["ledger"] != "verified":
        printing.print_error(
            f"The ledger is broken: {body['ledgerExplanation']}", "Compare with a backup before you promote anything."
        )
        raise typer.Exit(1)


def show_model(
    version_: Annotated[int, typer.Argument(metavar="N", min=1, max=2_147_483_647)], json: Json = False
) -> None:
    """Show one version: lineage, evaluation, decision."""
    from groundswell.store import registry

    with opened() as context:
        printing.show(as_json(registry.version(context.database, version_)), json, printing.model)


def promote_model(
    version_: Annotated[int, typer.Argument(metavar="N", min=1, max=2_147_483_647)], json: Json = False
) -> None:
    """Let version N serve its window."""
    from groundswell.jobs.models import promote

    with opened() as context:
        printing.show(promote(context, version_), json, printing.moved)


def rollback_model(window: WindowOption = Window.OBSERVED, json: Json = False) -> None:
    """Let the champion before the present one serve again."""
    from groundswell.jobs.models import rollback

    with opened() as context:
        printing.show(rollback(context, window), json, printing.moved)


def list_calibrations(json: Json = False) -> None:
    """List every calibration of the score, newest first; the newest one speaks, if it is active."""
    from groundswell.jobs.calibrations import list_calibrations as run
    from groundswell.printing_loop import calibrations as view

    with opened() as context:
        printing.show(run(context), json, view)


def restore_calibration(
    version_: Annotated[int, typer.Argument(metavar="N", min=0, max=2_147_483_647)], json: Json = False
) -> None:
    """Let the score be calibrated as version N did again; 0 leaves scores alone."""
    from groundswell.jobs.calibrations import restore
    from groundswell.printing_loop import calibration as view

    with opened() as context:
        printing.show(restore(context, version_), json, view)


def init_database(json: Json = False) -> None:
    """Create every table that is missing; the tables of your product are left as they are."""
    _upgrade(json)


def upgrade_database(json: Json = False) -> None:
    """Migrate our own tables to what this version needs."""
    _upgrade(json)


def check_database(json: Json = False) -> None:
    """Say whether the database can be used as it is; exits 1 if not."""
    from groundswell.jobs.database import check

    body = check(settings_of_command())
    printing.show(body, json, printing.database)
    if body["status"] != "ready":
        printing.print_error(f"The database at {body['database']} is not ready.", body["hint"])
        raise typer.Exit(1)


def back_up_database(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder; it serves as GROUNDSWELL_HOME.")],
    json: Json = False,
) -> None:
    """Copy the embedded database and its models into a folder, while everything runs on."""
    from groundswell.jobs.backup import back_up
    from groundswell.printing_service import backup as view

    with opened() as context:
        printing.show(back_up(context, folder), json, view)


def restore_database(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `groundswell db backup` has written.")],
    yes: Annotated[bool, typer.Option("--yes", help="Yes, what was stored since may go.")] = False,
    json: Json = False,
) -> None:
    """Put the embedded database back to a backup, while everything runs on; what was stored since is gone."""
    from groundswell.jobs.backup import restore
    from groundswell.printing_service import restored as view

    if not yes:
        raise GroundswellError(
            "All that was stored since the backup would be gone.",
            "Run `groundswell db backup ./before` first if it may be wanted, and then this again with --yes.",
        )
    printing.show(restore(settings_of_command(), folder), json, view)


def try_alerts(json: Json = False) -> None:
    """Send a message to every channel of GROUNDSWELL_ALERT_URLS, and say of each whether it took it."""
    from groundswell.alerting.telling import send_test
    from groundswell.printing_service import alerts as view

    body = send_test(settings_of_command())
    printing.show(body, json, view)
    if body["status"] != "completed":
        printing.print_error("Not every channel took the message.", "Correct GROUNDSWELL_ALERT_URLS and try again.")
        raise typer.Exit(1)


def _upgrade(json: bool) -> None:
    from groundswell.jobs.database import upgrade

    printing.show(upgrade(settings_of_command()), json, printing.database)
