"""What the requests of a worker share: the event loop answers by itself only where it waits for nobody."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundswell.predictor import Predictor
from groundswell.settings import load_settings
from groundswell.store import predictions
from groundswell.web.state import State
from tests.asking import OPERATOR, Browser, app_of, bearer
from tests.made_up import crown
from tests.unit.test_predictor import VIDEO, always

ROWS = [{"id": "a prediction"}]


class Store:
    """A database that takes predictions when the test says so."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def log(self, *_given: Any, **_patience: float) -> None:
        self.begun.set()
        self.go_on.wait()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    made = Store()
    monkeypatch.setattr(predictions, "log", made.log)
    yield made
    made.go_on.set()


@pytest.fixture
def state(store: Store, tmp_path: Path) -> Iterator[State]:
    made = State(load_settings(home=tmp_path))
    yield made
    store.go_on.set()
    made.close()


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Return the threads that predicted."""
    found: list[threading.Thread] = []
    predict = Predictor.predict

    def noted(*given: Any, **named: Any) -> Any:
        found.append(threading.current_thread())
        return predict(*given, **named)

    monkeypatch.setattr(Predictor, "predict", noted)
    return found


def storing(state: State, store: Store) -> threading.Thread:
    """Return a thread that stores predictions, once it has begun to."""
    assert state.logbook is not None
    thread = threading.Thread(target=state.logbook.add, args=(ROWS,))
    thread.start()
    store.begun.wait()
    return thread


def test_nobody_is_waited_for_but_while_predictions_are_stored(state: State, store: Store) -> None:
    assert not state.is_near(), "the database is not open yet"
    state.context()
    assert not state.is_near(), "no model is loaded yet"
    state.predictor()
    assert state.is_near()
    other = storing(state, store)
    assert not state.is_near()
    store.go_on.set()
    other.join()
    assert state.is_near()


def test_a_server_may_always_be_waited_for(store: Store, postgres_url: str, tmp_path: Path) -> None:
    state = State(load_settings(home=tmp_path, database_url=postgres_url))
    state.predictor()
    assert not state.is_near()
    state.close()


@pytest.mark.parametrize("is_busy", [False, True])
def test_the_loop_answers_unless_it_would_wait_for_the_log(
    is_busy: bool, store: Store, answering: list[threading.Thread], tmp_path: Path
) -> None:
    app = app_of(tmp_path)
    state: State = app.state.groundswell
    crown(state.context(), always(4))
    state.predictor()
    if is_busy:
        storing(state, store)
    else:
        store.go_on.set()
    answer = Browser(app).post("/api/predict", json={"videos": [VIDEO]}, headers=bearer(OPERATOR))
    assert answer.json()["predictions"][0]["tier"] == 4
    (one,) = answering
    assert (one is threading.current_thread()) is not is_busy
    store.go_on.set()
    state.close()


def test_nobody_is_near_while_every_connection_is_taken(tmp_path: Path) -> None:
    state = State(load_settings(home=tmp_path))
    state.predictor()
    engine = state.context().database.engine
    taken = [engine.connect() for _ in range(14)]
    assert state.is_near()
    taken.append(engine.connect())
    assert not state.is_near()
    for connection in taken:
        connection.close()
    assert state.is_near()
    state.close()


def test_while_another_process_writes_a_thread_waits_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of(tmp_path)
    state: State = app.state.groundswell
    crown(state.context(), always(4))
    state.predictor()
    stored_by: list[threading.Thread] = []
    store = State.store

    def noted(own: State, rows: Any) -> None:
        stored_by.append(threading.current_thread())
        other.rollback()
        store(own, rows)

    monkeypatch.setattr(State, "store", noted)
    other = sqlite3.connect(str(state.context().database.url.database), isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    answer = Browser(app).post("/api/predict", json={"videos": [VIDEO]}, headers=bearer(OPERATOR))
    assert answer.json()["predictions"][0]["tier"] == 4
    (one,) = stored_by
    assert one is not threading.current_thread()
    state.close()
    assert other.execute("select count(*) from predictions").fetchone() == (1,)
    other.close()


def test_a_large_body_is_answered_in_a_thread(answering: list[threading.Thread], tmp_path: Path) -> None:
    app = app_of(tmp_path)
    state: State = app.state.groundswell
    crown(state.context(), always(4))
    state.predictor()
    for size in (10, 100_000):
        body = {"videos": [VIDEO | {"hashtags": ["x" * size]}]}
        assert Browser(app).post("/api/predict", json=body, headers=bearer(OPERATOR)).status_code == 200
    small, large = answering
    assert (small is threading.current_thread(), large is threading.current_thread()) == (True, False)
    state.close()
