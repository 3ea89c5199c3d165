"""A scraper's call: the items of a finished run, taken in as `ingest` takes in a file, and each run once."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from groundswell.alerting.telling import tell_run
from groundswell.errors import GroundswellError, SourceError
from groundswell.jobs.context import Context
from groundswell.jobs.ingest import IngestReport, ingest
from groundswell.records import as_json
from groundswell.sources.apify import Apify
from groundswell.store import received, runs

SOURCE = "apify"
#: What a call is named in alerts.
_KIND = "webhook"
#: What a run may be called: it becomes the name of a file.
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
#: How long a call waits for another of the same run to end, and how often it looks.
_WAIT_SECONDS = 20.0
_LOOK_SECONDS = 0.1
_HINT = "Send the items as the scraper gives them, such as those of clockworks/tiktok-scraper."


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """A finished run: its id, and its items, or the dataset where they are."""

    run_id: str
    dataset: str | None = None
    items: list[Any] | None = None


def receive(context: Context, delivery: Delivery) -> dict[str, Any]:
    """Return what became of a run's items: the counts of `ingest`, and whether they were taken in before.

    Of two calls at once one waits for the other. A call that fails stores nothing and may be repeated. Raises
    ApifyError where the items cannot be fetched, SourceError where they are of no known format, AlreadyRunningError
    where another call of the same run takes very long.
    """
    before = received.find(context.database, SOURCE, delivery.run_id)
    return _told(before, repeated=True) if before else _take_turns(context, delivery)


def _take_turns(context: Context, delivery: Delivery) -> dict[str, Any]:
    end, name = time.monotonic() + _WAIT_SECONDS, f"webhook:{SOURCE}:{delivery.run_id}"
    while True:
        try:
            with runs.lease(context.database, name, str(uuid.uuid4())):
                before = received.find(context.database, SOURCE, delivery.run_id)
                if before:
                    return _told(before, repeated=True)
                report = _taken_in(context, delivery)
                return _told(received.note(context.database, SOURCE, delivery.run_id, report), repeated=False)
        except runs.AlreadyRunningError:
            if time.monotonic() > end:
                raise
            time.sleep(_LOOK_SECONDS)


def _taken_in(context: Context, delivery: Delivery) -> dict[str, Any]:
    """Do `_take_in`, and tell of it: nobody sits before a call that fails, and rows that do not come are not missed."""
    try:
        report = _take_in(context, delivery)
    except Exception as error:
        said = f"The items of the scraper's run {delivery.run_id} were not taken in: {error or type(error).__name__}"
        hint = {"hint": error.hint} if isinstance(error, GroundswellError) else {}
        _tell(context, {"status": "failed", "error": said} | hint)
        raise
    if report["read"]:
        _tell(context, {"status": "completed"})
    return report


def _tell(context: Context, body: dict[str, Any]) -> None:
    tell_run(context.settings, context.database, _KIND, None, body)


def _take_in(context: Context, delivery: Delivery) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="groundswell-") as folder:
        path = Path(folder) / f"{SOURCE}-{delivery.run_id}.jsonl"
        count = _write(path, _items(context, delivery))
        report = _ingested(context, path) if count else IngestReport(0, 0, 0, 0, 0, {}, None)
    counts = {name: value for name, value in as_json(report).items() if name != "rejectsFile"}
    return {"status": "completed", "runId": delivery.run_id, **counts}


def _ingested(context: Context, path: Path) -> IngestReport:
    try:
        return ingest(context.database, context.settings, [path], as_of=context.now())
    except SourceError as error:
        # The folder is ours, and gone by the time that anybody reads of it.
        raise SourceError(str(error).replace(str(path), path.name), _HINT) from None


def _items(context: Context, delivery: Delivery) -> Iterator[Any]:
    if delivery.items is not None:
        yield from delivery.items
        return
    token = context.settings.apify_token
    apify = Apify(context.settings.apify_url, token.get_secret_value() if token else "")
    for page in apify.items(delivery.dataset or ""):
        yield from page


def _write(path: Path, items: Iterable[Any]) -> int:
    """Write the items as JSON lines, and return how many there are."""
    count = 0
    with path.open("wb") as file:
        for item in items:
            file.write(_line(item) + b"\n")
            count += 1
    return count


def _line(item: Any) -> bytes:
    """Return an item as one line of JSON; what cannot be written becomes a line that ingest refuses."""
    try:
        return orjson.dumps(item)
    except TypeError:  # a whole number of more than 64 bits, half a character, or hundreds of levels
        pass
    try:
        return json.dumps(item).encode()
    except RecursionError:
        return b'"nested too deeply"'


def _told(report: dict[str, Any], *, repeated: bool) -> dict[str, Any]:
    return {**report, "repeated": repeated}
