"""A clock for the tests that do not wait."""

from __future__ import annotations

import pytest

from groundswell.store.database import Database
from tests.contract.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that every database of the test reads."""
    clock = Clock()
    monkeypatch.setattr(Database, "now", lambda _database, _connection: clock.now)
    return clock
