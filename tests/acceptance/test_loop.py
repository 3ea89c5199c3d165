"""The loop closes by commands: predicted at posting, read later, harvested, audited, recalibrated, and taken back."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from groundswell.predictor import Prediction
from groundswell.records import Window
from groundswell.store import ledger, registry
from tests.acceptance.life import (
    COUNT,
    SETTINGS,
    asked,
    old_and_new,
    posted_at,
    predict_at_posting,
    predictor_of,
    teach,
)
from tests.acceptance.process import Place, over_confident, report_outcomes
from tests.conftest import PostgresServer, _definitions, _lay_product_tables
from tests.made_up_forecast import DAY, Row, iso, written

ANN = "00000000-0000-0000-0000-000000000001"
ANALYSIS = "00000000-0000-0000-0000-000000000002"
ALARMS = {"green", "amber", "red", "insufficient"}
ACTIONS = {"none", "recalibrate", "retrain"}
PLAN = {"author": "creator3", "description": "how to fold a crane #diy", "hashtags": ["diy"], "durationSeconds": 24}


class Story:
    """A place, how its tables are asked, and how its product reports over-confident outcomes."""

    def __init__(self, place: Place, ask: Callable[[str], list[Any]], report: Callable[[], None]) -> None:
        self.place = place
        self.ask = ask
        self.report = report


@pytest.fixture
def embedded(tmp_path: Path) -> Story:
    place = Place(tmp_path, SETTINGS)
    return Story(place, lambda said: place.sql(said.replace("groundswell.", "")), lambda: report_outcomes(place, 3_000))


@pytest.fixture
def product(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Story]:
    with postgres_server.fresh("product", _lay_product_tables) as url:
        before = _definitions(url)

        def ask(statement: str) -> list[Any]:
            with psycopg.connect(url) as connection:
                return connection.execute(statement.encode()).fetchall()

        def report() -> None:
            with psycopg.connect(url) as connection, connection.cursor() as cursor:
                cursor.executemany(
                    "insert into outcomes (analysis_id, user_id, predicted_score, actual_score, created_at) "
                    "values (%s, %s, %s, %s, %s::timestamp at time zone 'UTC')",
                    [(ANALYSIS, ANN, *pair) for pair in over_confident(3_000, datetime.now(UTC))],
                )

        yield Story(Place(tmp_path, {**SETTINGS, "DATABASE_URL": url}), ask, report)
        assert _definitions(url) == before, "the definitions of the product's tables were altered"


@pytest.fixture(params=["embedded", pytest.param("product", marks=pytest.mark.slow)])
def story(request: pytest.FixtureRequest) -> Story:
    found: Story = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def own(lived: Place, tmp_path: Path) -> Place:
    """A copy of the place that has lived."""
    return lived.copy(tmp_path)


def verify(place: Place) -> dict[str, int]:
    """Return the champions of the place, whose ledger must verify."""
    with place.opened() as database:
        with database.read() as connection:
            found = ledger.verify(connection)
        assert found.status == "verified", found
        return registry.champions(database)


def plan(place: Place, **changed: Any) -> dict[str, Any]:
    """Return the prediction of a plan, as the command gives it."""
    given = json.dumps({"videos": [PLAN | changed]}).encode()
    (answer,) = place.json("predict", "--window", "publish", given=given)["predictions"]
    return dict(answer)


def served(place: Place) -> Prediction:
    """Return the prediction of a plan, as a server that starts now gives it: a command takes seconds to begin."""
    with place.opened() as database:
        (answer,) = predictor_of(place, database).predict([PLAN], Window.PUBLISH, datetime.now(UTC))
    assert isinstance(answer, Prediction)
    return answer


@pytest.mark.slow
def test_the_loop_closes_itself(story: Story) -> None:
    place = story.place
    predicted = teach(place)
    assert len(predicted) == len(old_and_new()[1])
    assert verify(place) == {"publish": 1}
    tomorrow = plan(place, platformVideoId="tomorrow", postedAt=iso(datetime.now(UTC) + DAY))
    nameless = plan(place)
    check_nothing_is_known_yet(place, len(predicted) + 2)

    place.run("ingest", "new.parquet")
    matured = check_harvests(story, len(predicted), {tomorrow["predictionId"], nameless["predictionId"]})
    check_audit(place, matured, len(predicted) + 2)
    check_recalibration_and_the_way_back(place)
    check_score_calibration_and_the_way_back(story, matured)
    listed = place.json("models", "list")
    assert (listed["ledger"], listed["champions"]) == ("verified", {"publish": 1}), listed["ledgerExplanation"]


def check_nothing_is_known_yet(place: Place, predictions: int) -> None:
    harvested = place.json("harvest")
    assert (harvested["followed"], harvested["harvested"]) == (predictions - 1, 0), "one names no video"
    assert harvested["withoutOutcome"]
    audited = place.json("audit")
    assert (audited["status"], audited["samples"], audited["required"]) == ("skipped", 0, 50)
    assert audited["alarm"] == "insufficient"
    assert audited["lines"]["publish"]["alarm"] == "insufficient"


def check_harvests(story: Story, predictions: int, waiting: set[str]) -> int:
    """Harvest twice, and return how many predictions have matured."""
    first, second = (story.place.json("harvest") for _ in range(2))
    assert first["status"] == second["status"] == "completed"
    matured = int(first["harvested"])
    # One in ten was never read past its label age.
    assert 0.8 * predictions < matured < predictions
    assert (first["corrected"], first["unchanged"], first["leftAsReported"]) == (0, 0, 0)
    assert (second["harvested"], second["corrected"], second["unchanged"]) == (0, 0, matured)
    assert first["followed"] == matured + sum(first["withoutOutcome"].values())
    assert first["matured"]["sentence"].startswith(f"{matured:,} of {predictions + 2:,} predictions matured; ")
    assert "1 names no video" in first["matured"]["sentence"]
    rows = story.ask("select prediction_id, actual_tier, actual_score from groundswell.prediction_outcomes")
    assert len(rows) == len({str(row[0]) for row in rows}) == matured
    assert not waiting & {str(row[0]) for row in rows}
    ends = (0, 25, 45, 65, 80, 100)
    assert all(ends[tier - 1] <= score <= ends[tier] for _, tier, score in rows), "a score lies inside its tier's range"
    verify(story.place)
    return matured


def check_audit(place: Place, matured: int, predictions: int) -> None:
    answer = place.run("audit", "--json", "--html", "audit.html")
    body = answer.body
    assert (body["status"], body["totalSamples"]) == ("completed", matured)
    assert body["alarm"] in ALARMS
    assert body["alarmReason"]
    assert body["driftDetected"] is (body["ece"] > 0.15)
    assert set(body["alarmRule"]) >= {"falseAlarms", "power", "powerAt", "n"}
    assert body["matured"]["sentence"].startswith(f"{matured:,} of {predictions:,} predictions matured; ")
    assert body["recommendation"]["action"] in ACTIONS
    assert body["recommendation"]["why"]
    line = body["lines"]["publish"]
    assert (line["champion"], line["n"]) == (1, matured)
    assert line["alarm"] in ALARMS
    assert line["recommendation"]["action"] in ACTIONS
    assert line["accuracy"]["matured"]["n"] == matured
    assert 0.6 < line["ranges"]["coverage"]["value"] <= 1
    assert [finding["code"] for finding in body["scrape"]] == ["S1", "S2", "S3", "S4", "S5"]
    assert "The report is in audit.html" in answer.err
    check_page(place.folder / "audit.html", body["matured"]["sentence"])
    words = place.run("audit").out
    assert body["matured"]["sentence"] in words
    assert f"publish: alarm {line['alarm']}" in words


def check_page(path: Path, *said: str) -> None:
    page = path.read_text(encoding="utf-8")
    assert "</html>" in page.lower()
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page), "a self-contained page asks for nothing"
    for words in said:
        assert words in page


def check_recalibration_and_the_way_back(place: Place) -> None:
    first = place.json("recalibrate", "--window", "publish")
    assert first["decision"]["findings"]
    assert (first["window"], first["champion"], first["source"]) == ("publish", 1, "predictions")
    # The made-up creators have a trend, so that the ranges of their past are too narrow for what came after.
    assert (first["status"], first["modelVersion"]) == ("completed", 2)
    assert first["decision"]["decision"] == "promote"
    assert served(place).model_version == 2
    assert verify(place) == {"publish": 2}
    second = place.json("recalibrate", "--window", "publish")
    assert (second["status"], second["champion"]) == ("skipped", 2), "what is mended need not be mended again"
    assert second["decision"]["decision"] == "hold"
    assert second["reason"] == second["decision"]["reason"]
    back = place.json("models", "rollback", "--window", "publish")
    assert back == {"window": "publish", "champion": 1, "moved": True}
    assert served(place).model_version == 1


def check_score_calibration_and_the_way_back(story: Story, matured: int) -> None:
    place = story.place
    story.report()
    audited = place.json("audit")
    assert audited["totalSamples"] == matured + 3_000, "the product's own outcomes count beside ours"
    assert audited["scoreCalibration"]["active"] is True
    listed = place.json("calibrations", "list")["calibrations"]
    assert [one["version"] for one in listed] == [3, 2, 1], "an audit without pairs fits nothing"
    assert [one["serves"] for one in listed] == [True, False, False]
    assert listed[0]["kind"] == audited["scoreCalibration"]["kind"] != "identity"
    calibrated = plan(place)
    assert calibrated["calibrationVersion"] == 3
    assert calibrated["calibratedScore"] != calibrated["score"]

    alone = place.json("calibrations", "restore", "0")
    assert (alone["version"], alone["serves"], alone["kind"]) == (4, False, "identity")
    left = served(place)
    assert left.calibrated_score == left.score == calibrated["score"]
    assert left.calibration_version is None
    again = place.json("calibrations", "restore", "3")
    assert (again["version"], again["serves"], again["kind"]) == (5, True, listed[0]["kind"])
    assert served(place).calibrated_score == calibrated["calibratedScore"]


def read_when_mature(videos: Sequence[Row]) -> list[Row]:
    """Return the videos of which the export tells what they had reached past their label age."""
    return [row for row in videos if row["scraped_at"] and datetime.fromisoformat(row["scraped_at"]) >= matures_at(row)]


def matures_at(video: Row) -> datetime:
    return posted_at(video) + 3 * DAY


@pytest.mark.slow
@pytest.mark.parametrize("how", ["an earlier reading arrives late", "the product mends its own table"])
def test_of_what_was_corrected_the_ledger_keeps_what_was_said_before(own: Place, how: str) -> None:
    first = own.json("harvest")
    chosen = read_when_mature(old_and_new()[1])[:20]
    if how == "an earlier reading arrives late":
        late = [
            {**{name: row[name] for name in ("platform", "platform_video_id")}, "observed_at": iso(matures_at(row))}
            | {"views": 1_000 * row["views"], "likes": row["likes"]}
            for row in chosen
        ]
        assert own.json("ingest", str(written(own.folder / "late.parquet", late)))["rejected"] == 0
    else:
        own.sql(
            "update scraped_videos set views = 1000 * views where platform_video_id = ?",
            [(row["platform_video_id"],) for row in chosen],
        )
    before = own.sql("select count(*) from prediction_outcomes")
    second = own.json("harvest")
    assert second["harvested"] == 0
    # Of a few the last of several mature readings was mended, and the first is the outcome.
    assert 10 <= second["corrected"] <= 20
    assert second["corrected"] + second["unchanged"] == first["harvested"]
    assert own.sql("select count(*) from prediction_outcomes") == before
    kept = [json.loads(payload) for (payload,) in own.sql("select payload from ledger where kind = 'outcome'")]
    assert len(kept) == second["corrected"]
    for entry in kept:
        assert entry["is"]["actual_views"] > 100 * entry["was"]["actual_views"]
        assert entry["is"]["actual_tier"] >= entry["was"]["actual_tier"]
    assert own.json("harvest")["corrected"] == 0
    verify(own)


def test_under_fifty_pairs_is_skipped_and_never_a_silent_green(own: Place) -> None:
    own.json("harvest")
    own.sql(
        "delete from prediction_outcomes where prediction_id not in "
        "(select prediction_id from prediction_outcomes order by prediction_id limit 49)"
    )
    body = own.json("audit")
    assert {name: body[name] for name in ("status", "reason", "samples", "required")} == {
        "status": "skipped",
        "reason": "Insufficient outcome data",
        "samples": 49,
        "required": 50,
    }
    assert body["alarm"] == "insufficient"
    assert body["recommendation"]["action"] in ACTIONS
    assert "49 pairs, 50 are needed" in own.run("audit", "--html", "skipped.html").out
    check_page(own.folder / "skipped.html", "Insufficient outcome data")
    assert own.json("calibrations", "list") == {"calibrations": []}
    left = served(own)
    assert left.calibrated_score == left.score


def test_the_commands_of_the_loop_speak_in_words(own: Place) -> None:
    said = own.run("harvest").out
    assert "new outcomes" in said
    assert "not read since" in said
    assert "predictions matured" in said
    own.run("audit")
    said = own.run("recalibrate", "--window", "publish").out
    assert "R0 passed" in said
    assert "predictions that champion 1 never learnt from" in said
    assert "pairs" in own.run("calibrations", "list").out
    assert "leaves the scores alone" in own.run("calibrations", "restore", "0").out


def test_a_recalibration_needs_rows_that_the_estimator_never_saw(own: Place) -> None:
    body = own.json("recalibrate", "--window", "publish", environment={"GROUNDSWELL_MIN_RECALIBRATION_ROWS": "100000"})
    assert (body["status"], body["champion"]) == ("skipped", 1)
    assert "100,000 are needed" in body["reason"]
    assert verify(own) == {"publish": 1}
    assert own.sql("select count(*) from model_versions") == [(1,)]


def test_a_video_that_was_known_before_it_was_predicted_proves_nothing(own: Place) -> None:
    (video,) = read_when_mature(old_and_new()[0])[:1]
    given = json.dumps({"videos": [asked(video)]}).encode()
    own.json("predict", "--window", "publish", given=given)
    body = own.json("harvest")
    assert body["withoutOutcome"]["knownBefore"] == 1


@pytest.mark.slow
def test_a_description_of_counters_is_judged_by_what_is_read_afterwards(own: Place) -> None:
    """A champion of `observed` describes videos as they stand; only later readings say whether that held."""
    assert own.json("retrain", environment={"GROUNDSWELL_ACCURACY_FLOOR": "0.2"})["status"] == "completed"
    _, new = old_and_new()
    videos = [{**asked(video), "views": video["views"], "likes": video["likes"] or 0} for video in new[:30]]
    own.json("predict", given=json.dumps({"videos": videos}).encode())
    before = own.json("harvest")
    assert before["matured"]["byWindow"]["observed"]["matured"] == 0
    later = datetime.now(UTC)
    rows = [{**video, "views": 3 * video["views"], "scraped_at": iso(later)} for video in new[:30]]
    own.json("ingest", str(written(own.folder / "later.parquet", rows)))
    after = own.json("harvest")
    assert after["matured"]["byWindow"]["observed"]["matured"] == 30
    assert set(own.json("audit")["lines"]) == {"observed", "publish"}


def test_an_audit_that_was_edited_is_found_out(own: Place) -> None:
    run = own.json("audit")["runId"]
    assert uuid.UUID(run)
    verify(own)
    own.sql("update ledger set payload = replace(payload, 'sha256', 'sha255') where kind = 'audit'")
    answer = own.run("models", "list", "--json", code=1)
    assert answer.body["ledger"] != "verified"


def test_what_cannot_be_done_exits_1_with_error_and_hint(own: Place) -> None:
    cases = (
        (("recalibrate",), "No model serves the window 'observed' yet", "groundswell retrain"),
        (("recalibrate", "--window", "24h"), "No model serves the window '24h' yet", "retrain"),
        (("calibrations", "restore", "7"), "There is no calibration 7", "calibrations list"),
        (("audit", "--html", "old.parquet/audit.html"), "old.parquet/audit.html cannot be written", "--html"),
    )
    answers = own.type(*((*line, "--json") for line, _, _ in cases), code=1)
    for (line, error, hint), answer in zip(cases, answers, strict=True):
        assert error in answer.body["error"], line
        assert hint in answer.err.split("hint: ")[1], line
    verify(own)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["harvest", "audit", "calibrations list"])
def test_an_empty_place_is_no_error(command: str, place: Place) -> None:
    body = place.json(*command.split())
    if command == "harvest":
        assert (body["status"], body["followed"], body["harvested"]) == ("completed", 0, 0)
        assert body["matured"]["sentence"] == "0 of 0 predictions matured"
    elif command == "audit":
        assert (body["status"], body["samples"], body["lines"]) == ("skipped", 0, {})
    else:
        assert body == {"calibrations": []}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["harvest", "audit", "recalibrate:publish"])
def test_while_one_runs_the_other_exits_1(kind: str, own: Place) -> None:
    own.sql(
        "insert into leases (name, holder, renewed_at) values "
        f"('{kind}', 'another-run', strftime('%Y-%m-%d %H:%M:%f000', 'now', '+20 seconds'))"
    )
    name, _, window = kind.partition(":")
    answer = own.run(name, *(("--window", window) if window else ()), "--json", code=1)
    assert answer.body == {"status": "already_running", "runId": "another-run"}


@pytest.mark.slow
def test_the_past_predicts_on_from_a_copy(own: Place) -> None:
    """A second life on the same videos adds predictions, and their outcomes; a video is one piece of evidence."""
    own.json("harvest")
    _, new = old_and_new()
    again = predict_at_posting(own, new[:100])
    body = own.json("harvest")
    assert 80 <= body["harvested"] <= len(again)
    assert own.json("audit")["lines"]["publish"]["n"] < body["unchanged"] + body["harvested"]
    assert len(new) < COUNT
