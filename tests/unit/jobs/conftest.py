"""A home that took a while to furnish, made once a test process; each test works on a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundswell.jobs.context import Context
from tests.unit.jobs.trained import furnish, opened


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 700 stored videos and a champion of `publish`, version 1: look, do not touch."""
    home = tmp_path_factory.mktemp("trained")
    furnish(home)
    return home


@pytest.fixture
def trained(trained_home: Path, tmp_path: Path) -> Iterator[Context]:
    """A context of a copy of that home, in the folder `copy`."""
    shutil.copytree(trained_home, tmp_path / "copy")
    context = opened(tmp_path / "copy")
    yield context
    context.database.dispose()
