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
