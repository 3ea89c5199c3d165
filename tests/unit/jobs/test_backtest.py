"""An honest report: complete, repeatable, free of side effects, and not to be fooled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groundswell.errors import TooFewVideosError
from groundswell.jobs.backtest import backtest
from groundswell.jobs.collection import stored_collection
from groundswell.jobs.context import Context
from groundswell.jobs.ingest import ingest
from groundswell.printing_backtest import backtest as printed
from groundswell.records import Window
from groundswell.reports.backtest import render
from groundswell.stages import leakage
from tests.made_up_forecast import AS_OF, MadeUp, made_up, quick, without_signal

Body = dict[str, Any]
ROWS = 550
METRICS = {"accuracy", "withinOne", "qwk", "rps", "logLoss", "spearman", "ece"}


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Window], Body]:
    """Return the body of a window of the made-up collection, computed once."""
    collection = made_up(ROWS).collection(tmp_path_factory.mktemp("exports"))
    found: dict[Window, Body] = {}

    def body(window: Window) -> Body:
        if window not in found:
            found[window] = backtest(collection, window, quick(), AS_OF)
        return found[window]

    return body


def of(export: MadeUp, folder: Path, window: Window = Window.PUBLISH) -> Body:
    return backtest(export.collection(folder), window, quick(), AS_OF)


def finding(body: Body, code: str) -> Body:
    (found,) = [one for one in body["findings"] if one["code"] == code]
    return dict(found)


@pytest.mark.parametrize("window", [Window.PUBLISH, Window.HOUR_6])
def test_the_body_has_what_the_issue_names(tested: Callable[[Window], Body], window: Window) -> None:
    body = tested(window)
    assert (body["status"], body["window"], body["asOf"]) == ("completed", window.value, "2025-06-09T00:00:00Z")
    assert set(body["n"]) >= {"train", "calibration", "holdout", "immature", "rejected"}
    assert set(body["metrics"]) >= METRICS
    for name in METRICS:
        estimate = body["metrics"][name]
        assert set(estimate) == {"value", "low", "high", "n"}
        assert estimate["low"] <= estimate["value"] <= estimate["high"]
        assert estimate["n"] == body["n"]["holdout"]
    assert set(body["baselines"]) >= {"majority", "creatorMedian", "tierShares"}
    assert ("earlyRank" in body["baselines"]) == (window is not Window.PUBLISH)
    assert body["baselines"]["tierShares"]["logLoss"]["value"] > 0
    assert 0 < body["ceiling"]["accuracy"] <= 1
    assert body["ceiling"]["reached"] == pytest.approx(
        body["metrics"]["accuracy"]["value"] / body["ceiling"]["accuracy"], abs=1e-3
    )
    slices = body["slices"]
    assert set(slices) == {"seenCreators", "unseenCreators", "platform", "creatorSize", "source"}
    for groups in (slices["platform"], slices["source"], slices["creatorSize"]):
        assert sum(group["n"] for group in groups.values()) == body["n"]["holdout"]
    assert slices["seenCreators"]["n"] + slices["unseenCreators"]["n"] == body["n"]["holdout"]
    assert {one["code"] for one in body["findings"]} >= {*(f"G{number}" for number in range(1, 9)), "L1", "L2", "L3"}
    assert {"decision", "reason", "enough"} <= set(body["decision"])
    assert set(body["lift"]) >= {"baseline", "rps"}
    assert sum(one["support"] for one in body["perClass"]) == np.sum(body["confusionMatrix"]) == body["n"]["holdout"]
    assert sum(one["count"] for one in body["reliability"]["bins"]) == body["n"]["holdout"]
    assert len(body["topFeatures"]) > 3
    assert json.loads(json.dumps(body, allow_nan=False)) == body


@pytest.mark.parametrize("window", [Window.PUBLISH, Window.HOUR_6])
def test_real_structure_is_found(tested: Callable[[Window], Body], window: Window) -> None:
    body = tested(window)
    assert body["decision"]["decision"] == "promote"
    assert [one["code"] for one in body["findings"] if one["outcome"] == "failed"] == []
    assert body["lift"]["rps"]["high"] < 0
    assert body["metrics"]["logLoss"]["value"] < body["baselines"]["tierShares"]["logLoss"]["value"] - 0.2
    assert body["range"]["promised"] == 0.8
    assert 0.6 < body["range"]["coverage"]["value"] < 0.98


def test_early_readings_help(tested: Callable[[Window], Body]) -> None:
    assert tested(Window.HOUR_6)["metrics"]["rps"]["value"] < tested(Window.PUBLISH)["metrics"]["rps"]["value"]


@pytest.mark.parametrize("window", [Window.PUBLISH, Window.HOUR_6])
def test_the_body_can_be_printed_and_drawn(tested: Callable[[Window], Body], window: Window) -> None:
    said = printed(tested(window))
    assert "RPS" in said
    page = render(tested(window))
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert tested(window)["decision"]["reason"].split("(", maxsplit=1)[0].strip() in said


def test_the_same_input_gives_the_same_body(tested: Callable[[Window], Body], tmp_path: Path) -> None:
    first, again = tested(Window.PUBLISH), of(made_up(ROWS), tmp_path)
    passing = {"stepSeconds", "asOf", "source"}
    assert {name: value for name, value in again.items() if name not in passing} == {
        name: value for name, value in first.items() if name not in passing
    }


def test_the_database_gives_what_the_exports_give_and_is_left_as_it_was(
    tested: Callable[[Window], Body], context: Context, tmp_path: Path
) -> None:
    ingest(context.database, context.settings, made_up(ROWS).write(tmp_path / "exports"), as_of=AS_OF)
    before = content(context)
    files = sorted(path for path in tmp_path.rglob("*") if ".db" not in path.name)
    body = backtest(stored_collection(context.database), Window.PUBLISH, quick(), AS_OF)
    passing = {"stepSeconds", "asOf", "source"}
    expected = tested(Window.PUBLISH)
    assert body["source"] == "the database"
    assert {name for name in expected if name not in passing and body[name] != expected[name]} == set()
    assert content(context) == before
    assert sorted(path for path in tmp_path.rglob("*") if ".db" not in path.name) == files


def content(context: Context) -> str:
    """Return a hash of everything in the database."""
    with context.database.read() as connection:
        driver: Any = connection.connection.driver_connection
        return hashlib.sha256("\n".join(driver.iterdump()).encode()).hexdigest()


def test_too_few_videos_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TooFewVideosError, match=r"Only \d+ videos have matured .* immature"):
        of(made_up(40), tmp_path)


def logged(row: Body, spread: float) -> float:
    """Return the log-views of a video with an error that its id draws."""
    return float(np.log1p(row["views"])) + spread * np.random.default_rng(int(row["platform_video_id"])).normal()


def leak_duration(row: Body) -> Body:
    return {**row, "duration_seconds": round(1_000 * logged(row, 0.3))}


def leak_caption(row: Body) -> Body:
    return {**row, "description": "x" * round(400 * logged(row, 0.3))}


@pytest.mark.parametrize(
    ("leak", "feature"), [(leak_duration, "duration"), (leak_caption, "captionLength")], ids=["duration", "caption"]
)
def test_what_gives_the_answer_away_holds(leak: Callable[[Body], Body], feature: str, tmp_path: Path) -> None:
    rows = [leak(row) for row in made_up(ROWS).videos]
    body = of(MadeUp(rows, ()), tmp_path)
    assert body["decision"]["decision"] == "hold"
    twins = finding(body, "L2")
    assert twins["outcome"] == "failed"
    assert f"{feature} (" in twins["explanation"]
    assert body["topFeatures"][0]["name"] == feature


def test_a_label_that_is_a_function_of_a_feature_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(leakage, "_PROBE_ROUNDS", 3)  # each feature in turn is left out: fewer rounds say the same
    rows = [{**row, "duration_seconds": round(1_000 * logged(row, 0.0))} for row in made_up(400).videos]
    body = of(MadeUp(rows, ()), tmp_path)
    function = finding(body, "L1")
    assert function["outcome"] == "failed"
    assert "duration" in function["explanation"]
    assert body["decision"]["decision"] == "hold"


def test_re_uploads_in_the_holdout_hold(tmp_path: Path) -> None:
    rows = sorted(made_up(ROWS).videos, key=lambda row: str(row["posted_at"]))
    traits = ("platform", "author", "description", "duration_seconds", "views", "likes")
    known = [row for row in rows[:300] if row["author"] and row["duration_seconds"] and len(row["description"]) > 25]
    copies = [
        {**row, **{name: known[number % len(known)][name] for name in traits}} for number, row in enumerate(rows[-200:])
    ]
    body = of(MadeUp([*rows[:-200], *copies], ()), tmp_path)
    copied = finding(body, "L4")
    assert copied["outcome"] == "failed"
    assert "look like re-uploads" in copied["explanation"]
    assert body["decision"]["decision"] == "hold"


@pytest.mark.parametrize("seed", [1, 2])
def test_without_signal_it_holds_and_is_not_worse_than_the_tier_shares(seed: int, tmp_path: Path) -> None:
    body = of(without_signal(1_500, seed), tmp_path)
    assert body["decision"]["decision"] == "hold"
    assert body["decision"]["reason"].startswith("Too little signal")
    shares = body["baselines"]["tierShares"]["logLoss"]["value"]
    assert body["metrics"]["logLoss"]["value"] <= shares + 0.01
    assert body["slices"]["seenCreators"] is None or body["slices"]["seenCreators"]["n"] == 0


def test_a_backtest_of_observed_has_the_same_form(tmp_path: Path) -> None:
    body = of(made_up(300), tmp_path, Window.OBSERVED)
    assert set(body) >= {"n", "metrics", "baselines", "lift", "slices", "findings", "decision", "topFeatures"}
    counts = body["n"]
    parts = ("train", "calibration", "embargo", "holdout", "immature", "withoutReading", "olderLeftOut", "rejected")
    assert sum(counts[name] for name in parts) == counts["videos"] == 300
    assert set(body["metrics"]) >= METRICS
