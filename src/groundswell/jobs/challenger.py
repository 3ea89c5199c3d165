"""The challenger: trained on one side of the material, judged on the other, compared with the champion."""

from __future__ import annotations

import dataclasses

import numpy as np
import structlog

from groundswell.calibration.intervals import creator_clusters
from groundswell.calibration.scores import Floats, ranked_probability_score
from groundswell.jobs.material import Material
from groundswell.jobs.steps import Steps
from groundswell.model import Model, model_from_bytes
from groundswell.records import Finding, ModelVersion, TierReport, Window
from groundswell.reference import reference_of
from groundswell.settings import Settings
from groundswell.stages import blend, evaluate, features, gate, leakage, train
from groundswell.store.artifacts import Artifacts
from groundswell.training_rows import TrainingRows, training_rows_from_bytes

log = structlog.stdlib.get_logger("retrain-ml")


@dataclasses.dataclass(frozen=True, slots=True)
class Challenger:
    """The model that wants to serve: how it was chosen, its forecasts of the holdout and how they did."""

    material: Material
    model: Model
    candidates: tuple[train.Candidate, ...] | tuple[blend.Learner, ...]
    probabilities: Floats
    evaluation: evaluate.Evaluation
    train_accuracy: float
    leaks: tuple[Finding, ...]

    def training_rows(self) -> TrainingRows:
        """Return what the version will remember of the rows it learnt from."""
        side = self.material.training
        quantity = np.full(len(side), np.nan) if side.quantity is None else side.quantity
        return TrainingRows(side.keys, side.rows.tiers, quantity)


def make_challenger(settings: Settings, window: Window, material: Material, steps: Steps) -> Challenger:
    """Return the challenger of the material; its training needs at least two tiers."""
    steps.begin("train")
    rows = material.training.rows
    trained = train.train(rows, material.selection, settings.seed, settings.threads, steps.check)
    model = Model(
        window=window,
        feature_names=features.names(),
        label=material.quantity_name,
        cut_points=material.cut_points,
        estimator=trained.estimator,
        calibrator=trained.calibrator,
        reach=trained.reach,
        typical=tuple(np.median(rows.features, axis=0).tolist()),
        reference=reference_of(
            features.names(), rows.features, rows.tiers, creator_clusters(material.training.authors)
        ),
    )
    steps.begin("evaluate")
    judging = material.holdout
    probabilities, on_training = model.probabilities(judging.rows.features), model.probabilities(rows.features)
    # Where only tiers are known, rank correlation is against the tier itself.
    quantity = judging.rows.tiers.astype(np.float64) if judging.quantity is None else judging.quantity
    medians = evaluate.creator_medians(judging.authors, rows.tiers, material.training.authors)
    evaluation = evaluate.evaluate(
        probabilities,
        evaluate.Holdout(judging.rows.tiers, quantity, judging.authors),
        evaluate.yardsticks(rows.tiers, len(judging), {"creatorMedian": medians}),
        settings.bootstrap,
        settings.seed,
    )
    log_per_class("train", evaluate.per_class(evaluate.confusion_matrix(on_training, rows.tiers)))
    log_per_class("test", evaluation.per_class)
    steps.begin("leakage")
    return Challenger(
        material=material,
        model=model,
        candidates=trained.candidates,
        probabilities=probabilities,
        evaluation=evaluation,
        train_accuracy=evaluate.accuracy(on_training, rows.tiers),
        leaks=leakage.find_leakage(
            rows, judging.rows, judging.quantity, features.names(), trained.estimator, steps.check
        ),
    )


def compare(
    challenger: Challenger, champion: ModelVersion, artifacts: Artifacts, margin: float
) -> gate.Comparison | None:
    """Return the comparison on the holdout rows that the champion never saw, on the challenger's tiers.

    None where the champion sees other features: a gate that cannot tell holds. Raises ArtifactError where the
    champion cannot be read, which whoever runs this has to hear of.
    """
    model = model_from_bytes(artifacts.get(champion.artifact))
    seen = training_rows_from_bytes(artifacts.get(champion.training_rows))
    if model.feature_names != challenger.model.feature_names:
        log.error(f"Champion {champion.version} sees other features than this version")
        return None
    holdout = challenger.material.holdout
    new = seen.unseen(holdout.keys)
    rows, tiers = holdout.keys[new], holdout.rows.tiers[new]
    authors = [author for author, kept in zip(holdout.authors, new, strict=True) if kept]
    return gate.compare(
        gate.Scored(rows, ranked_probability_score(challenger.probabilities[new], tiers)),
        gate.Scored(rows, ranked_probability_score(model.probabilities(holdout.rows.features[new]), tiers)),
        creator_clusters(authors),
        champion.version,
        margin,
    )


def log_per_class(part: str, reports: tuple[TierReport, ...]) -> None:
    """Log precision and recall of each tier on a part of the rows."""
    for report in reports:
        shares = (report.precision, report.recall)
        precision, recall = ("-" if value is None else f"{value:.3f}" for value in shares)
        log.info(f"T{report.tier} {part}: precision {precision} recall {recall} support {report.support}")
