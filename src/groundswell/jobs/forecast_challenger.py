"""The challenger of a forecast line: the blend trained before the embargo, judged on the latest videos, with slices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from groundswell.calibration.intervals import creator_clusters
from groundswell.calibration.ranges import PROMISED
from groundswell.calibration.reliability import ReliabilityBin, reliability_bins
from groundswell.calibration.scores import Floats, Tiers, likeliest, ranked_probability_score
from groundswell.estimators.regressions import LinearEstimator, RegressionEstimator
from groundswell.heads import Fitting
from groundswell.jobs.challenger import Challenger, log_per_class
from groundswell.jobs.forecast_material import ForecastMaterial
from groundswell.jobs.steps import Steps
from groundswell.model import Model
from groundswell.records import Estimate, Finding, Window
from groundswell.reference import reference_of
from groundswell.settings import Settings
from groundswell.stages import blend, evaluate, features, importance, labels, leakage, merit, segments

Slices = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class RangeReport:
    """How the stated tier ranges did on the holdout: promised and reached coverage, and how many tiers they hold."""

    promised: float
    coverage: Estimate
    mean_tiers: float
    calibration_rows: int


@dataclasses.dataclass(frozen=True, slots=True)
class ForecastChallenger(Challenger):
    """A challenger with what only a forecast has: lift, ceiling, ranges, slices, reliability, and what matters."""

    lift: merit.Lift
    ceiling: merit.Ceiling
    range: RangeReport
    slices: Slices
    reliability: tuple[ReliabilityBin, ...]
    top_features: tuple[importance.Importance, ...]
    checks: tuple[merit.Check, ...]

    @property
    def told(self) -> tuple[Finding, ...]:
        """The findings that are told and have no vote."""
        return (merit.find_range(self.range.coverage, self.range.promised),)


def make_forecast(settings: Settings, material: ForecastMaterial, steps: Steps) -> ForecastChallenger:
    """Return the challenger of the material; its training needs at least two tiers."""
    steps.begin("train")
    fitting = Fitting(material.log_cuts, settings.seed, settings.threads, steps.check)
    train, calibration = (material.outcomes(part) for part in (material.parts.train, material.parts.calibration))
    forecast = blend.train_forecast(train, calibration, material.lessons, fitting)
    model = model_of(material, forecast)
    steps.begin("evaluate")
    judging, training = material.holdout, material.training.rows
    quantity = np.zeros(0) if judging.quantity is None else judging.quantity
    holdout = evaluate.Holdout(judging.rows.tiers, quantity, judging.authors)
    probabilities, on_training = model.probabilities(judging.rows.features), model.probabilities(training.features)
    yardsticks = _yardsticks(material)
    found = evaluate.evaluate(probabilities, holdout, yardsticks, settings.bootstrap, settings.seed)
    log_per_class("train", evaluate.per_class(evaluate.confusion_matrix(on_training, training.tiers)))
    log_per_class("test", found.per_class)
    lift = lift_of(probabilities, holdout, yardsticks, found)
    ceiling = _ceiling(material, forecast, probabilities, found.metrics["accuracy"])
    slices = _slices(material, probabilities, holdout, settings.seed)
    steps.begin("explain")
    top = importance.find_importance(
        model.probabilities, judging.rows.features, holdout.tiers, model.feature_names, settings.seed
    )
    steps.begin("leakage")
    leaks = _leaks(material, forecast, quantity, steps)
    confidence = probabilities.max(axis=1)
    return ForecastChallenger(
        material=material,
        model=model,
        candidates=forecast.learners,
        probabilities=probabilities,
        evaluation=found,
        train_accuracy=evaluate.accuracy(on_training, training.tiers),
        leaks=leaks,
        lift=lift,
        ceiling=ceiling,
        range=range_report(model, probabilities, holdout, len(calibration), settings),
        slices=slices,
        reliability=reliability_bins(confidence, (likeliest(probabilities) == holdout.tiers).astype(np.float64)),
        top_features=top,
        checks=(
            merit.check_lift(lift),
            merit.check_calibration(found.metrics["ece"], confidence, settings.forecast_max_ece, settings.seed),
            merit.check_ceiling(found.metrics["accuracy"], ceiling),
            *((finding, "Remove what gives the answer away.") for finding in leaks),
        ),
    )


def _yardsticks(material: ForecastMaterial) -> evaluate.Yardsticks:
    before = material.tiers_of(material.before_holdout)
    return evaluate.yardsticks(before, len(material.holdout), baseline_tiers(material))


def _ceiling(
    material: ForecastMaterial, forecast: blend.Forecast, probabilities: Floats, accuracy: Estimate
) -> merit.Ceiling:
    judged = material.outcomes(material.parts.holdout)
    expected = _expected(forecast.regression, judged.features)
    return merit.find_ceiling(
        expected, judged.log_views, judged.tiers, probabilities, material.log_cuts, accuracy.value
    )


def range_report(
    model: Model, probabilities: Floats, holdout: evaluate.Holdout, calibration_rows: int, settings: Settings
) -> RangeReport:
    """Return how the model's ranges did on the holdout."""
    ranges = model.reach.ranges(probabilities)
    return RangeReport(
        promised=PROMISED,
        coverage=evaluate.coverage(ranges, holdout, settings.bootstrap, settings.seed),
        mean_tiers=float((ranges[:, 1] - ranges[:, 0] + 1).mean()),
        calibration_rows=calibration_rows,
    )


def baseline_tiers(material: ForecastMaterial) -> dict[str, Tiers]:
    """Return what needs no model: the creator's median until then, and the rank of early views where there are any."""
    before = material.tiers_of(material.before_holdout)
    middle = int(np.sort(before)[(len(before) - 1) // 2])
    rows = material.rows[material.parts.holdout.tolist()]
    known = rows["creator_median"].to_numpy()
    median = np.where(np.isnan(known), middle, material.label.tiers(np.expm1(np.nan_to_num(known))))
    found = {"creatorMedian": median.astype(np.int64)}
    if material.window is not Window.PUBLISH:
        past = material.rows[material.before_holdout.tolist()]["early_views"].to_numpy()
        rank = labels.Label("views", labels.views_cut_points(past))
        found["earlyRank"] = rank.tiers(rows["early_views"].to_numpy())
    return found


def model_of(material: ForecastMaterial, forecast: blend.Forecast) -> Model:
    """Return what is to serve: the blend with what the model needs to know of its material."""
    catalogue = features.of_window(material.window)
    values = material.training.rows.features
    columns = (column[~np.isnan(column)] for column in values.T)
    typical = [float(np.median(known)) if len(known) else None for known in columns]
    return Model(
        window=material.window,
        feature_names=features.names(catalogue),
        label=material.label.quantity,
        cut_points=material.label.cut_points,
        estimator=forecast.estimator,
        calibrator=forecast.calibrator,
        reach=forecast.reach,
        typical=tuple(typical),
        label_age_hours=material.label_age.age.total_seconds() / 3_600,
        reference=reference_of(
            features.names(catalogue), values, material.training.rows.tiers, creator_clusters(material.training.authors)
        ),
    )


def _expected(regression: LinearEstimator | RegressionEstimator, values: Floats) -> Floats:
    if isinstance(regression, LinearEstimator):
        return regression.ridge.expected(values)
    return regression.expected(values)


def lift_of(
    probabilities: Floats, holdout: evaluate.Holdout, yardsticks: evaluate.Yardsticks, found: evaluate.Evaluation
) -> merit.Lift:
    """Return the lift over the best baseline, the tier shares among them."""
    tiers = holdout.tiers
    forecasts = {name: evaluate.certain(named) for name, named in yardsticks.tiers.items()}
    forecasts["tierShares"] = np.tile(yardsticks.shares, (len(tiers), 1))
    losses = {name: ranked_probability_score(forecast, tiers) for name, forecast in forecasts.items()}
    rps = ranked_probability_score(probabilities, tiers)
    best, delta, upper = merit.find_lift(rps, losses, creator_clusters(holdout.authors))
    named = float((likeliest(forecasts[best]) == tiers).mean())
    return merit.Lift(best, delta, upper, 100 * (found.metrics["accuracy"].value - named))


def _slices(material: ForecastMaterial, probabilities: Floats, holdout: evaluate.Holdout, seed: int) -> Slices:
    rows = material.rows[material.parts.holdout.tolist()]
    seen_authors = {author for author in material.training.authors if author}
    seen = pl.Series([author in seen_authors for author in holdout.authors], dtype=pl.Boolean)

    def told(chosen: pl.Series) -> dict[str, Any] | None:
        return evaluate.evaluate_slice(probabilities, holdout, chosen.fill_null(value=False).to_numpy(), seed)

    def by(values: pl.Series) -> dict[str, Any]:
        return {str(value): told(values == value) for value in sorted(values.unique().drop_nulls())}

    return {
        "seenCreators": told(seen),
        "unseenCreators": told(~seen),
        "platform": by(rows["platform"]),
        "creatorSize": by(rows.select(segments.creator_size("followers")).to_series()),
        "source": by(rows["source"]),
    }


def _leaks(material: ForecastMaterial, forecast: blend.Forecast, quantity: Floats, steps: Steps) -> tuple[Finding, ...]:
    names = features.names(features.of_window(material.window))
    function = leakage.find_leakage(
        material.training.rows, material.holdout.rows, quantity, names, forecast.estimator, steps.check
    )
    changed, compared = material.changed_by_future
    same, reuploads = _copies(material)
    return (
        *function,
        leakage.find_future(changed, compared),
        leakage.find_copies(same, reuploads, len(material.holdout)),
    )


#: A shorter caption than this does not tell one video of a creator from another; of strangers it takes a longer one.
_TELLING, _TELLING_OF_STRANGERS = 20, 40
_ALIKE = (
    (_TELLING, ("platform", "author", "description", "duration_seconds")),
    (_TELLING_OF_STRANGERS, ("platform", "description", "duration_seconds", "sound_name")),
)


def _copies(material: ForecastMaterial) -> tuple[int, int]:
    """Return how many holdout videos were trained on, and how many look like re-uploads of a training video."""
    training = np.concatenate([material.parts.train, material.parts.calibration])
    learnt, judged = (material.rows[part.tolist()] for part in (training, material.parts.holdout))
    same = judged.join(learnt, on="key", how="semi").height
    alike = []
    for shortest, traits in _ALIKE:
        telling = judged.filter(
            pl.col("description").str.len_chars() >= shortest, pl.all_horizontal(pl.col(traits).is_not_null())
        )
        alike.append(telling.join(learnt.select(traits).unique(), on=traits, how="semi")["key"])
    return same, pl.concat(alike).n_unique()
