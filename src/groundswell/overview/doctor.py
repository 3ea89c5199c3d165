"""`doctor`: what is configured, what is missing, and what to type next; it looks, and changes nothing."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import groundswell
from groundswell.errors import ArtifactError, GroundswellError
from groundswell.jobs.context import Context, label_age
from groundswell.jobs.database import check as check_database
from groundswell.predictor import Predictor
from groundswell.records import Window, as_json
from groundswell.settings import Settings
from groundswell.store import corpus, ledger, outcomes, registry
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database, is_newer

Status = Literal["ok", "missing", "broken"]


@dataclasses.dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that was looked at: `ok`, `missing` (works without it), or `broken`; what was found, what to do."""

    name: str
    status: Status
    said: str
    hint: str | None = None


def examine(settings: Settings) -> dict[str, Any]:
    """Return what was found: `ready`, `incomplete` or `broken`, every check, and what to type next."""
    symptoms = [*_around(settings), *_stored(settings), *_service(settings)]
    statuses = {symptom.status for symptom in symptoms}
    status = "broken" if "broken" in statuses else "incomplete" if "missing" in statuses else "ready"
    return {
        "status": status,
        "version": groundswell.__version__,
        "checks": as_json(symptoms),
        # What is broken stands before what is only missing: the first hint is the one to follow.
        "next": [
            symptom.hint
            for wanted in ("broken", "missing")
            for symptom in symptoms
            if symptom.status == wanted and symptom.hint
        ],
    }


def _around(settings: Settings) -> Iterator[Symptom]:
    yield Symptom("Python", "ok", f"{platform.python_version()} on {platform.system()}, {os.cpu_count()} cores")
    yield _home(settings)
    told = "from the environment and .env" if Path(".env").exists() else "from the environment; there is no .env here"
    yield Symptom("settings", "ok", told)


def _home(settings: Settings) -> Symptom:
    nearest = next((place for place in (settings.home, *settings.home.absolute().parents) if place.exists()), None)
    if nearest is None or not nearest.is_dir() or not os.access(nearest, os.W_OK):
        return Symptom(
            "home", "broken", f"{settings.home} cannot be written", "Set GROUNDSWELL_HOME to a folder that can be."
        )
    made = "" if settings.home.exists() else ", to be made when first needed"
    return Symptom("home", "ok", f"{settings.home}{made}")


def _service(settings: Settings) -> Iterator[Symptom]:
    keys = settings.keys
    if keys:
        who = ", ".join(f"{key.name} ({', '.join(sorted(key.roles))})" for key in keys)
        yield Symptom("API keys", "ok", who)
    else:
        yield Symptom(
            "API keys",
            "missing",
            "none: `serve` listens on this machine alone, and to anybody there",
            "Set GROUNDSWELL_API_KEY to a long random text before others can reach the service.",
        )
    yield _given(
        "cron secret",
        settings.cron_secret,
        "every call of a cron endpoint is refused",
        "Set CRON_SECRET if a scheduler of your own is to call; else `serve` runs its own.",
    )
    yield _given(
        "webhook secret",
        settings.webhook_secret,
        "a scraper's webhook is refused",
        "Set GROUNDSWELL_WEBHOOK_SECRET if Apify is to hand its runs over.",
    )
    yield _given(
        "alerts",
        settings.alert_urls,
        "nobody is told of red alarms and failed runs",
        "Set GROUNDSWELL_ALERT_URLS, such as slack://…, and try it with `groundswell alerts test`.",
    )


def _given(name: str, value: object, without: str, hint: str) -> Symptom:
    return Symptom(name, "ok", "set") if value else Symptom(name, "missing", f"not set: {without}", hint)


def _stored(settings: Settings) -> Iterator[Symptom]:
    try:
        found = check_database(settings)
    except GroundswellError as error:
        yield Symptom("database", "broken", str(error), error.hint)
        return
    if found["status"] != "ready":
        lacking = "; ".join(f"{table} lacks {', '.join(names)}" for table, names in found["missingColumns"].items())
        at = "is not there yet" if found["revision"] is None else f"is at revision {found['revision']}"
        said = lacking or f"{found['database']} {at}, revision {found['needed']} is needed"
        # An embedded database is made and brought up to date by the first command that needs it.
        embedded = (
            settings.resolved_database_url.startswith("sqlite") and not lacking and not is_newer(found["revision"])
        )
        hint = _first_step(settings, found["hint"]) if embedded else found["hint"]
        yield Symptom("database", "missing" if embedded else "broken", said, hint)
        return
    yield Symptom("database", "ok", f"{found['database']}, revision {found['revision']}")
    context = Context(
        settings,
        Database(settings.resolved_database_url),
        Artifacts(settings.resolved_artifacts_url, settings.s3_endpoint),
    )
    try:
        yield from _contents(context)
    finally:
        context.database.dispose()


def _first_step(settings: Settings, hint: str) -> str:
    if settings.resolved_database_url.startswith("sqlite"):
        return "Run `groundswell ingest PATH`, or `groundswell demo` to see it work on made-up videos."
    return hint


def _contents(context: Context) -> Iterator[Symptom]:
    stored, usable = corpus.count(context.database)
    needed = context.settings.min_rows
    if usable >= needed:
        yield Symptom("videos", "ok", f"{stored:,} stored, {usable:,} with views and likes")
    else:
        yield Symptom(
            "videos",
            "missing",
            f"{stored:,} stored, {usable:,} with views and likes; a retrain wants {needed:,}",
            "Run `groundswell ingest PATH` with the export of a scraper.",
        )
    yield from _champions(context)
    known = outcomes.count(context.database)
    yield (
        Symptom("outcomes", "ok", f"{known:,} known")
        if known
        else Symptom(
            "outcomes",
            "missing",
            "none: nothing tells yet whether predictions come true",
            "Run `groundswell harvest` once newer scrapes of predicted videos are ingested, then `groundswell audit`.",
        )
    )
    with context.database.read() as connection:
        verification = ledger.verify(connection)
    yield Symptom(
        "ledger",
        "ok" if verification.status == "verified" else "broken",
        f"{verification.status}: {verification.explanation}",
        None if verification.status == "verified" else "Compare with a backup before you promote anything.",
    )


def _champions(context: Context) -> Iterator[Symptom]:
    serving = registry.champions(context.database)
    for window in context.settings.scheduled_windows:
        if window.value not in serving:
            retrain = "groundswell retrain" + (f" --window {window.value}" if window is not Window.OBSERVED else "")
            yield Symptom(f"line {window.value}", "missing", "no champion yet", f"Run `{retrain}`.")
    for name, version in serving.items():
        try:
            predictor = Predictor(context.database, context.artifacts, label_age(context.settings))
            loaded = predictor.load(Window(name))
            if loaded != version:
                raise ArtifactError(f"version {loaded} would serve in its place")
        except GroundswellError as error:
            yield Symptom(f"line {name}", "broken", f"version {version} cannot be loaded: {error}", error.hint)
        else:
            yield Symptom(f"line {name}", "ok", f"version {version} serves")
