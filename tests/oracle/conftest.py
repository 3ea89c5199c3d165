"""A context of the embedded default, for the jobs that have an oracle."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundswell.jobs.context import Context
from groundswell.settings import load_settings
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database


@pytest.fixture
def context(tmp_path: Path, sqlite_database: Database) -> Context:
    settings = load_settings(home=tmp_path / "home", bootstrap=100, max_rows=1_000)
    return Context(settings, sqlite_database, Artifacts(settings.resolved_artifacts_url))
