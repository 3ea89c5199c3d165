"""The steps of a run and its time limit, on a clock that the test turns."""

from __future__ import annotations

import pytest

from groundswell.errors import TimeLimitError
from groundswell.jobs.steps import Steps


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr("groundswell.jobs.steps.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_each_step_lasts_until_the_next_and_the_last_until_now(clock: Clock) -> None:
    begun: list[str] = []
    steps = Steps(120, begun.append)
    for name, seconds in (("query", 0.5), ("train", 2.25), ("gate", 0.125)):
        steps.begin(name)
        clock.now += seconds
    assert steps.seconds() == {"query": 0.5, "train": 2.25, "gate": 0.125}
    assert begun == ["query", "train", "gate"]


def test_before_the_first_step_no_time_was_spent(clock: Clock) -> None:
    assert Steps(120).seconds() == {}


def test_time_runs_out_after_the_limit_and_not_at_it(clock: Clock) -> None:
    steps = Steps(120)
    clock.now += 120
    steps.check()
    steps.begin("train")
    clock.now += 0.001
    for work in (steps.check, lambda: steps.begin("gate")):
        with pytest.raises(TimeLimitError, match="time limit of 120 s reached") as caught:
            work()
        assert "GROUNDSWELL_TIME_LIMIT_SECONDS" in caught.value.hint
    assert list(steps.seconds()) == ["train"]
