"""The loop on real videos: five months of one collection predicted at posting, harvested, audited and recalibrated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from groundswell.jobs.audit import audit
from groundswell.jobs.context import Context, label_age, open_context
from groundswell.jobs.harvest import harvest
from groundswell.jobs.ingest import ingest
from groundswell.jobs.recalibrate import recalibrate
from groundswell.jobs.retrain import retrain
from groundswell.predictor import Prediction, Predictor
from groundswell.records import Window
from groundswell.settings import load_settings
from groundswell.store import ledger

SOURCE = "creators_2025"
#: What was posted before teaches the line; what was posted since it predicts, week by week.
CUT = datetime(2024, 11, 1, tzinfo=UTC)
#: By then all has matured; the last month of readings has counts as the app shows them.
END = datetime(2025, 4, 1, tzinfo=UTC)
A_WEEK = 150
ASKED = {
    "platform": "platform",
    "platformVideoId": "platform_video_id",
    "author": "author",
    "authorFollowers": "author_followers",
    "description": "description",
    "soundName": "sound_name",
    "hashtags": "hashtags",
    "durationSeconds": "duration_seconds",
}


@dataclasses.dataclass(frozen=True)
class Lived:
    """A context after these months, how many predictions were made, and the first harvest."""

    context: Context
    predicted: int
    harvested: dict[str, Any]


@pytest.fixture(scope="module")
def lived(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """A line that lived from November 2024 to April 2025."""
    home = tmp_path_factory.mktemp("life")
    videos = pl.read_parquet(real_data / "tiktok_videos.parquet").filter(pl.col("source") == SOURCE)
    new = videos.filter(pl.col("posted_at") >= CUT).sort("posted_at", "platform_video_id")
    videos.filter(pl.col("posted_at") < CUT).write_parquet(home / "old.parquet")
    new.write_parquet(home / "new.parquet")
    context = open_context(load_settings(home=home, bootstrap=200))
    try:
        ingest(context.database, context.settings, [home / "old.parquet"], as_of=datetime.now(UTC))
        assert retrain(context, Window.PUBLISH, CUT + timedelta(days=4)).status == "completed"
        predicted = _predict(context, new)
        ingest(context.database, context.settings, [home / "new.parquet"], as_of=datetime.now(UTC))
        yield Lived(context, predicted, harvest(context, END).body)
    finally:
        context.database.dispose()


def _predict(context: Context, videos: pl.DataFrame) -> int:
    """Return how many videos were predicted, the first of each week at its first posting."""
    predictor = Predictor(context.database, context.artifacts, label_age(context.settings))
    predicted = 0
    for week in videos.with_columns(week=pl.col("posted_at").dt.truncate("1w")).partition_by(
        "week", maintain_order=True
    ):
        part = week.head(A_WEEK)
        asked = [
            {name: row[column] for name, column in ASKED.items()} | {"postedAt": row["posted_at"].isoformat()}
            for row in part.iter_rows(named=True)
        ]
        answers = predictor.predict(asked, Window.PUBLISH, part["posted_at"].min())  # type: ignore[arg-type]
        predicted += sum(isinstance(answer, Prediction) for answer in answers)
    return predicted


def test_a_harvest_finds_what_became_of_them_once(lived: Lived) -> None:
    first, again = lived.harvested, harvest(lived.context, END).body
    assert first["status"] == again["status"] == "completed"
    assert first["harvested"] + first["unchanged"] > 2_500
    assert (again["harvested"], again["corrected"]) == (0, 0)
    assert again["unchanged"] == first["harvested"]
    assert first["followed"] == first["harvested"] + sum(first["withoutOutcome"].values())
    # Pairs are of the last ninety days, so not every prediction is followed to the end.
    assert first["followed"] <= lived.predicted


def test_an_audit_judges_the_months_and_sees_that_the_scraper_began_to_round(lived: Lived) -> None:
    body = audit(lived.context, END, 200).body
    assert body["status"] == "completed"
    assert body["totalSamples"] > 2_500
    assert body["alarm"] in {"green", "amber", "red"}
    line = body["lines"]["publish"]
    assert line["n"] > 2_500
    assert 0.70 <= line["ranges"]["coverage"]["value"] <= 0.90
    low, high = (line["accuracy"]["matured"][end] for end in ("low", "high"))
    assert 0.25 < low < high < 0.75, "better than chance, and far from certain"
    rounded = body["scrape"][0]
    assert (rounded["code"], rounded["outcome"]) == ("S1", "failed"), rounded
    assert line["driftNote"].startswith("The scraper changed")
    assert body["recommendation"]["action"] in {"none", "recalibrate", "retrain"}


def test_a_recalibration_is_gated_and_the_ledger_holds(lived: Lived) -> None:
    body = recalibrate(lived.context, Window.PUBLISH, END).body
    assert body["status"] in {"completed", "skipped"}
    assert body["rows"] > 500
    assert body["source"] == "predictions"
    assert body["decision"]["findings"]
    if body["status"] == "completed":
        second = recalibrate(lived.context, Window.PUBLISH, END).body
        assert second["status"] == "skipped", "what is mended need not be mended again"
    with lived.context.database.read() as connection:
        assert ledger.verify(connection).status == "verified"
