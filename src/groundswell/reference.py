"""What a version remembers of its training rows: how each feature and the tiers were spread, in a few bins each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from groundswell.calibration.intervals import Clusters
from groundswell.calibration.scores import Floats, Tiers

Bins = npt.NDArray[np.int64]

#: Bins of a continuous feature; one with no more distinct values than this has a bin for each of them.
BINS = 10
#: A share is stored to so many decimals, which keeps the reference of 53 features near 20 kB.
_DECIMALS = 6
_TIER_EDGES = (1.0, 2.0, 3.0, 4.0)


@dataclasses.dataclass(frozen=True, slots=True)
class FeatureReference:
    """How one feature was spread in training.

    Bin k holds the values above `edges[k−1]` up to and including `edges[k]`, with `shares[k]` of all rows; `missing` is
    the share of rows without a value. `effective_rows` is how many independent rows tell as much as the clustered ones.
    """

    name: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    missing: float
    effective_rows: float

    def bins(self, values: Floats) -> Bins:
        """Return the bin of each value; a missing one (NaN) is in the last, number `len(shares)`.

        >>> made = FeatureReference("hour", (0.0, 1.0), (0.5, 0.25, 0.25), 0.0, 4.0)
        >>> made.bins(np.array([-3.0, 0.0, 0.5, 9.0, np.nan])).tolist()
        [0, 0, 1, 2, 3]
        """
        member = np.searchsorted(np.array(self.edges), values, side="left")
        return np.asarray(np.where(np.isnan(values), len(self.shares), member), dtype=np.int64)


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """What a version was trained on: its rows, each feature in the model's order, and the tiers as one more feature."""

    n: int
    features: tuple[FeatureReference, ...]
    tiers: FeatureReference

    def content(self) -> dict[str, Any]:
        """Return the reference as plain JSON types, to be stored with the model."""
        return {
            "n": self.n,
            "features": [_content(feature) for feature in self.features],
            "tiers": _content(self.tiers),
        }


def reference_of(names: Sequence[str], features: Floats, tiers: Tiers, clusters: Clusters | None = None) -> Reference:
    """Return the reference of training features of shape (rows, features), NaN for missing, and their tiers 1–5.

    `clusters` numbers the creators of the rows; without it every row counts as independent.

    >>> made = reference_of(["flag"], np.array([[0.0], [1.0], [1.0], [np.nan]]), np.array([1, 1, 5, 5]))
    >>> made.features[0].shares[1:-1], made.features[0].missing, made.tiers.shares
    ((0.25, 0.5), 0.25, (0.5, 0.0, 0.0, 0.0, 0.5))
    """
    of = numbered(clusters)
    return Reference(
        n=len(tiers),
        features=tuple(
            _reference(name, _edges(column), column, of) for name, column in zip(names, features.T, strict=True)
        ),
        tiers=_reference("tier", _TIER_EDGES, tiers.astype(np.float64), of),
    )


def reference_from_content(content: Mapping[str, Any]) -> Reference:
    """Return the reference that `content()` describes; KeyError, TypeError or ValueError where it does not."""
    return Reference(
        n=int(content["n"]),
        features=tuple(_feature(feature) for feature in content["features"]),
        tiers=_feature(content["tiers"]),
    )


def numbered(clusters: Clusters | None) -> Clusters | None:
    """Return the clusters numbered from 0 without gaps.

    >>> numbered(np.array([7, 3, 7])).tolist()
    [1, 0, 1]
    """
    return None if clusters is None else np.unique(clusters, return_inverse=True)[1].astype(np.int64)


def effective_rows(member: Bins, bins: int, of: Clusters | None) -> float:
    """Return how many independent rows would give bin shares as exact as these clustered ones do.

    That is n over the mean design effect of the shares: 1 for a feature that varies within a creator's videos as
    it does between creators, near the videos a creator for one that all of them have in common. It lies between
    Kish's number of clusters, `n²/Σn_c²`, and n. `of` numbers the clusters from 0 without gaps. Sources: Rao & Scott,
    "The analysis of categorical data from complex sample surveys", JASA 76 (1981), the first-order correction; Kish,
    "Survey Sampling" (1965).

    >>> pairs = np.array([0, 0, 1, 1, 2, 2])
    >>> effective_rows(np.array([0, 0, 1, 1, 0, 0]), 2, pairs)
    3.0
    >>> effective_rows(np.array([0, 1, 0, 1, 0, 1]), 2, pairs)
    6.0
    """
    n = len(member)
    if of is None or n == 0:
        return float(n)
    groups = int(of.max()) + 1
    if groups == n:
        return float(n)
    table = np.bincount(of * bins + member, minlength=groups * bins).reshape(groups, bins)
    sizes = table.sum(axis=1)
    fewest = n**2 / float(sizes @ sizes)
    occurring = table.sum(axis=0) > 0
    share = table.sum(axis=0)[occurring] / n
    if groups == 1 or len(share) == 1:
        return fewest
    # Σ_c (n_ci − n_c·p_i)², multiplied out, so that no second table of that size is needed.
    squares = np.einsum("ci,ci->i", table, table)[occurring] - 2 * share * (sizes @ table)[occurring]
    variance = groups / (groups - 1) * (squares + share**2 * (sizes @ sizes)) / n**2
    effect = n * float((variance / share).sum()) / (len(share) - 1)
    return float(np.clip(n / max(effect, 1.0), fewest, n))


def _edges(column: Floats) -> tuple[float, ...]:
    known = column[np.isfinite(column)]
    if not len(known):
        return ()
    distinct = np.unique(known)
    if len(distinct) <= BINS:
        # A bin on either side as well: a flag that was never set, or a constant, may take a value it never had.
        return (float(np.nextafter(distinct[0], -np.inf)), *distinct.tolist())
    inner = np.quantile(known, np.arange(1, BINS) / BINS, method="lower")
    return tuple(np.unique(inner).tolist())


def _reference(name: str, edges: tuple[float, ...], column: Floats, of: Clusters | None) -> FeatureReference:
    empty = FeatureReference(name, edges, (0.0,) * (len(edges) + 1), 0.0, 0.0)
    member = empty.bins(column)
    bins = len(empty.shares) + 1
    shares = (np.bincount(member, minlength=bins) / max(1, len(column))).round(_DECIMALS).tolist()
    return dataclasses.replace(
        empty, shares=tuple(shares[:-1]), missing=shares[-1], effective_rows=round(effective_rows(member, bins, of), 1)
    )


def _content(feature: FeatureReference) -> dict[str, Any]:
    return {
        "name": feature.name,
        "edges": list(feature.edges),
        "shares": list(feature.shares),
        "missing": feature.missing,
        "effectiveRows": feature.effective_rows,
    }


def _feature(content: Mapping[str, Any]) -> FeatureReference:
    made = FeatureReference(
        name=str(content["name"]),
        edges=tuple(float(edge) for edge in content["edges"]),
        shares=tuple(float(share) for share in content["shares"]),
        missing=float(content["missing"]),
        effective_rows=float(content["effectiveRows"]),
    )
    if len(made.shares) != len(made.edges) + 1 or any(np.diff(made.edges) <= 0):
        raise ValueError(f"bins of {made.name} that do not fit together")
    return made
