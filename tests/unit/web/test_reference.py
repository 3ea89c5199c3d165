"""The OpenAPI document and the page made from it: every route, every error, every example."""

from __future__ import annotations

import html
import json
import re

from groundswell.web.openapi.answers import ANSWERS
from groundswell.web.openapi.contract import operations
from tests.asking import Browser


def test_the_document_says_who_may_call_and_what_may_go_wrong(browser: Browser) -> None:
    document = browser.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert set(document["components"]["securitySchemes"]) == {"key", "session", "cron", "webhook"}
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        answers = operation["responses"]
        if path not in {"/healthz", "/readyz"}:
            assert operation["security"], where
            assert {"401", "408", "413", "421", "422", "500", "503"} <= set(answers), where
        if path != "/metrics":
            assert (method, path) in ANSWERS, f"{where}: web/answers.py says what it answers with"
        for status, answer in answers.items():
            assert answer["description"], (where, status)
            for content in answer["content"].values():
                for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(content)):
                    assert reference in schemas, (where, reference)
    stale = set(ANSWERS) - {(method, path) for path, method, _ in operations(document)}
    assert not stale, "no answer is described that no route gives"
    assert "HTTPValidationError" not in schemas


def test_every_body_has_an_example(browser: Browser) -> None:
    document = browser.get("/openapi.json").json()
    for path, method, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            schema = document["components"]["schemas"].get(name, {})
            assert content.get("examples") or schema.get("examples"), (method, path)


def test_the_page_shows_all_of_it(browser: Browser) -> None:
    document, page = browser.get("/openapi.json").json(), html.unescape(browser.get("/docs").text)
    for path, method, operation in operations(document):
        assert f"{method.upper()} {path}" in page
        assert operation["summary"] in page
        for parameter in operation.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in page
    for name in document["components"]["schemas"]:
        assert f'id="shape-{name}"' in page
    assert '"platformVideoId": "7300000000000000000"' in page
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(re.findall(r'id="([^"]+)"', page)), "each link leads somewhere"
    anchors = re.findall(r'id="([^"]+)"', page)
    assert len(set(anchors)) == len(anchors)


def test_swagger_and_redoc_are_not_served(browser: Browser) -> None:
    assert browser.get("/redoc").status_code == 404
    assert "cdn" not in browser.get("/docs").text
