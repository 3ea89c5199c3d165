"""Which rows train and which judge: a hash decides, so that a video stays on its side from one retrain to the next."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


def row_keys(keys: Sequence[str], salt: str) -> Keys:
    """Return a 64-bit number a row from the SHA-256 of the salt and the video's key: the same on every machine.

    >>> row_keys(["tiktok:7"], "42").tolist()
    [14484097836601813131]
    """
    prefix = f"{salt}:".encode()
    digests = b"".join(hashlib.sha256(prefix + key.encode()).digest()[:8] for key in keys)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def stratified(hashes: Keys, tiers: npt.NDArray[np.int64], share: float = 0.8) -> Mask:
    """Return which rows are in the first part: of each tier `floor(share·n)` rows, those with the smallest hashes.

    >>> stratified(np.array([5, 1, 9, 3, 7], dtype=np.uint64), np.ones(5, dtype=np.int64)).tolist()
    [True, True, False, True, True]
    """
    chosen = np.zeros(len(tiers), dtype=bool)
    for tier in np.unique(tiers):
        rows = np.flatnonzero(tiers == tier)
        ordered = rows[np.argsort(hashes[rows], kind="stable")]
        chosen[ordered[: math.floor(share * len(rows))]] = True
    return chosen
