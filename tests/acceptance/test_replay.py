"""A replay of exports as it is typed: months lived through again, the same each time, blind to the future."""

from __future__ import annotations

import itertools
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from groundswell import printing_loop
from tests.acceptance.process import Place
from tests.made_up_forecast import AS_OF, EASY, MadeUp, iso, made_up

SETTINGS = {f"GROUNDSWELL_{name.upper()}": str(value) for name, value in EASY.items()}
EXPORTS = ("exports/videos.parquet", "exports/readings.parquet")
#: As many months as there are, so that the replay begins where enough had matured, whatever follows.
OPTIONS = ("--months", "12", "--as-of", iso(AS_OF))
VIDEOS = 600


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with exports and nothing else."""
    place = Place(tmp_path_factory.mktemp("exported"), SETTINGS)
    made_up(VIDEOS).write(place.folder / "exports")
    return place


@pytest.fixture(scope="module")
def replayed(exported: Place) -> dict[str, Any]:
    """What a replay of the exports says, with its report beside them."""
    answer = exported.run("replay", *EXPORTS, *OPTIONS, "--json", "--html", "replay.html")
    assert "The report is in replay.html" in answer.err
    return answer.body


def test_a_replay_tells_both_lives_month_by_month(replayed: dict[str, Any]) -> None:
    assert (replayed["status"], replayed["window"]) == ("completed", "publish")
    months = replayed["months"]
    assert len(months) >= 4
    assert sum(month["n"] for month in months) == replayed["n"]["predicted"] == replayed["whole"]["n"]
    assert months[0]["from"] == replayed["from"]
    for before, after in itertools.pairwise(months):
        assert before["to"] <= after["from"]
    for told in (*months, replayed["whole"], replayed["end"]):
        for metric in ("rps", "logLoss"):
            difference = told["living"][metric]["value"] - told["static"][metric]["value"]
            assert told["difference"][metric]["value"] == pytest.approx(difference, abs=2e-4)
            for who in ("living", "static"):
                assert told[who][metric]["n"] == told["n"]
    assert replayed["end"]["n"] == int(0.25 * replayed["whole"]["n"])
    assert replayed["ranges"]["promised"] == 0.8
    assert replayed["events"][0]["kind"] == "trained"
    assert [event["at"] for event in replayed["events"]] == sorted(event["at"] for event in replayed["events"])


def test_in_the_first_week_both_lives_are_the_same(replayed: dict[str, Any]) -> None:
    assert replayed["months"][0]["versions"][0] == 1
    assert replayed["label"]["quantity"] == "views"
    assert len(replayed["label"]["cutPoints"]) == 4


def test_the_report_is_one_page_that_asks_for_nothing(exported: Place, replayed: dict[str, Any]) -> None:
    page = (exported.folder / "replay.html").read_text(encoding="utf-8")
    assert "</html>" in page.lower()
    assert f"{replayed['n']['predicted']:,}" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page)


def test_the_same_exports_are_lived_through_the_same_way(exported: Place, replayed: dict[str, Any]) -> None:
    again = exported.json("replay", *EXPORTS, *OPTIONS)
    assert {**again, "stepSeconds": 0} == {**replayed, "stepSeconds": 0}


def test_what_is_posted_later_changes_nothing_before_it(
    exported: Place, replayed: dict[str, Any], tmp_path: Path
) -> None:
    """The law of the replay: deleting the future leaves the past as it was."""
    months = replayed["months"]
    moment = datetime.fromisoformat(months[3]["from"])
    whole = made_up(VIDEOS)
    kept = [row for row in whole.videos if datetime.fromisoformat(row["posted_at"]) < moment]
    ids = {row["platform_video_id"] for row in kept}
    assert 0 < len(kept) < len(whole.videos)
    MadeUp(kept, [row for row in whole.readings if row["platform_video_id"] in ids]).write(tmp_path / "exports")
    blind = Place(tmp_path, SETTINGS).json("replay", *EXPORTS, *OPTIONS)
    # The last of them may lose its end: the replay ends with the last posting.
    assert [{**month, "to": None} for month in blind["months"]] == [{**month, "to": None} for month in months[:3]]
    end = blind["events"][-1]["at"]
    known = [event for event in replayed["events"] if event["at"] < end]
    assert [event for event in blind["events"] if event["at"] < end] == known
    assert replayed["label"] == blind["label"]


def test_a_replay_leaves_no_database(exported: Place, replayed: dict[str, Any]) -> None:
    assert replayed["status"] == "completed"
    assert not (exported.folder / "groundswell-data").exists()


def test_a_replay_reads_well_on_a_terminal(replayed: dict[str, Any]) -> None:
    said = printing_loop.replay(replayed)
    assert "RPS living" in said
    assert "in the 80% range" in said
    for month in replayed["months"]:
        assert f"{month['from'][:10]} " in said
    assert f"{replayed['whole']['living']['rps']['value']:.3f}" in said


@pytest.mark.parametrize("count", [60, 130])
def test_too_few_videos_are_a_clear_error(count: int, place: Place) -> None:
    """Under `min_rows` nothing can be learnt; a little above it nothing is left to live through."""
    made_up(count).write(place.folder / "exports")
    quick = Place(place.folder, SETTINGS | ({} if count < 100 else {"GROUNDSWELL_MIN_ROWS": "120"}))
    answer = quick.run("replay", *EXPORTS, "--as-of", iso(AS_OF), "--json", code=1)
    assert re.match(r"Only \d+ videos have matured|Too little time to live through", answer.body["error"])
    assert answer.body["hint"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("replay", "missing.parquet"), 1, "missing.parquet"),
        (("replay", "missing.parquet", "--window", "observed"), 2, "a replay forecasts"),
        (("replay", "missing.parquet", "--window", "12h"), 2, "12h"),
        (("replay", "missing.parquet", "--months", "0"), 2, "--months"),
        (("replay", "missing.parquet", "--as-of", "2999-01-01"), 2, "lies in the future"),
        (("replay", "missing.parquet", "--label-age", "soon"), 1, "GROUNDSWELL_LABEL_AGE='soon'"),
        (("replay",), 2, "PATH"),
    ],
    ids=lambda given: " ".join(given[2:] or given) if isinstance(given, tuple) else "",
)
def test_wrong_usage_says_what_is_wrong(place: Place, arguments: tuple[str, ...], code: int, said: str) -> None:
    answer = place.run(*arguments, code=code)
    assert said in answer.err
    assert answer.out == ""
    assert list(place.folder.iterdir()) == []
