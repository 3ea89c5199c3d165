"""What a forecast line learns from and is judged on: matured videos in the order of time, with what was known of each.

Every step counts what it leaves out and why; nothing is dropped in silence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from groundswell.calibration.scores import Tiers
from groundswell.errors import SettingsError, TooFewVideosError
from groundswell.frames import MOMENT
from groundswell.heads import Outcomes
from groundswell.jobs.collection import Collection
from groundswell.jobs.context import label_age
from groundswell.jobs.material import LIVE, Material, Side
from groundswell.learners import Part
from groundswell.records import Window
from groundswell.settings import Settings
from groundswell.stages import features, labels, maturity, split, timeline
from groundswell.stages.features import early
from groundswell.stages.features.history import History, add_history, tags_of

#: Mature videos under which there is nothing to split.
FEWEST_VIDEOS = 50
#: Up to this age every reading of a training video teaches how views grow from there on.
LESSONS_UNTIL = timedelta(hours=24)
_HELD_BACK = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """What became of the videos: they add up to `videos`, which counts refused rows too."""

    videos: int
    train: int
    calibration: int
    embargo: int
    holdout: int
    immature: int
    immature_by: Mapping[str, int]
    without_reading: int
    older_left_out: int
    rejected: int
    rejected_by: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class ForecastMaterial(Material):
    """The material of a forecast line.

    `training` holds the rows of train and calibration, `selection` marks the latter. `rows` are the videos of all
    parts in time order with every column that history and early readings added; `parts` number them. `before_holdout`
    numbers all before the judges, those too old to be learnt from as well: what tier shares and cut-points are of.
    """

    window: Window
    label: labels.Label
    label_age: maturity.LabelAge
    rows: pl.DataFrame
    parts: timeline.Timeline
    before_holdout: timeline.Rows
    lessons: Outcomes
    counts: Counts
    changed_by_future: tuple[tuple[str, ...], int]

    @property
    def log_cuts(self) -> tuple[float, ...]:
        """The log-views at which the next tier begins: between a cut-point and the next whole number of views."""
        return tuple(float(np.log1p(cut + 0.5)) for cut in self.label.cut_points)

    def tiers_of(self, numbers: timeline.Rows) -> Tiers:
        """Return the tiers of rows of `rows`."""
        return self.label.tiers(self.rows["views"].cast(pl.Float64).to_numpy()[numbers])

    def outcomes(self, numbers: timeline.Rows) -> Outcomes:
        """Return rows of `rows` with their outcome."""
        return _outcomes(self.rows[numbers.tolist()], self.window, self.label, numbers)


def mature_videos(
    collection: Collection, window: Window, settings: Settings, as_of: datetime
) -> tuple[pl.DataFrame, pl.DataFrame, Counts]:
    """Return all posts with their maturity, those that can be learnt from with what was known, and the counts so far.

    Raises SettingsError where the window closes after the label age.
    """
    label_ages = label_age(settings)
    if window.age >= label_ages.age:
        raise SettingsError(f"The window {window.value} closes after the label age of {settings.label_age}.")
    posts = maturity.add_outcomes(collection.posts, collection.readings, label_ages, as_of)
    states = dict(posts["maturity"].value_counts().rows())
    moment = pl.min_horizontal(pl.col("posted_at") + window.age, pl.lit(as_of, MOMENT))
    mature = posts.filter(pl.col("maturity") == maturity.MATURE).with_columns(moment.alias("moment"))
    read = mature if window is Window.PUBLISH else early.add_early(mature, collection.readings, window.age)
    known = add_history(read, history_of(posts, collection), label_ages.age).sort("posted_at", "key")
    unusable = {state: states[state] for state in maturity.UNUSABLE if states.get(state)}
    rejected = {**collection.rejected, **unusable}
    immature = {state: states.get(state, 0) for state in maturity.IMMATURE}
    counts = Counts(
        videos=posts.height + sum(collection.rejected.values()),
        train=0,
        calibration=0,
        embargo=0,
        holdout=0,
        immature=sum(immature.values()),
        immature_by=immature,
        without_reading=mature.height - read.height,
        older_left_out=0,
        rejected=sum(rejected.values()),
        rejected_by=rejected,
    )
    return posts, known, counts


def history_of(posts: pl.DataFrame, collection: Collection) -> History:
    """Return the history that posts with their outcomes make."""
    return History(posts, tags_of(posts), collection.followers)


def forecast_material(collection: Collection, window: Window, settings: Settings, as_of: datetime) -> ForecastMaterial:
    """Return the material of a line; raises TooFewVideosError where too few videos have matured to be split."""
    posts, rows, counts = mature_videos(collection, window, settings, as_of)
    changed = _changed_by_future(rows, posts, collection, window, settings.label_age) if rows.height else ((), 0)
    return split_material(collection, window, settings, rows, counts, changed)


def split_material(
    collection: Collection,
    window: Window,
    settings: Settings,
    rows: pl.DataFrame,
    counts: Counts,
    changed_by_future: tuple[tuple[str, ...], int] = ((), 0),
    label: labels.Label | None = None,
) -> ForecastMaterial:
    """Return the material that mature rows with what was known of them make; errors as `forecast_material`.

    The label is made of the rows before the holdout, unless one is given.
    """
    parts = timeline.split_by_time(rows["posted_at"], settings.label_age)
    if rows.height < FEWEST_VIDEOS or not len(parts.train) or not len(parts.calibration):
        raise TooFewVideosError(_too_few(rows.height, counts, window), _WAIT)
    views = rows["views"].cast(pl.Float64).to_numpy()
    label = label or labels.Label("views", labels.views_cut_points(views[parts.before_holdout]))
    kept, older = _newest(parts, settings.forecast_max_rows)
    training = np.concatenate([kept.train, kept.calibration])
    posted = rows["posted_at"]
    if len(np.unique(label.tiers(views[training]))) < 2:
        raise TooFewVideosError("The videos before the holdout are all of one tier: there is nothing to tell.", _WAIT)
    return ForecastMaterial(
        source=LIVE,
        training=_side(rows, training, window, label),
        holdout=_side(rows, kept.holdout, window, label),
        selection=np.isin(training, kept.calibration),
        quantity_name=label.quantity,
        cut_points=label.cut_points,
        first_posted_at=posted.min(),  # type: ignore[arg-type]
        last_posted_at=posted.max(),  # type: ignore[arg-type]
        window=window,
        label=label,
        label_age=label_age(settings),
        rows=rows,
        parts=kept,
        before_holdout=parts.before_holdout,
        lessons=_lessons(rows, training, collection, window, label),
        counts=dataclasses.replace(
            counts,
            train=len(kept.train),
            calibration=len(kept.calibration),
            embargo=len(kept.embargo),
            holdout=len(kept.holdout),
            older_left_out=older,
        ),
        changed_by_future=changed_by_future,
    )


_WAIT = "Ingest more videos and later readings of those you have; docs/forecasts.md says what counts as an outcome."


def _too_few(mature: int, counts: Counts, window: Window) -> str:
    if mature >= FEWEST_VIDEOS:
        return (
            f"The {mature:,} matured videos for the window {window.value} cannot be split by time: too few of them lie "
            "more than one label age before the latest fifth."
        )
    immature = ", ".join(f"{reason} {count:,}" for reason, count in counts.immature_by.items() if count)
    without = f", {counts.without_reading:,} without a reading in the window" if window is not Window.PUBLISH else ""
    return (
        f"Only {mature:,} videos have matured and can be split by time for the window {window.value}, "
        f"{FEWEST_VIDEOS} or more of several weeks are needed ({counts.immature:,} immature: {immature or 'none'}"
        f"{without}, {counts.rejected:,} rejected)."
    )


def _newest(parts: timeline.Timeline, most: int) -> tuple[timeline.Timeline, int]:
    """Return the parts with no more training rows than that, the oldest left out, and how many those were."""
    older = max(0, len(parts.train) - most)
    return dataclasses.replace(parts, train=parts.train[older:]), older


def _outcomes(rows: pl.DataFrame, window: Window, label: labels.Label, numbers: Any) -> Outcomes:
    views = rows["views"].cast(pl.Float64).to_numpy()
    values = features.matrix(rows, features.of_window(window))
    return Outcomes(values, label.tiers(views), np.log1p(views), np.asarray(numbers, dtype=np.int64))


def _side(rows: pl.DataFrame, numbers: timeline.Rows, window: Window, label: labels.Label) -> Side:
    own = rows[numbers.tolist()]
    found = _outcomes(own, window, label, numbers)
    keys = split.row_keys(own["key"].to_list(), "row")
    return Side(Part(found.features, found.tiers), keys, own["author"].to_list(), np.expm1(found.log_views).round())


def _lessons(
    rows: pl.DataFrame, training: timeline.Rows, collection: Collection, window: Window, label: labels.Label
) -> Outcomes:
    """Return what further readings of the training videos teach; nothing in a line without readings."""
    numbered = rows.with_columns(pl.int_range(pl.len()).alias("video"))[training.tolist()]
    if window is Window.PUBLISH:
        return _outcomes(numbered.clear(), window, label, [])
    bare = numbered.select(name for name in numbered.columns if not name.startswith("early_"))
    taught = early.lessons(bare, collection.readings, LESSONS_UNTIL)
    return _outcomes(taught, window, label, taught["video"].to_numpy())


def _changed_by_future(
    rows: pl.DataFrame, posts: pl.DataFrame, collection: Collection, window: Window, label_age: timedelta
) -> tuple[tuple[str, ...], int]:
    """Return the features that change when everything after the moment is deleted, and how many videos were compared.

    Compared are the last videos before three moments: the middle, the holdout's begin and the end.
    """
    changed: set[str] = set()
    compared = 0
    catalogue = features.of_window(window)
    for place in (rows.height // 2, rows.height * 4 // 5, rows.height):
        asked = rows[max(0, place - _HELD_BACK) : place]
        until = asked["moment"].max()
        before = asked.select(name for name in asked.columns if name in {*posts.columns, "moment"})
        past = _until(posts, collection, until, label_age)  # type: ignore[arg-type]
        read = before if window is Window.PUBLISH else early.add_early(before, past.readings, window.age)
        again = add_history(read, history_of(past.posts, past), label_age)
        first, second = features.compute(asked, catalogue), features.compute(again, catalogue)
        changed |= {name for name in first.columns if not first[name].equals(second[name], null_equal=True)}
        compared += asked.height
    return tuple(sorted(changed)), compared


def _until(posts: pl.DataFrame, collection: Collection, moment: datetime, label_age: timedelta) -> Collection:
    """Return posts and readings as if the world had ended at the moment; posts keep only outcomes that had matured."""
    matured = pl.col("posted_at") + label_age <= moment
    outcome = [pl.when(matured).then(name).alias(name) for name in ("views", "engagement")]
    known = posts.filter(pl.col("posted_at") <= moment).with_columns(outcome)
    return dataclasses.replace(
        collection, posts=known, readings=collection.readings.filter(pl.col("observed_at") <= moment)
    )
