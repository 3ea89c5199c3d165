"""While LightGBM is loaded, only the thread that loads it misses what is hidden, and only as long as that takes."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from groundswell.boosting_library import _Absent, load_lightgbm


def test_the_unused_are_hidden_from_one_thread_alone() -> None:
    absent = _Absent()
    with pytest.raises(ModuleNotFoundError):
        absent.find_spec("sklearn")
    assert absent.find_spec("scipy") is None
    assert absent.find_spec("sklearn.isotonic") is None, "what is loaded already goes on loading its parts"
    with ThreadPoolExecutor(1) as other:
        assert other.submit(absent.find_spec, "sklearn").result() is None


def test_nothing_stays_hidden() -> None:
    before = list(sys.meta_path)
    assert load_lightgbm() is load_lightgbm()
    assert sys.meta_path == before
