"""A context of the embedded default, for what answers or teaches by it."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from markupsafe import Markup

from groundswell.jobs.context import Context
from groundswell.logs import configure_logs
from groundswell.reports import parts
from groundswell.store.database import Database
from tests.made_up import context_of


@pytest.fixture
def context(tmp_path: Path, sqlite_database: Database) -> Context:
    return context_of(tmp_path / "home", sqlite_database)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """What was logged so far, as a user sees it on stderr."""
    root, stderr = logging.getLogger(), io.StringIO()
    level = root.level
    monkeypatch.setattr(sys, "stderr", stderr)
    configure_logs()
    ours = root.handlers[:]
    yield stderr.getvalue
    for handler in ours:
        root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are made as data, and not drawn."""

    def plain(spec: dict[str, Any], says: str) -> Markup:
        assert "NaN" not in json.dumps(spec)
        return Markup('<svg role="img" aria-label="{}"></svg>').format(says)

    monkeypatch.setattr(parts, "drawn", plain)
