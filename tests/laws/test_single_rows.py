"""One row asked by itself says what it says among others, to the last bit: LightGBM's own call is the oracle."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from groundswell.boosting import Sample, grow
from groundswell.boosting_library import load_lightgbm
from groundswell.calibration.scores import Floats
from groundswell.estimators.boosters import booster_of, output
from groundswell.estimators.single_rows import SingleRows

KINDS: dict[str, dict[str, Any]] = {
    "multiclass": {"objective": "multiclass", "num_class": 4},
    "regression": {"objective": "regression"},
}


def features(rows: int, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, 6))
    values[generator.random(values.shape) < 0.1] = np.nan
    return values


@pytest.fixture(params=KINDS)
def text(request: pytest.FixtureRequest) -> str:
    known = features(600, 1)
    target = np.nan_to_num(known).sum(axis=1)
    if request.param == "multiclass":
        target = np.digitize(target, [-2, 0, 2]).astype(float)
    settings = {**KINDS[request.param], "num_leaves": 7, "num_threads": 1}
    return grow(Sample(known, target), settings, 30, lambda: None)


def test_a_row_alone_says_what_it_says_among_others(text: str) -> None:
    asked = features(40, 2)
    together = np.asarray(booster_of(text).predict(asked, num_threads=1))
    alone = np.stack([output(text, asked[row : row + 1])[0] for row in range(len(asked))])
    assert np.array_equal(alone, together)
    assert np.array_equal(output(text, asked[:4]), together[:4])
    assert np.array_equal(output(text, asked[:5]), together[:5])
    assert len(output(text, asked[:0])) == 0


def test_rows_may_lie_in_memory_as_they_like(text: str) -> None:
    asked = features(8, 3)
    expected = output(text, asked[3:4])
    assert np.array_equal(output(text, np.asfortranarray(asked)[3:4]), expected)
    assert np.array_equal(output(text, np.repeat(asked, 2, axis=1)[3:4, ::2]), expected)


def test_threads_may_ask_at_once(text: str) -> None:
    asked = features(400, 4)
    together = np.asarray(booster_of(text).predict(asked, num_threads=1))
    rows = SingleRows(booster_of(text))
    with ThreadPoolExecutor(8) as pool:
        found = np.stack(list(pool.map(rows.output, asked)))
    assert np.array_equal(found.reshape(together.shape), together)


def test_what_was_prepared_outlives_the_name_of_its_booster(text: str) -> None:
    asked = features(1, 5)
    expected = output(text, asked)
    rows = SingleRows(load_lightgbm().Booster(model_str=text))
    gc.collect()
    assert np.array_equal(rows.output(asked[0]), expected.reshape(-1))


@pytest.mark.parametrize("width", [0, 5, 7])
def test_a_row_of_another_width_is_refused(text: str, width: int) -> None:
    with pytest.raises(ValueError, match="of 6 features"):
        output(text, np.zeros((1, width)))
