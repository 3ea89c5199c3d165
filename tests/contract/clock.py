"""The time that every process agrees on, for the tests that move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    """The time of the database, `AT` until it is moved by hand."""

    def __init__(self) -> None:
        self.now = AT

    def move(self, seconds: float = 0, *, hours: float = 0) -> None:
        """Turn the clock, backwards too."""
        self.now += timedelta(seconds=seconds, hours=hours)
