"""A video unlike all that the model learnt from says so; one like them does not."""

from __future__ import annotations

import numpy as np
import pytest

from groundswell.predictor.units import shown
from groundswell.predictor.unlike import Unlike
from groundswell.records import Window
from groundswell.reference import Reference, reference_of
from groundswell.stages import features

OBSERVED = features.of_window(Window.OBSERVED)
NAMES = features.names(OBSERVED)
FOLLOWERS = NAMES.index("hasFollowerData")


def trained(
    share_with_followers: float, rows: int = 5_000
) -> tuple[Reference, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    generator = np.random.default_rng(3)
    values = generator.random((rows, len(NAMES)))
    values[:, FOLLOWERS] = np.arange(rows) < share_with_followers * rows
    return reference_of(NAMES, values, generator.integers(1, 6, rows)), values


def test_what_no_training_video_was_is_told() -> None:
    reference, values = trained(1.0)
    row = values[:2].copy()
    row[1, FOLLOWERS] = 0.0
    like, odd = Unlike(reference, OBSERVED).told(row)
    assert like is None
    assert odd is not None
    assert "whether the creator's followers are known" in odd


@pytest.mark.parametrize(("share", "told"), [(1.0, True), (0.9996, True), (0.99, False), (0.5, False)])
def test_what_some_training_videos_were_is_not(share: float, told: bool) -> None:
    reference, values = trained(share)
    row = values[:1].copy()
    row[0, FOLLOWERS] = 0.0
    assert (Unlike(reference, OBSERVED).told(row)[0] is not None) is told


def test_every_training_video_is_like_the_others() -> None:
    reference, values = trained(0.5)
    assert Unlike(reference, OBSERVED).told(values) == [None] * len(values)


def test_a_model_of_the_first_release_cannot_tell() -> None:
    assert Unlike(None, OBSERVED).told(np.zeros((2, len(NAMES)))) == [None, None]


def test_every_unit_of_observed_is_in_words() -> None:
    for feature in OBSERVED:
        for value in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
            said = shown(value, feature.unit)
            assert said
            assert not said[0].isspace()
    assert [shown(hour / 23, "day") for hour in (0, 12, 23)] == ["0:00 UTC", "12:00 UTC", "23:00 UTC"]
    assert shown(0.5, "day") == "12:00 UTC", "half of the way lies between two hours: the even one"
    assert [shown(step, "step") for step in (0.1, 0.9)] == ["under 10,000 followers", "over 1,000,000 followers"]
