"""What a version remembers of the rows it learnt from: which they were, their tiers and the label's quantity.

A later gate asks which holdout rows the champion has never seen, and an actual score needs a video's rank among
the version's training videos. Stored as Parquet beside the model, read only when asked.
"""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import numpy.typing as npt
import polars as pl

from groundswell.calibration.scores import Floats, Tiers
from groundswell.errors import ArtifactError
from groundswell.records import TIER_RANGES, TIERS


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingRows:
    """Hashes of the rows, their tiers, and the quantity that was ranked (NaN where only tiers were known)."""

    keys: npt.NDArray[np.uint64]
    tiers: Tiers
    quantity: Floats

    def unseen(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Return which of the keys are not among the training rows.

        >>> seen = np.array([1, 2], dtype=np.uint64)
        >>> TrainingRows(seen, np.array([1, 1]), np.zeros(2)).unseen(np.array([2, 3], dtype=np.uint64)).tolist()
        [False, True]
        """
        return np.isin(keys, self.keys, invert=True)

    def actual_scores(self, tiers: Tiers, quantity: Floats) -> Floats:
        """Return the actual score 0–100 of videos of these tiers: their place inside the tier's range.

        It is linear in the mid-rank, the share below and half of the equal ones, among the training rows of the tier;
        the middle of the range for a tier that training never saw (DESIGN §1).

        >>> rows = TrainingRows(np.arange(4, dtype=np.uint64), np.array([1, 1, 1, 5]), np.array([10.0, 20, 30, 900]))
        >>> rows.actual_scores(np.array([1, 1, 5, 2]), np.array([20.0, 5.0, 901.0, 50.0])).tolist()
        [12.5, 0.0, 100.0, 35.0]
        """
        found = np.empty(len(tiers))
        for tier, (low, high) in zip(TIERS, TIER_RANGES, strict=True):
            own = np.sort(self.quantity[(self.tiers == tier) & ~np.isnan(self.quantity)])
            here = tiers == tier
            below, upto = (np.searchsorted(own, quantity[here], side=side) for side in ("left", "right"))
            place = (below + upto) / (2 * len(own)) if len(own) else np.full(int(here.sum()), 0.5)
            found[here] = low + place * (high - low)
        return found

    def to_bytes(self) -> bytes:
        """Return the rows as Parquet, in one order whatever the order they were learnt in."""
        frame = pl.DataFrame({"key": self.keys, "tier": self.tiers.astype(np.int8), "quantity": self.quantity})
        buffer = io.BytesIO()
        frame.sort("key", "tier", "quantity").write_parquet(buffer, compression="zstd")
        return buffer.getvalue()


def training_rows_from_bytes(data: bytes) -> TrainingRows:
    """Return the stored rows; raises ArtifactError where the bytes are not such rows."""
    try:
        frame = pl.read_parquet(io.BytesIO(data))
        return TrainingRows(
            frame["key"].to_numpy(), frame["tier"].cast(pl.Int64).to_numpy(), frame["quantity"].to_numpy()
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactError(f"The artifact holds no training rows: {error}.") from None
