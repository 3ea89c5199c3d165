"""Places that took a while to furnish, made once a test process; what changes a place works on a copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.life import lived_at
from tests.acceptance.process import Place, Server, made_up, report_outcomes, serving, write_export

#: What is there is for the processes of the tests, and nothing for pytest to import.
collect_ignore = ["users"]
CRON = "a-cron-secret"
API_KEY = "an-api-key"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder where nothing has happened yet."""
    return Place(tmp_path)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with 700 stored videos, a champion (version 1) and 400 outcomes: look, do not touch."""
    place = Place(tmp_path_factory.mktemp("furnished"))
    place.run("ingest", str(write_export(place.folder / "export.jsonl", made_up(700))))
    assert place.json("retrain")["modelVersion"] == 1
    report_outcomes(place)
    return place


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place whose predictions have matured and were not harvested yet: look, do not touch."""
    return lived_at(tmp_path_factory.mktemp("lived"))


@pytest.fixture
def own(furnished: Place, tmp_path: Path) -> Place:
    """A copy of the furnished place."""
    return furnished.copy(tmp_path)


@pytest.fixture(scope="module")
def served(furnished: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The copy of the furnished place that `server` serves."""
    return furnished.copy(tmp_path_factory.mktemp("served"), CRON_SECRET=CRON)


@pytest.fixture(scope="module")
def server(served: Place) -> Iterator[Server]:
    """A server that runs for all tests of a module."""
    with serving(served) as running:
        yield running
