"""A scraper's call: who may send it, what it brings, and that each run is taken in once."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from groundswell.jobs.received import Delivery, receive
from groundswell.sources.synthetic import synthetic_videos
from groundswell.store import alerts, tables
from groundswell.store.database import Database
from tests.acceptance.process import UNTIL
from tests.asking import CRON, HOOK, OPERATOR, Browser, app_of, bearer
from tests.made_up import context_of

PATH = "/api/webhooks/apify"
TOKEN = "an-apify-token"
ITEMS = [{**video, "id": f"73{row:017d}"} for row, video in enumerate(synthetic_videos(5, 1, UNTIL))]


def finished(run_id: str = "run-1", dataset: str = "d4t4set", **changed: Any) -> dict[str, Any]:
    """Return the call that Apify makes by default."""
    return {
        "userId": "u1",
        "createdAt": "2026-01-05T18:00:00.000Z",
        "eventType": "ACTOR.RUN.SUCCEEDED",
        "eventData": {"actorId": "a1", "actorRunId": run_id},
        "resource": {"id": run_id, "actId": "a1", "status": "SUCCEEDED", "defaultDatasetId": dataset},
        **changed,
    }


@dataclasses.dataclass
class FakeApify:
    """Apify's API as far as it is asked: one dataset, in pages."""

    url: str = ""
    items: list[Any] = dataclasses.field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    tells_total: bool = True
    asked: list[str] = dataclasses.field(default_factory=list)
    tokens: set[str | None] = dataclasses.field(default_factory=set)


@contextmanager
def faked() -> Iterator[FakeApify]:
    apify = FakeApify()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            apify.asked.append(self.path)
            apify.tokens.add(self.headers.get("authorization"))
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            offset, limit = int(query["offset"]), int(query["limit"])
            content = apify.body if apify.body is not None else orjson.dumps(apify.items[offset : offset + limit])
            self.send_response(apify.status)
            if apify.tells_total:
                self.send_header("X-Apify-Pagination-Total", str(len(apify.items)))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    apify.url = f"http://127.0.0.1:{server.server_port}"
    yield apify
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def apify() -> Iterator[FakeApify]:
    with faked() as made:
        made.items = list(ITEMS)
        yield made


@pytest.fixture
def hooked(tmp_path: Path, apify: FakeApify) -> Iterator[Browser]:
    app = app_of(tmp_path / "home", apify_url=apify.url, apify_token=TOKEN)
    yield Browser(app)
    app.state.groundswell.close()


def send(browser: Browser, content: Any, path: str = PATH, **headers: str) -> Any:
    data = content if isinstance(content, bytes) else orjson.dumps(content)
    headers = headers or bearer(HOOK)
    return browser.post(path, content=data, headers={"content-type": "application/json", **headers})


def database_of(app: FastAPI) -> Database:
    database: Database = app.state.groundswell.context().database
    return database


def stored(app: FastAPI) -> int:
    with database_of(app).read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(tables.scraped_videos)).scalar_one())


@pytest.mark.parametrize(
    "headers",
    [
        bearer(HOOK),
        {"X-Groundswell-Secret": HOOK},
        {"X-Apify-Webhook-Secret": HOOK},
        {"authorization": f"bearer {HOOK}"},
    ],
)
def test_the_secret_may_stand_in_several_headers(hooked: Browser, headers: dict[str, str]) -> None:
    assert send(hooked, finished(), **headers).status_code == 200
    assert send(hooked, finished(), PATH + f"?secret={HOOK}", accept="*/*").status_code == 200


@pytest.mark.parametrize(
    "headers", [{"x": "y"}, bearer(""), bearer("wrong"), bearer(OPERATOR), bearer(CRON), {"X-Groundswell-Secret": "no"}]
)
def test_another_secret_is_refused_before_the_body_is_read(hooked: Browser, headers: dict[str, str]) -> None:
    for body in (finished(), b"{not json"):
        answer = send(hooked, body, **headers)
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert send(hooked, finished(), PATH + "?secret=wrong", x="y").status_code == 401


def test_without_a_secret_every_call_is_refused(tmp_path: Path) -> None:
    browser = Browser(app_of(tmp_path, webhook_secret=None))
    for secret in ("", "None", "null", HOOK):
        assert send(browser, finished(), **bearer(secret)).status_code == 401
        assert send(browser, finished(), PATH + f"?secret={secret}", x="y").status_code == 401


def test_a_finished_run_is_fetched_and_taken_in_once(hooked: Browser, apify: FakeApify) -> None:
    first = send(hooked, finished())
    counts = {"read": 5, "inserted": 5, "updated": 0, "unchanged": 0, "rejected": 0, "rejectedBy": {}}
    told = {"status": "completed", "runId": "run-1", **counts}
    assert (first.status_code, first.json()) == (200, {**told, "repeated": False})
    assert apify.asked == ["/v2/datasets/d4t4set/items?format=json&clean=true&offset=0&limit=1000"]
    assert apify.tokens == {f"Bearer {TOKEN}"}
    again = send(hooked, finished())
    assert again.json() == {**told, "repeated": True}
    assert len(apify.asked) == 1
    assert stored(hooked.app) == 5
    assert send(hooked, finished("run-2")).json()["unchanged"] == 5


@pytest.mark.parametrize("tells_total", [True, False])
@pytest.mark.parametrize("count", [0, 999, 1_000, 1_001, 2_500])
def test_a_dataset_is_read_page_by_page(hooked: Browser, apify: FakeApify, count: int, tells_total: bool) -> None:
    apify.items = [{**ITEMS[0], "id": f"74{row:017d}"} for row in range(count)]
    apify.tells_total = tells_total
    assert send(hooked, finished()).json()["inserted"] == count
    assert stored(hooked.app) == count
    assert len(apify.asked) == max(1, -(-count // 1_000)) + (not tells_total and count == 1_000)


def test_a_page_shortened_by_clean_is_not_the_last(hooked: Browser, apify: FakeApify) -> None:
    apify.items = [{**ITEMS[0], "id": f"74{row:017d}"} for row in range(2_000)]
    apify.body = orjson.dumps(ITEMS[:3])  # Apify left the empty ones out, and says 2,000 all the same
    assert send(hooked, finished()).json()["read"] == 6
    assert len(apify.asked) == 2


@pytest.mark.parametrize(
    "body",
    [{"runId": "r", "items": ITEMS}, {"items": ITEMS, "eventData": {"actorRunId": "r"}},
     {"runId": "r", "datasetId": "d"}, {"resource": {"id": "r", "defaultDatasetId": "d"}}],
)  # fmt: skip
def test_other_shapes_of_the_same_call(hooked: Browser, body: Any) -> None:
    assert send(hooked, body).json()["inserted"] == 5
    assert send(hooked, ITEMS, PATH + "?runId=r").json()["repeated"] is True


@pytest.mark.parametrize("kind", ["FAILED", "ABORTED", "TIMED_OUT", "CREATED"])
def test_other_events_are_acknowledged_and_ignored(hooked: Browser, apify: FakeApify, kind: str) -> None:
    answer = send(hooked, finished(eventType=f"ACTOR.RUN.{kind}"))
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["runId"]) == ("ignored", "run-1")
    assert kind in answer.json()["reason"]
    assert not apify.asked
    assert send(hooked, finished()).json()["repeated"] is False, "the run may still succeed"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"\xff\xfe", 422),
        (b"null", 422),
        (b"5", 422),
        (b"{}", 422),
        (b"[" * 100_000, 422),
        ([], 422),
        ({"items": []}, 422),
        ({"items": ITEMS, "runId": "../../etc/passwd"}, 422),
        ({"items": ITEMS, "runId": "x" * 101}, 422),
        ({"items": ITEMS, "runId": {"a": 1}}, 422),
        ({"items": "none", "runId": "r"}, 422),
        ({"runId": "r", "items": [{"colour": "blue"}]}, 400),
        (finished(resource=None), 422),
        (finished(resource={"defaultDatasetId": 5}), 422),
        (finished(dataset="../users/me"), 502),
        (finished(dataset="a/b?token=x"), 502),
        (finished(run_id="a b"), 422),
    ],
)
def test_what_is_no_call_is_refused_and_nothing_is_stored(hooked: Browser, body: Any, status: int) -> None:
    answer = send(hooked, body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) - {"requestId"} == {"error", "hint"}
    assert "/tmp" not in answer.text
    assert len(answer.text) < 1_000
    assert stored(hooked.app) == 0


def test_a_malformed_item_is_a_rejection(hooked: Browser, apify: FakeApify) -> None:
    apify.items = [*ITEMS, None, 5, "x", [], {"id": None}, {**ITEMS[0], "id": "75", "playCount": -1}]
    odd = (
        b'{"runId": "r2", "items": [%s, {"id": "76", "deep": %s}, {"id": "77", "playCount": 1%s}, {"id": "7\\ud800"}]}'
    )
    body = send(hooked, finished()).json()
    assert (body["read"], body["inserted"]) == (11, 5)
    assert body["rejected"] == sum(body["rejectedBy"].values()) == 6
    more = send(hooked, odd % (orjson.dumps(ITEMS[0]), b"[" * 400 + b"]" * 400, b"0" * 30))
    assert more.status_code == 200, more.text
    assert more.json()["read"] == 4


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b"{}"), (401, b"{}"), (500, b""), (302, b""), (200, b"{"), (200, b'{"error": 1}'), (200, b"")],
)
def test_a_dataset_that_cannot_be_had_is_502_and_may_be_asked_again(
    hooked: Browser, apify: FakeApify, status: int, body: bytes
) -> None:
    apify.status, apify.body = status, body
    answer = send(hooked, finished())
    assert answer.status_code == 502
    assert "GROUNDSWELL_APIFY_TOKEN" in answer.json()["hint"]
    assert TOKEN not in answer.text
    assert stored(hooked.app) == 0
    apify.status, apify.body = 200, None
    assert send(hooked, finished()).json() == send(hooked, finished()).json() | {"repeated": False}


def test_somebody_is_told_of_a_call_that_fails_and_that_it_works_again(hooked: Browser, apify: FakeApify) -> None:
    def needing() -> dict[str, str]:
        return {matter.topic: matter.said for matter in alerts.standing(database_of(hooked.app))}

    apify.status, apify.body = 404, b"{}"
    assert send(hooked, finished()).status_code == 502
    (said,) = needing().values()
    assert set(needing()) == {"run:webhook"}
    assert said.startswith("The items of the scraper's run run-1 were not taken in: ")
    assert TOKEN not in said
    apify.status, apify.body = 200, None
    assert send(hooked, finished()).status_code == 200
    assert needing() == {}


def test_where_nobody_answers_it_is_502(tmp_path: Path) -> None:
    browser = Browser(app_of(tmp_path, apify_url="http://127.0.0.1:1"))
    assert send(browser, finished()).status_code == 502


def test_a_page_without_end_is_given_up(hooked: Browser, apify: FakeApify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundswell.sources.apify.MOST_PAGE_BYTES", 1_000)
    apify.body = b"[" + b" " * 100_000 + b"]"
    assert send(hooked, finished()).status_code == 502


def test_the_secret_in_the_address_is_not_logged(hooked: Browser, logs: Callable[[], str]) -> None:
    assert send(hooked, finished(), PATH + f"?secret={HOOK}", x="y").status_code == 200
    assert send(hooked, b"{", PATH + f"?secret={HOOK}", x="y").status_code == 422
    assert HOOK not in logs()
    assert TOKEN not in logs()


def test_of_calls_at_once_one_takes_it_in_and_all_hear_of_it(database: Database, tmp_path: Path) -> None:
    context = context_of(tmp_path / "home", database)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: receive(context, Delivery("run-1", items=list(ITEMS))), range(4)))
    assert sorted(answer["repeated"] for answer in answers) == [False, True, True, True]
    assert {answer["inserted"] for answer in answers} == {5}
    with database.read() as connection:
        kinds = connection.execute(sa.select(tables.runs.c.kind)).scalars().all()
    assert kinds == ["ingest"], "and it was ingested once"


def test_a_call_that_was_killed_half_way_may_be_repeated(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(tmp_path / "home", database)
    with monkeypatch.context() as patch:
        patch.setattr("groundswell.store.received.note", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            receive(context, Delivery("run-1", items=list(ITEMS)))
    again = receive(context, Delivery("run-1", items=list(ITEMS)))
    assert (again["unchanged"], again["inserted"], again["repeated"]) == (5, 0, False)


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt
