"""What every job works with: the settings, the database and the artifacts of this process."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from groundswell.settings import Settings
from groundswell.stages.maturity import LabelAge
from groundswell.store.artifacts import Artifacts
from groundswell.store.database import Database, open_database


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The settings and the two places where things are kept."""

    settings: Settings
    database: Database
    artifacts: Artifacts

    def now(self) -> datetime:
        """Return the time by the clock that all processes of this database share."""
        with self.database.read() as connection:
            return self.database.now(connection)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a job answers: its status, and the body that the CLI prints and the API sends."""

    status: str
    body: dict[str, Any]


def label_age(settings: Settings) -> LabelAge:
    """Return the age at which a forecast's outcome is read, and the one beyond which a reading is none."""
    return LabelAge(settings.label_age, settings.label_age_max)


def open_context(settings: Settings) -> Context:
    """Return a context whose database is reachable and up to date; raises DatabaseError."""
    database = open_database(settings)
    return Context(settings, database, Artifacts(settings.resolved_artifacts_url, settings.s3_endpoint))
