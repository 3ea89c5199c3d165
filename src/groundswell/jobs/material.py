"""What a retrain learns from and is judged on: live rows out of the database, or the fallback's two sets."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from groundswell.calibration.scores import Floats, Tiers
from groundswell.jobs.extract import read_training_data
from groundswell.learners import Part
from groundswell.stages import features, labels, split

LIVE = "scraped_videos"
FALLBACK = "fallback"


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """One side of the split: rows to learn from or to judge on, with what is known of each."""

    rows: Part
    keys: split.Keys
    authors: Sequence[str | None]
    quantity: Floats | None

    def __len__(self) -> int:
        return len(self.rows)


@dataclasses.dataclass(frozen=True, slots=True)
class Material:
    """Training and holdout rows, where they are from, and their tiers' cut-points where those are known."""

    source: str
    training: Side
    holdout: Side
    selection: split.Mask
    quantity_name: str
    cut_points: tuple[float, ...] | None
    first_posted_at: datetime | None
    last_posted_at: datetime | None

    @property
    def tiers(self) -> Tiers:
        """The tiers of all rows."""
        return np.concatenate([self.training.rows.tiers, self.holdout.rows.tiers])

    @property
    def data_hash(self) -> str:
        """The SHA-256 of every row's hash, features and tier, on the side it stands."""
        digest = hashlib.sha256()
        for side in (self.training, self.holdout):
            for array in (side.keys, side.rows.features, side.rows.tiers):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def live_material(videos: pl.DataFrame, wes: labels.Label | None, seed: int) -> Material:
    """Return the material of stored videos: stratified 80/20 by a hash of the seed and the video's key.

    The label is `wes` where given, else views with the cut-points of these videos.
    """
    if wes is None:
        quantity = videos["views"].cast(pl.Float64).to_numpy()
        label = labels.Label("views", labels.views_cut_points(quantity))
    else:
        label, quantity = wes, labels.weighted_engagement_score(videos)
    tiers, keys = label.tiers(quantity), videos["key"].to_list()
    values, hashes = features.matrix(videos), split.row_keys(keys, str(seed))
    chosen = split.stratified(hashes, tiers)
    authors = videos["author"].to_list()
    identities = split.row_keys(keys, "row")

    def side(mask: split.Mask) -> Side:
        own = [author for author, taken in zip(authors, mask, strict=True) if taken]
        return Side(Part(values[mask], tiers[mask]), identities[mask], own, quantity[mask])

    posted = videos["posted_at"].drop_nulls()
    return Material(
        source=LIVE,
        training=side(chosen),
        holdout=side(~chosen),
        selection=_selection([key for key, taken in zip(keys, chosen, strict=True) if taken], tiers[chosen], seed),
        quantity_name=label.quantity,
        cut_points=label.cut_points,
        first_posted_at=posted.min() if len(posted) else None,  # type: ignore[arg-type]
        last_posted_at=posted.max() if len(posted) else None,  # type: ignore[arg-type]
    )


def fallback_material(path: Path, seed: int) -> Material:
    """Return the material of a file of `extract`, with its own two sets; a row's key is a hash of its features."""
    data = read_training_data(path)
    training, holdout = _anonymous(data.train), _anonymous(data.test)
    names = [str(key) for key in training.keys.tolist()]
    return Material(
        source=FALLBACK,
        training=training,
        holdout=holdout,
        selection=_selection(names, training.rows.tiers, seed),
        quantity_name="wes",
        cut_points=None,
        first_posted_at=None,
        last_posted_at=None,
    )


def _selection(keys: Sequence[str], tiers: Tiers, seed: int) -> split.Mask:
    """Return the fifth of the training rows that tunes, chooses and calibrates; another hash, so another draw."""
    return ~split.stratified(split.row_keys(keys, f"{seed}:selection"), tiers)


def _anonymous(rows: Part) -> Side:
    digests = [hashlib.sha256(np.ascontiguousarray(row).tobytes()).digest()[:8] for row in rows.features]
    keys = np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
    return Side(rows, keys, [None] * len(rows), None)
