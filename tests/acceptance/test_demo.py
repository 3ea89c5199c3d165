"""`groundswell demo`: made-up rows all the way to a prediction, and never among a user's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from groundswell import printing
from groundswell.sources.synthetic import synthetic_videos
from tests.acceptance.process import EASY, UNTIL, Place, made_up, write_export

#: What no two runs share: ids, moments, durations, and where the files lie.
_FIGURE = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?![\w])")
_CONSTANT = {"1", "5", "1–5", "80", "95", "8000", "2"}


def test_a_demo_goes_from_ingest_to_prediction_and_a_second_one_changes_no_row(tmp_path: Path) -> None:
    place = Place(tmp_path, {})  # the settings as they come
    body = place.json("demo", "--rows", "2000")
    assert (body["rows"], body["seed"]) == (2_000, 7)
    assert (body["ingest"]["read"], body["ingest"]["inserted"], body["ingest"]["rejected"]) == (2_000, 2_000, 0)
    assert (body["retrain"]["status"], body["retrain"]["modelVersion"]) == ("completed", 1), "the usual floor holds"
    assert (body["audit"]["status"], body["audit"]["totalSamples"]) == ("completed", 1_000)
    assert body["audit"]["plattActive"] is True
    assert [prediction["modelVersion"] for prediction in body["predict"]["predictions"]] == [1, 1, 1]
    assert {prediction["calibrationVersion"] for prediction in body["predict"]["predictions"]} == {1}
    for name in ("calibration-baseline.json", "training-data.json", "groundswell.db"):
        assert (place.folder / "groundswell-data" / name).exists()
    assert any(line.startswith("groundswell models list") for line in body["next"])
    assert place.champion() == 1

    again = place.json("demo", "--rows", "2000")
    if again["ingest"]["unchanged"] != 2_000:  # it was midnight between the two, and the made-up year moved on a day
        assert again["ingest"]["updated"] == 2_000
    assert again["ingest"]["inserted"] == 0
    assert again["retrain"]["status"] in {"completed", "skipped"}
    assert place.sql("select count(*) from scraped_videos") == [(2_000,)]
    assert place.sql("select count(*) from outcomes") == [(1_000,)]
    check_report(body)
    check_report(again)


def check_report(body: dict[str, Any]) -> None:
    """The report holds no figure that is not in the JSON."""
    known = set(_numbers(body))
    report, _, following = printing.demo(body).partition("\nNext\n")
    assert "groundswell serve" in following
    unknown = [figure for figure in _FIGURE.findall(report) if not _is_known(figure, known)]
    assert not unknown, f"{unknown} in\n{report}"
    assert len(_FIGURE.findall(report)) > 50


def test_a_seed_repeats_to_the_last_figure_of_the_report(tmp_path: Path) -> None:
    arguments = ("demo", "--rows", "600", "--seed", "3")
    one, two = Place(tmp_path / "one", dict(EASY)), Place(tmp_path / "two", dict(EASY))
    for place in (one, two):
        place.folder.mkdir()
    body = one.json(*arguments)
    assert two.run(*arguments).out.rstrip() == printing.demo(body).rstrip()
    assert one.sql("select artifact from model_versions") == two.sql("select artifact from model_versions")
    views = [(video["playCount"],) for video in synthetic_videos(600, 3, UNTIL)]
    assert one.sql("select views from scraped_videos order by platform_video_id") == views


def test_made_up_rows_are_not_mixed_with_a_users_own(tmp_path: Path) -> None:
    own = Place(tmp_path, {})
    own.run("ingest", str(write_export(own.folder / "export.jsonl", made_up(5))))
    answer = own.run("demo", "--rows", "600", "--json", code=1)
    assert "holds 5 videos that are not the demo's" in answer.body["error"]
    assert "GROUNDSWELL_HOME" in answer.body["hint"]
    assert own.sql("select count(*) from scraped_videos") == [(5,)]
    assert own.sql("select count(*) from outcomes") == [(0,)]


def test_the_demo_stays_out_of_postgres(postgres_url: str, tmp_path: Path) -> None:
    place = Place(tmp_path, {"DATABASE_URL": postgres_url})
    answer = place.run("demo", "--rows", "600", "--json", code=1)
    assert "embedded database only" in answer.body["error"]
    assert "DATABASE_URL" in answer.body["hint"]


def _numbers(value: Any) -> list[float]:
    """Return every number of the body, those inside its sentences too."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, (int, float)):
        return [float(value)]
    if isinstance(value, str):
        return [_number(figure) for figure in _FIGURE.findall(value)]
    if isinstance(value, dict):
        return _numbers(json.loads(json.dumps([*value.keys(), *value.values()])))
    return [number for item in value for number in _numbers(item)]


def _number(figure: str) -> float:
    return float(figure.replace(",", ""))


def _is_known(figure: str, known: set[float]) -> bool:
    """Whether the figure is one of the known numbers, as itself or as a percentage, at the digits it is told with."""
    number, digits = _number(figure), len(figure.partition(".")[2])
    half = 0.5 * 10.0**-digits + 1e-9
    return figure in _CONSTANT or any(abs(number - scale * value) <= half for value in known for scale in (1, 100))
