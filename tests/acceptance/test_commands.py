"""Every command as its users type it: what is on stdout, what is on stderr, and the exit code."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from groundswell import __version__
from groundswell.cli import app
from tests.acceptance.process import VIDEO, Place, expire_lease, made_up, shell_environment, write_export

HEAVY = ("polars", "sklearn", "lightgbm", "fastapi", "sqlalchemy", "scipy", "numpy", "uvicorn")


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


COMMANDS = sorted(commands(typer.main.get_command(app)))


def request_file(place: Place) -> str:
    path = place.folder / "request.json"
    path.write_text(json.dumps({"videos": [VIDEO]}))
    return str(path)


def test_every_command_answers_in_words_and_in_one_json_object(own: Place) -> None:
    lines = (
        ("ingest", "export.jsonl"),
        ("baseline",),
        ("extract",),
        ("retrain", "--dry-run"),
        ("retrain",),
        ("harvest",),
        ("audit",),
        ("recalibrate",),
        ("calibrations", "list"),
        ("calibrations", "restore", "1"),
        ("backtest", "export.jsonl"),
        ("predict", request_file(own)),
        ("models", "list"),
        ("models", "show", "1"),
        ("models", "promote", "1"),
        ("models", "rollback"),
        ("db", "init"),
        ("db", "upgrade"),
        ("db", "check"),
        ("doctor",),
        ("schedule",),
    )
    answers = own.type(*((*line, *form) for line in lines for form in ((), ("--json",))))
    names = [" ".join(word for word in line if word.isalpha() or word.startswith("-")) for line in lines]
    said = {name: (answers[2 * n].out, answers[2 * n + 1].body) for n, name in enumerate(names)}
    elsewhere = {"demo", "serve", "replay", "alerts test", "db backup", "db restore"}
    assert {name.removesuffix(" --dry-run") for name in said} == {" ".join(c) for c in COMMANDS} - elsewhere
    for name, (words, body) in said.items():
        assert words.strip(), name
        assert body, name
        assert words.endswith("\n"), name
        assert name == "models show" or not words.startswith("{"), f"{name} speaks JSON without being asked"
    check_bodies({name: body for name, (_, body) in said.items()})
    check_words(*said["retrain --dry-run"], *said["audit"])


def check_bodies(body: dict[str, dict[str, Any]]) -> None:
    assert body["ingest"] == {
        "read": 700,
        "inserted": 0,
        "updated": 0,
        "unchanged": 700,
        "rejected": 0,
        "rejectedBy": {},
    }
    assert set(body["baseline"]) >= {"virality_tiers", "wes_percentiles", "dataset_stats"}
    assert body["extract"]["trainCount"] == 4 * (body["extract"]["trainCount"] + body["extract"]["testCount"]) // 5
    assert body["retrain --dry-run"]["dryRun"] is True
    assert body["retrain --dry-run"]["modelVersion"] is None
    assert body["retrain"]["modelVersion"] == 3, "the dry runs published nothing, the run in words version 2"
    assert body["audit"]["calibrationVersion"] == 2
    assert body["models list"]["champions"] == {"observed": 3}
    assert [entry["version"] for entry in body["models list"]["versions"]] == [3, 2, 1]
    assert body["models show"]["version"] == 1
    assert body["models promote"] == {"window": "observed", "champion": 1, "moved": False}
    # In words it went back from 1 to 3, in JSON from 3 to 2.
    assert body["models rollback"] == {"window": "observed", "champion": 2, "moved": True}
    assert body["db check"]["status"] == "ready"


def check_words(retrain_words: str, retrained: dict[str, Any], audit_words: str, audited: dict[str, Any]) -> None:
    accuracy = retrained["evaluation"]["metrics"]["accuracy"]
    assert f"{accuracy['value']:.1%}" in retrain_words
    assert f"n {accuracy['n']:,}" in retrain_words
    assert retrained["decision"]["reason"] in retrain_words
    assert f"{audited['ece']:.4f}" in audit_words
    assert audited["plattReason"] in audit_words


def test_help_names_every_option(place: Place) -> None:
    asked = ((), ("models",), ("calibrations",), ("db",), ("alerts",), *COMMANDS)
    answers = place.type(*((*command, "--help") for command in asked), environment={"COLUMNS": "200"})
    for command, told in zip(asked, answers, strict=True):
        known = typer.main.get_command(app)
        for name in command:
            known = known.commands[name]  # type: ignore[attr-defined]
        assert told.err == "", command
        assert "Usage" in told.out, command
        for option in re.findall(r"--[a-z-]+", " ".join(opt for param in known.params for opt in param.opts)):
            assert option in told.out, command


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("retrain", "--help"), ("retrain", "--window", "x")]
)
def test_help_comes_at_once(arguments: tuple[str, ...], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['groundswell', *{arguments!r}]\n"
        "from groundswell.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"sys.exit(sum(name in sys.modules for name in {HEAVY!r}))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


def test_a_restore_asks_first(own: Place) -> None:
    made = own.json("db", "backup", "kept")
    served = own.json("models", "list")
    refused = own.run("db", "restore", "kept", code=1)
    assert "--yes" in refused.err
    assert own.json("db", "restore", "kept", "--yes")["artifacts"] == made["artifacts"] > 0
    assert own.json("models", "list") == served
    assert "again, with" in own.run("db", "restore", "kept", "--yes").out


def test_predicting_loads_nothing_that_only_training_needs(own: Place) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['groundswell', 'predict', {request_file(own)!r}]\n"
        "from groundswell.cli import main\n"
        "main()\n"
        "assert 'lightgbm' in sys.modules\n"
        "loaded = {'sklearn', 'pandas', 'matplotlib', 'scipy.stats', 'scipy.optimize'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    environment = shell_environment(own.environment)
    del environment["PYTHONPATH"]  # which would keep pandas away
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=own.folder, env=environment, check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()


def test_version(place: Place) -> None:
    assert place.run("--version").out == f"{__version__}\n"


def test_wrong_usage_exits_2_and_touches_nothing(place: Place) -> None:
    lines = (
        ("retrain", "--window", "2h"),
        ("predict", "--window", "2h"),
        ("models", "rollback", "--window", "2h"),
        ("models", "list", "--window", "2h"),
        ("models", "promote", "first"),
        ("models", "promote"),
        ("models", "nothing"),
        ("retrain", "--as-of", "yesterday"),
        ("retrain", "--as-of", "2999-01-01"),
        ("recalibrate", "--window", "12h"),
        ("calibrations", "restore", "-1"),
        ("calibrations", "restore", "first"),
        ("calibrations", "restore"),
        ("calibrations",),
        ("harvest", "--window", "publish"),
        ("audit", "--since-days", "0"),
        ("ingest",),
        ("demo", "--rows", "5"),
        ("serve", "--port", "70000"),
        ("forecast",),
        ("retrain", "--no-such-option"),
    )
    for line, answer in zip(lines, place.type(*lines, code=2), strict=True):
        assert "Usage" in (answer.out if line == ("calibrations",) else answer.err), line
        assert answer.out == "" or line == ("calibrations",), line
    assert list(place.folder.iterdir()) == []


def test_what_cannot_be_done_exits_1_with_error_and_hint(place: Place) -> None:
    cases = (
        (("ingest", "absent.jsonl"), "absent.jsonl does not exist", "path"),
        (("baseline",), "There are no stored videos", "groundswell ingest"),
        (("extract",), "There are no stored videos", "groundswell ingest"),
        (("backtest", "--window", "publish"), "Only 0 videos have matured", "Ingest more videos"),
        (("predict", "absent.json"), "absent.json cannot be read", "path"),
        (("models", "show", "7"), "no model version 7", "models list"),
        (("models", "promote", "7"), "no model version 7", "models list"),
        (("models", "rollback"), "no champion of observed before", "models list"),
    )
    answers = place.type(*((*line, "--json") for line, _, _ in cases), code=1)
    for (line, error, hint), answer in zip(cases, answers, strict=True):
        assert error in answer.body["error"], line
        assert hint in answer.body["hint"], line
        assert f"error: {answer.body['error']}" in answer.err, line
        assert f"hint: {answer.body['hint']}" in answer.err, line


def test_no_champion_says_what_to_run(place: Place) -> None:
    answer = place.run("predict", "--json", code=1, given=json.dumps({"videos": [VIDEO]}).encode())
    assert answer.body["error"] == "No model serves the window 'observed' yet."
    assert "`groundswell retrain`" in answer.body["hint"]


def test_a_database_that_is_not_there_is_not_made_by_a_check(place: Place) -> None:
    body = place.json("db", "check", code=1)
    assert (body["status"], body["hint"]) == ("not_ready", "Run `groundswell db init`.")
    assert not place.database.exists()
    assert "scraped_videos" in place.json("db", "init")["created"]
    assert place.json("db", "check")["status"] == "ready"
    assert place.json("db", "upgrade")["created"] == []


@pytest.mark.parametrize("command", ["baseline", "extract"])
def test_an_out_that_cannot_be_written_is_named(command: str, own: Place) -> None:
    answer = own.run(command, "--out", "export.jsonl/out.json", "--json", code=1)
    assert "export.jsonl/out.json cannot be written" in answer.body["error"]
    assert "--out" in answer.body["hint"]


def test_out_and_rejects_go_where_they_are_told(own: Place) -> None:
    assert own.json("baseline", "--out", "b.json")["path"] == "b.json"
    assert own.json("extract", "--out", "t.json", "--baseline", "b.json")["path"] == "t.json"
    trained = json.loads((own.folder / "t.json").read_text())
    assert set(trained) == {"generatedAt", "featureNames", "trainSet", "testSet", "labelDistribution"}
    videos = made_up(20, seed=3)
    videos[4]["diggCount"] = -1
    videos[9].pop("id")
    body = own.json("ingest", str(write_export(own.folder / "more.jsonl", videos)), "--rejects", "refused.jsonl")
    assert (body["read"], body["inserted"], body["rejected"], sum(body["rejectedBy"].values())) == (20, 18, 2, 2)
    refused = [json.loads(line) for line in (own.folder / "refused.jsonl").read_text().splitlines()]
    assert sorted(entry["line"] for entry in refused) == [5, 10]


def test_a_run_under_way_exits_1(own: Place) -> None:
    own.sql(
        "insert into leases (name, holder, renewed_at) values "
        "('retrain:observed', 'another-run', strftime('%Y-%m-%d %H:%M:%f000', 'now', '+20 seconds'))"
    )
    answer = own.run("retrain", "--json", code=1)
    assert answer.body == {"status": "already_running", "runId": "another-run"}
    assert "lease expires after 30 seconds" in answer.err
    expire_lease(own)
    assert own.json("retrain")["status"] == "completed"


def test_logs_and_progress_stay_off_stdout(own: Place) -> None:
    answer = own.run("retrain", "--json")
    assert answer.body["status"] == "completed"
    logged = answer.err
    assert "Tier distribution T1=140 T2=140 T3=140 T4=140 T5=140 [retrain-ml]" in logged
    assert "Class weights T1=1.000" in logged
    for part in ("train", "test"):
        assert len(re.findall(rf"T[1-5] {part}: precision \S+ recall \S+ support \d+", logged)) == 5
    assert f"Gate: promote. {answer.body['decision']['reason']}" in logged
    logged = own.run("audit", environment={"GROUNDSWELL_DRIFT_THRESHOLD": "0.05"}).err
    assert re.search(r"DRIFT ALERT: ECE 0\.\d{4} exceeds threshold 0\.05 \[calibration-audit\]", logged)
    assert re.search(r"Platt refitted: a=-\d\.\d+ b=\d\.\d+", logged)


def test_ctrl_c_ends_a_retrain_at_once_and_leaves_the_champion(own: Place) -> None:
    process = own.start("retrain", "--json")
    assert process.stderr is not None
    assert any(b"Class weights" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert b"error: interrupted" in err
    assert own.champion() == 1
    assert own.json("retrain")["status"] == "completed", "an interrupted run gives its lease back"


def test_a_port_in_use_is_a_clear_error(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = place.run("serve", "--port", str(taken.getsockname()[1]), code=1)
    assert "Cannot listen on 127.0.0.1" in answer.err


@pytest.mark.parametrize("given", ["one", "list", "export"])
def test_predict_reads_requests_and_exports(given: str, own: Place) -> None:
    content = {
        "one": json.dumps(VIDEO),
        "list": json.dumps([VIDEO, {"views": 10}]),
        "export": "\n".join(json.dumps(video) for video in made_up(3)),
    }[given]
    predictions = own.json("predict", "-", given=content.encode())["predictions"]
    assert len(predictions) == {"one": 1, "list": 2, "export": 3}[given]
    assert "tier" in predictions[0]
    if given == "list":
        assert predictions[1]["error"] == "likes is missing."


@pytest.mark.parametrize("given", ["", "[]", '{"videos": 3}', "views,likes"])
def test_predict_refuses_what_is_no_request(given: str, own: Place) -> None:
    answer = own.run("predict", "--json", code=1, given=given.encode())
    assert answer.body["error"]
    assert "videos" in answer.body["hint"]


def test_a_pipe_that_closes_early_is_no_traceback(own: Place) -> None:
    process = own.start("models", "show", "1")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err: list[bytes] = []
    reader = threading.Thread(target=lambda: err.extend(process.stderr or []))
    reader.start()
    process.wait(timeout=60)
    reader.join()
    assert not any(b"Traceback" in line for line in err), err
    process.stderr.close()
    if process.stdin is not None:
        process.stdin.close()
