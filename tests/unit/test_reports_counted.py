"""The pictures of counts and of one prediction: they hold at their edges, and say in words what they show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from groundswell.reports import counted, evaluated, tried
from groundswell.reports.drawing import drawn

UNTIL = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The pictures that were made, as data."""
    made: list[dict[str, Any]] = []

    def keep(spec: dict[str, Any], says: str) -> Any:
        made.append(spec)
        return drawn(spec, says) if len(made) == 1 else ""

    monkeypatch.setattr("groundswell.reports.parts.drawn", keep)
    return made


def test_days_beyond_the_span_are_not_drawn(specs: list[dict[str, Any]]) -> None:
    days = [{"day": f"2026-0{month}-{day:02d}", "n": day} for month in (2, 3) for day in range(1, 29)]
    found = counted.by_day("Videos", days, UNTIL, 7, "videos")
    shown = [round(value["n"]) for value in specs[0]["data"]["values"]]
    assert shown == [4, 5, 6, 7, 8, 9, 10]
    assert found.svg
    assert "49 videos on 7 of the last 7 days, at most 10 on one" in found.svg


def test_without_a_day_there_is_no_picture_but_a_word(specs: list[dict[str, Any]]) -> None:
    for days in ([], [{"day": "2020-01-01", "n": 3}], [{"day": "2026-03-11", "n": 3}]):
        found = counted.by_day("Videos", days, UNTIL, 7, "videos")
        assert (found.svg, found.absent) == (None, "No videos in the last 7 days.")
    assert specs == []


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 7, 10, 11, 99, 1_000, 1_001, 12_345_678])
def test_ticks_are_few_whole_and_hold_the_most(most: int) -> None:
    ticks = counted._round_ticks(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most > ticks[-2]
    assert len(ticks) <= 5
    assert len(set(np.diff(ticks))) == 1


def test_a_swing_is_told_only_where_there_is_one(specs: list[dict[str, Any]]) -> None:
    points = [("00:00", 40.0), ("01:00", 40.4), ("02:00", 47.5)]
    assert "up to 7.5 points: lowest at 00:00, highest at 02:00" in tried.choices("Hour", points, "01:00", "it").reading
    assert "hardly matters" in tried.choices("Hour", points[:2], "01:00", "it").reading
    assert tried.choices("Hour", [], None, "it").svg is None
    tried.choices("Hour", [("00:00", 0.0)], None, "it")
    tried.choices("Hour", [("00:00", 100.0)], "00:00", "it")


def test_labels_keep_their_distance_from_the_chosen_one(specs: list[dict[str, Any]]) -> None:
    points = [(f"{hour:02d}:00", 50.0 + hour) for hour in range(24)]
    tried.choices("Hour", points, "07:00", "it", 4)
    labels = next(layer["data"]["values"] for layer in specs[0]["layer"] if "label" in str(layer.get("encoding")))
    assert [one["label"] for one in labels] == ["00:00", "07:00", "12:00", "16:00", "20:00"]


def test_bands_are_those_of_honest_chances() -> None:
    n, said = 400, 0.3
    (band,) = evaluated.with_bands([{"count": n, "avgPredicted": said, "avgActual": 0.35, "binStart": 0.3}])
    low, high = binom.ppf([0.025, 0.975], n, said) / n
    assert band["expectedLow"] == pytest.approx(low, abs=1.5 / n)
    assert band["expectedHigh"] == pytest.approx(high, abs=1.5 / n)
    assert band["actualLow"] < 0.35 < band["actualHigh"]


def test_bins_without_videos_have_no_band() -> None:
    assert evaluated.with_bands([{"count": 0, "avgPredicted": 0.0, "avgActual": 0.0}, {}, {"count": 3}]) == []
