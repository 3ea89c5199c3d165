"""Whatever is sent: an answer that says what was wrong, nothing stored wrongly, and pages that show it as text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from groundswell.store import tables
from tests.acceptance.process import EASY, VIDEO, Place, made_up, until, write_export
from tests.asking import HOOK, OPERATOR, Browser, app_of, bearer
from tests.conftest import PostgresServer

JSON = {"content-type": "application/json"}
SQL = "'; drop table predictions; --"
HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;"
NUL = "a\x00b"
HALF = "\ud800 half a character"
LONG = "x" * 200_000
ODD = [
    SQL,
    HTML,
    NUL,
    HALF,
    LONG,
    "\u202e\u200b\ufeff",
    "{{7*7}}${7*7}%s%n",
    "../../etc/passwd",
    "",
    " ",
    "=cmd|' /C calc'!A0",
]
TEXTS = ["platform", "platformVideoId", "author", "description", "soundName", "postedAt"]
NUMBERS = ["authorFollowers", "views", "likes", "shares", "comments", "saves", "durationSeconds"]
#: What is no number, and numbers that nothing has.
NO_NUMBERS: list[Any] = [
    math.nan,
    math.inf,
    -math.inf,
    2**63,
    2**200,
    -1,
    1.5,
    True,
    "12x",
    SQL,
    NUL,
    HALF,
    [],
    {},
    [[1]],
    {"a": 1},
]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """An app with a champion, in each database."""
    folder = tmp_path_factory.mktemp("bad")
    server: PostgresServer | None = None
    url, name = None, ""
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        assert server is not None
        name = server.create()
        url = server.url(name)
    place = Place(folder, EASY | ({"DATABASE_URL": url} if url else {}))
    place.run("ingest", str(write_export(folder / "export.jsonl", made_up(700))))
    place.run("retrain")
    made = app_of(folder / "groundswell-data", database_url=url)
    yield made
    made.state.groundswell.close()
    if server is not None:
        server.drop(name)


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    made = Browser(app)
    made.log_in()
    return made


def send(browser: Browser, path: str, content: Any, **headers: str) -> Any:
    """Post JSON as Python writes it, NaN and halves of characters too, or bytes as they are."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return browser.post(path, content=data, headers={**JSON, **bearer(OPERATOR), **headers})


def logged(app: FastAPI) -> list[Any]:
    """Return every stored prediction, after those that wait were stored."""
    state = app.state.groundswell
    until(lambda: state.logbook is None or state.logbook.status().waiting == 0, "what waits is stored")
    with state.context().database.read() as connection:
        return list(connection.execute(sa.select(tables.predictions)).mappings())


def check_answers(found: Any, count: int) -> list[dict[str, Any]]:
    assert found.status_code == 200, found.text[:500]
    answers = found.json()["predictions"]
    assert len(answers) == count
    for answer in answers:
        assert set(answer) == {"error", "hint"} or answer["tier"] in range(1, 6)
        assert len(json.dumps(answer)) < 2_000, "what was sent is not sent back at length"
    return list(answers)


def test_odd_texts_are_read_or_refused_one_by_one(app: FastAPI, browser: Browser) -> None:
    videos = [{**VIDEO, field: text} for field in TEXTS for text in ODD]
    videos += [{**VIDEO, "hashtags": tags} for text in ODD for tags in (text, [text], [{"name": text}], [None, text])]
    before = len(logged(app))
    answers = check_answers(send(browser, "/api/predict", {"videos": videos, "reasons": True}), len(videos))
    kept = [answer["predictionId"] for answer in answers if "predictionId" in answer]
    rows = logged(app)
    assert len(rows) == before + len(kept), "each answer was stored, and nothing else"
    assert set(kept) <= {row["id"] for row in rows}
    assert all("\x00" not in json.dumps(row["input"]) for row in rows if row["id"] in kept)


def test_what_is_no_number_is_refused_in_its_place(app: FastAPI, browser: Browser) -> None:
    videos = [{**VIDEO, field: value} for field in NUMBERS for value in NO_NUMBERS]
    before = len(logged(app))
    answers = check_answers(send(browser, "/api/predict", {"videos": [VIDEO, *videos, VIDEO]}), len(videos) + 2)
    assert "tier" in answers[0]
    assert "tier" in answers[-1]
    for video, answer in zip(videos, answers[1:-1], strict=True):
        if video["views"] in (VIDEO["views"],) and video["likes"] in (VIDEO["likes"],):
            continue
        odd = video["views"] if video["views"] != VIDEO["views"] else video["likes"]
        if odd != 1.5:
            assert "error" in answer, video
    assert len(logged(app)) == before + sum("tier" in answer for answer in answers)


def test_null_everywhere(browser: Browser) -> None:
    nothing = dict.fromkeys([*TEXTS, *NUMBERS, "hashtags"])
    videos = [nothing, {**VIDEO, **nothing}, *({**VIDEO, field: None} for field in nothing), None, [None], {None: None}]
    check_answers(send(browser, "/api/predict", {"videos": videos}), len(videos))
    assert send(browser, "/api/predict", {"videos": None, "window": None, "reasons": None}).status_code == 422
    answer = send(
        browser, "/api/outcomes", {"outcomes": [None, {}, dict.fromkeys(["predictionId", "actualViews", "observedAt"])]}
    )
    assert answer.status_code == 200
    assert all(set(one) == {"error", "hint"} for one in answer.json()["outcomes"])


def test_unknown_fields_are_ignored_and_not_stored(app: FastAPI, browser: Browser) -> None:
    more = {"colour": SQL, "__proto__": {"x": 1}, "tier": 5, NUL: NUL, "a" * 1_000: [1] * 1_000}
    (answer,) = check_answers(send(browser, "/api/predict", {"videos": [{**VIDEO, **more}], "colour": 1}), 1)
    row = next(row for row in logged(app) if row["id"] == answer["predictionId"])
    assert not set(more) & set(row["input"])


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000 + b"]" * 100_000, b'{"videos":' * 5_000 + b"1" + b"}" * 5_000,
     b'{"videos": [' + b"9" * 5_000 + b"]}",
     b"\xff\xfe{}", b'"\xc3("', b"\x00", b'{"videos": [{}]', b'{"videos": [{}]} x', b"", b"videos=1"],
    ids=["deep", "deeper", "digits", "utf16", "utf8", "nul", "open", "rest", "empty", "form"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/predict", "/api/outcomes", "/api/try", "/api/webhooks/apify"])
def test_a_body_that_is_no_request(browser: Browser, path: str, body: bytes) -> None:
    secret = HOOK if "webhooks" in path else OPERATOR
    answer = send(browser, path, body, **bearer(secret))
    if answer.status_code == 200:  # a number of 5,000 digits among videos is one video that cannot be read
        assert set(answer.json()["predictions"][0]) == {"error", "hint"}
        return
    assert answer.status_code in {400, 422}
    assert set(answer.json()) == {"error", "hint"}
    assert len(answer.text) < 1_000
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/json;charset=utf-16", ""]
)
def test_another_kind_of_content(browser: Browser, kind: str) -> None:
    answer = send(browser, "/api/predict", {"videos": [VIDEO]}, **{"content-type": kind})
    assert answer.status_code in {200, 415, 422}
    assert (answer.status_code == 200) == kind.startswith("application/json")


def test_odd_outcomes_are_refused_one_by_one(browser: Browser) -> None:
    (known,) = check_answers(send(browser, "/api/predict", {"videos": [VIDEO]}), 1)
    reports = [{"predictionId": text, "actualViews": 5} for text in ODD]
    reports += [{"platform": text, "platformVideoId": text, "actualViews": 5} for text in ODD]
    reports += [{"predictionId": known["predictionId"], "actualViews": value} for value in NO_NUMBERS if value != 1.5]
    reports += [
        {"predictionId": known["predictionId"], "actualViews": 5, "observedAt": text} for text in ODD if text.strip()
    ]
    answer = send(browser, "/api/outcomes", {"outcomes": reports})
    assert answer.status_code == 200, answer.text[:300]
    for report, found in zip(reports, answer.json()["outcomes"], strict=True):
        assert set(found) == {"error", "hint"}, report
        assert len(json.dumps(found)) < 2_000


@pytest.mark.parametrize(
    "text",
    [SQL, HTML, NUL, LONG, "{{7*7}}%s", "../../etc/passwd"],
    ids=["sql", "html", "nul", "long", "template", "path"],
)
def test_odd_addresses(browser: Browser, text: str) -> None:
    for path in (
        "/api/runs/{}",
        "/api/audits/{}",
        "/api/models/{}",
        "/api/lines/{}",
        "/runs/{}",
        "/lines/{}",
        "/static/{}",
    ):
        answer = browser.get(path.format(quote(text[:5_000], safe="")))
        assert answer.status_code in {400, 404, 422}, path
        assert len(answer.text) < 10_000
        assert "<script>alert" not in answer.text
    for query in ("kind", "status", "limit", "offset", "window", "notice"):
        answer = browser.ask("GET", "/api/runs" if query != "notice" else "/", params={query: text[:5_000]})
        assert answer.status_code in {200, 422}
    for number in ("0", "-1", str(2**31), str(2**63), str(10**40), "1.5", "NaN"):
        assert browser.get(f"/api/models/{number}").status_code in {404, 422}
        assert browser.ask("GET", "/api/runs", params={"offset": number, "limit": number}).status_code in {200, 422}


def test_what_a_stranger_wrote_is_shown_as_text(app: FastAPI, browser: Browser, tmp_path: Path) -> None:
    video = {
        "id": "7999",
        "playCount": 5,
        "diggCount": 1,
        "text": HTML,
        "authorMeta": {"name": HTML},
        "createTimeISO": "2025-01-01T00:00:00Z",
    }
    odd = [
        video,
        {**video, "id": HTML},
        {**video, "id": "8000", "text": SQL, "createTimeISO": HTML},
        {**video, "id": NUL},
        {**video, "id": HALF},
    ]
    answer = send(browser, "/api/webhooks/apify", {"runId": "evil", "items": odd}, **bearer(HOOK))
    assert answer.status_code == 200, answer.text
    assert answer.json()["read"] == len(odd)
    form = {
        "window": "observed",
        "author": HTML,
        "description": HTML,
        "soundName": HTML,
        "views": "100",
        "likes": "5",
        "postedAt": HTML,
    }
    pages = [browser.ask("GET", "/try", params=form).text]
    pages += [browser.get(path).text for path in ("/", "/data", "/runs", "/models", "/lines/observed", "/audits")]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert browser.get("/api/data").status_code == 200
    with app.state.groundswell.context().database.read() as connection:
        texts = connection.execute(sa.select(tables.scraped_videos.c.description).filter_by(platform_video_id="7999"))
        assert texts.scalar() == HTML, "stored as it was, and escaped where it is shown"
