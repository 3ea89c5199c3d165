"""The contest with the champion: only rows it has never seen judge, and what cannot be read cannot lose."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from groundswell.calibration.scores import ranked_probability_score
from groundswell.errors import ArtifactError
from groundswell.jobs.challenger import Challenger, compare, make_challenger
from groundswell.jobs.context import Context
from groundswell.jobs.material import live_material
from groundswell.jobs.steps import Steps
from groundswell.records import ModelVersion, Window
from groundswell.stages.labels import Label
from groundswell.store import registry
from groundswell.training_rows import TrainingRows
from tests.made_up import context_of, crown, stored, videos
from tests.unit.test_predictor import always

MATERIAL = live_material(stored(videos(400, seed=21)), None, seed=42)


@pytest.fixture
def challenger(context: Context) -> Challenger:
    return make_challenger(context.settings, Window.OBSERVED, MATERIAL, Steps(60))


def champion(context: Context) -> ModelVersion:
    found = registry.champion(context.database, Window.OBSERVED)
    assert found is not None
    return found


def test_the_material_is_split_and_labelled_by_its_own_cut_points() -> None:
    every = np.concatenate([MATERIAL.training.keys, MATERIAL.holdout.keys])
    assert len(np.unique(every)) == 400
    assert MATERIAL.cut_points is not None
    for side in (MATERIAL.training, MATERIAL.holdout):
        assert side.quantity is not None
        assert np.array_equal(Label("views", MATERIAL.cut_points).tiers(side.quantity), side.rows.tiers)
        assert len(side.authors) == len(side) == len(side.rows.features)
    assert 0.15 < MATERIAL.selection.mean() < 0.25
    assert MATERIAL.data_hash == live_material(stored(videos(400, seed=21)), None, seed=42).data_hash
    assert MATERIAL.data_hash != live_material(stored(videos(400, seed=22)), None, seed=42).data_hash


def test_an_author_stays_with_the_row() -> None:
    rows = {row["key"]: row for row in videos(400, seed=21)}
    by_views = {(row["views"], row["likes"]): row["author"] for row in rows.values()}
    likes = MATERIAL.holdout.rows.features[:, 2]
    assert MATERIAL.holdout.quantity is not None
    for author, views, rate in zip(MATERIAL.holdout.authors, MATERIAL.holdout.quantity, likes, strict=True):
        assert by_views[int(views), round(rate * views)] == author


def test_a_challenger_remembers_exactly_its_training_rows(challenger: Challenger) -> None:
    rows = challenger.training_rows()
    assert not rows.unseen(MATERIAL.training.keys).any()
    assert rows.unseen(MATERIAL.holdout.keys).all()
    assert np.array_equal(rows.quantity, MATERIAL.training.quantity)  # type: ignore[arg-type]


def test_only_rows_that_the_champion_has_never_seen_judge(context: Context, challenger: Challenger) -> None:
    holdout = MATERIAL.holdout
    half = len(holdout) // 2
    crown(context, always(3), TrainingRows(holdout.keys[:half], holdout.rows.tiers[:half], np.zeros(half)))
    found = compare(challenger, champion(context), context.artifacts, margin=0.005)
    assert found is not None
    assert found.n == len(holdout) - half
    losses = [
        ranked_probability_score(probabilities[half:], holdout.rows.tiers[half:])
        for probabilities in (challenger.probabilities, always(3).probabilities(holdout.rows.features))
    ]
    assert found.delta == pytest.approx(losses[0].mean() - losses[1].mean())


def test_a_champion_that_has_seen_everything_cannot_be_compared(context: Context, challenger: Challenger) -> None:
    holdout = MATERIAL.holdout
    crown(context, always(3), TrainingRows(holdout.keys, holdout.rows.tiers, np.zeros(len(holdout))))
    found = compare(challenger, champion(context), context.artifacts, margin=0.005)
    assert found is not None
    assert found.n == 0
    assert np.isnan(found.upper)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda version: dataclasses.replace(version, artifact="0" * 64),
        lambda version: dataclasses.replace(version, training_rows="0" * 64),
        lambda version: dataclasses.replace(version, artifact=version.training_rows),
        lambda version: dataclasses.replace(version, training_rows=version.artifact),
    ],
    ids=["no model", "no rows", "rows for a model", "a model for rows"],
)
def test_a_champion_that_cannot_be_read_is_an_error(
    context: Context, challenger: Challenger, spoil: Callable[[ModelVersion], ModelVersion]
) -> None:
    crown(context, always(3))
    with pytest.raises(ArtifactError, match="The artifact"):
        compare(challenger, spoil(champion(context)), context.artifacts, margin=0.005)


def test_a_champion_of_other_features_is_not_compared_with(
    context: Context, challenger: Challenger, logs: Callable[[], str]
) -> None:
    model = always(3)
    version = crown(context, dataclasses.replace(model, feature_names=model.feature_names[::-1]))
    assert compare(challenger, champion(context), context.artifacts, margin=0.005) is None
    assert f"Champion {version} sees other features" in logs()


def test_the_context_of_a_test_is_its_own(context: Context, challenger: Challenger) -> None:
    again = context_of(context.settings.home, context.database)
    assert make_challenger(again.settings, Window.OBSERVED, MATERIAL, Steps(60)).model == challenger.model
