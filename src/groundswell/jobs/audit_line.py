"""The audit of one line: what matured, what drifted, what accuracy to expect, and what to do about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from groundswell.calibration.alarm import Alarm, AlarmState
from groundswell.calibration.expected_accuracy import calibration_gap, expected_accuracy
from groundswell.calibration.intervals import creator_clusters, evidence_clusters
from groundswell.calibration.ranges import PROMISED
from groundswell.calibration.scores import Floats
from groundswell.errors import ArtifactError
from groundswell.jobs.context import Context
from groundswell.model import Model, model_from_bytes
from groundswell.records import ModelVersion, Window, as_json, rounded
from groundswell.stages import drift, line_audit
from groundswell.stages.recommend import Action, Recommendation, Signs, recommend
from groundswell.store import predictions, registry

DIGITS = 4
_NO_MODEL = "No model serves this line."
_NO_REFERENCE = "The version was made before versions remembered their training data; a retrain mends that."
_NOTHING_SERVED = "No prediction of the last days to hold against the training data."
_SCRAPER = "The scraper changed: what looks like drift may be its doing."


@dataclasses.dataclass(frozen=True, slots=True)
class AuditedLine:
    """What an audit tells of a line, its alarm, and what it recommends."""

    body: dict[str, Any]
    alarm: AlarmState
    recommendation: Recommendation


def audit_line(
    context: Context, window: Window, since: datetime, until: datetime, scraper: Sequence[str]
) -> AuditedLine:
    """Return the audit of a line over the outcomes of the time; `scraper` says how the scraper changed, if it did.

    Raises ArtifactError where the champion cannot be read.
    """
    champion = registry.champion(context.database, window)
    model = model_from_bytes(context.artifacts.get(champion.artifact)) if champion else None
    return _Line(context, window, since, until, champion, model, _origin(context, champion)).audit(scraper)


def unread_line(error: ArtifactError) -> AuditedLine:
    """Return what is told of a line whose champion cannot be read: the other lines are audited all the same."""
    why = Recommendation(Action.NONE, f"The champion cannot be read: {error} {error.hint}")
    body = {
        "champion": None,
        "n": 0,
        "error": str(error),
        "alarm": AlarmState.INSUFFICIENT.value,
        "alarmReason": str(error),
        "recommendation": as_json(why),
    }
    return AuditedLine(body, AlarmState.INSUFFICIENT, why)


def _origin(context: Context, champion: ModelVersion | None) -> ModelVersion | None:
    """Return the version that was trained: what a recalibration promises of its ranking is what that one promised."""
    if champion is None or "estimatorOf" not in champion.lineage:
        return champion
    return registry.version(context.database, champion.lineage["estimatorOf"])


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    context: Context
    window: Window
    since: datetime
    until: datetime
    champion: ModelVersion | None
    model: Model | None
    origin: ModelVersion | None

    def audit(self, scraper: Sequence[str]) -> AuditedLine:
        rows = self._matured()
        every = _Judged(rows, self._judge(rows))
        # Of a description only the champion's own predictions are judged apart.
        kin = self._of(every, self._kin()) if self.window.is_forecast else every
        own = self._of(kin, [self.champion.version] if self.champion else None)
        found, state = every.found, every.alarm
        drifted = self._drift()
        cut_points = self._cut_points(rows)
        promised = self.origin.evaluation.get("metrics", {}) if self.origin else {}
        recommendation = recommend(
            Signs(
                alarm=own.alarm,
                of_others=None if own is every or own.found else state,
                scraper=scraper,
                worse=self._ranks_worse(kin, promised.get("rps")),
                drifted=[one.name for one in drifted.every if one.drifted],
                moved_cut_points=[f"p{100 * one.level:g}" for one in cut_points.points if one.shifted]
                if cut_points
                else (),
            )
        )
        body = {
            "champion": self.champion.version if self.champion else None,
            "n": rows.height,
            "alarm": state.value,
            **(_tell(found) if found else {"alarmReason": "no prediction of this line has matured"}),
            "rps": {"matured": tell(found.rps) if found else None, "promised": promised.get("rps")},
            "accuracy": {**self._accuracy(rows, found), "promised": promised.get("accuracy")},
            "drift": tell(drifted.features),
            "tierDrift": tell(drifted.tiers),
            "cutPointDrift": tell(cut_points),
            "driftNote": _SCRAPER if scraper else drifted.note,
            "recommendation": as_json(recommendation),
        }
        return AuditedLine(body, state, recommendation)

    def _kin(self) -> list[int] | None:
        """Return the versions of the champion's estimator, recalibrated or not; None without a champion."""
        if self.origin is None:
            return None
        versions = registry.versions(self.context.database, self.window)
        return [one.version for one in versions if one.lineage.get("estimatorOf", one.version) == self.origin.version]

    def _of(self, judged: _Judged, versions: Sequence[int] | None) -> _Judged:
        """Return what is found of the predictions of these versions; the same object where they made all of them."""
        rows = judged.rows if versions is None else judged.rows.filter(pl.col("model_version").is_in(versions))
        if rows.height == judged.rows.height:
            return judged
        return _Judged(rows, self._judge(rows) if rows.height >= self.context.settings.min_pairs else None)

    def _ranks_worse(self, kin: _Judged, promised: dict[str, Any] | None) -> bool:
        """Return whether what the champion's estimator forecast matured clearly worse than it was promoted with."""
        if self.origin is None or not self.window.is_forecast:  # a description is promoted on the scrape it describes
            return False
        enough = kin.rows.height >= self.context.settings.min_pairs
        return bool(enough and kin.found and line_audit.is_worse(kin.found.rps, promised))

    def _matured(self) -> pl.DataFrame:
        limit = self.context.settings.max_audit_rows
        rows = predictions.served(self.context.database, self.window, self.since, self.until, limit=limit, matured=True)
        # Of several predictions of a video one is evidence: the last.
        video = pl.coalesce("video", "id").alias("key")
        return rows.with_columns(video).unique("key", keep="last", maintain_order=True)

    def _judge(self, rows: pl.DataFrame) -> line_audit.LineAudit | None:
        if rows.is_empty():
            return None
        settings = self.context.settings
        matured = line_audit.Matured(
            probabilities=_probabilities(rows),
            tiers=rows["actual_tier"].to_numpy(),
            ranges=rows.select(pl.col("range_low", "range_high").fill_null(0)).to_numpy(),
            clusters=evidence_clusters(rows["author"].to_list()),
        )
        return line_audit.audit_line(matured, settings.drift_threshold, settings.bootstrap, settings.seed)

    def _accuracy(self, rows: pl.DataFrame, found: line_audit.LineAudit | None) -> dict[str, Any]:
        """Return the accuracy to expect of the latest predictions, without their outcomes, beside the matured one.

        How far chances were off is taken from earlier predictions: from the same ones it would say what is known.
        """
        settings = self.context.settings
        since = self.until - timedelta(days=settings.drift_days)
        served = predictions.served(
            self.context.database, self.window, since, self.until, limit=settings.max_drift_rows
        )
        gap = None
        earlier = rows.filter(pl.col("predicted_at") < since)
        if earlier.height >= settings.min_pairs:
            clusters = evidence_clusters(earlier["author"].to_list())
            gap = calibration_gap(_probabilities(earlier), earlier["actual_tier"].to_numpy(), clusters)
        expected = expected_accuracy(_probabilities(served), gap) if served.height else None
        return {"expected": tell(expected), "matured": tell(found.accuracy) if found else None}

    def _drift(self) -> _Drifted:
        if self.model is None or self.model.reference is None:
            return _Drifted(None, None, _NO_REFERENCE if self.model else _NO_MODEL)
        now, before = self._served(0), self._served(1)
        if now is None:
            return _Drifted(None, None, _NOTHING_SERVED)
        reference, names = self.model.reference, self.model.feature_names
        return _Drifted(
            drift.find_drift(reference, names, now.features, before.features if before else None),
            drift.find_tier_drift(reference, now.tiers, before.tiers if before else None, "predicted tiers"),
            None,
        )

    def _served(self, ago: int) -> _Served | None:
        """Return features and tiers of what was served in one stretch of `drift_days`; None where there is nothing."""
        settings = self.context.settings
        days = timedelta(days=settings.drift_days)
        end = self.until - ago * days
        rows = predictions.served(
            self.context.database, self.window, end - days, end, limit=settings.max_drift_rows, features=True
        )
        width = len(self.model.feature_names) if self.model else 0
        rows = rows.filter(pl.col("features").list.len() == width)
        if rows.is_empty():
            return None
        clusters = creator_clusters(rows["author"].to_list())
        values = np.array(rows["features"].to_list(), dtype=np.float64)
        tiers = rows["tier"].to_numpy().astype(np.float64)[:, None]
        return _Served(drift.Period(values, clusters), drift.Period(tiers, clusters))

    def _cut_points(self, rows: pl.DataFrame) -> drift.CutPoints | None:
        # Later counters are larger, which moves the cut-points of a description by itself.
        if self.model is None or self.model.cut_points is None or not self.window.is_forecast:
            return None
        known = rows.filter(pl.col("actual_quantity").is_not_null())
        if known.is_empty():
            return None
        clusters = creator_clusters(known["author"].to_list())
        trained = self.model.reference.tiers if self.model.reference else None
        return drift.find_cut_point_drift(self.model.cut_points, known["actual_quantity"].to_numpy(), clusters, trained)


@dataclasses.dataclass(frozen=True, slots=True)
class _Judged:
    """Matured predictions, and what was found of them; None where they are too few."""

    rows: pl.DataFrame
    found: line_audit.LineAudit | None

    @property
    def alarm(self) -> AlarmState:
        return self.found.alarm.state if self.found else AlarmState.INSUFFICIENT


@dataclasses.dataclass(frozen=True, slots=True)
class _Served:
    features: drift.Period
    tiers: drift.Period


@dataclasses.dataclass(frozen=True, slots=True)
class _Drifted:
    features: drift.Drift | None
    tiers: drift.FeatureDrift | None
    note: str | None

    @property
    def every(self) -> tuple[drift.FeatureDrift, ...]:
        """Every feature, and the tiers that were predicted."""
        return (*(self.features.features if self.features else ()), *([self.tiers] if self.tiers else ()))


def tell_alarm(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm, why it is what it is, and how often its rule errs at this n."""
    rule = as_json(alarm)
    state, reason = rule.pop("state"), rule.pop("reason")
    return {"alarm": state, "alarmReason": reason, "alarmRule": rounded(rule, DIGITS)}


def tell(value: Any) -> Any:
    """Return a record as JSON with rounded figures."""
    return rounded(as_json(value), DIGITS)


def _tell(found: line_audit.LineAudit) -> dict[str, Any]:
    return {
        **tell_alarm(found.alarm),
        "measures": tell(found.measures),
        "classWiseEce": round(found.class_wise_ece, DIGITS),
        "reliability": tell(found.curve),
        "logLoss": tell(found.log_loss),
        "ranges": {"promised": PROMISED, "coverage": tell(found.coverage)},
    }


def _probabilities(rows: pl.DataFrame) -> Floats:
    return np.array(rows["probabilities"].to_list(), dtype=np.float64).reshape(-1, 5)
