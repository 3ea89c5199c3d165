"""A forecast line from the query to the promotion or the hold; every window is a line of its own."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from groundswell.errors import NoChampionError
from groundswell.jobs import models
from groundswell.jobs.backtest import backtest
from groundswell.jobs.collection import stored_collection
from groundswell.jobs.context import Context
from groundswell.jobs.ingest import ingest
from groundswell.jobs.retrain import retrain
from groundswell.model import model_from_bytes
from groundswell.records import ModelVersion, Window
from groundswell.stages import features, merit
from groundswell.store import posts, registry
from groundswell.store.database import Database
from tests.made_up import context_of, crown
from tests.made_up_forecast import AS_OF, DAY, EASY, HOUR, MadeUp, iso, made_up, without_signal
from tests.unit.test_predictor import always

Body = dict[str, Any]
#: What a promotion and a hold answer, by DESIGN §4.
COMPLETED = {
    *("status", "source", "window", "trainAccuracy", "testAccuracy", "confusionMatrix", "perClass", "videoCount"),
    *("tierDistribution", "outcomeCount", "modelVersion", "decision", "evaluation", "trainedAt", "runId"),
}
SKIPPED = {
    *("status", "reason", "testAccuracy", "trainAccuracy", "confusionMatrix", "videoCount", "tierDistribution"),
    *("source", "window", "champion", "decision", "evaluation", "runId"),
}


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Body]:
    """A home with 500 stored videos and a champion of `publish` (version 1), and what its retrain answered."""
    home = tmp_path_factory.mktemp("trained")
    context = opened(home)
    ingest(context.database, context.settings, made_up(500).write(home / "exports"), as_of=AS_OF)
    body = retrain(context, Window.PUBLISH, AS_OF).body
    context.database.dispose()
    return home, body


@pytest.fixture
def trained(trained_home: tuple[Path, Body], tmp_path: Path) -> Iterator[Context]:
    """A context of a copy of that home."""
    shutil.copytree(trained_home[0], tmp_path / "copy")
    context = opened(tmp_path / "copy")
    yield context
    context.database.dispose()


def opened(home: Path, **settings: Any) -> Context:
    database = Database(f"sqlite:///{home / 'groundswell.db'}")
    database.prepare()
    return context_of(home, database, **(EASY | settings))


def changed(context: Context, **settings: Any) -> Context:
    """Return the context with other settings."""
    return context_of(context.settings.home, context.database, **(EASY | settings))


def champion(context: Context, window: Window = Window.PUBLISH) -> ModelVersion:
    found = registry.champion(context.database, window)
    assert found is not None
    return found


def content(context: Context, without: tuple[str, ...] = ()) -> str:
    """Return a hash of the database, but for the lines that write to the tables named, and of the artifacts."""
    with context.database.read() as connection:
        driver: Any = connection.connection.driver_connection
        lines = [line for line in driver.iterdump() if not any(f'"{name}"' in line for name in without)]
    artifacts = sorted(path.name for path in (context.settings.home / "artifacts").rglob("*"))
    return hashlib.sha256("\n".join([*lines, *artifacts]).encode()).hexdigest()


def test_a_first_retrain_promotes(trained_home: tuple[Path, Body], trained: Context) -> None:
    _, body = trained_home
    assert set(body) >= COMPLETED
    assert (body["status"], body["window"], body["source"]) == ("completed", "publish", "scraped_videos")
    assert (body["modelVersion"], body["decision"]["decision"]) == (1, "promote")
    n = body["n"]
    assert sum(body["tierDistribution"]) == body["videoCount"] == n["train"] + n["calibration"] + n["holdout"]
    assert [len(row) for row in body["confusionMatrix"]] == [5] * 5
    assert sum(map(sum, body["confusionMatrix"])) == n["holdout"]
    assert [one["tier"] for one in body["perClass"]] == [1, 2, 3, 4, 5]
    assert body["testAccuracy"] == round(body["evaluation"]["metrics"]["accuracy"]["value"], 3)
    version = champion(trained)
    assert (version.version, version.artifact) == (1, body["artifact"])
    assert version.lineage["cutPoints"] == body["label"]["cutPoints"]
    assert version.lineage["asOf"] == "2025-06-09T00:00:00Z"
    model = model_from_bytes(trained.artifacts.get(version.artifact))
    assert model.window is Window.PUBLISH
    assert model.feature_names == features.names(features.of_window(Window.PUBLISH))
    assert (list(model.cut_points or ()), model.label_age_hours) == (body["label"]["cutPoints"], 72)
    assert len(model.typical) == len(model.feature_names)


def test_a_retrain_says_what_a_backtest_of_the_database_says(trained_home: tuple[Path, Body], trained: Context) -> None:
    _, body = trained_home
    told = backtest(stored_collection(trained.database), Window.PUBLISH, trained.settings, AS_OF)
    assert {name: body["evaluation"][name] for name in ("metrics", "lift", "ceiling", "slices")} == {
        name: told[name] for name in ("metrics", "lift", "ceiling", "slices")
    }
    assert body["n"] == told["n"]


def test_a_second_retrain_is_compared_with_the_champion(trained: Context) -> None:
    ingest(trained.database, trained.settings, newer(trained, 300), as_of=AS_OF + 90 * DAY)
    report = retrain(trained, Window.PUBLISH, AS_OF + 90 * DAY)
    (finding,) = [one for one in report.body["decision"]["findings"] if one["code"] == "G5"]
    assert "ΔRPS against champion 1" in finding["explanation"]
    assert finding["outcome"] in {"passed", "failed"}
    assert report.status == ("completed" if report.body["decision"]["decision"] == "promote" else "skipped")
    assert champion(trained).version == (2 if report.status == "completed" else 1)


def newer(context: Context, count: int) -> list[Path]:
    """Write further videos, as if the same story went on for three months."""
    later = [
        {
            **row,
            "platform_video_id": f"9{row['platform_video_id']}",
            "description": f"{row['description']} again",
            "posted_at": moved(row["posted_at"]),
            "scraped_at": moved(row["scraped_at"]),
        }
        for row in made_up(count).videos
    ]
    return MadeUp(later, ()).write(context.settings.home / "newer")


def moved(text: str | None) -> str | None:
    return None if text is None else iso(datetime.fromisoformat(text) + 80 * DAY)


def test_the_same_rows_again_cannot_be_compared_and_hold(trained: Context) -> None:
    strict = changed(trained, min_comparable_rows=10_000)
    report = retrain(strict, Window.PUBLISH, AS_OF)
    assert set(report.body) >= SKIPPED
    assert (report.status, report.body["champion"]) == ("skipped", 1)
    assert "too few to compare" in report.body["reason"]
    assert champion(trained).version == 1


def test_lines_are_independent(trained: Context) -> None:
    with pytest.raises(NoChampionError):
        models.rollback(trained, Window.HOUR_6)
    observed = crown(trained, always(3))
    six = retrain(trained, Window.HOUR_6, AS_OF).body
    assert (six["status"], six["window"]) == ("completed", "6h")
    crown(trained, always(4))
    number = six["modelVersion"]
    assert registry.champions(trained.database) == {"publish": 1, "observed": 4, "6h": number}
    assert models.rollback(trained, Window.OBSERVED)["champion"] == observed
    assert champion(trained, Window.HOUR_6).version == number
    assert champion(trained).version == 1
    assert [one["window"] for one in models.list_versions(trained, Window.PUBLISH)["versions"]] == ["publish"]
    for window in (Window.HOUR_1, Window.HOUR_24):
        assert registry.champion(trained.database, window) is None


@pytest.mark.parametrize(("count", "said"), [(40, "Only 3"), (200, "Only 19")], ids=["nothing to split", "few"])
def test_too_few_mature_videos_are_skipped_by_name(context: Context, tmp_path: Path, count: int, said: str) -> None:
    ingest(context.database, context.settings, made_up(count).write(tmp_path / "exports"), as_of=AS_OF)
    report = retrain(context, Window.PUBLISH, AS_OF)
    assert set(report.body) >= SKIPPED
    assert (report.status, report.body["champion"], report.body["window"]) == ("skipped", None, "publish")
    assert report.body["reason"].startswith(said), report.body["reason"]
    assert "immature" in report.body["reason"]
    assert report.body["testAccuracy"] is None
    assert report.body["decision"]["enough"]
    assert registry.champion(context.database, Window.PUBLISH) is None


def test_an_empty_database_is_skipped(context: Context) -> None:
    report = retrain(context, Window.HOUR_6, context.now())
    assert (report.status, report.body["champion"]) == ("skipped", None)
    assert report.body["reason"].startswith("Only 0 videos have matured")


def test_a_dry_run_writes_nothing(trained: Context) -> None:
    told = ("runs", "run_lines", "alerts", "leases", "sqlite_sequence")
    before = content(trained, without=told)
    report = retrain(trained, Window.HOUR_6, AS_OF, dry_run=True)
    assert (report.status, report.body["dryRun"], report.body["modelVersion"]) == ("completed", True, None)
    assert content(trained, without=told) == before


def test_a_held_challenger_leaves_the_champion(trained: Context) -> None:
    with trained.database.begin() as connection:
        connection.exec_driver_sql("delete from snapshots")
        connection.exec_driver_sql("delete from scraped_videos")
    noise = without_signal(500).write(trained.settings.home / "noise")
    ingest(trained.database, trained.settings, noise, as_of=AS_OF)
    artifact = champion(trained).artifact
    report = retrain(trained, Window.PUBLISH, AS_OF)
    assert set(report.body) >= SKIPPED
    assert (report.status, report.body["champion"]) == ("skipped", 1)
    assert report.body["reason"].startswith("Too little signal")
    assert (champion(trained).version, champion(trained).artifact) == (1, artifact)
    assert len(models.list_versions(trained)["versions"]) == 1
    assert models.list_versions(trained)["ledger"] == "verified"


def test_a_label_age_within_the_window_fails_and_leaves_the_champion(trained: Context) -> None:
    settings = trained.settings.model_copy(update={"label_age": 24 * HOUR})
    report = retrain(Context(settings, trained.database, trained.artifacts), Window.HOUR_24, AS_OF)
    assert report.status == "failed"
    assert "The window 24h closes after the label age" in report.body["error"]
    assert report.body["window"] == "24h"
    assert champion(trained).version == 1


def test_a_failed_run_leaves_everything(
    trained: Context, monkeypatch: pytest.MonkeyPatch, logs: Callable[[], str]
) -> None:
    told = ("runs", "run_lines", "alerts", "leases", "sqlite_sequence")
    before = content(trained, without=told)

    def fails(*_: Any) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(merit, "find_ceiling", fails)
    report = retrain(trained, Window.PUBLISH, AS_OF)
    assert (report.status, report.body["error"]) == ("failed", "Training failed: ZeroDivisionError: planted")
    assert content(trained, without=told) == before
    assert "Training failed" in logs()
    monkeypatch.undo()
    hurried = changed(trained, time_limit_seconds=1e-9)
    report = retrain(hurried, Window.PUBLISH, AS_OF)
    assert (report.status, report.body["error"]) == ("failed", "Training failed: time limit of 1e-09 s reached")
    assert content(trained, without=told) == before


def test_what_can_be_looked_up_is_stored_by_a_retrain(trained: Context) -> None:
    state = posts.state(trained.database)
    assert state is not None
    assert (state.label_age_seconds, state.label_age_max_seconds) == (259_200, None)
    with trained.database.read() as connection:
        stored = connection.exec_driver_sql("select count(*) from posts").scalar()
    assert stored == 500
