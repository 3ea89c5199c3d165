"""A line that lives through a collection again: it predicts at posting, and learns from what had matured by then.

Beside it stands the static model, trained once at the start and left. Both answer the same question: tiers by the
cut-points of that first model, since a forecast of other tiers could not be compared with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from groundswell.calibration.alarm import AlarmState, judge
from groundswell.calibration.intervals import Clusters, creator_clusters, evidence_clusters
from groundswell.calibration.scores import Floats, Tiers, likeliest, ranked_probability_score
from groundswell.errors import TooFewVideosError
from groundswell.estimators.blend import TierShares
from groundswell.heads import Fitting
from groundswell.jobs.collection import Collection
from groundswell.jobs.forecast_challenger import model_of
from groundswell.jobs.forecast_material import Counts, ForecastMaterial, split_material
from groundswell.jobs.steps import Steps
from groundswell.model import Model
from groundswell.records import Decision, Verdict, Window
from groundswell.settings import Settings
from groundswell.stages import blend, evaluate, features, gate, recalibrate
from groundswell.stages.labels import Label

Mask = npt.NDArray[np.bool_]
#: How often the line's calibrators, and how often the line itself, are made anew; audits come with the latter.
RECALIBRATION, RETRAIN = timedelta(days=7), timedelta(days=28)
#: A week in which the videos that can be learnt from grew by this share calls for a retrain as well.
MUCH_NEWS = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """A collection's mature videos in time order: what was known of each, its outcome, and its cluster."""

    collection: Collection
    window: Window
    settings: Settings
    rows: pl.DataFrame
    counts: Counts
    features: Floats
    views: Floats
    clusters: Clusters
    predicted_at: npt.NDArray[np.datetime64]
    matures_at: npt.NDArray[np.datetime64]


@dataclasses.dataclass(frozen=True, slots=True)
class Serving:
    """A model that serves in the replay, its number, and which videos its estimator learnt from."""

    number: int
    model: Model
    learnt: Mask


@dataclasses.dataclass(slots=True)
class Life:
    """What was predicted of each video (NaN before the start) by the living line and by the static model, and events.

    `shares` is the baseline: the tier shares of what had matured by then. `ranges` are of the living line, `versions`
    numbers the model that served; `events` are (moment, kind, sentence). The first model learnt `first_learnt` videos.
    """

    label: Label
    tiers: Tiers
    living: Floats
    static: Floats
    shares: Floats
    ranges: npt.NDArray[np.int64]
    versions: npt.NDArray[np.int64]
    events: list[tuple[datetime, str, str]]
    first_learnt: int


def past_of(collection: Collection, window: Window, settings: Settings, rows: pl.DataFrame, counts: Counts) -> Past:
    """Return the mature videos as the replay needs them; rows as `mature_videos` returns them."""
    ordered = rows.sort("moment", "key")
    return Past(
        collection=collection,
        window=window,
        settings=settings,
        rows=ordered,
        counts=counts,
        features=features.matrix(ordered, features.of_window(window)),
        views=ordered["views"].cast(pl.Float64).to_numpy(),
        clusters=evidence_clusters(ordered["author"].to_list()),
        predicted_at=ordered["moment"].dt.replace_time_zone(None).to_numpy(),
        matures_at=(ordered["posted_at"] + settings.label_age).dt.replace_time_zone(None).to_numpy(),
    )


def live(past: Past, start: datetime, end: datetime, steps: Steps) -> Life:
    """Return the life of the line from `start` to `end`; raises TooFewVideosError where nothing can be learnt before.

    In each week it predicts what is posted; then outcomes that matured are read, every fourth week (or when much has
    matured) an audit judges and a challenger wants to serve, and calibrators and ranges are found anew, all through the
    gates of production.
    """
    steps.begin(f"train {start:%Y-%m-%d}")
    first = _train(past, start, None, 1, steps)
    tiers = first.label.tiers(past.views)
    nothing = np.full((len(tiers), 5), np.nan)
    none = np.zeros((len(tiers), 2), dtype=np.int64)
    learnt = int(first.serving.learnt.sum())
    versions = np.zeros(len(tiers), dtype=np.int64)
    life = Life(first.label, tiers, nothing, nothing.copy(), nothing.copy(), none, versions, [], learnt)
    _note(life, start, "trained", f"version 1 on {learnt:,} videos")
    serving, retrained_at, known = first.serving, start, _count_matured(past, start)
    for week, until in _weeks(past, start, end):
        steps.check()
        raw = serving.model.probabilities(past.features[week])
        life.living[week], life.static[week] = raw, first.serving.model.probabilities(past.features[week])
        life.shares[week] = TierShares.of(life.tiers[past.matures_at <= _naive(until - RECALIBRATION)]).shares
        life.ranges[week], life.versions[week] = serving.model.reach.ranges(raw), serving.number
        matured = _count_matured(past, until)
        if until - retrained_at >= RETRAIN or matured >= (1 + MUCH_NEWS) * known:
            steps.begin(f"retrain {until:%Y-%m-%d}")
            retrained_at, known = until, matured
            _audit(past, life, until)
            serving = _retrain(past, life, serving, until, steps)
        # After a retrain, whose calibrator knows nothing of its holdout, the newest outcomes there are.
        serving = _recalibrate(past, life, serving, until)
    return life


@dataclasses.dataclass(frozen=True, slots=True)
class _Trained:
    serving: Serving
    label: Label
    material: ForecastMaterial


def _train(past: Past, at: datetime, label: Label | None, number: int, steps: Steps) -> _Trained:
    """Return a model of what had matured by then."""
    known = np.flatnonzero(past.matures_at <= _naive(at))
    rows = past.rows[known.tolist()].sort("posted_at", "key")
    material = split_material(past.collection, past.window, past.settings, rows, past.counts, label=label)
    fitting = Fitting(material.log_cuts, past.settings.seed, past.settings.threads, steps.check)
    train, calibration = (material.outcomes(part) for part in (material.parts.train, material.parts.calibration))
    forecast = blend.train_forecast(train, calibration, material.lessons, fitting)
    learnt = rows[np.concatenate([material.parts.train, material.parts.calibration]).tolist()]["key"]
    seen = past.rows["key"].is_in(learnt.implode()).to_numpy()
    return _Trained(Serving(number, model_of(material, forecast), seen), material.label, material)


def _retrain(past: Past, life: Life, serving: Serving, at: datetime, steps: Steps) -> Serving:
    """Return what serves after a challenger wanted to: it, or the champion."""
    try:
        trained = _train(past, at, life.label, serving.number + 1, steps)
    except TooFewVideosError as error:
        _note(life, at, "held", str(error))
        return serving
    decision = _decide(past, serving, trained)
    promoted = decision.decision is Verdict.PROMOTE
    _note(life, at, "promoted" if promoted else "held", decision.reason)
    return trained.serving if promoted else serving


def _decide(past: Past, champion: Serving, challenger: _Trained) -> Decision:
    """Return what the gate of a retrain decides, on holdout videos that the champion never saw."""
    settings, material = past.settings, challenger.material
    numbers = material.parts.holdout.tolist()
    new = material.rows[numbers]["key"].is_in(past.rows["key"].filter(champion.learnt).implode()).not_().to_numpy()
    judging = material.holdout.rows.where(new)
    authors = [author for author, kept in zip(material.holdout.authors, new, strict=True) if kept]
    forecasts = [model.probabilities(judging.features) for model in (challenger.serving.model, champion.model)]
    keys = material.holdout.keys[new]
    ours, theirs = (gate.Scored(keys, ranked_probability_score(found, judging.tiers)) for found in forecasts)
    holdout = evaluate.Holdout(judging.tiers, judging.tiers.astype(np.float64), authors)
    against = evaluate.yardsticks(judging.tiers, len(judging), {}) if len(judging) else None
    metrics = evaluate.evaluate(forecasts[0], holdout, against, _DRAWS, settings.seed).metrics if against else {}
    return gate.decide(
        metrics,
        len(np.unique(material.training.rows.tiers)),
        gate.Standing.CONTEST,
        gate.compare(ours, theirs, creator_clusters(authors), champion.number, settings.margin) if against else None,
        gate.Policy(settings.forecast_floor, settings.margin, settings.min_comparable_rows),
    )


def _recalibrate(past: Past, life: Life, serving: Serving, at: datetime) -> Serving:
    """Return what serves with calibrators and ranges found anew on what matured of late, where the gate lets them."""
    settings = past.settings
    rows = _matured(past, at) & ~serving.learnt
    numbers = np.flatnonzero(rows)[-settings.max_recalibration_rows :]
    raw = serving.model.estimator.probabilities(past.features[numbers])
    present = recalibrate.Present(serving.model.calibrator, serving.model.reach)
    found = recalibrate.recalibrate(
        raw, life.tiers[numbers], _clusters(past, numbers), present, settings.margin, settings.min_recalibration_rows
    )
    if isinstance(found, Decision) or found.decision.decision is Verdict.HOLD:
        return serving
    _note(life, at, "recalibrated", found.decision.reason)
    model = dataclasses.replace(serving.model, calibrator=found.calibrator, reach=found.reach)
    return dataclasses.replace(serving, model=model)


def _audit(past: Past, life: Life, at: datetime) -> None:
    """Note the alarm over the predictions that matured of late."""
    rows = _matured(past, at) & ~np.isnan(life.living[:, 0])
    forecast, tiers = life.living[rows], life.tiers[rows]
    hit = (likeliest(forecast) == tiers).astype(np.float64)
    clusters = _clusters(past, np.flatnonzero(rows))
    alarm = judge(forecast.max(axis=1), hit, past.settings.drift_threshold, past.settings.seed, clusters)
    if alarm.state is not AlarmState.GREEN:
        _note(life, at, alarm.state.value, alarm.reason)


def _clusters(past: Past, numbers: npt.NDArray[np.int64]) -> Clusters:
    """Return the clusters of these videos, by how many creators they have: an audit of that day knew no others."""
    return evidence_clusters(past.rows["author"].gather(numbers.tolist()).to_list())


def _count_matured(past: Past, at: datetime) -> int:
    return int((past.matures_at <= _naive(at)).sum())


def _matured(past: Past, at: datetime) -> Mask:
    """Return the videos whose outcome came to be known within the days that pairs are taken from."""
    now = _naive(at)
    since = now - np.timedelta64(past.settings.pair_days, "D")
    return np.asarray((past.matures_at <= now) & (past.matures_at > since))


def _weeks(past: Past, start: datetime, end: datetime) -> Iterator[tuple[npt.NDArray[np.int64], datetime]]:
    """Yield, for each week in which videos are predicted, their numbers and the end of the week."""
    begun = start
    while begun < end:
        until = min(begun + RECALIBRATION, end)
        inside = (past.predicted_at >= _naive(begun)) & (past.predicted_at < _naive(until))
        if inside.any():
            yield np.flatnonzero(inside), until
        begun = until


def _note(life: Life, at: datetime, kind: str, said: str) -> None:
    life.events.append((at, kind, said))


def _naive(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None), "us")


#: Draws behind the metrics of a challenger, of which only the values are asked.
_DRAWS = 100
