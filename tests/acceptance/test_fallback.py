"""Few scraped videos: what the fallback trains on, says, and may replace."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groundswell import printing
from groundswell.stages import features
from tests.acceptance.process import Place, made_up, write_export
from tests.conftest import REAL_DATA

NOTICE = "Only {} scraped videos — falling back to training-data.json"
SEED_FILE = REAL_DATA / "seed" / "training-data.json.gz"


def training_data(rows: int = 800, seed: int = 3) -> dict[str, Any]:
    """Return training data in which five rates tell the tier, most of the time."""
    generator = np.random.default_rng(seed)
    tiers = generator.integers(1, 6, rows)
    values = generator.random((rows, len(features.names()))) * 0.5
    values[:, 2] = np.clip(tiers / 10 + generator.normal(0, 0.02, rows), 0, 1)
    cut = 4 * rows // 5
    return {
        "generatedAt": "2025-06-01T00:00:00Z",
        "featureNames": features.names(),
        "trainSet": {"features": values[:cut].tolist(), "labels": tiers[:cut].tolist(), "count": cut},
        "testSet": {"features": values[cut:].tolist(), "labels": tiers[cut:].tolist(), "count": rows - cut},
        "labelDistribution": {str(tier): int((tiers == tier).sum()) for tier in range(1, 6)},
    }


def put_training_data(place: Place, content: Any = None) -> Path:
    path = place.folder / "groundswell-data" / "training-data.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(training_data() if content is None else content))
    return path


def test_499_rows_fall_back_and_say_so_and_500_replace_it_on_the_floor_alone(place: Place) -> None:
    put_training_data(place)
    videos = made_up(500)
    place.run("ingest", str(write_export(place.folder / "most.jsonl", videos[:499])))
    answer = place.run("retrain", "--json")
    body = answer.body
    assert (body["status"], body["source"], body["modelVersion"]) == ("completed", "fallback", 1)
    assert body["notice"] == NOTICE.format(499)
    assert NOTICE.format(499) in answer.err
    assert (body["videoCount"], sum(map(sum, body["confusionMatrix"]))) == (800, 160), "the file's own two sets"
    assert NOTICE.format(499) in printing.retrain(body)

    # One row more, and live rows replace it, though they do worse on their holdout than it did on its own.
    place.run("ingest", str(write_export(place.folder / "last.jsonl", videos[499:])))
    live = place.json("retrain")
    assert (live["status"], live["source"], live["modelVersion"]) == ("completed", "scraped_videos", 2)
    assert "notice" not in live
    assert live["testAccuracy"] < body["testAccuracy"]

    # And back under 500 it never replaces a model of live rows, however well it does.
    place.sql("delete from scraped_videos where rowid in (select rowid from scraped_videos limit 100)")
    held = place.json("retrain")
    assert (held["status"], held["source"], held["champion"]) == ("skipped", "fallback", 2)
    assert held["reason"] == "A fallback model never replaces a champion trained on live rows"
    assert place.champion() == 2


def test_the_seed_file_is_learnt_and_its_leak_named(place: Place) -> None:
    if not SEED_FILE.exists():
        pytest.skip("the seed file is not beside this checkout")
    path = place.folder / "groundswell-data" / "training-data.json"
    path.parent.mkdir()
    path.write_bytes(gzip.decompress(SEED_FILE.read_bytes()))
    body = place.json("retrain")
    assert (body["status"], body["source"], body["notice"]) == ("completed", "fallback", NOTICE.format(0))
    assert body["videoCount"] == 7_358
    assert body["testAccuracy"] >= 0.98
    (leak,) = [finding for finding in body["decision"]["findings"] if finding["code"] == "L1"]
    assert leak["outcome"] == "failed"
    assert all(name in leak["explanation"] for name in ("shareRate", "commentRate", "likeRate"))


def test_without_rows_and_without_a_file_it_fails_clearly(place: Place) -> None:
    answer = place.run("retrain", "--json", code=1)
    assert answer.body["status"] == "failed"
    assert answer.body["error"].startswith(f"Training failed: {NOTICE.format(0)}, but: There is no file ")
    assert "groundswell ingest" in answer.body["hint"]
    assert place.json("models", "list")["champions"] == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("empty", "is not training data"),
        ("nan", "is not training data"),
        ("features", "other features"),
    ],
)
def test_a_bad_file_fails_clearly_and_the_champion_stays(content: str, said: str, own: Place) -> None:
    own.sql("delete from scraped_videos")
    data = training_data(50)
    if content == "empty":
        data["trainSet"] = data["testSet"] = {"features": [], "labels": [], "count": 0}
    elif content == "nan":
        data["trainSet"]["features"][3][2] = None
    elif content == "features":
        data["featureNames"] = ["views", *features.names()[1:]]
    path = put_training_data(own, data)
    if content == "{":
        path.write_text(content)
    answer = own.run("retrain", "--json", code=1)
    assert answer.body["status"] == "failed"
    assert said in answer.body["error"]
    assert own.sql("select version from aliases") == [(1,)]


def test_the_file_may_lie_elsewhere_and_be_zipped(place: Place) -> None:
    path = place.folder / "elsewhere.json.gz"
    path.write_bytes(gzip.compress(json.dumps(training_data()).encode()))
    body = place.json("retrain", environment={"GROUNDSWELL_TRAINING_DATA": str(path)})
    assert (body["status"], body["source"]) == ("completed", "fallback")
    assert body["notice"] == "Only 0 scraped videos — falling back to elsewhere.json.gz"
    shutil.rmtree(place.folder / "groundswell-data" / "artifacts")
    answer = place.run("predict", "--json", code=1, given=b'{"videos": [{"views": 1, "likes": 1}]}')
    assert "is missing at file://" in answer.body["error"]
