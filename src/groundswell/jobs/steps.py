"""The steps of a run: what it is doing, how long each took, and how much of its time is left."""

from __future__ import annotations

import time
from collections.abc import Callable

from groundswell.errors import TimeLimitError

#: Called with the name of each step as it begins.
Progress = Callable[[str], None]


def silent(_step: str) -> None:
    """Take no notice of a step."""


class Steps:
    """The run's steps on a clock that only runs forward."""

    def __init__(self, limit_seconds: float, progress: Progress = silent) -> None:
        self._limit, self._progress = limit_seconds, progress
        self._begun = time.monotonic()
        self._marks: list[tuple[str, float]] = []

    def begin(self, name: str) -> None:
        """Begin the next step; raises TimeLimitError when the time is up."""
        self.check()
        self._marks.append((name, time.monotonic()))
        self._progress(name)

    def check(self) -> None:
        """Raise TimeLimitError when the time is up."""
        if time.monotonic() - self._begun > self._limit:
            raise TimeLimitError(f"time limit of {self._limit:g} s reached")

    def seconds(self) -> dict[str, float]:
        """Return how long each step took, the last one until now."""
        ends = [*(moment for _, moment in self._marks), time.monotonic()][1:]
        return {name: round(end - start, 3) for (name, start), end in zip(self._marks, ends, strict=True)}
