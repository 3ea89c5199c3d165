"""What calibrators are judged on: matured rows that the champion's estimator never learnt from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from groundswell.jobs.collection import stored_collection
from groundswell.jobs.context import Context
from groundswell.jobs.evidence import PREDICTIONS, VIDEOS, Evidence, evidence
from groundswell.jobs.forecast_material import mature_videos
from groundswell.stages import split
from groundswell.store import outcomes
from groundswell.training_rows import TrainingRows, training_rows_from_bytes
from tests.made_up_forecast import AS_OF, DAY
from tests.made_up_loop import logged, outcome
from tests.unit.jobs.trained import NOW, PUBLISH, champion, serve


def learnt(context: Context) -> TrainingRows:
    return training_rows_from_bytes(context.artifacts.get(champion(context).training_rows))


def found(context: Context, min_rows: int = 50) -> Evidence:
    return evidence(context, champion(context), NOW, min_rows)


def test_without_predictions_stored_videos_are_taken_that_training_never_saw(trained: Context) -> None:
    rows = found(trained)
    mature = mature_videos(stored_collection(trained.database), PUBLISH, trained.settings, NOW)[1]
    unseen = [
        key
        for key in mature["key"].to_list()
        if split.row_keys([key], "row")[0] not in set(learnt(trained).keys.tolist())
    ]
    assert rows.source == VIDEOS
    assert 20 < len(rows) == len(unseen) < mature.height
    views = dict(mature.select("key", "views").rows())
    assert rows.quantity.tolist() == [views[key] for key in unseen]
    cuts = champion(trained).lineage["cutPoints"]
    assert rows.tiers.tolist() == [1 + sum(cut < views[key] for cut in cuts) for key in unseen]
    assert rows.features.shape == (len(rows), len(champion_features(trained)))
    assert len(rows.authors) == len(rows)


def champion_features(context: Context) -> tuple[str, ...]:
    from groundswell.model import model_from_bytes

    return model_from_bytes(context.artifacts.get(champion(context).artifact)).feature_names


def test_served_predictions_come_first_and_none_of_a_training_video(trained: Context) -> None:
    stored = found(trained)
    values = stored.features[:40].tolist() * 4
    new = [f"tiktok:new{number}" for number in range(100)]
    known = mature_videos(stored_collection(trained.database), PUBLISH, trained.settings, NOW)[1]["key"].to_list()
    seen = [key for key in known if not learnt(trained).unseen(split.row_keys([key], "row"))[0]][:60]
    assert len(seen) == 60
    quantity = np.arange(160.0)
    serve(trained, [*new, *seen], values, quantity)
    rows = found(trained)
    assert rows.source == PREDICTIONS
    assert rows.quantity.tolist() == quantity[:100].tolist()
    assert rows.features == pytest.approx(np.array(values[:100], dtype=float), nan_ok=True)


def test_of_several_predictions_of_a_video_the_last_counts(trained: Context) -> None:
    values = found(trained).features[:3].tolist()
    keys = [f"tiktok:new{number}" for number in range(60)]
    serve(trained, keys + keys[:2], [values[n % 3] for n in range(62)], np.arange(62.0))
    assert found(trained).quantity.tolist() == [*range(2, 60), 60.0, 61.0]


def test_what_is_no_evidence_is_left_out(trained: Context) -> None:
    values = found(trained).features[:1].tolist()
    keys = [f"tiktok:new{number}" for number in range(60)]
    serve(trained, keys, values * 60, np.arange(60.0))
    serve(trained, ["tiktok:a"], [values[0][:-1]], [9.0])  # made by other features
    serve(trained, ["tiktok:b"], values, [9.0], window="1h")
    (deleted,) = serve(trained, ["tiktok:c"], values, [9.0])
    outcomes.delete(trained.database, deleted, AS_OF)
    (ids,) = logged(trained.database, [{"platform_video_id": "d", "features": values[0]}])
    outcomes.record(trained.database, [outcome(ids, actual_quantity=None)], AS_OF + 4 * DAY)
    assert found(trained).quantity.tolist() == list(range(60))
    # Nothing that was stored after the moment speaks.
    assert evidence(trained, champion(trained), AS_OF + 3 * DAY, 50).source == VIDEOS


def test_where_few_predictions_matured_stored_videos_are_more(trained: Context) -> None:
    stored = found(trained)
    serve(trained, [f"tiktok:new{number}" for number in range(30)], stored.features[:30].tolist(), np.arange(30.0))
    assert found(trained).source == VIDEOS
    assert found(trained, min_rows=30).source == PREDICTIONS


def test_the_newest_rows_are_taken_and_no_more_than_the_setting_says(trained: Context) -> None:
    every = found(trained)
    limited = dataclasses.replace(trained, settings=trained.settings.model_copy(update={"max_recalibration_rows": 50}))
    rows = found(limited)
    assert len(rows) == 50
    assert rows.quantity.tolist() == every.quantity[-50:].tolist()


def test_a_version_without_cut_points_has_no_evidence(trained: Context) -> None:
    bare = dataclasses.replace(champion(trained), version=99)
    rows = evidence(trained, bare, NOW, 50)
    assert (len(rows), rows.authors) == (0, [])
