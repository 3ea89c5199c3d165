"""The API against its own OpenAPI document: whatever the document allows or forbids is answered as it says."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.acceptance.conftest import API_KEY, CRON
from tests.acceptance.process import Place, Server
from tests.unit.web.test_webhooks import FakeApify, faked

HOOK = "a-hook-secret"
_SECONDS = 120.0
load_all_checks()
#: What the document does not name is ignored, not refused: clients newer than the server still get their answer.
LENIENT = [negative_data_rejection]
#: That items are of a format that a scraper gives is more than a schema can say.
BY_MEANING = [*LENIENT, positive_data_acceptance]


@dataclasses.dataclass(frozen=True)
class Api:
    """A server with keys and a champion, and its document."""

    server: Server
    document: dict[str, Any]


@pytest.fixture(scope="module")
def apify() -> Iterator[FakeApify]:
    with faked() as made:
        yield made


@pytest.fixture(scope="module")
def api(furnished: Place, apify: FakeApify, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    place = furnished.copy(
        tmp_path_factory.mktemp("described"),
        CRON_SECRET=CRON,
        GROUNDSWELL_API_KEY=API_KEY,
        GROUNDSWELL_WEBHOOK_SECRET=HOOK,
        GROUNDSWELL_APIFY_URL=apify.url,
    )
    process = place.start("serve", "--port", "0", "--no-scheduler", "--json")
    assert process.stdout
    assert process.stderr
    # Thousands of requests log more than a pipe holds; whoever does not read it stops the server.
    reader = threading.Thread(target=process.stderr.read, daemon=True)
    reader.start()
    try:
        server = Server(json.loads(process.stdout.readline())["url"])
        yield Api(server, server.get("/openapi.json").body)
    finally:
        process.terminate()
        process.wait(_SECONDS)
        reader.join()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def headers_of(path: str) -> dict[str, str]:
    secret = CRON if path.startswith("/api/cron") else HOOK if path.startswith("/api/webhooks") else API_KEY
    return {"Authorization": f"Bearer {secret}"}


def check_operations(api: Api, examples: int) -> Counter[str]:
    """Send up to that many cases of each kind to each operation; return how many were sent by operation."""
    sent: Counter[str] = Counter()
    schema = schemathesis.openapi.from_dict(api.document)
    schema.config.update(base_url=api.server.url)
    for found in schema.get_all_operations():
        # A call of a cron route trains or audits, so it is asked a quarter as often.
        operation = found.ok()  # type: ignore[union-attr] # an error in the document fails here
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _check(operation, mode, examples // 4 if operation.path.startswith("/api/cron/") else examples, sent)
    return sent


def _check(operation: Any, mode: GenerationMode, examples: int, sent: Counter[str]) -> None:
    excluded = BY_MEANING if operation.path.startswith("/api/webhooks") else LENIENT

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        sent[operation.label] += 1
        case.call_and_validate(headers=headers_of(operation.path), excluded_checks=excluded, timeout=_SECONDS)

    with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # nothing can be wrong where nothing is taken
        one()


def test_the_document_is_kept_in_short(api: Api) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        sent = check_operations(api, 8)
    assert sent.total() >= 200, sent
    assert set(sent) == {
        f"{method.upper()} {path}" for path, methods in api.document["paths"].items() for method in methods
    }


@pytest.mark.slow
def test_the_document_is_kept(api: Api) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        sent = check_operations(api, 80)
    assert sent.total() >= 2_000, sent
