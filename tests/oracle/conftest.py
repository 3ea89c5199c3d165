"""A context of the embedded default, for the jobs that have an oracle."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundswell.jobs.context import Context
from groundswell.store.database import Database
from tests.made_up import context_of


@pytest.fixture
def context(tmp_path: Path, sqlite_database: Database) -> Context:
    return context_of(tmp_path / "home", sqlite_database)
