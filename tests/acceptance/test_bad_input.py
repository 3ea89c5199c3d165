"""What goes wrong with input and surroundings: a clear error or a clear answer, nothing lost, the exit code right."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.process import EASY, VIDEO, Place, Server, made_up, serving, write_export
from tests.conftest import PostgresServer, _lay_product_tables

Videos = list[dict[str, Any]]
#: Long enough for a busy machine to start Python twice, too short for any hanging connection.
QUICK_SECONDS = 60


def ingest(place: Place, videos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return place.json("ingest", str(write_export(place.folder / "given.jsonl", videos)))


def retrain(server: Server) -> dict[str, Any]:
    response = server.post("/api/cron/retrain-ml", authorization="Bearer x")
    assert response.status == 200, response
    return dict(response.body)


def one_creator(videos: Videos) -> Videos:
    return [{**video, "authorMeta": {"name": "alone", "fans": 5_000}} for video in videos]


def no_creator(videos: Videos) -> Videos:
    return [{**video, "authorMeta": {}} for video in videos]


def equal_views(videos: Videos) -> Videos:
    counts = {"playCount": 1_000, "diggCount": 50, "shareCount": 5, "commentCount": 2, "collectCount": 3}
    return [{**video, **counts} for video in videos]


def empty_tier(videos: Videos) -> Videos:
    """Give the lowest three fifths the same views: their cut-points coincide, and tiers 2 and 3 are empty."""
    ordered = sorted(videos, key=lambda video: video["playCount"])
    low = 3 * len(ordered) // 5 + 1
    return [{**video, "playCount": 100, "diggCount": 5} for video in ordered[:low]] + ordered[low:]


def odd_fields(videos: Videos) -> Videos:
    odd: list[dict[str, Any]] = [
        {"hashtags": None},
        {"musicMeta": None},
        {"videoMeta": {}},
        {"text": None},
        {"createTimeISO": None},
        {"shareCount": None, "commentCount": None, "collectCount": None},
    ]
    return [{**video, **odd[number % len(odd)]} for number, video in enumerate(videos)]


@pytest.mark.parametrize(
    "change",
    [no_creator, odd_fields, *(pytest.param(one, marks=pytest.mark.slow) for one in (one_creator, empty_tier))],
    ids=lambda change: change.__name__,
)
def test_a_one_sided_corpus_still_gets_an_answer(change: Callable[[Videos], Videos], place: Place) -> None:
    assert ingest(place, change(made_up(600)))["rejected"] == 0
    with serving(place, CRON_SECRET="x") as server:
        body = retrain(server)
        assert body["status"] == "completed"
        assert sum(body["tierDistribution"]) == 600
        (answer,) = server.predict(VIDEO)
        assert answer["modelVersion"] == 1
        again = retrain(server)
    assert again["status"] in {"completed", "skipped"}, "a second run has a champion to compare with"
    if change is empty_tier:
        assert body["tierDistribution"][1:3] == [0, 0]
        assert answer["probabilities"][1:3] == [0, 0]
    if change is one_creator:
        assert body["evaluation"]["creators"] == 1
        assert (again["status"], again["champion"]) == ("skipped", 1), "one cluster tells nothing, so hold"


def test_all_views_equal_is_held(own: Place) -> None:
    own.sql("delete from scraped_videos")
    ingest(own, equal_views(made_up(600, seed=4)))
    body = own.json("retrain")
    assert (body["status"], body["champion"]) == ("skipped", 1)
    assert body["reason"] == "The training rows hold 1 of 5 tiers"
    assert body["decision"]["enough"] == "Training rows of two tiers."
    assert body["testAccuracy"] is None
    assert own.sql("select version from aliases") == [(1,)]


def test_a_count_that_is_no_number_is_a_rejection(place: Place) -> None:
    lines = [
        b'{"id": "1", "playCount": NaN, "diggCount": 1, "createTimeISO": "2025-01-01T00:00:00Z"}',
        b'{"id": "2", "playCount": Infinity, "diggCount": 1, "createTimeISO": "2025-01-01T00:00:00Z"}',
        b'{"id": "3", "playCount": 1e999, "diggCount": 1, "createTimeISO": "2025-01-01T00:00:00Z"}',
        b'{"id": "4", "playCount": 100, "diggCount": "NaN", "createTimeISO": "2025-01-01T00:00:00Z"}',
    ]
    path = write_export(place.folder / "export.jsonl", made_up(10))
    path.write_bytes(path.read_bytes() + b"\n".join(lines) + b"\n")
    body = place.json("ingest", str(path))
    assert (body["read"], body["inserted"], body["rejected"]) == (14, 10, 4)
    assert sum(body["rejectedBy"].values()) == 4
    assert place.sql("select count(*) from scraped_videos") == [(10,)]


ODD_METADATA = (
    None,
    "null",
    '"text"',
    "[]",
    "{",
    "",
    "17",
    '{"bookmarks": "many", "followers": -3, "uploaded_at": []}',
)


def test_metadata_of_any_kind_costs_features_not_rows(place: Place) -> None:
    ingest(place, made_up(600))
    for number, metadata in enumerate(ODD_METADATA):
        place.sql(f"update scraped_videos set metadata = ? where rowid % {len(ODD_METADATA)} = {number}", [(metadata,)])
    place.sql("update scraped_videos set hashtags = null where rowid % 3 = 0")
    place.sql("update scraped_videos set hashtags = ? where rowid % 3 = 1", [("[1, {",)])
    body = place.json("retrain")
    assert (body["status"], body["videoCount"]) == ("completed", 600)
    assert sum(place.json("extract")["labelDistribution"].values()) == 600


def test_metadata_of_any_kind_in_the_products_postgres(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with postgres_server.fresh("product", _lay_product_tables) as url:
        place = Place(tmp_path, {**EASY, "DATABASE_URL": url})
        ingest(place, made_up(600))
        with psycopg.connect(url) as connection:
            forms = ("null", "'null'", "'\"text\"'", "'[]'", "'17'", '\'{"bookmarks": "many", "uploaded_at": {}}\'')
            for number, form in enumerate(forms):
                connection.execute(
                    f"update scraped_videos set metadata = {form}::jsonb "
                    f"where right(platform_video_id, 3)::int % {len(forms)} = {number}".encode()
                )
            connection.execute("update scraped_videos set hashtags = null where views % 2 = 0")
        body = place.json("retrain")
        assert (body["status"], body["videoCount"]) == ("completed", 600)


def test_no_time_at_all_fails_cleanly_and_the_champion_stays(own: Place) -> None:
    answer = own.run("retrain", "--json", code=1, environment={"GROUNDSWELL_TIME_LIMIT_SECONDS": "0.01"})
    assert answer.body["status"] == "failed"
    assert answer.body["error"] == "Training failed: time limit of 0.01 s reached"
    assert "GROUNDSWELL_TIME_LIMIT_SECONDS" in answer.body["hint"]
    assert own.sql("select version from aliases") == [(1,)]
    assert own.sql("select status from runs order by started_at desc limit 1") == [("failed",)]
    assert own.predict()["modelVersion"] == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ann:s3cret@127.0.0.1:1/x", "Connection refused"),
        ("postgres://ann:s3cret@no-such-host.invalid/x", "failed to resolve host"),
        ("postgresql://ann:s3cret@127.0.0.1:port/x", "is not a URL"),
        ("postgresql://ann:s3@cret@127.0.0.1:1/x", "holds an @"),
        ("postgresql://127.0.0.1:1/x?user=ann&password=s3cret", "Connection refused"),
        ("mysql://ann:s3cret@127.0.0.1/x", "expected sqlite:///path, postgresql://"),
        ("mysql://ann:s3@cret@127.0.0.1/x", "expected sqlite:///path, postgresql://"),
        ("s3cret", "expected sqlite:///path, postgresql://"),
        ("sqlite:////proc/none/x.db", "unable to open database file"),
        ("sqlite:////proc", "unable to open database file"),
    ],
)
def test_a_database_that_cannot_be_had(url: str, said: str, place: Place) -> None:
    begun = time.monotonic()
    for command in ("retrain", "db check") if "ann:s3cret@127.0.0.1:1/" in url else ("retrain",):
        answer = place.run(*command.split(), "--json", code=1, environment={"DATABASE_URL": url})
        assert said in answer.body["error"]
        assert url == "s3cret" or ("s3cret" not in answer.out + answer.err and "cret@" not in answer.out + answer.err)
        assert "DATABASE_URL" in answer.body["error"] + answer.body["hint"]
    assert time.monotonic() - begun < QUICK_SECONDS


def test_a_file_that_is_no_database(place: Place) -> None:
    (place.folder / "notes.txt").write_text("no database\n" * 200)
    answer = place.run("retrain", "--json", code=1, environment={"DATABASE_URL": "sqlite:///notes.txt"})
    assert "file is not a database" in answer.body["error"]
    assert (place.folder / "notes.txt").read_text() == "no database\n" * 200


@pytest.mark.parametrize("home", ["/proc/groundswell", "taken"])
def test_a_home_that_cannot_be_written(home: str, place: Place) -> None:
    (place.folder / "taken").write_text("a file")
    environment = {"GROUNDSWELL_HOME": home}
    for command in ("retrain", "db init") if home == "taken" else ("demo --rows 600",):
        answer = place.run(*command.split(), "--json", code=1, environment=environment)
        assert f"The home {home} cannot be made" in answer.body["error"]
        assert "GROUNDSWELL_HOME" in answer.body["hint"]
    assert (place.folder / "taken").read_text() == "a file"


def test_artifacts_that_cannot_be_read_or_written_fail_the_run_and_the_champion_stays(own: Place) -> None:
    away = {"GROUNDSWELL_ARTIFACTS_URL": f"file://{own.folder}/export.jsonl/models"}
    answer = own.run("retrain", "--json", code=1, environment=away)
    assert "cannot be read from file://" in answer.body["error"]
    own.sql("delete from aliases")
    answer = own.run("retrain", "--json", code=1, environment=away)
    assert "cannot be written to file://" in answer.body["error"]
    assert own.sql("select max(version) from model_versions") == [(1,)]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_home_without_the_right_to_write(own: Place) -> None:
    home = own.folder / "groundswell-data"
    home.chmod(0o500)
    try:
        answer = own.run("baseline", "--json", code=1)
        assert "cannot be" in answer.body["error"] or "failed" in answer.body["error"]
    finally:
        home.chmod(0o700)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("GROUNDSWELL_ACCURACY_FLOOR", "high", "a valid number"),
        ("GROUNDSWELL_ACCURACY_FLOOR", "60", "less than or equal to 1"),
        ("GROUNDSWELL_LABEL", "likes", "'views' or 'wes'"),
        ("GROUNDSWELL_ARTIFACTS_URL", "ftp://x", "a file:// or s3:// URL"),
        ("GROUNDSWELL_BOOTSTRAP", "3", "greater than or equal to 100"),
    ],
)
def test_a_bad_setting_names_key_value_and_what_is_expected(name: str, value: str, expected: str, place: Place) -> None:
    answer = place.run("models", "list", "--json", code=1, environment={name: value})
    assert answer.body["error"].startswith(f"{name}='{value}': expected ")
    assert expected in answer.body["error"]
    assert "docs/settings.md" in answer.body["hint"]


def test_settings_come_from_a_dot_env_too(place: Place) -> None:
    (place.folder / ".env").write_text("GROUNDSWELL_HOME=elsewhere\nDATABASE_URL=\n")
    place.json("db", "init")
    assert (place.folder / "elsewhere" / "groundswell.db").exists()


def test_a_damaged_model_neither_serves_nor_is_replaced_unseen(own: Place) -> None:
    (artifact,) = own.sql("select artifact from model_versions")[0]
    path = own.folder / "groundswell-data" / "artifacts" / artifact[:2] / artifact
    path.write_bytes(path.read_bytes()[:-10])
    for arguments in (("predict",), ("models", "promote", "1"), ("retrain",)):
        answer = own.run(*arguments, "--json", code=1, given=b'{"videos": [{"views": 1, "likes": 1}]}')
        assert f"The artifact {artifact} " in answer.body["error"]
        assert "is damaged" in answer.body["error"]
        assert "rollback" in answer.body["hint"]


def test_an_edited_ledger_is_said_and_exits_1(own: Place) -> None:
    own.sql("update ledger set payload = replace(payload, '\"version\"', '\"Version\"') where seq = 1")
    answer = own.run("models", "list", "--json", code=1)
    assert answer.body["ledger"] != "verified"
    assert "The ledger is broken" in answer.err


def test_predictions_that_cannot_be_logged_are_not_served_as_if_they_were(own: Place) -> None:
    own.sql("drop table predictions")
    answer = own.run("predict", "--json", code=1, given=b'{"videos": [{"views": 1, "likes": 1}]}')
    assert "no such table" in answer.body["error"]
