"""Logging in: a cookie that a key signs, ends with it, and lets nobody in who has none."""

from __future__ import annotations

from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from itsdangerous import TimestampSigner

from groundswell.store.database import Database
from groundswell.store.logins import MOST_FAILURES, WITHIN
from groundswell.web.guard.attempts import MOST_ADDRESSES, Attempts, SeenHere
from tests.asking import HERE, KEYS, OPERATOR, OWN, READER, SESSION, Browser, app_of, bearer
from tests.contract.clock import Clock

WITHIN_SECONDS = WITHIN.total_seconds()


def test_a_page_leads_to_the_login_and_from_there_back(browser: Browser) -> None:
    sent = browser.get("/runs?kind=audit")
    assert sent.status_code == 303
    asked = urlsplit(sent.headers["location"])
    assert (asked.path, parse_qs(asked.query)) == ("/login", {"next": ["/runs?kind=audit"]})
    form = browser.get(sent.headers["location"])
    assert form.status_code == 200
    assert 'value="/runs?kind=audit"' in form.text
    back = browser.log_in(next="/runs?kind=audit")
    assert (back.status_code, back.headers["location"]) == (303, "/runs?kind=audit")
    assert browser.get("/runs?kind=audit").status_code == 200
    assert browser.get("/api/runs").status_code == 200


def test_the_api_says_unauthorized_and_nothing_else(browser: Browser) -> None:
    for headers in ({}, bearer("wrong"), {"authorization": OPERATOR}, {"cookie": f"{SESSION}=x"}):
        answer = browser.get("/api/runs", **headers)
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
        assert answer.headers["www-authenticate"] == "Bearer"


def test_the_cookie_names_the_key_and_never_holds_it(browser: Browser) -> None:
    answer = browser.log_in()
    (line,) = answer.headers.get_list("set-cookie")
    cookie = SimpleCookie(line)[SESSION]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (True, "lax", "/", "43200")
    assert not cookie["secure"]
    assert OPERATOR not in line
    assert OPERATOR not in browser.get("/").text


@pytest.mark.parametrize(("url", "public"), [("https://localhost", None), (HERE, "https://waves.example")])
def test_behind_https_the_cookie_is_secure(tmp_path: Path, url: str, public: str | None) -> None:
    browser = Browser(app_of(tmp_path, public_url=public), url)
    (line,) = browser.log_in().headers.get_list("set-cookie")
    assert "Secure" in line


def test_a_changed_key_ends_its_sessions_and_no_others(tmp_path: Path, app: FastAPI) -> None:
    ann, ron = Browser(app), Browser(app)
    ann.log_in()
    ron.log_in(READER)
    ann.app = ron.app = app_of(tmp_path, api_keys=KEYS.replace(OPERATOR, "another-secret"))
    assert ann.get("/api/runs").status_code == 401
    assert ron.get("/api/runs").status_code == 200


def test_a_key_that_loses_its_role_loses_it_in_its_sessions(tmp_path: Path, browser: Browser) -> None:
    browser.log_in()
    browser.app = app_of(tmp_path, api_keys=f"ann:read:{OPERATOR}")
    assert browser.get("/api/runs").status_code == 200
    refused = browser.post("/api/models/1/promote", headers=OWN)
    assert refused.status_code == 403
    assert "'operate'" in refused.json()["error"]


def test_a_session_ends_after_twelve_hours(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser.log_in()
    now = TimestampSigner("x").get_timestamp()
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: now + 12 * 3_600 - 60)
    assert browser.get("/api/runs").status_code == 200
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: now + 12 * 3_600 + 60)
    assert browser.get("/api/runs").status_code == 401


def test_a_cookie_that_was_touched_is_none(browser: Browser) -> None:
    browser.log_in()
    whole = browser.cookies[SESSION]
    payload, _, signature = whole.partition(".")
    for touched in (whole[:-1], whole + "A", payload, f"{payload[:-2]}AA.{signature}", "x" * 5_000, "a.b.c", ""):
        browser.cookies[SESSION] = touched
        assert browser.get("/api/runs").status_code == 401, touched


def test_a_bearer_that_is_wrong_is_not_mended_by_a_cookie(browser: Browser) -> None:
    browser.log_in()
    assert browser.get("/api/runs", **bearer("wrong")).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "\\\\evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example",
     "/\n/evil.example", "javascript:alert(1)", "", "evil", " //evil.example", "/\u00a0/x", "/logout",
     "/" + "x" * 2_000],
)  # fmt: skip
def test_the_way_back_leads_nowhere_else(browser: Browser, path: str) -> None:
    assert browser.log_in(next=path).headers["location"] == "/"
    assert 'name="next" value="/"' in browser.ask("GET", "/login", params={"next": path}).text


def test_logging_out_takes_the_token_and_ends_the_session(browser: Browser) -> None:
    browser.log_in()
    assert browser.post("/logout", headers=OWN).status_code == 403
    assert browser.get("/api/runs").status_code == 200
    token = browser.token()
    gone = browser.post("/logout", data={"csrf": token}, headers=OWN)
    assert (gone.status_code, gone.headers["location"]) == (303, "/login")
    assert SESSION not in browser.cookies
    assert browser.get("/api/runs").status_code == 401


def test_a_foreign_page_logs_nobody_in(browser: Browser) -> None:
    answer = browser.post("/login", data={"key": OPERATOR}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert not browser.cookies


def test_without_keys_no_login_is_needed(visitor: Browser) -> None:
    assert "No login is needed" in visitor.get("/login").text
    answer = visitor.log_in("anything")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert not visitor.cookies


@pytest.fixture
def clock(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the database, and that of the process."""
    clock = Clock()
    monkeypatch.setattr(Database, "now", lambda _database, _connection: clock.now)

    def seconds() -> float:
        return clock.now.timestamp()

    app.state.attempts = Attempts(app.state.groundswell, seconds)
    return clock


def test_ten_wrong_keys_and_the_right_one_has_to_wait(app: FastAPI, clock: Clock) -> None:
    guesser, other = Browser(app, address="203.0.113.7"), Browser(app, address="203.0.113.8")
    for guess in range(MOST_FAILURES):
        clock.move(1)
        wrong = guesser.log_in(f"wrong-{guess}")
        assert wrong.status_code == 401
        assert "That key is not known here." in wrong.text
    for key in ("wrong", OPERATOR):
        refused = guesser.log_in(key)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == str(int(WITHIN_SECONDS - MOST_FAILURES + 1))
    assert other.log_in().status_code == 303, "another address is none of it"
    assert guesser.get("/api/runs", **bearer(OPERATOR)).status_code == 200, "the API does not log in"
    clock.move(WITHIN_SECONDS - MOST_FAILURES)
    assert guesser.log_in().status_code == 429
    clock.move(1)
    assert guesser.log_in().status_code == 303


def test_of_its_network_a_guesser_has_every_address(app: FastAPI, clock: Clock) -> None:
    attempts = app.state.attempts
    for number in range(MOST_FAILURES):
        assert attempts.begin(f"2001:db8::{number:x}") == 0
    assert attempts.begin("2001:db8::ffff") == WITHIN_SECONDS
    assert attempts.begin("2001:db8:0:1::1") == 0


def test_a_process_remembers_a_bounded_number_of_addresses() -> None:
    seen = SeenHere(lambda: 0.0)
    for number in range(MOST_ADDRESSES + 500):
        seen.begin(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(seen) == MOST_ADDRESSES
