"""One app for the tests of a file that change nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.asking import Browser, app_of


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """An app with keys, and a database in which nothing is."""
    made = app_of(tmp_path / "home")
    yield made
    made.state.groundswell.close()


@pytest.fixture
def open_app(tmp_path: Path) -> Iterator[FastAPI]:
    """An app without keys."""
    made = app_of(tmp_path / "home", api_keys=None)
    yield made
    made.state.groundswell.close()


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    """A browser that has not logged in."""
    return Browser(app)


@pytest.fixture
def visitor(open_app: FastAPI) -> Browser:
    """A browser on the machine of an app without keys."""
    return Browser(open_app)
