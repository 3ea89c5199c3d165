"""Training data: the format of the seed, its rows against plain Python, and the same bytes every time."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from groundswell.errors import BaselineError, TrainingDataError
from groundswell.jobs.context import Context
from groundswell.jobs.extract import read_training_data, write_training_data
from groundswell.jobs.material import fallback_material
from groundswell.store import tables
from tests.made_up import NEWEST, store, videos
from tests.oracle.test_features import slow_features

Rows = list[dict[str, Any]]


def written(context: Context, rows: Rows) -> dict[str, Any]:
    store(context.database, rows)
    write_training_data(context, NEWEST)
    content: dict[str, Any] = json.loads(context.settings.training_data_path.read_text())
    return content


def key(row: dict[str, Any]) -> str:
    return f"{row['platform']}:{row['platform_video_id']}"


def wes(row: dict[str, Any]) -> float:
    return float(((row["likes"] or 0) + 2 * row["comments"] + 3 * row["shares"]) / row["views"])


def test_rows_equal_plain_python(context: Context) -> None:
    rows = videos(403, seed=5)
    rows[0]["likes"], rows[1]["views"], rows[2]["duration_seconds"], rows[3]["duration_seconds"] = None, 0, None, 0
    content = written(context, rows)
    usable = [row for row in rows if row["views"] and row["duration_seconds"]]
    assert len(usable) == 400
    usable.sort(key=lambda row: hashlib.sha256(f"42:{key(row)}".encode()).digest()[:8])
    low, *cuts = [
        tier["weighted_score_threshold"]["min"]
        for tier in json.loads(baseline_of(context).read_text())["virality_tiers"]
    ]
    tiers = [1 + sum(cut <= wes(row) for cut in cuts) for row in usable]
    train, test = content["trainSet"], content["testSet"]
    assert (train["count"], test["count"], low) == (320, 80, 0)
    assert train["labels"] + test["labels"] == tiers
    values = [list(slow_features(row).values()) for row in usable]
    assert train["features"] + test["features"] == [pytest.approx(row) for row in values]
    assert content["labelDistribution"] == {str(tier): tiers.count(tier) for tier in range(1, 6)}
    assert content["generatedAt"] == "2025-06-01T00:00:00Z"


def baseline_of(context: Context) -> Path:
    from groundswell.jobs.baseline import write_baseline

    write_baseline(context)
    return context.settings.baseline_path


def test_the_file_has_the_format_of_the_seed(context: Context, real_data: Path) -> None:
    seed = json.loads(gzip.decompress((real_data / "seed" / "training-data.json.gz").read_bytes()))
    content = written(context, videos(200, seed=1))
    assert list(content) == list(seed)
    assert content["featureNames"] == seed["featureNames"]
    for part in ("trainSet", "testSet"):
        assert list(content[part]) == list(seed[part])
        assert {len(row) for row in content[part]["features"]} == {len(row) for row in seed[part]["features"]}
    assert seed["trainSet"]["count"] == int(0.8 * (seed["trainSet"]["count"] + seed["testSet"]["count"]))


def test_the_same_videos_give_the_same_bytes_but_for_the_time_whatever_order_they_came_in(context: Context) -> None:
    def content(rows: Rows, minutes: int) -> bytes:
        with context.database.begin() as connection:
            connection.execute(sa.delete(tables.scraped_videos))
        store(context.database, rows)
        moment = NEWEST + timedelta(minutes=minutes)
        write_training_data(context, moment)
        text = context.settings.training_data_path.read_bytes()
        return text.replace(moment.isoformat().replace("+00:00", "Z").encode(), b"")

    rows = videos(1_200, seed=8)  # more than one batch
    assert content(rows, 0) == content(rows[::-1], 7)


def test_archived_videos_are_left_out(context: Context) -> None:
    store(context.database, videos(60, seed=2))
    with context.database.begin() as connection:
        connection.execute(
            sa.update(tables.scraped_videos)
            .where(tables.scraped_videos.c.platform_video_id.in_([f"2-{row}" for row in range(10)]))
            .values(archived_at=NEWEST)
        )
    assert sum(write_training_data(context, NEWEST)["labelDistribution"].values()) == 50


def test_what_extract_writes_the_fallback_reads(context: Context) -> None:
    rows = videos(100, seed=4)
    rows[0]["likes"] = rows[1]["likes"] = None
    content = written(context, rows)
    data = read_training_data(context.settings.training_data_path)
    assert (len(data.train), len(data.test)) == (80, 20)
    assert data.train.features.tolist() == content["trainSet"]["features"]
    material = fallback_material(context.settings.training_data_path, seed=42)
    assert (material.source, len(material.training), len(material.holdout)) == ("fallback", 80, 20)


def test_no_usable_video_is_said_as_it_is(context: Context) -> None:
    store(context.database, [{"platform_video_id": "1", "views": 5, "likes": 1}])
    with pytest.raises((BaselineError, TrainingDataError), match="No stored video has views and a length"):
        write_training_data(context, NEWEST)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"featureNames": ["likeRate"]}, "other features"),
        ({"trainSet": None}, "not training data"),
        ({"testSet": {"features": [], "labels": []}}, "shape"),
        ({"testSet": {"features": [[0.5] * 14], "labels": [1]}}, "shape"),
        ({"testSet": {"features": [[0.5] * 15], "labels": [[1]]}}, "shape"),
        ({"testSet": {"features": [[0.5] * 15], "labels": [6]}}, "not a tier"),
        ({"testSet": {"features": [[0.5] * 15], "labels": [1.5]}}, "not a tier"),
        ({"testSet": {"features": [[0.5] * 15], "labels": [None]}}, "not a tier"),
        ({"testSet": {"features": [[None] * 15], "labels": [1]}}, "not finite"),
        ({"testSet": {"features": [["high"] * 15], "labels": [1]}}, "not training data"),
    ],
)
def test_a_file_that_is_no_training_data_is_refused(context: Context, change: dict[str, Any], said: str) -> None:
    content = written(context, videos(40, seed=4))
    path = context.settings.training_data_path
    path.write_text(json.dumps(content | change))
    with pytest.raises(TrainingDataError, match=said):
        read_training_data(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x1f\x8b\x08", b"\x80\x05N."])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "training-data.json"
    path.write_bytes(content)
    with pytest.raises(TrainingDataError, match=r"training-data\.json"):
        read_training_data(path)
