"""What tier calibration does on 30 real splits, beside leaving alone and scikit-learn's three methods."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from bench.forecasting import LABEL_AGE_MAX, exported
from bench.measure import Row
from groundswell.calibration import measures
from groundswell.calibration.intervals import creator_clusters
from groundswell.calibration.scores import Floats, Tiers, log_loss
from groundswell.calibration.tier_calibration import choose_tier_calibrator
from groundswell.jobs.collection import exported_collection
from groundswell.jobs.forecast_material import forecast_material
from groundswell.records import Window
from groundswell.settings import load_settings

#: Platform, source (None: all) and windows; each is split in three ways.
COLLECTIONS = (
    ("tiktok", "feed_2025", (Window.PUBLISH,)),
    ("tiktok", "creators_2024", (Window.PUBLISH,)),
    ("tiktok", "creators_2025", (Window.PUBLISH,)),
    ("tiktok", "topcreators_2020", (Window.PUBLISH,)),
    ("tiktok", "topviewed_2025", (Window.PUBLISH,)),
    ("youtube", "youtube_2019_20", (Window.PUBLISH,)),
    ("youtube", "youtube_2024_25", (Window.PUBLISH,)),
    ("youtube", "youtube_2026", (Window.PUBLISH,)),
    ("youtube", None, (Window.HOUR_6, Window.HOUR_24)),
)
#: How rows come to train, calibrate and judge: in time order, creators apart, or any row anywhere.
WAYS = ("time", "creator", "row")
ROUNDS, MOST_TRAINING, MOST_CALIBRATION, FEWEST_CALIBRATION, MOST_JUDGES = 100, 6_000, 2_500, 2_000, 4_000
METHODS = ("sigmoid", "isotonic", "temperature")
#: Log losses this near to each other are equal: two temperatures are found to no more digits.
EQUAL = 1e-4
DRAWS = 100

Rows = npt.NDArray[np.int64]


def thirty_splits() -> list[Row]:
    """Ten collections split in three ways: LightGBM's chances before and after calibration on 2,000 to 2,500 rows."""
    start = time.perf_counter()
    found = [_judged(*split) for split in _splits()]
    table = {name: np.array([split[name] for split in found]) for name in found[0]}
    return [*_before_and_after(table), *_against_scikit_learn(table), _cost(table, time.perf_counter() - start)]


def _before_and_after(table: dict[str, Any]) -> list[Row]:
    before, after = table["before"], table["ours"]
    splits, worst, better = len(before), float((after - before).max()), int((after < before).sum())
    ece_before, ece = float(table["eceBefore"].mean()), float(table["eceOurs"].mean())
    kinds, counts = np.unique(table["kind"], return_counts=True)
    rows = f"calibrated on {table['calibration'].min():,} or more, judged on {table['judges'].sum():,} rows"
    return [
        Row(
            f"log loss after tier calibration, {splits} real splits",
            "never worse by more than 0.005",
            f"{before.mean():.4f} before, {after.mean():.4f} after; worst {worst:+.4f} ({rows})",
            worst <= 0.005,
        ),
        Row("… better in", f"> {splits // 2} of {splits}", f"{better} of {splits}", better > splits // 2),
        Row(
            "… mean debiased ECE, 15 bins, top label",
            "≤ half of before, or ≤ 0.03",
            f"{ece_before:.4f} before, {ece:.4f} after",
            ece <= max(ece_before / 2, 0.03),
        ),
        Row(
            "… calibrators chosen",
            "for scale",
            ", ".join(f"{kind} {count}" for kind, count in zip(kinds, counts, strict=True)),
            True,
        ),
    ]


def _against_scikit_learn(table: dict[str, Any]) -> list[Row]:
    ours, splits = table["ours"], len(table["ours"])
    rows = []
    for method in METHODS:
        theirs = table[method]
        won = int((ours <= theirs + EQUAL).sum())
        rows.append(
            Row(
                f"… against scikit-learn's {method}",
                f"mean no higher, and no higher (by {EQUAL:g}) in {-(-2 * splits // 3)} of {splits}",
                f"{ours.mean():.4f} and {theirs.mean():.4f}; in {won} of {splits}",
                ours.mean() <= theirs.mean() and won >= 2 * splits / 3,
            )
        )
    return rows


def _cost(table: dict[str, Any], taken: float) -> Row:
    reached = f"{np.median(table['seconds']):.2f} s, longest {table['seconds'].max():.2f} s (whole bench {taken:.0f} s)"
    return Row("… choosing and fitting a tier calibrator", "< 1.5 s", reached, bool(table["seconds"].max() < 1.5))


def _judged(features: Floats, tiers: Tiers, parts: tuple[Rows, Rows, Rows], seed: int) -> dict[str, Any]:
    training, calibration, judges = parts
    params = {"objective": "multiclass", "num_class": 5, "num_threads": 1, "verbosity": -1, "seed": seed}
    booster = lightgbm.train(params, lightgbm.Dataset(features[training], tiers[training] - 1), ROUNDS)
    stated, occurred = np.asarray(booster.predict(features[calibration])), tiers[calibration]
    before, truth = np.asarray(booster.predict(features[judges])), tiers[judges]
    start = time.perf_counter()
    calibrator = choose_tier_calibrator(stated, occurred).calibrator
    taken = time.perf_counter() - start
    after = calibrator.apply(before)
    theirs = {method: _scikit_learn(method, stated, occurred, before) for method in METHODS}
    losses = {"before": before, "ours": after} | theirs
    return {name: float(log_loss(chances, truth).mean()) for name, chances in losses.items()} | {
        "eceBefore": _debiased_ece(before, truth),
        "eceOurs": _debiased_ece(after, truth),
        "kind": calibrator.kind,
        "seconds": taken,
        "calibration": len(calibration),
        "judges": len(judges),
    }


def _debiased_ece(chances: Floats, tiers: Tiers) -> float:
    return measures.measure(*measures.top_label(chances, tiers), draws=DRAWS, seed=0, bins=15).debiased_ece.value


class _Stated(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose rows are the chances that it states.

    Its classes are numbered from 0: scikit-learn's temperature takes labels for column numbers.
    """

    classes_ = np.arange(5)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, rows: Floats, classes: Tiers) -> _Stated:
        return self

    def predict_proba(self, rows: Floats) -> Floats:
        return rows

    def predict(self, rows: Floats) -> Tiers:
        return np.asarray(rows.argmax(axis=1))


def _scikit_learn(method: str, stated: Floats, occurred: Tiers, judged: Floats) -> Floats:
    calibrated = CalibratedClassifierCV(FrozenEstimator(_Stated()), method=method).fit(stated, occurred - 1)
    return np.asarray(calibrated.predict_proba(judged))


def _splits() -> Iterator[tuple[Floats, Tiers, tuple[Rows, Rows, Rows], int]]:
    """Yield features and tiers of a collection, and which rows train, calibrate and judge, and the split's seed."""
    as_of = datetime.now(UTC)
    for platform, source, windows in COLLECTIONS:
        with tempfile.TemporaryDirectory() as folder:
            collection = exported_collection(exported(platform, source, Path(folder)), as_of)
            settings = load_settings(
                home=Path(folder), database_url=None, label_age_max=LABEL_AGE_MAX if platform == "youtube" else None
            )
        for window in windows:
            material = forecast_material(collection, window, settings, as_of)
            rows = material.outcomes(np.arange(material.rows.height, dtype=np.int64))
            creators = creator_clusters(material.rows["author"].to_list())
            for seed, way in enumerate(WAYS):
                yield rows.features, rows.tiers, _parts(creators, way, seed), seed


def _parts(creators: npt.NDArray[np.int64], way: str, seed: int) -> tuple[Rows, Rows, Rows]:
    """Return the rows that train, calibrate and judge, from the first to the last of an order.

    A creator whose videos lie across a border by creators is in both parts: at most two are.
    """
    n, generator = len(creators), np.random.default_rng(seed)
    order = {
        "time": np.arange(n),
        "creator": np.argsort(generator.permutation(int(creators.max()) + 1)[creators], kind="stable"),
        "row": generator.permutation(n),
    }[way]
    calibration = min(MOST_CALIBRATION, max(FEWEST_CALIBRATION, n // 5))
    judges = min(MOST_JUDGES, n // 4)
    training = order[: n - judges - calibration]
    kept = training[-MOST_TRAINING:]
    return kept, order[n - judges - calibration : n - judges], order[n - judges :]
