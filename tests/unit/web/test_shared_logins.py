"""Two processes on one database count failed logins together, and end sessions for each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from groundswell.errors import DatabaseError
from groundswell.store import logins
from groundswell.store.database import Database
from groundswell.store.logins import MOST_FAILURES
from groundswell.web.guard import sessions
from tests.asking import OPERATOR, OWN, READER, SESSION, Browser, app_of, bearer


@pytest.fixture
def apps(database: Database, tmp_path: Path) -> Iterator[tuple[FastAPI, FastAPI]]:
    """Two apps on one database, each with memory and connections of its own."""
    url = database.url.set(drivername=database.url.get_backend_name()).render_as_string(hide_password=False)
    one, two = (app_of(tmp_path / "home", database_url=url) for _ in range(2))
    yield one, two
    for app in (one, two):
        app.state.groundswell.close()


def away(*_given: Any) -> Any:
    raise DatabaseError("The database is away.")


def test_ten_wrong_keys_are_ten_in_all_processes(apps: tuple[FastAPI, FastAPI]) -> None:
    guessers = [Browser(app, address="203.0.113.7") for app in apps]
    for guess in range(MOST_FAILURES):
        assert guessers[guess % 2].log_in(f"wrong-{guess}").status_code == 401
    for guesser in guessers:
        refused = guesser.log_in()
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 300
    assert Browser(apps[1], address="203.0.113.8").log_in().status_code == 303


def test_a_right_key_is_no_guess_and_buys_none(apps: tuple[FastAPI, FastAPI]) -> None:
    one, two = (Browser(app, address="203.0.113.7") for app in apps)
    for guess in range(MOST_FAILURES - 1):
        one.log_in(f"wrong-{guess}")
        assert two.log_in(READER).status_code == 303
    assert [one.log_in("wrong").status_code for _ in range(2)] == [401, 429]
    assert two.log_in(READER).status_code == 429


def test_who_has_to_wait_gets_no_guess_while_the_database_is_busy(
    apps: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    guessers = [Browser(app, address="203.0.113.7") for app in apps]
    for guess in range(MOST_FAILURES + 2):
        guessers[guess % 2].log_in(f"wrong-{guess}")
    monkeypatch.setattr(logins, "begin", lambda *_given: pytest.fail("it was asked"))
    assert [guesser.log_in().status_code for guesser in guessers] == [429, 429]


def test_a_busy_database_gives_no_more_guesses_than_a_process_counts(
    apps: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    guesser = Browser(apps[0], address="203.0.113.7")
    for guess in range(MOST_FAILURES - 1):
        guesser.log_in(f"wrong-{guess}")
    monkeypatch.setattr(logins, "begin", away)
    assert [guesser.log_in("wrong").status_code for _ in range(2)] == [401, 429]


def test_a_stolen_cookie_is_worth_nothing_after_the_log_out(apps: tuple[FastAPI, FastAPI]) -> None:
    ann, again = Browser(apps[0]), Browser(apps[0])
    ann.log_in()
    again.log_in()
    thieves = [Browser(app, cookies=dict(ann.cookies)) for app in apps]
    assert [thief.get("/api/runs").status_code for thief in thieves] == [200, 200]
    token = ann.token()
    assert ann.post("/logout", data={"csrf": token}, headers=OWN).status_code == 303
    for thief in thieves:
        assert thief.get("/api/runs").status_code == 401
        assert thief.get("/runs").headers["location"] == "/login?next=%2Fruns"
        assert "ann" not in thief.get("/login").text.split("</header>")[0], "no page greets a session that ended"
        change = thief.post("/api/models/1/promote", headers=OWN)
        assert change.status_code == 401
        assert thief.post("/logout", data={"csrf": token}, headers=OWN).headers["location"] == "/login"
    again.app = apps[1]
    assert again.get("/api/runs").status_code == 200, "another session of the same key goes on"


def test_one_request_asks_once_and_a_key_never(apps: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def has_ended(_database: Database, session: str) -> bool:
        asked.append(session)
        return False

    monkeypatch.setattr(logins, "has_ended", has_ended)
    browser = Browser(apps[0])
    browser.log_in(READER)
    assert browser.get("/runs").status_code == 200
    assert len(asked) == 1
    assert browser.get("/api/runs", **bearer(OPERATOR)).status_code == 200
    browser.cookies[SESSION] += "x"
    assert browser.get("/api/runs").status_code == 401
    assert len(asked) == 1, "neither a bearer nor a cookie that proves nothing is looked up"


def test_while_the_database_is_away_each_process_counts_by_itself(
    apps: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    for app in apps:
        monkeypatch.setattr(app.state.groundswell, "context", away)
    guesser, other = (Browser(app, address="203.0.113.7") for app in apps)
    assert guesser.log_in("wrong").status_code == 401
    assert guesser.log_in().status_code == 303, "nobody is kept out by it"
    told = [guesser.log_in("wrong").status_code for _ in range(MOST_FAILURES + 1)]
    assert told == [401] * (MOST_FAILURES - 1) + [429, 429]
    assert guesser.log_in().status_code == 429
    assert other.log_in("wrong").status_code == 401


def test_a_database_that_is_silent_is_not_waited_for(
    apps: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = apps[0].state.groundswell
    monkeypatch.setattr(state, "is_away", lambda: True)
    monkeypatch.setattr(state, "context", lambda: pytest.fail("it was asked"))
    browser = Browser(apps[0])
    assert browser.log_in("wrong").status_code == 401
    assert browser.log_in().status_code == 303
    assert 'action="/logout"' in browser.get("/login").text, "a valid cookie counts meanwhile"


def test_a_log_out_that_cannot_be_stored_is_none(
    apps: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(apps[0])
    browser.log_in()
    token = browser.token()
    with monkeypatch.context() as patch:
        patch.setattr(apps[0].state.groundswell, "context", away)
        refused = browser.post("/logout", data={"csrf": token}, headers=OWN)
        assert refused.status_code == 503
        assert "You are still logged in" in refused.text
    assert browser.get("/api/runs").status_code == 200
    assert browser.post("/logout", data={"csrf": token}, headers=OWN).status_code == 303
    assert browser.get("/api/runs").status_code == 401


def test_an_ended_session_is_known_for_longer_than_its_cookie_lasts() -> None:
    assert sessions.KEPT.total_seconds() > sessions.LASTS_SECONDS
