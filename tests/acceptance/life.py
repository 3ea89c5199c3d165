"""A place that has lived: made-up videos taught it a line, it predicted what was posted since, and time went by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from groundswell.predictor import Prediction, Predictor
from groundswell.records import Window
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database
from tests.acceptance.process import Place
from tests.made_up_forecast import DAY, EASY, START, Row, made_up, written

#: The made-up videos lie in the past, so pairs are taken from as long ago as it takes; few rows recalibrate.
SETTINGS = {f"GROUNDSWELL_{name.upper()}": str(value) for name, value in EASY.items()} | {
    "GROUNDSWELL_PAIR_DAYS": "36500",
    "GROUNDSWELL_MIN_RECALIBRATION_ROWS": "50",
}
COUNT = 1_200
#: What was posted before is what the line learns from; what was posted since it predicts.
CUT = START + 85 * DAY
_NAMES = {
    "platform": "platform",
    "platformVideoId": "platform_video_id",
    "author": "author",
    "description": "description",
    "soundName": "sound_name",
    "hashtags": "hashtags",
    "durationSeconds": "duration_seconds",
    "postedAt": "posted_at",
}


def posted_at(video: Row) -> datetime:
    """Return when a video was posted."""
    return datetime.fromisoformat(video["posted_at"])


def old_and_new(count: int = COUNT) -> tuple[list[Row], list[Row]]:
    """Return the videos posted before the cut, and those posted since in the order of time."""
    videos = sorted(made_up(count).videos, key=posted_at)
    return [row for row in videos if posted_at(row) < CUT], [row for row in videos if posted_at(row) >= CUT]


def write_exports(folder: Path, count: int = COUNT) -> tuple[str, str]:
    """Write the exports of old and new videos, their readings with the new ones, and return their names."""
    old, new = old_and_new(count)
    written(folder / "old.parquet", old)
    written(folder / "new.parquet", new)
    return "old.parquet", "new.parquet"


def asked(video: Row) -> dict[str, Any]:
    """Return what is known of a video at its posting, as a request names it."""
    return {name: video[column] for name, column in _NAMES.items()}


def predict_at_posting(place: Place, videos: Sequence[Row], window: Window = Window.PUBLISH) -> list[Prediction]:
    """Return predictions made of the videos at their posting, as a server of those days would have logged them."""
    found: list[Prediction] = []
    with place.opened() as database:
        predictor = predictor_of(place, database)
        for start in range(0, len(videos), 25):
            part = videos[start : start + 25]
            answers = predictor.predict([asked(video) for video in part], window, posted_at(part[0]))
            found += [answer for answer in answers if isinstance(answer, Prediction)]
    return found


def predictor_of(place: Place, database: Database) -> Predictor:
    """Return what predicts in a server of the place."""
    return Predictor(database, Artifacts(f"file://{place.folder}/groundswell-data/artifacts"))


def lived_at(folder: Path) -> Place:
    """Return a place whose line predicted the new videos at their posting; what they reached was ingested, no more."""
    place = Place(folder, SETTINGS)
    teach(place)
    place.run("ingest", "new.parquet")
    return place


def teach(place: Place, count: int = COUNT) -> list[Prediction]:
    """Ingest the old videos, teach `publish`, and return its predictions of the new ones at their posting."""
    old, _ = write_exports(place.folder, count)
    assert place.json("ingest", old)["rejected"] == 0
    retrained = place.json("retrain", "--window", "publish")
    assert (retrained["status"], retrained["modelVersion"]) == ("completed", 1), retrained
    return predict_at_posting(place, old_and_new(count)[1])
