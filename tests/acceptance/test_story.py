"""The whole story, once on the embedded database and once in a PostgreSQL that holds a product's own tables."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.process import (
    EASY,
    VIDEO,
    Place,
    made_up,
    over_confident,
    report_outcomes,
    serving,
    without_signal,
    write_export,
)
from tests.conftest import PostgresServer, _definitions, _lay_product_tables

ANN = "00000000-0000-0000-0000-000000000001"
ANALYSIS = "00000000-0000-0000-0000-000000000002"
SHA256 = re.compile(r"[0-9a-f]{64}")
METRICS = {"accuracy", "balancedAccuracy", "withinOne", "qwk", "rps", "logLoss", "brier", "macroF1"}


class Story:
    """A place, how its product reports outcomes, and how its tables are counted."""

    def __init__(self, place: Place, report: Callable[[], None], ask: Callable[[str], list[Any]]) -> None:
        self.place = place
        self.report = report
        self.ask = ask


@pytest.fixture
def embedded(tmp_path: Path) -> Story:
    place = Place(tmp_path)
    return Story(place, lambda: report_outcomes(place), place.sql)


@pytest.fixture
def product(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Story]:
    with postgres_server.fresh("product", _lay_product_tables) as url:
        before = _definitions(url)

        def report() -> None:
            with psycopg.connect(url) as connection, connection.cursor() as cursor:
                cursor.executemany(
                    "insert into outcomes (analysis_id, user_id, predicted_score, actual_score, created_at) "
                    "values (%s, %s, %s, %s, %s::timestamp at time zone 'UTC')",
                    [(ANALYSIS, ANN, *pair) for pair in over_confident(400, datetime.now(UTC))],
                )

        def ask(statement: str) -> list[Any]:
            with psycopg.connect(url) as connection:
                return connection.execute(statement.encode()).fetchall()

        yield Story(Place(tmp_path, {**EASY, "DATABASE_URL": url}), report, ask)
        assert _definitions(url) == before, "the definitions of the product's tables were altered"


# Beside a product it takes as long again; test_a_server_on_the_products_postgres goes there in every run.
@pytest.fixture(params=["embedded", pytest.param("product", marks=pytest.mark.slow)])
def story(request: pytest.FixtureRequest) -> Story:
    found: Story = request.getfixturevalue(request.param)
    return found


def test_from_an_export_to_a_calibrated_score_and_back(story: Story) -> None:
    place = story.place
    ingested = place.json("ingest", str(write_export(place.folder / "export.jsonl", made_up(700))))
    assert (ingested["read"], ingested["inserted"], ingested["rejected"]) == (700, 700, 0)
    assert story.ask("select count(*) from scraped_videos") == [(700,)]
    baseline = place.json("baseline")
    assert [tier["tier"] for tier in baseline["virality_tiers"]] == [1, 2, 3, 4, 5]
    extracted = place.json("extract")
    assert extracted["trainCount"] + extracted["testCount"] == sum(extracted["labelDistribution"].values())

    first = place.json("retrain")
    check_completed(first, version=1)
    listed = place.json("models", "list")
    assert (listed["ledger"], listed["champions"]) == ("verified", {"observed": 1})

    raw = place.predict()
    assert raw["calibratedScore"] == raw["score"]
    assert raw["calibrationVersion"] is None
    story.report()
    audited = place.json("audit")
    check_audit(audited)
    scored = place.predict()
    assert scored["score"] == raw["score"]
    a, b = audited["plattParams"]["a"], audited["plattParams"]["b"]
    assert scored["calibratedScore"] == pytest.approx(100 / (1 + math.exp(a * scored["score"] / 100 + b)), abs=1e-3)
    assert scored["calibrationVersion"] == 1
    assert abs(scored["calibratedScore"] - scored["score"]) > 1, "an over-confident score is corrected visibly"

    # A broken scraper: newer rows that say nothing of reach.
    place.run("ingest", str(write_export(place.folder / "worse.jsonl", without_signal(made_up(700, seed=2)))))
    held = place.json("retrain", environment={"GROUNDSWELL_MAX_ROWS": "700"})
    check_held(held, floor=35, champion=1, outcomes=400)
    assert place.predict()["modelVersion"] == 1

    # With all rows a second model earns its place; an operator goes back and forth.
    second = place.json("retrain", environment={"GROUNDSWELL_MARGIN": "1"})
    check_completed(second, version=2)
    assert second["outcomeCount"] == 400
    assert place.json("models", "rollback") == {"window": "observed", "champion": 1, "moved": True}
    assert place.predict()["modelVersion"] == 1
    assert place.json("models", "promote", "2") == {"window": "observed", "champion": 2, "moved": True}
    assert place.champion() == 2
    assert place.predict()["modelVersion"] == 2
    assert story.ask("select count(*) from outcomes") == [(400,)], "the product's outcomes are its own"


def test_an_accuracy_under_the_floor_is_skipped_with_the_reason(own: Place) -> None:
    held = own.json("retrain", environment={"GROUNDSWELL_ACCURACY_FLOOR": "0.99"})
    check_held(held, floor=99, champion=1, outcomes=400)
    words = own.run("retrain", environment={"GROUNDSWELL_ACCURACY_FLOOR": "0.99"})
    assert "skipped: the challenger was held, champion 1 keeps serving" in words.out
    assert held["reason"] in words.out
    assert held["decision"]["enough"] in words.out
    assert own.champion() == 1


def test_the_rows_of_a_retrain_are_those_known_at_as_of(own: Place) -> None:
    before_anything = own.run("retrain", "--as-of", "2024-01-01T00:00:00Z", "--json", code=1)
    assert "Only 0 scraped videos" in before_anything.body["error"]


def test_dry_run_publishes_nothing(own: Place) -> None:
    body = own.json("retrain", "--dry-run")
    assert (body["status"], body["modelVersion"], body["dryRun"]) == ("completed", None, True)
    assert own.champion() == 1
    assert own.sql("select count(*) from model_versions") == [(1,)]


@pytest.mark.slow
def test_the_same_data_and_seed_give_the_same_artifact_in_two_fresh_homes(tmp_path: Path) -> None:
    artifacts = []
    for name in ("one", "two"):
        place = Place(tmp_path / name)
        place.folder.mkdir()
        place.run("ingest", str(write_export(place.folder / "export.jsonl", made_up(600, seed=5))))
        artifacts.append(place.json("retrain")["artifact"])
    assert artifacts[0] == artifacts[1]
    assert SHA256.fullmatch(artifacts[0])
    lenient = {"GROUNDSWELL_MARGIN": "1", "GROUNDSWELL_MIN_COMPARABLE_ROWS": "10"}
    other = place.json("retrain", environment={"GROUNDSWELL_SEED": "43", **lenient})
    assert other["artifact"] != artifacts[0], "another seed, another model"


def test_a_server_on_the_products_postgres(product: Story) -> None:
    place = product.place
    place.run("db", "init")
    with serving(place, CRON_SECRET="x") as server:
        bearer = {"authorization": "Bearer x"}
        failed = server.post("/api/cron/retrain-ml", **bearer)
        assert failed.status == 500
        assert failed.body["error"].startswith("Training failed: Only 0 scraped videos")
        place.run("ingest", str(write_export(place.folder / "export.jsonl", made_up(600))))
        assert server.post("/api/cron/retrain-ml", **bearer).body["modelVersion"] == 1
        (answer,) = server.predict(VIDEO)
        assert uuid.UUID(answer["predictionId"])
        assert product.ask('select "window", model_version from groundswell.predictions') == [("observed", 1)]


def check_completed(body: dict[str, Any], version: int) -> None:
    assert (body["status"], body["source"], body["window"]) == ("completed", "scraped_videos", "observed")
    assert body["modelVersion"] == version
    check_figures(body)
    assert [report["tier"] for report in body["perClass"]] == [1, 2, 3, 4, 5]
    for report in body["perClass"]:
        assert set(report) == {"tier", "precision", "recall", "support"}
        assert report["support"] == sum(body["confusionMatrix"][report["tier"] - 1])
    assert body["decision"]["decision"] == "promote"
    assert isinstance(body["outcomeCount"], int)
    assert datetime.fromisoformat(body["trainedAt"]).tzinfo is not None
    assert SHA256.fullmatch(body["artifact"])


def check_held(body: dict[str, Any], floor: int, champion: int, outcomes: int) -> None:
    accuracy = body["evaluation"]["metrics"]["accuracy"]["value"]
    assert (body["status"], body["source"], body["window"]) == ("skipped", "scraped_videos", "observed")
    assert body["reason"] == f"Test accuracy {100 * accuracy:.1f}% below {floor}% gate"
    assert body["champion"] == champion
    assert body["decision"]["decision"] == "hold"
    assert body["decision"]["reason"] == body["reason"]
    assert body["decision"]["enough"]
    assert body["outcomeCount"] == outcomes
    assert "modelVersion" not in body
    check_figures(body)


def check_figures(body: dict[str, Any]) -> None:
    matrix = body["confusionMatrix"]
    assert [len(row) for row in matrix] == [5] * 5
    holdout = sum(map(sum, matrix))
    right = sum(matrix[tier][tier] for tier in range(5))
    assert body["testAccuracy"] == round(right / holdout, 3)
    assert body["trainAccuracy"] == round(body["trainAccuracy"], 3)
    assert 0 < body["trainAccuracy"] <= 1
    assert len(body["tierDistribution"]) == 5
    assert sum(body["tierDistribution"]) == body["videoCount"]
    assert set(body["evaluation"]["metrics"]) >= METRICS
    for name in METRICS:
        metric = body["evaluation"]["metrics"][name]
        assert metric["low"] <= metric["value"] <= metric["high"], name
        assert metric["n"] == holdout
    assert set(body["evaluation"]["baselines"]) >= {"majority", "creatorMedian"}
    assert {"G1", "G2", "G3", "G4", "G5"} <= {finding["code"] for finding in body["decision"]["findings"]}
    for finding in body["decision"]["findings"]:
        assert finding["outcome"] in {"passed", "failed", "not_applicable"}
        assert finding["title"]
        assert finding["explanation"]
    assert uuid.UUID(body["runId"])


def check_audit(body: dict[str, Any]) -> None:
    assert body["status"] == "completed"
    assert (body["totalSamples"], body["driftThreshold"]) == (400, 0.15)
    assert body["driftDetected"] is (body["ece"] > 0.15)
    assert [(entry["binStart"], entry["binEnd"]) for entry in body["bins"]] == [
        (tenth / 10, (tenth + 1) / 10) for tenth in range(10)
    ]
    assert sum(entry["count"] for entry in body["bins"]) == 400
    ece = sum(entry["count"] * entry["gap"] for entry in body["bins"]) / 400
    assert body["ece"] == pytest.approx(ece, abs=2e-4)
    for entry in body["bins"]:
        assert set(entry) == {"binStart", "binEnd", "avgPredicted", "avgActual", "count", "gap"}
        assert entry["gap"] == pytest.approx(abs(entry["avgPredicted"] - entry["avgActual"]), abs=2e-4)
    assert body["plattRefitted"] is True
    assert body["plattActive"] is True
    assert set(body["plattParams"]) == {"a", "b"}
    assert body["plattParams"]["a"] < 0
    assert body["plattReason"].startswith("active")
    assert body["scoreCalibration"]["active"] is True
    assert body["servedEce"] <= body["ece"]
    assert datetime.fromisoformat(body["auditedAt"]).tzinfo is not None
    assert uuid.UUID(body["runId"])
