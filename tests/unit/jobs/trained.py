"""A home whose line `publish` has learnt, and predictions that it served since: what recalibration is made of."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from groundswell.jobs.context import Context
from groundswell.jobs.ingest import ingest
from groundswell.jobs.retrain import retrain
from groundswell.records import ModelVersion, Window
from groundswell.store import outcomes, registry
from groundswell.store.database import Database
from tests.made_up import context_of
from tests.made_up_forecast import AS_OF, DAY, EASY, made_up
from tests.made_up_loop import logged, outcome

PUBLISH = Window.PUBLISH
NOW = AS_OF + 5 * DAY
QUICK = EASY | {"min_recalibration_rows": 50}


def furnish(home: Path) -> None:
    """Make it a home with 700 stored videos and a champion of `publish`, version 1."""
    context = opened(home)
    ingest(context.database, context.settings, made_up(700).write(home / "exports"), as_of=AS_OF)
    assert retrain(context, PUBLISH, AS_OF).status == "completed"
    context.database.dispose()


def opened(home: Path) -> Context:
    """Return a context of the home; its database is to be disposed of."""
    database = Database(f"sqlite:///{home / 'groundswell.db'}")
    database.prepare()
    return context_of(home, database, **QUICK)


def champion(context: Context) -> ModelVersion:
    """Return what serves `publish`."""
    found = registry.champion(context.database, PUBLISH)
    assert found is not None
    return found


def serve(context: Context, keys: list[str], values: Any, quantity: Any, **changed: Any) -> list[str]:
    """Log matured predictions of the videos, an hour apart."""
    names = (key.split(":", 1) for key in keys)
    ids = logged(
        context.database,
        [
            {
                "predicted_at": AS_OF + timedelta(hours=number) / 60,
                "platform": platform,
                "platform_video_id": video,
                "features": own,
                "author": f"creator{number % 7}",
            }
            | changed
            for number, ((platform, video), own) in enumerate(zip(names, values, strict=True))
        ],
    )
    made = [outcome(one, actual_quantity=float(of)) for one, of in zip(ids, quantity, strict=True)]
    outcomes.record(context.database, made, AS_OF + 4 * DAY)
    return ids
