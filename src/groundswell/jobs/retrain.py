"""`retrain`: newest videos in, a gated and versioned model out; held or failed, the champion serves on."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import numpy as np
import structlog

import groundswell
from groundswell import past
from groundswell.errors import TooFewVideosError, TrainingDataError
from groundswell.jobs.baseline import wes_label
from groundswell.jobs.challenger import Challenger, compare, make_challenger
from groundswell.jobs.collection import stored_collection
from groundswell.jobs.context import Context, Report, label_age
from groundswell.jobs.forecast_challenger import ForecastChallenger, make_forecast
from groundswell.jobs.forecast_material import ForecastMaterial, forecast_material
from groundswell.jobs.forecast_report import describe, report
from groundswell.jobs.material import FALLBACK, LIVE, Material, fallback_material, live_material
from groundswell.jobs.running import Job, run_job
from groundswell.jobs.steps import Progress, Steps, silent
from groundswell.learners import class_weights
from groundswell.records import Decision, Lineage, ModelVersion, Verdict, Window, as_json, rounded
from groundswell.stages import gate, labels
from groundswell.store import corpus, outcomes, registry, runs

JOB = Job("retrain", "Training", "retrain-ml")
log = structlog.stdlib.get_logger(JOB.logger)


def retrain(
    context: Context, window: Window, as_of: datetime, dry_run: bool = False, progress: Progress = silent
) -> Report:
    """Return how the retrain of a line ended: `completed`, `skipped`, `failed` or `already_running`.

    One runs at a time for each window. A dry run does everything but publish and says `dryRun`. Raises DatabaseError
    where not even the run can be recorded.
    """

    def work(steps: Steps, run: runs.Run) -> dict[str, Any]:
        return _Retrain(context, window, as_of, dry_run, steps, run).run()

    said = {"window": window.value, **({"dryRun": True} if dry_run else {})}
    return run_job(context, JOB, work, progress, window, said)


@dataclasses.dataclass(frozen=True, slots=True)
class _Retrain:
    """One run, from the query to the promotion or the hold."""

    context: Context
    window: Window
    as_of: datetime
    dry_run: bool
    steps: Steps
    record: runs.Run

    def run(self) -> dict[str, Any]:
        self.steps.begin("query")
        champion = registry.champion(self.context.database, self.window)
        try:
            material, notice = self._material()
        except TooFewVideosError as error:
            decision = gate.refuse("G0", "Enough mature videos", str(error), error.hint)
            return self._hold(self._no_facts(error), champion, decision, None)
        standing = _standing(champion, material)
        facts = self._facts(material, notice)
        tiers = len(np.unique(material.training.rows.tiers))
        challenger = comparison = None
        if tiers >= 2 and len(material.holdout):
            challenger = self._challenger(material)
            self.steps.begin("gate")
            if champion and standing is gate.Standing.CONTEST:
                comparison = compare(challenger, champion, self.context.artifacts, self.context.settings.margin)
        decision = self._decide(challenger, tiers, standing, comparison)
        for finding in decision.findings:
            log.info(f"{finding.code} {finding.outcome.value}: {finding.title}. {finding.explanation}")
        log.info(f"Gate: {decision.decision.value}. {decision.reason}")
        if challenger is None or decision.decision is Verdict.HOLD:
            return self._hold(facts, champion, decision, challenger)
        return self._promote(facts, champion, decision, challenger)

    def _challenger(self, material: Material) -> Challenger:
        if isinstance(material, ForecastMaterial):
            return make_forecast(self.context.settings, material, self.steps)
        return make_challenger(self.context.settings, self.window, material, self.steps)

    def _decide(
        self,
        challenger: Challenger | None,
        tiers: int,
        standing: gate.Standing,
        comparison: gate.Comparison | None,
    ) -> Decision:
        metrics = challenger.evaluation.metrics if challenger else {}
        # A leak is reported in `observed`, which describes; in a forecast it votes.
        if isinstance(challenger, ForecastChallenger):
            told, asked = challenger.told, challenger.checks
            return gate.decide(metrics, tiers, standing, comparison, self._policy(), told, asked)
        reported = challenger.leaks if challenger else ()
        return gate.decide(metrics, tiers, standing, comparison, self._policy(), reported)

    def _material(self) -> tuple[Material, str | None]:
        """Return the rows to learn from, and the sentence that says so when they are the fallback's."""
        settings = self.context.settings
        if self.window.is_forecast:
            return self._forecast_material(), None
        videos = corpus.newest(self.context.database, settings.max_rows, self.as_of)
        if videos.height >= settings.min_rows:
            wes = wes_label(self.context) if settings.label == "wes" else None
            return live_material(videos, wes, settings.seed), None
        path = settings.training_data_path
        notice = f"Only {videos.height:,} scraped videos — falling back to {path.name}"
        log.warning(notice)
        try:
            return fallback_material(path, settings.seed), notice
        except TrainingDataError as error:
            raise TrainingDataError(f"{notice}, but: {error}", error.hint) from None

    def _forecast_material(self) -> ForecastMaterial:
        settings = self.context.settings
        collection = stored_collection(self.context.database)
        self.steps.begin("features")
        material = forecast_material(collection, self.window, settings, self.as_of)
        if len(material.rows) < settings.min_rows:
            raise TooFewVideosError(
                f"Only {len(material.rows):,} mature videos for the window {self.window.value}, "
                f"{settings.min_rows:,} are needed ({material.counts.immature:,} immature)",
                "Wait for more videos to mature, or lower GROUNDSWELL_MIN_ROWS.",
            )
        if not self.dry_run:
            self.steps.begin("history")
            past.store(self.context.database, collection.posts, collection.readings, label_age(settings))
        return material

    def _no_facts(self, error: TooFewVideosError) -> dict[str, Any]:
        log.warning(str(error))
        return {
            "source": LIVE,
            "videoCount": 0,
            "tierDistribution": [0] * 5,
            "outcomeCount": outcomes.count(self.context.database),
        }

    def _facts(self, material: Material, notice: str | None) -> dict[str, Any]:
        distribution = labels.tier_distribution(material.tiers)
        log.info("Tier distribution " + " ".join(f"T{tier}={count}" for tier, count in enumerate(distribution, 1)))
        weights = class_weights(material.training.rows.tiers)
        log.info("Class weights " + " ".join(f"T{tier}={weight:.3f}" for tier, weight in weights.items()))
        facts = {
            "source": material.source,
            "videoCount": len(material.tiers),
            "tierDistribution": distribution,
            "outcomeCount": outcomes.count(self.context.database),
            **({"notice": notice} if notice else {}),
        }
        if isinstance(material, ForecastMaterial):
            told = describe(material)
            log.info(f"Videos {told['n']}")
            return facts | told
        stored, usable = corpus.count(self.context.database)
        if stored > usable:
            log.info(f"{stored - usable} of {stored} stored videos are not usable: no views, or likes unknown")
        return facts | {"unusableVideos": stored - usable}

    def _policy(self) -> gate.Policy:
        settings = self.context.settings
        floor = settings.forecast_floor if self.window.is_forecast else settings.accuracy_floor
        return gate.Policy(floor, settings.margin, settings.min_comparable_rows)

    def _hold(
        self,
        facts: dict[str, Any],
        champion: ModelVersion | None,
        decision: Decision,
        challenger: Challenger | None,
    ) -> dict[str, Any]:
        if not self.dry_run:
            registry.record_hold(self.context.database, self.window, as_json(decision), self.context.now())
        return {
            "status": "skipped",
            "reason": decision.reason,
            **facts,
            **_figures(challenger),
            "champion": champion.version if champion else None,
            "decision": as_json(decision),
        }

    def _promote(
        self, facts: dict[str, Any], champion: ModelVersion | None, decision: Decision, challenger: Challenger
    ) -> dict[str, Any]:
        self.steps.begin("publish")
        version = None if self.dry_run else self._publish(champion, decision, challenger)
        return {
            "status": "completed",
            **facts,
            **_figures(challenger),
            "modelVersion": version.version if version else None,
            "artifact": version.artifact if version else None,
            "decision": as_json(decision),
            "trainedAt": as_json(version.created_at if version else self.context.now()),
        }

    def _publish(self, champion: ModelVersion | None, decision: Decision, challenger: Challenger) -> ModelVersion:
        artifacts = self.context.artifacts
        return registry.promote(
            self.context.database,
            window=self.window,
            artifact=artifacts.put(challenger.model.to_bytes()),
            training_rows=artifacts.put(challenger.training_rows().to_bytes()),
            source=challenger.material.source,
            lineage=as_json(self._lineage(challenger.material)),
            evaluation=_evaluation(challenger),
            decision=as_json(decision),
            expected=champion.version if champion else None,
            at=self.context.now(),
            lease=self.record.lease,
        )

    def _lineage(self, material: Material) -> Lineage:
        settings = self.context.settings
        return Lineage(
            data_hash=material.data_hash,
            source=material.source,
            rows=len(material.tiers),
            first_posted_at=material.first_posted_at,
            last_posted_at=material.last_posted_at,
            code_version=groundswell.__version__,
            settings=settings.thresholds(),
            seed=settings.seed,
            label=material.quantity_name,
            cut_points=material.cut_points,
            as_of=self.as_of,
        )


def _standing(champion: ModelVersion | None, material: Material) -> gate.Standing:
    if champion is None:
        return gate.Standing.FIRST
    if champion.source == LIVE and material.source == FALLBACK:
        return gate.Standing.FALLBACK_OVER_LIVE
    if champion.source == FALLBACK and material.source == LIVE:
        return gate.Standing.LIVE_OVER_FALLBACK
    return gate.Standing.CONTEST


def _figures(challenger: Challenger | None) -> dict[str, Any]:
    if challenger is None:
        names = ("trainAccuracy", "testAccuracy", "confusionMatrix", "perClass", "estimator", "evaluation")
        return dict.fromkeys(names)
    return {
        "trainAccuracy": round(challenger.train_accuracy, 3),
        "testAccuracy": round(challenger.evaluation.metrics["accuracy"].value, 3),
        "confusionMatrix": as_json(challenger.evaluation.confusion_matrix),
        "perClass": rounded(as_json(challenger.evaluation.per_class), 3),
        "estimator": challenger.model.estimator.kind,
        "evaluation": _evaluation(challenger),
    }


def _evaluation(challenger: Challenger) -> dict[str, Any]:
    if isinstance(challenger, ForecastChallenger):
        return report(challenger)
    content: dict[str, Any] = as_json(challenger.evaluation)
    return rounded(content | {"candidates": as_json(challenger.candidates)}, 4)  # type: ignore[no-any-return]
