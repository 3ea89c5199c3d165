"""The loop over HTTP: outcomes reported and taken back, audits looked up again, and what a scheduler calls."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from tests.acceptance.conftest import API_KEY, CRON
from tests.acceptance.process import (
    Place,
    Response,
    Server,
    check_is_refused,
    no_list_of,
    report_outcomes,
    serving,
    under_way,
)
from tests.made_up_forecast import DAY, HOUR, iso

HARVEST, RECALIBRATE = "/api/cron/harvest-outcomes", "/api/cron/recalibrate"
AUDIT = "/api/cron/calibration-audit"
OUTCOMES, AUDITS = "/api/outcomes", "/api/audits"
SECRET = {"authorization": f"Bearer {CRON}"}
KEY = {"authorization": f"Bearer {API_KEY}"}
UNAUTHORIZED = {"error": "Unauthorized"}
#: No prediction has this id.
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def closed(lived: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The copy that `server` serves, with a key and a secret."""
    return lived.copy(tmp_path_factory.mktemp("closed"), CRON_SECRET=CRON, GROUNDSWELL_API_KEY=API_KEY)


@pytest.fixture(scope="module")
def server(closed: Place) -> Iterator[Server]:
    """A server of that copy for all tests of the module."""
    with serving(closed) as running:
        yield running


def send(server: Server, method: str, path: str, content: Any = None, **headers: str) -> Response:
    data = None if content is None else json.dumps(content).encode()
    named = {"Content-Type": "application/json", **headers}
    return server.send(Request(server.url + path, data, named, method=method))


def report(server: Server, *outcomes: Any) -> list[dict[str, Any]]:
    # Not every JSON number is one that orjson would write.
    body = json.dumps({"outcomes": outcomes}).replace("Infinity", "1e400").encode()
    response = server.post(OUTCOMES, body, **KEY)
    assert response.status == 200, response
    return list(response.body["outcomes"])


def predictions(place: Place, number: int) -> list[str]:
    """Return ids of predictions made at posting that have no outcome yet, of videos of different names."""
    found = place.sql(
        "select min(id) from predictions where window = 'publish' and predicted_at < datetime('now', '-1 day') "
        "and id not in (select prediction_id from prediction_outcomes) group by platform_video_id order by 1"
    )
    assert len(found) >= number
    return [row[0] for row in found[-number:]]


# --- outcomes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [None, "Bearer ", "Bearer wrong", f"Bearer {CRON}", f"Basic {API_KEY}"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", OUTCOMES), ("DELETE", f"{OUTCOMES}/{NOBODY}"), ("GET", AUDITS), ("GET", f"{AUDITS}/{NOBODY}")],
)
def test_without_the_key_nothing_is_read_or_told(
    server: Server, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    request = Request(server.url + path, b"{not json" if method == "POST" else None, headers, method=method)
    response = server.send(request)
    assert (response.status, response.body) == (401, UNAUTHORIZED)


def test_outcomes_are_answered_in_their_order_with_errors_in_their_place(server: Server, closed: Place) -> None:
    one, two, three = predictions(closed, 3)
    (video,) = closed.sql(f"select platform, platform_video_id from predictions where id = '{three}'")
    bad: list[tuple[Any, str]] = [
        (None, "An outcome must be a JSON object"),
        ("12", "An outcome must be a JSON object"),
        ([], "An outcome must be a JSON object"),
        ({}, "There is neither actualViews nor actualScore"),
        ({"actualViews": 5}, "names no prediction"),
        ({"predictionId": NOBODY, "actualViews": 5}, "There is no such prediction"),
        ({"predictionId": "first", "actualViews": 5}, "'first' is not the id of a prediction"),
        ({"predictionId": ["a"], "actualViews": 5}, "is not the id of a prediction"),
        ({"predictionId": one}, "There is neither actualViews nor actualScore"),
        ({"predictionId": one, "actualViews": -5}, "actualViews=-5"),
        ({"predictionId": one, "actualViews": "many"}, "actualViews='many'"),
        ({"predictionId": one, "actualViews": 2**70}, "actualViews="),
        ({"predictionId": one, "actualViews": 1e400}, "actualViews="),
        ({"predictionId": one, "actualViews": True}, "actualViews="),
        ({"predictionId": one, "actualViews": {"a": 1}}, "actualViews="),
        ({"predictionId": one, "actualScore": 101}, "actualScore=101"),
        ({"predictionId": one, "actualScore": -0.5}, "actualScore=-0.5"),
        ({"predictionId": one, "actualScore": "high"}, "actualScore='high'"),
        ({"predictionId": one, "actualScore": True}, "actualScore=True"),
        ({"predictionId": one, "actualViews": 5, "observedAt": "soon"}, "observedAt='soon'"),
        ({"predictionId": one, "actualViews": 5, "observedAt": "2999-01-01T00:00:00Z"}, "lies in the future"),
        ({"predictionId": one, "actualViews": 5, "observedAt": "2020-01-01T00:00:00Z"}, "before the prediction"),
        ({"predictionId": one, "actualViews": 5, "colour": "blue"}, "Unknown field colour"),
        ({"platformVideoId": "no-such-video", "actualViews": 5}, "There is no such prediction"),
        ({"platformVideoId": ["1"], "actualViews": 5}, "platformVideoId="),
        ({"platformVideoId": {}, "actualViews": 5}, "platformVideoId="),
    ]
    good: list[Any] = [
        {"predictionId": one, "actualViews": 5_000},
        {"predictionId": two.upper(), "actualScore": 62.5, "observedAt": iso(datetime.now(UTC) - HOUR)},
        {"platform": video[0], "platformVideoId": video[1], "actualViews": "12500", "actualLikes": 10},
    ]
    sent = [good[0], *(item for item, _ in bad[:9]), good[1], *(item for item, _ in bad[9:]), good[2]]
    expected = [None, *(said for _, said in bad[:9]), None, *(said for _, said in bad[9:]), None]
    answers = report(server, *sent)
    assert len(answers) == len(sent)
    for item, said, answer in zip(sent, expected, answers, strict=True):
        if said is None:
            assert "error" not in answer, (item, answer)
            assert [one["status"] for one in answer.get("outcomes", [answer])] == ["recorded"], (item, answer)
        else:
            assert set(answer) == {"error", "hint"}, (item, answer)
            assert said in answer["error"], (item, answer)
            assert answer["hint"]
    first, second, third = (answers[place].get("outcomes", [answers[place]])[0] for place in (0, 10, -1))
    assert (first["predictionId"], second["predictionId"], third["predictionId"]) == (one, two, three)
    assert first["actualTier"] in range(1, 6)
    assert (second["actualTier"], second["actualScore"]) == (None, 62.5)
    stored = dict(closed.sql("select prediction_id, actual_views from prediction_outcomes where origin = 'reported'"))
    assert {one: 5_000, two: None, three: 12_500}.items() <= stored.items()


def test_to_say_it_again_changes_nothing_and_to_say_something_else_corrects(server: Server, closed: Place) -> None:
    (one,) = predictions(closed, 1)

    def said(**content: Any) -> str:
        (answer,) = report(server, {"predictionId": one, **content})
        return str(answer["status"])

    assert said(actualViews=900) == "recorded"
    assert said(actualViews=900) == "unchanged"
    assert said(actualViews=1_900) == "corrected"
    assert send(server, "DELETE", f"{OUTCOMES}/{one}", **KEY).body == {"predictionId": one, "deleted": True}
    assert send(server, "DELETE", f"{OUTCOMES}/{one}", **KEY).body == {"predictionId": one, "deleted": False}
    assert closed.json("models", "list")["ledger"] == "verified"
    # What was taken back stays so until it is reported again, whatever a scrape shows.
    closed.json("harvest")
    assert closed.sql(
        f"select count(*) from prediction_outcomes where prediction_id = '{one}' and deleted_at is null"
    ) == [(0,)]
    assert said(actualViews=1_900) in {"recorded", "corrected"}


@pytest.mark.parametrize("given", ["first", "%20", "1" * 500, NOBODY])
def test_to_take_back_what_is_not_there(server: Server, given: str) -> None:
    response = send(server, "DELETE", f"{OUTCOMES}/{given}", **KEY)
    if given == NOBODY:
        assert (response.status, response.body) == (200, {"predictionId": NOBODY, "deleted": False})
    else:
        assert response.status in {400, 404, 405}
        assert set(response.body) == {"error", "hint"}


def test_a_plan_that_has_not_been_posted_has_no_outcome(server: Server) -> None:
    plan = {"author": "creator3", "description": "a plan", "postedAt": iso(datetime.now(UTC) + DAY)}
    response = server.post("/api/predict", {"window": "publish", "videos": [plan]}, **KEY)
    (answer,) = report(server, {"predictionId": response.body["predictions"][0]["predictionId"], "actualViews": 10})
    assert "has not matured" in answer["error"]
    assert "again" in answer["hint"]


@pytest.mark.parametrize("body", no_list_of("outcomes"), ids=lambda body: repr(body[:18]))
def test_what_is_no_report_is_refused(server: Server, body: bytes) -> None:
    check_is_refused(server.post(OUTCOMES, body, **KEY), "outcomes")


def test_ten_thousand_reports_are_answered(server: Server) -> None:
    answers = report(server, *[{"predictionId": NOBODY, "actualViews": 5}] * 10_000)
    assert len(answers) == 10_000
    assert all(answer["error"] == "There is no such prediction." for answer in answers)


def test_without_a_key_set_outcomes_are_open_as_predictions_are(lived: Place, tmp_path_factory: Any) -> None:
    place = lived.copy(tmp_path_factory.mktemp("open"))
    (one,) = predictions(place, 1)
    with serving(place) as open_server:
        response = open_server.post(OUTCOMES, {"outcomes": [{"predictionId": one, "actualViews": 5_000}]})
        assert response.body["outcomes"][0]["status"] == "recorded"
        assert open_server.get(AUDITS).body["audits"] == []
        assert open_server.get(HARVEST).status == 401, "no secret is no open door"


# --- cron ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [HARVEST, RECALIBRATE])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("authorization", [None, "", "Bearer ", "Bearer wrong", f"Bearer {CRON}x", f"Bearer {API_KEY}"])
def test_cron_refuses_all_but_its_secret(server: Server, method: str, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    response = send(server, method, f"{path}?window=nonsense", **headers)
    assert (response.status, response.body) == (401, UNAUTHORIZED)


def test_cron_harvests_with_the_keys_of_the_command(server: Server, closed: Place) -> None:
    responses = [send(server, method, HARVEST, **SECRET) for method in ("GET", "POST")]
    again = closed.json("harvest")
    assert again["harvested"] == 0
    for response in responses:
        assert (response.status, response.body["status"]) == (200, "completed")
        assert set(response.body) == set(again)
        assert again["matured"]["sentence"] == response.body["matured"]["sentence"]


def test_cron_recalibrates_the_line_that_is_named(server: Server, closed: Place) -> None:
    send(server, "POST", HARVEST, **SECRET)
    typed = closed.json("recalibrate", "--window", "publish")
    for method in ("GET", "POST"):
        response = send(server, method, f"{RECALIBRATE}?window=publish", **SECRET)
        assert response.status == 200
        assert response.body["status"] in {"completed", "skipped"}
        assert response.body["window"] == "publish"
        assert response.body["decision"]["decision"] in {"promote", "hold"}
        assert set(typed) ^ set(response.body) <= {"modelVersion"}
        missing = send(server, method, RECALIBRATE, **SECRET)
        assert missing.status == 409
        assert missing.body["error"] == "No model serves the window 'observed' yet."
        assert missing.body["hint"]
        wrong = send(server, method, f"{RECALIBRATE}?window=12h", **SECRET)
        assert wrong.status == 422
        assert set(wrong.body) == {"error", "hint"}


@pytest.mark.parametrize(
    ("kind", "window", "path"),
    [("harvest", None, HARVEST), ("recalibrate", "publish", f"{RECALIBRATE}?window=publish")],
)
def test_while_one_runs_the_other_gets_409(
    server: Server, closed: Place, kind: str, window: str | None, path: str
) -> None:
    with under_way(closed, kind, window) as run:
        for method in ("GET", "POST"):
            response = send(server, method, path, **SECRET)
            assert (response.status, response.body) == (409, {"status": "already_running", "runId": run})
    assert server.post(path, **SECRET).status == 200, "the lease is given back"


def test_a_database_that_is_gone_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    url = "postgresql://ann:s3cret@127.0.0.1:1/x"
    environment = {"CRON_SECRET": CRON, "DATABASE_URL": url}
    with serving(Place(tmp_path_factory.mktemp("gone")), **environment) as server:
        for path, said in ((HARVEST, "Harvest failed: "), (RECALIBRATE, "Recalibration failed: ")):
            response = server.get(path, **SECRET)
            assert (response.status, response.body["status"]) == (500, "failed")
            assert response.body["error"].startswith(said)
            assert response.body["hint"]
            assert "s3cret" not in json.dumps(response.body)
        for response in (
            server.post(OUTCOMES, {"outcomes": [{"predictionId": NOBODY, "actualViews": 1}]}),
            server.get(AUDITS),
            server.get(f"{AUDITS}/{NOBODY}"),
            send(server, "DELETE", f"{OUTCOMES}/{NOBODY}"),
        ):
            assert response.status == 503
            assert "DATABASE_URL" in response.body["hint"]
            assert "s3cret" not in json.dumps(response.body)


# --- audits -------------------------------------------------------------------------------------------------------


def test_audits_can_be_looked_up_again_as_they_were_written(server: Server, closed: Place) -> None:
    send(server, "POST", HARVEST, **SECRET)
    over_http = server.post(AUDIT, **SECRET).body
    typed = closed.json("audit")
    listed = server.get(AUDITS, **KEY).body["audits"]
    assert [one["runId"] for one in listed[:2]] == [typed["runId"], over_http["runId"]], "newest first"
    for body, short in ((typed, listed[0]), (over_http, listed[1])):
        for name in ("auditedAt", "status", "ece", "totalSamples", "alarm", "driftDetected", "recommendation"):
            assert short[name] == body[name]
        found = server.get(f"{AUDITS}/{body['runId']}", **KEY)
        assert (found.status, found.body["frozen"]) == (200, "verified")
        assert {**found.body, "frozen": None} == {**body, "frozen": None}
    assert server.get(f"{AUDITS}/{typed['runId'].upper()}", **KEY).body["runId"] == typed["runId"]


def test_an_audit_as_a_page(server: Server) -> None:
    from urllib.request import urlopen

    send(server, "POST", HARVEST, **SECRET)
    run = server.post(AUDIT, **SECRET).body["runId"]
    with urlopen(Request(f"{server.url}{AUDITS}/{run}?format=html", headers=KEY)) as answer:
        page = answer.read().decode()
        assert answer.headers["content-type"].startswith("text/html")
    assert "</html>" in page.lower()
    assert "predictions matured" in page
    wrong = server.get(f"{AUDITS}/{run}?format=pdf", **KEY)
    assert wrong.status == 422
    assert set(wrong.body) == {"error", "hint"}


def test_an_audit_that_was_edited_is_no_longer_frozen(server: Server, closed: Place) -> None:
    run = server.post(AUDIT, **SECRET).body["runId"]
    closed.sql(f"update runs set report = json_set(report, '$.plattReason', 'golden') where id = '{run}'")
    assert server.get(f"{AUDITS}/{run}", **KEY).body["frozen"] == "changed since it was written"


@pytest.mark.parametrize("given", [NOBODY, "first", "1", "%2e%2e", "a" * 500, "caf%C3%A9"])
@pytest.mark.parametrize("form", ["json", "html"])
def test_an_audit_that_does_not_exist(server: Server, given: str, form: str) -> None:
    response = server.get(f"{AUDITS}/{given}?format={form}", **KEY)
    assert response.status == 404
    assert set(response.body) == {"error", "hint"}


def test_a_run_that_is_no_audit_is_not_shown_as_one(server: Server) -> None:
    run = send(server, "POST", HARVEST, **SECRET).body["runId"]
    assert uuid.UUID(run)
    assert server.get(f"{AUDITS}/{run}", **KEY).status == 404


# --- one loop, several processes ------------------------------------------------------------------------------------


def test_what_an_audit_in_another_process_finds_serves_the_very_next_prediction(lived: Place, tmp_path: Path) -> None:
    """Outcomes of the product say that scores claim too much; what the audit chose speaks at once, and is silenced."""
    own = lived.copy(tmp_path)
    report_outcomes(own, 2_000)
    with serving(own) as server:

        def now() -> dict[str, Any]:
            plan = {"author": "creator3", "description": "how to fold a crane #diy"}
            (answer,) = server.post("/api/predict", {"window": "publish", "videos": [plan]}).body["predictions"]
            return dict(answer)

        before = now()
        assert before["calibratedScore"] == before["score"]
        audited = own.json("audit")
        assert audited["scoreCalibration"]["active"] is True
        calibrated = now()
        assert (calibrated["calibrationVersion"], calibrated["score"]) == (
            audited["calibrationVersion"],
            before["score"],
        )
        assert abs(calibrated["calibratedScore"] - before["score"]) > 1
        own.json("calibrations", "restore", "0")
        assert now()["calibratedScore"] == before["score"]
        own.json("calibrations", "restore", "1")
        assert now()["calibratedScore"] == calibrated["calibratedScore"]


def test_the_api_reference_names_every_route(server: Server) -> None:
    described = server.get("/openapi.json").body["paths"]
    expected = {
        HARVEST: {"get", "post"},
        RECALIBRATE: {"get", "post"},
        OUTCOMES: {"post"},
        f"{OUTCOMES}/{{prediction_id}}": {"delete"},
        AUDITS: {"get"},
        f"{AUDITS}/{{run_id}}": {"get"},
    }
    assert {path: set(described[path]) for path in expected} == expected
    for path, methods in expected.items():
        for method in methods:
            assert described[path][method]["summary"]
