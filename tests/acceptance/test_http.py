"""The server as schedulers and clients meet it: a process on a free port, asked over HTTP."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from tests.acceptance.conftest import API_KEY, CRON
from tests.acceptance.process import VIDEO, Place, Server, check_is_refused, no_list_of, serving, under_way

RETRAIN, AUDIT = "/api/cron/retrain-ml", "/api/cron/calibration-audit"
BEARER = {"authorization": f"Bearer {CRON}"}
UNAUTHORIZED = {"error": "Unauthorized"}
PREDICTION = {
    "predictionId",
    "window",
    "tier",
    "probabilities",
    "range",
    "score",
    "calibratedScore",
    "reasons",
    "modelVersion",
    "calibrationVersion",
}
#: A retrain that promotes whatever it is compared with.
LENIENT = {"GROUNDSWELL_MARGIN": "1"}


def ask(server: Server, method: str, path: str, **headers: str) -> Any:
    return server.send(Request(server.url + path, method=method, headers=headers))


@pytest.fixture(scope="module")
def keyed(furnished: Place, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server with an API key and no cron secret."""
    place = furnished.copy(tmp_path_factory.mktemp("keyed"), GROUNDSWELL_API_KEY=API_KEY)
    with serving(place) as running:
        yield running


@pytest.mark.parametrize("path", [RETRAIN, AUDIT])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer undefined",
        "Bearer null",
        "Bearer wrong",
        f"Bearer {CRON}x",
        f"Bearer {CRON[:-1]}",
        f"Bearer {API_KEY}",
        CRON,
        f"Basic {CRON}",
        "Basic YTpiLWNyb24tc2VjcmV0",
        "Bearer caf\u00e9",
    ],
)
def test_cron_refuses_all_but_its_secret(server: Server, method: str, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    response = ask(server, method, f"{path}?window=nonsense", **headers)
    assert (response.status, response.body) == (401, UNAUTHORIZED)


@pytest.mark.parametrize("path", [RETRAIN, AUDIT])
@pytest.mark.parametrize("authorization", [None, "Bearer ", "Bearer undefined", "Bearer None", f"Bearer {API_KEY}"])
def test_without_a_cron_secret_every_call_is_refused(keyed: Server, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    for method in ("GET", "POST"):
        response = ask(keyed, method, path, **headers)
        assert (response.status, response.body) == (401, UNAUTHORIZED)


@pytest.mark.parametrize("secret", ["undefined", ""])
def test_a_secret_that_was_never_set_opens_nothing(secret: str, own: Place) -> None:
    with serving(own, CRON_SECRET=secret) as server:
        response = server.get(RETRAIN, authorization=f"Bearer {secret}")
    assert (response.status, response.body) == (401, UNAUTHORIZED)


@pytest.mark.parametrize("authorization", [None, "Bearer ", "Bearer wrong", f"Bearer {CRON}", f"Basic {API_KEY}"])
@pytest.mark.parametrize("body", [b'{"videos": [{"views": 10, "likes": 1}]}', b"{not json"])
def test_predict_asks_for_the_key_before_it_reads_the_body(
    keyed: Server, authorization: str | None, body: bytes
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    response = keyed.post("/api/predict", body, **headers)
    assert (response.status, response.body) == (401, UNAUTHORIZED)


def test_predict_answers_with_the_key(keyed: Server) -> None:
    (answer,) = keyed.predict(VIDEO, authorization=f"Bearer {API_KEY}")
    assert answer["modelVersion"] == 1
    (answer,) = keyed.predict(VIDEO, authorization=f"bearer {API_KEY}")
    assert answer["modelVersion"] == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_retrain_answers_with_the_keys_of_the_command(server: Server, served: Place, method: str) -> None:
    response = ask(server, method, RETRAIN, **BEARER)
    assert (response.status, response.body["status"], response.body["window"]) == (200, "completed", "observed")
    assert set(response.body) == set(served.json("retrain"))
    assert response.body["modelVersion"] in {entry[0] for entry in served.sql("select version from model_versions")}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_audit_answers_with_the_keys_of_the_command(server: Server, served: Place, method: str) -> None:
    response = ask(server, method, AUDIT, **BEARER)
    assert (response.status, response.body["status"]) == (200, "completed")
    assert set(response.body) == set(served.json("audit"))
    assert set(response.body) >= {
        "status",
        "ece",
        "driftDetected",
        "driftThreshold",
        "bins",
        "totalSamples",
        "plattRefitted",
        "plattParams",
        "plattActive",
        "plattReason",
        "auditedAt",
        "runId",
    }


def test_a_held_retrain_is_200_and_an_audit_without_pairs_too(own: Place) -> None:
    own.sql("delete from outcomes")
    with serving(own, CRON_SECRET=CRON, GROUNDSWELL_ACCURACY_FLOOR="0.99") as server:
        held = server.post(RETRAIN, **BEARER)
        assert held.status == 200
        assert set(held.body) >= {
            "status",
            "reason",
            "testAccuracy",
            "trainAccuracy",
            "confusionMatrix",
            "videoCount",
            "tierDistribution",
            "source",
            "window",
            "champion",
            "decision",
            "evaluation",
            "runId",
        }
        assert (held.body["status"], held.body["champion"]) == ("skipped", 1)
        assert held.body["reason"].endswith("% below 99% gate")
        audit = server.get(AUDIT, **BEARER)
        assert audit.status == 200
        expected = {"status": "skipped", "reason": "Insufficient outcome data", "samples": 0, "required": 50}
        assert {name: audit.body[name] for name in expected} == expected
        (answer,) = server.predict(VIDEO)
        assert answer["modelVersion"] == 1


def test_a_failed_retrain_is_500_and_the_champion_serves_on(own: Place) -> None:
    with serving(own, CRON_SECRET=CRON, GROUNDSWELL_TIME_LIMIT_SECONDS="0.001") as server:
        failed = server.post(RETRAIN, **BEARER)
        assert failed.status == 500
        assert failed.body["status"] == "failed"
        assert failed.body["error"] == "Training failed: time limit of 0.001 s reached"
        (answer,) = server.predict(VIDEO)
        assert answer["modelVersion"] == 1


def test_a_server_without_its_database_starts_and_says_so(tmp_path: Path) -> None:
    url = "postgresql://ann:s3cret@127.0.0.1:1/x"
    with serving(Place(tmp_path), CRON_SECRET=CRON, DATABASE_URL=url) as server:
        for path, said in ((RETRAIN, "Training failed: "), (AUDIT, "Audit failed: ")):
            response = server.get(path, **BEARER)
            assert response.status == 500
            assert response.body["status"] == "failed"
            assert response.body["error"].startswith(said)
            assert "s3cret" not in json.dumps(response.body)
        response = server.post("/api/predict", {"videos": [VIDEO]})
        assert response.status == 503
        assert "DATABASE_URL" in response.body["hint"]
        assert "s3cret" not in json.dumps(response.body)


@pytest.mark.parametrize(("kind", "path"), [("retrain", RETRAIN), ("audit", AUDIT)])
def test_while_one_runs_the_other_gets_409(server: Server, served: Place, kind: str, path: str) -> None:
    with under_way(served, kind, "observed" if kind == "retrain" else None) as run:
        response = server.post(path, **BEARER)
        assert (response.status, response.body) == (409, {"status": "already_running", "runId": run})
    assert server.post(path, **BEARER).status == 200, "the lease is given back"


def test_of_two_at_once_one_runs_and_the_other_gets_409(server: Server) -> None:
    # A second call can only come too late where the first is over before it arrives: then both ran, one after the
    # other, and the two are asked again.
    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            responses = list(pool.map(lambda _: server.post(RETRAIN, **BEARER), range(4)))
        codes = sorted(response.status for response in responses)
        assert set(codes) <= {200, 409}
        assert 200 in codes
        if 409 in codes:
            break
    refused = [response.body for response in responses if response.status == 409]
    ran = {response.body["runId"] for response in responses if response.status == 200}
    assert refused
    assert all(body["status"] == "already_running" and body["runId"] in ran for body in refused)


@pytest.mark.parametrize(("window", "status"), [("2h", 422), ("", 422)])
def test_a_window_that_does_not_exist(server: Server, window: str, status: int) -> None:
    response = server.get(f"{RETRAIN}?window={window}", **BEARER)
    assert response.status == status
    assert response.body["error"]
    assert response.body["hint"]
    response = server.post("/api/predict", {"window": window, "videos": [VIDEO]})
    assert response.status == status
    assert response.body["error"]
    assert response.body["hint"]


def test_a_window_in_the_address_overrules_the_one_in_the_body(server: Server) -> None:
    response = server.post("/api/predict?window=publish", {"window": "observed", "videos": [VIDEO]})
    assert response.status == 409
    assert response.body["error"] == "No model serves the window 'publish' yet."


def test_predict_one(server: Server) -> None:
    (answer,) = server.predict(VIDEO)
    assert set(answer) == PREDICTION
    assert answer["window"] == "observed"
    assert len(answer["probabilities"]) == 5
    assert sum(answer["probabilities"]) == pytest.approx(1)
    assert answer["tier"] == 1 + max(range(5), key=answer["probabilities"].__getitem__)
    midpoints = (12.5, 35, 55, 72.5, 90)
    score = sum(p * middle for p, middle in zip(answer["probabilities"], midpoints, strict=True))
    assert answer["score"] == pytest.approx(score, abs=1e-4)
    held = answer["probabilities"][answer["range"]["low"] - 1 : answer["range"]["high"]]
    assert answer["range"]["probability"] == pytest.approx(sum(held), abs=1e-5)
    assert answer["range"]["low"] <= answer["tier"] <= answer["range"]["high"]
    assert answer["reasons"] is None


def test_predict_many_in_order_and_bad_ones_in_their_place(server: Server, served: Place) -> None:
    bad: list[Any] = [
        None,
        "a video",
        17,
        [],
        {},
        {"views": 0, "likes": 1},
        {"views": 100},
        {"views": -5, "likes": 1},
        {"views": "many", "likes": 1},
        {"views": 100, "likes": 1, "postedAt": "2999-01-01T00:00:00Z"},
        {"views": 100, "likes": 1, "durationSeconds": "long"},
        {"views": {"a": 1}, "likes": [2]},
        {"views": 1e400, "likes": 1},
        {"views": 2**70, "likes": 1},
        {"views": True, "likes": 1},
    ]
    good = [{**VIDEO, "views": 100_000 * (number + 1)} for number in range(len(bad))]
    mixed = [video for pair in zip(good, bad, strict=True) for video in pair]
    body = json.dumps({"videos": mixed}).encode()  # orjson would not write 1e400
    response = server.post("/api/predict", body)
    assert response.status == 200
    answers = response.body["predictions"]
    assert len(answers) == len(mixed)
    for position, answer in enumerate(answers):
        assert set(answer) == ({"error", "hint"} if position % 2 else PREDICTION), (mixed[position], answer)
        if position % 2:
            assert answer["error"]
            assert answer["hint"]
    logged = served.sql("select id, json_extract(input, '$.views') from predictions")
    views = dict(logged)
    for video, answer in zip(good, answers[::2], strict=True):
        assert views[answer["predictionId"]] == video["views"], "each answer stands where its video stood"


def test_predict_reads_hashtags_in_any_form_and_ignores_unknown_fields(server: Server) -> None:
    forms: list[Any] = [None, [], ["a", "b"], "a b", [{"name": "a"}]]
    answers = server.predict(*({**VIDEO, "hashtags": form, "colour": "blue"} for form in forms))
    assert all(set(answer) == PREDICTION for answer in answers), answers


@pytest.mark.parametrize("body", no_list_of("videos"), ids=lambda body: repr(body[:18]))
def test_predict_refuses_what_is_no_request(server: Server, body: bytes) -> None:
    check_is_refused(server.post("/api/predict", body), "videos")


def test_predict_takes_ten_thousand(server: Server) -> None:
    assert len(server.predict(*[{"views": 1_000, "likes": 50}] * 10_000)) == 10_000


def test_predict_without_a_champion_says_what_to_run(place: Place) -> None:
    with serving(place) as server:
        response = server.post("/api/predict", {"videos": [VIDEO]})
    assert response.status == 409
    assert response.body["error"] == "No model serves the window 'observed' yet."
    assert "groundswell retrain" in response.body["hint"]


def test_the_same_video_gets_the_same_answer_from_command_and_server(server: Server, served: Place) -> None:
    (over_http,), typed = server.predict(VIDEO), served.predict()
    for answer in (over_http, typed):
        answer.pop("predictionId")
    assert over_http.pop("reasons") is None  # over HTTP they are given where they are asked for
    assert typed.pop("reasons")
    assert over_http == typed


def test_what_another_process_changes_counts_from_the_next_prediction_on(own: Place) -> None:
    with serving(own) as server:

        def now() -> dict[str, Any]:
            (answer,) = server.predict(VIDEO)
            return answer

        before = now()
        assert (before["modelVersion"], before["calibrationVersion"]) == (1, None)
        assert before["calibratedScore"] == before["score"]

        params = own.json("audit")["plattParams"]
        calibrated = now()
        assert calibrated["calibrationVersion"] == 1
        expected = 100 / (1 + math.exp(params["a"] * before["score"] / 100 + params["b"]))
        assert calibrated["calibratedScore"] == pytest.approx(expected, abs=1e-3)

        assert own.json("retrain", environment=LENIENT)["modelVersion"] == 2
        assert now()["modelVersion"] == 2
        own.run("models", "rollback")
        assert now()["modelVersion"] == 1
        own.run("models", "promote", "2")
        assert now()["modelVersion"] == 2

        # A later audit that finds the scores right as they are silences the correction.
        own.sql("update outcomes set actual_score = predicted_score")
        assert own.json("audit")["scoreCalibration"]["active"] is False
        assert now()["calibratedScore"] == now()["score"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", RETRAIN, 405)])
def test_other_errors_are_json_too(server: Server, method: str, path: str, status: int) -> None:
    response = ask(server, method, path, **BEARER)
    assert response.status == status
    assert set(response.body) == {"error", "hint"}


def test_health(server: Server) -> None:
    assert server.get("/healthz").body == {"status": "ok"}


def test_the_api_reference_names_every_route(server: Server) -> None:
    paths = server.get("/openapi.json").body["paths"]
    assert {path: set(methods) for path, methods in paths.items()} == {
        RETRAIN: {"get", "post"},
        AUDIT: {"get", "post"},
        "/api/cron/harvest-outcomes": {"get", "post"},
        "/api/cron/recalibrate": {"get", "post"},
        "/api/predict": {"post"},
        "/api/outcomes": {"post"},
        "/api/outcomes/{prediction_id}": {"delete"},
        "/api/audits": {"get"},
        "/api/audits/{run_id}": {"get"},
        "/api/today": {"get"},
        "/api/try": {"post"},
        "/api/lines": {"get"},
        "/api/lines/{window}": {"get"},
        "/api/models": {"get"},
        "/api/models/{number}": {"get"},
        "/api/models/{number}/promote": {"post"},
        "/api/models/rollback": {"post"},
        "/api/runs": {"get"},
        "/api/runs/{run_id}": {"get"},
        "/api/data": {"get"},
        "/api/webhooks/apify": {"post"},
        "/healthz": {"get"},
        "/readyz": {"get"},
        "/metrics": {"get"},
    }
