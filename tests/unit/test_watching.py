"""The watch of a worker: it loads what was promoted, says so, and outlives whatever goes wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from groundswell.calibration.temperature import Temperature
from groundswell.errors import DatabaseError
from groundswell.estimators.classifiers import LogisticEstimator
from groundswell.jobs.context import Context
from groundswell.model import Model
from groundswell.predictor import Predictor
from groundswell.records import Window
from groundswell.stages.features import names, of_window
from groundswell.store import alerts, registry, runs, tables, workers
from groundswell.web.state import State
from groundswell.web.watching import Watch
from tests.made_up import NEWEST, crown
from tests.unit.test_predictor import always

RUN = "00000000-0000-0000-0000-000000000001"


class Place(State):
    """A state whose database can be taken away."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.settings)
        self.made, self.away = context, False
        self.known = Predictor(context.database, context.artifacts)

    def context(self) -> Context:
        if self.away:
            raise DatabaseError("The database is away.")
        return self.made

    def predictor(self) -> Predictor:
        return self.known


@pytest.fixture
def place(context: Context) -> Place:
    return Place(context)


def completed_at(context: Context) -> datetime | None:
    (rollout,) = workers.rollouts(context.database)
    return rollout.completed_at


def told(watch: Watch, context: Context) -> list[str]:
    """Return what somebody must know, once the watch has told it."""
    assert watch._telling is not None
    watch._telling.join()
    return [one.title for one in alerts.standing(context.database)]


def test_it_loads_what_was_promoted_and_completes_the_promotion(
    context: Context, place: Place, logs: Callable[[], str]
) -> None:
    watch = Watch(place)
    watch.look()
    assert (watch.serving, [one.id for one in workers.alive(context.database)]) == ({}, [watch.worker])
    version = crown(context, always(4))
    assert completed_at(context) is None
    watch.look()
    assert watch.serving == {"observed": version}
    assert completed_at(context) is not None
    assert f"Every worker serves version {version} of observed" in logs()
    assert watch.unloadable == {}


def test_two_workers_are_waited_for(context: Context, place: Place) -> None:
    first, second = Watch(place), Watch(Place(context))
    first.look()
    second.look()
    crown(context, always(4))
    first.look()
    assert completed_at(context) is None
    second.look()
    assert completed_at(context) is not None


def test_a_champion_that_cannot_be_loaded_is_said_and_the_one_before_serves(context: Context, place: Place) -> None:
    watch = Watch(place)
    served = crown(context, always(2))
    watch.look()
    broken = crown(context, always(4))
    artifact = registry.version(context.database, broken).artifact
    path = context.settings.home / "artifacts" / artifact[:2] / artifact
    path.write_bytes(b"something else")
    watch.look()
    assert watch.unloadable == {}, "it may have been promoted this very moment"
    watch.look()
    assert watch.serving == {"observed": served}
    found = hashlib.sha256(b"something else").hexdigest()
    assert watch.unloadable["observed"].endswith(f"is damaged: its bytes hash to {found}.")
    assert completed_at(context) is None
    assert told(watch, context) == ["The champion of observed cannot be loaded"]
    registry.rollback(context.database, "observed", NEWEST)
    watch.look()
    assert (watch.serving, watch.unloadable) == ({"observed": served}, {})
    assert told(watch, context) == []


def test_a_champion_that_cannot_be_loaded_keeps_no_other_from_serving(context: Context, place: Place) -> None:
    number = crown(context, always(4))
    observed = registry.version(context.database, number).artifact
    seen = names(of_window(Window.HOUR_6))
    zeros = (0.0,) * len(seen)
    estimator = LogisticEstimator((1, 2, 3, 4, 5), zeros, (1.0,) * len(seen), (zeros,) * 5, (0.0,) * 5)
    crown(context, Model(Window.HOUR_6, seen, "views", None, estimator, Temperature(), label_age_hours=72.0))
    (context.settings.home / "artifacts" / observed[:2] / observed).unlink()
    watch = Watch(place)
    watch.look()
    watch.look()
    assert watch.serving == {"6h": 2}
    assert list(watch.unloadable) == ["observed"]


def test_while_the_database_is_away_it_says_so_once_and_goes_on(
    context: Context, place: Place, logs: Callable[[], str]
) -> None:
    watch = Watch(place)
    place.away = True
    for _ in range(3):
        watch._look_whatever_happens()
    assert watch.trouble == "The database is away."
    assert logs().count("Cannot look what serves") == 1
    place.away = False
    watch._look_whatever_happens()
    assert watch.trouble is None
    assert "What serves can be seen again" in logs()


def test_it_beats_only_now_and_then_while_nothing_changes(
    context: Context, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    beats: list[float] = []

    def beat(*_: object) -> tuple[str, ...]:
        beats.append(now)
        return ()

    monkeypatch.setattr("groundswell.web.watching.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(workers, "beat", beat)
    watch = Watch(place)
    for _ in range(10):
        watch.look()
        now += 1
    assert beats == [0, 4, 8]


def test_a_thread_does_it_until_it_is_stopped(context: Context, place: Place) -> None:
    version = crown(context, always(4))
    watch = Watch(place)
    watch.start()
    watch.stop()
    assert watch.serving == {"observed": version}
    assert workers.alive(context.database) == []


def test_a_run_that_was_killed_is_told(context: Context, place: Place) -> None:
    with context.database.begin() as connection:
        killed = {"id": RUN, "kind": "retrain", "window": "publish", "status": "running", "started_at": NEWEST}
        connection.execute(sa.insert(tables.runs), killed)
    watch = Watch(place)
    watch.look()
    assert told(watch, context) == ["Retrain of publish failed"]
    (found,) = alerts.standing(context.database)
    assert (found.topic, found.run_id) == ("run:retrain:publish", RUN)
    run = runs.find(context.database, RUN)
    assert run is not None
    assert run["status"] == "failed"
