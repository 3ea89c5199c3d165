"""Forecasts as their users meet them: teach a line, plan a video, ask how well it can be told, by command and HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.acceptance.conftest import CRON
from tests.acceptance.process import Place, Server, serving
from tests.made_up_forecast import AS_OF, DAY, EASY, HOUR, iso, made_up

BEARER = {"authorization": f"Bearer {CRON}"}
SETTINGS = {f"GROUNDSWELL_{name.upper()}": str(value) for name, value in EASY.items()} | {"CRON_SECRET": CRON}
EXPORTS = ("exports/videos.parquet", "exports/readings.parquet")
WINDOWS = ("publish", "6h")
ANSWER = {"predictionId", "window", "tier", "probabilities", "range", "score", "calibratedScore", "reasons"} | {
    "modelVersion",
    "calibrationVersion",
}
POSTED = AS_OF - 30 * DAY
READ = {"platform": "tiktok", "author": "creator3", "postedAt": iso(POSTED), "views": 900}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with 500 videos, their readings and champions of `publish` (1) and 6h (2): look, do not teach."""
    place = Place(tmp_path_factory.mktemp("taught"), SETTINGS)
    made_up(500).write(place.folder / "exports")
    assert place.json("ingest", *EXPORTS)["rejected"] == 0
    for number, window in enumerate(WINDOWS, 1):
        body = place.json("retrain", "--window", window)
        assert (body["status"], body["window"], body["modelVersion"]) == ("completed", window, number)
    return place


@pytest.fixture(scope="module")
def server(taught: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a copy of that place."""
    with serving(taught.copy(tmp_path_factory.mktemp("served"))) as running:
        yield running


@pytest.fixture
def plan() -> dict[str, Any]:
    """What a creator knows of a video that is to be posted tomorrow."""
    return {
        "author": "creator3",
        "description": "how to fold a paper crane #diy #cat",
        "hashtags": ["diy", "cat"],
        "soundName": "Paper Moon",
        "durationSeconds": 24,
        "postedAt": iso(datetime.now(UTC) + DAY),
    }


def ask(place: Place, *videos: Any, window: str = "publish", options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    given = json.dumps({"videos": videos}).encode()
    return list(place.json("predict", "--window", window, *options, given=given)["predictions"])


def is_forecast(answer: dict[str, Any], window: str) -> None:
    assert set(answer) == ANSWER
    assert answer["window"] == window
    assert answer["range"]["low"] <= answer["tier"] <= answer["range"]["high"]
    assert sum(answer["probabilities"]) == pytest.approx(1)
    assert 0 <= answer["score"] <= 100


def test_a_plan_gets_a_tier_a_range_and_reasons(taught: Place, plan: dict[str, Any]) -> None:
    (answer,) = ask(taught, plan)
    is_forecast(answer, "publish")
    assert answer["modelVersion"] == 1
    assert answer["reasons"]
    sizes = [abs(reason["points"]) for reason in answer["reasons"]]
    assert sizes == sorted(sizes, reverse=True)
    for reason in answer["reasons"]:
        assert set(reason) == {"theme", "points", "feature", "value", "typical", "text"}
        assert re.match(r"[+-]\d+\.\d points by \w+: .+, typical .+", reason["text"])
    (bare,) = ask(taught, plan, options=("--no-reasons",))
    assert bare["reasons"] is None
    assert bare["probabilities"] == pytest.approx(answer["probabilities"])


def test_a_plan_reads_well_on_a_terminal(taught: Place, plan: dict[str, Any]) -> None:
    said = taught.run("predict", "--window", "publish", given=json.dumps(plan).encode()).out
    assert "range" in said
    assert " points by " in said
    assert "1 predicted by model 1" in said


def test_plans_good_and_bad_are_answered_in_order(taught: Place, plan: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    good: list[dict[str, Any]] = [
        {"author": "nobody"},
        {"soundName": None},
        {"description": ""},
        {"hashtags": [f"tag{number}" for number in range(500)]},
        {"postedAt": iso(now - 40 * DAY)},
        {"postedAt": iso(now)},
        {"postedAt": iso(now + 30 * DAY)},
        {"postedAt": f"{now + DAY:%Y-%m-%dT%H:%M:%S}"},
        {"postedAt": None},
    ]
    bad: list[tuple[dict[str, Any], str]] = [
        ({"postedAt": iso(now + 730 * DAY)}, "The time lies more than 366 days ahead"),
        ({"postedAt": "soon"}, "postedAt=soon"),
        ({"durationSeconds": -3}, "durationSeconds=-3"),
    ]
    answers = ask(taught, *(plan | changed for changed in good), *(plan | changed for changed, _ in bad))
    for answer in answers[: len(good)]:
        is_forecast(answer, "publish")
    for answer, (_, said) in zip(answers[len(good) :], bad, strict=True):
        assert set(answer) == {"error", "hint"}
        assert said in answer["error"]


def test_an_early_window_needs_a_reading(taught: Place) -> None:
    stored = next(row for row in made_up(500).readings if row["platform"] == "tiktok")
    video = next(row for row in made_up(500).videos if row["platform_video_id"] == stored["platform_video_id"])
    known = {"platformVideoId": stored["platform_video_id"], "postedAt": video["posted_at"], "author": video["author"]}
    early = datetime.fromisoformat(stored["observed_at"]) - datetime.fromisoformat(video["posted_at"]) <= 6 * HOUR
    answers = ask(
        taught,
        READ | {"scrapedAt": iso(POSTED + HOUR)},
        {name: value for name, value in READ.items() if name != "views"},
        READ | {"scrapedAt": iso(POSTED - HOUR)},
        READ | {"scrapedAt": iso(POSTED + 90 * HOUR)},
        {**READ, "postedAt": None},
        known,
        window="6h",
    )
    is_forecast(answers[0], "6h")
    assert answers[0]["modelVersion"] == 2
    assert "reception" in {reason["theme"] for reason in answers[0]["reasons"]}
    for answer in answers[1:4]:
        assert answer["error"] == "There is no reading of this video within 6h of its posting."
        assert "scrapedAt" in answer["hint"]
    assert answers[4]["error"] == "postedAt is missing."
    assert ("tier" in answers[5]) == early


def test_a_line_without_a_champion_says_what_to_run(taught: Place, plan: dict[str, Any]) -> None:
    answer = taught.run("predict", "--window", "24h", "--json", given=json.dumps(plan).encode(), code=1)
    assert "retrain --window 24h" in answer.body["hint"]


def test_models_are_listed_by_line(taught: Place) -> None:
    listed = taught.json("models", "list", "--window", "publish")
    assert listed["champions"]["publish"] == 1
    assert [(one["version"], one["window"]) for one in listed["versions"]] == [(1, "publish")]


# --- backtest -----------------------------------------------------------------------------------------------------


def everything(place: Place) -> dict[str, bytes]:
    return {
        str(path.relative_to(place.folder)): path.read_bytes() for path in place.folder.rglob("*") if path.is_file()
    }


def test_a_backtest_of_files_reports_and_leaves_nothing(place: Place) -> None:
    paths = [str(path) for path in made_up(500).write(place.folder / "exports", "jsonl")]
    before = everything(place)
    answer = place.run("backtest", *paths, "--window", "6h", "--json", "--html", "report.html")
    body = answer.body
    assert (body["status"], body["window"]) == ("completed", "6h")
    assert set(body["n"]) >= {"train", "calibration", "holdout", "immature", "rejected"}
    assert set(body["metrics"]) >= {"accuracy", "withinOne", "qwk", "rps", "logLoss", "spearman", "ece"}
    assert set(body["baselines"]) >= {"majority", "creatorMedian", "earlyRank", "tierShares"}
    assert "accuracy" in body["ceiling"]
    assert set(body["slices"]) >= {"seenCreators", "unseenCreators"}
    assert body["findings"]
    assert "The report is in report.html" in answer.err
    after = everything(place)
    assert set(after) - set(before) == {"report.html"}
    assert {name: after[name] for name in before} == before
    page = after["report.html"].decode()
    assert "</html>" in page.lower()
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page), "a self-contained page asks for nothing"
    assert "@import" not in page


def test_a_backtest_of_the_database_leaves_it_as_it_was(taught: Place) -> None:
    def rows() -> list[Any]:
        tables = taught.sql("select name from sqlite_master where type = 'table' order by name")
        return [taught.sql(f'select count(*) from "{name}"') for (name,) in tables]

    before = rows()
    said = taught.run("backtest", "--window", "publish").out
    assert "RPS" in said
    assert "the database" in said
    assert rows() == before


def test_a_backtest_as_of_then_and_by_another_label_age(taught: Place) -> None:
    options = ("--label-age", "80h", "--label-age-max", "8d", "--as-of", iso(AS_OF - 40 * DAY))
    body = taught.json("backtest", *EXPORTS, "--window", "publish", *options)
    assert body["label"]["labelAgeHours"] == 80
    assert body["label"]["labelAgeMaxHours"] == 192
    assert body["n"]["immatureBy"]["tooYoung"] > 50
    assert body["asOf"] == iso(AS_OF - 40 * DAY)


def test_too_little_is_a_clear_error(place: Place) -> None:
    paths = [str(path) for path in made_up(40).write(place.folder / "exports")]
    answer = place.run("backtest", *paths, "--window", "publish", "--json", code=1)
    assert re.match(r"Only \d+ videos have matured", answer.body["error"])
    assert answer.body["hint"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("backtest", "missing.json", "--window", "publish"), 1, "missing.json"),
        (("backtest", "--window", "12h"), 2, "12h"),
        (("backtest", "--label-age", "soon"), 1, "GROUNDSWELL_LABEL_AGE='soon'"),
        (("backtest", "--as-of", "2999-01-01T00:00:00Z"), 2, "lies in the future"),
        (("retrain", "--window", "tomorrow"), 2, "tomorrow"),
    ],
    ids=lambda given: "-".join(given[1:3]) if isinstance(given, tuple) else "",
)
def test_wrong_usage_says_what_is_wrong(place: Place, arguments: tuple[str, ...], code: int, said: str) -> None:
    answer = place.run(*arguments, code=code)
    assert said in answer.err
    assert answer.out == ""


# --- HTTP ---------------------------------------------------------------------------------------------------------


def test_predict_over_http(server: Server, plan: dict[str, Any]) -> None:
    def post(**content: Any) -> list[dict[str, Any]]:
        response = server.post("/api/predict", content)
        assert response.status == 200, response
        return list(response.body["predictions"])

    told, bare, wrong = (
        *post(window="publish", videos=[plan], reasons=True),
        *post(window="publish", videos=[plan]),
        *post(window="6h", videos=[plan]),
    )
    is_forecast(told, "publish")
    assert told["reasons"][0]["text"]
    assert bare.get("reasons") is None
    assert bare["probabilities"] == pytest.approx(told["probabilities"])
    assert "ahead" in wrong["error"]
    read = READ | {"scrapedAt": iso(POSTED + HOUR)}
    is_forecast(post(window="6h", videos=[read], reasons=True)[0], "6h")
    assert server.post("/api/predict", {"window": "12h", "videos": [plan]}).status == 422
    missing = server.post("/api/predict", {"window": "24h", "videos": [plan]})
    assert (missing.status, "retrain --window 24h" in missing.body["hint"]) == (409, True)


@pytest.mark.parametrize("method", ["get", "post"])
def test_cron_retrains_the_line_that_is_named(server: Server, method: str) -> None:
    send = {"get": server.get, "post": server.post}[method]
    response = send("/api/cron/retrain-ml?window=publish", **BEARER)
    assert response.status == 200, response
    body = response.body
    assert (body["window"], body["status"] in {"completed", "skipped"}) == ("publish", True)
    assert body["decision"]["decision"] in {"promote", "hold"}
    assert {"trainAccuracy", "testAccuracy", "confusionMatrix", "videoCount", "evaluation", "runId"} <= set(body)
    assert send("/api/cron/retrain-ml?window=publish").status == 401
    assert send("/api/cron/retrain-ml?window=12h", **BEARER).status == 422
