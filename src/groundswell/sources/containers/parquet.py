"""Parquet files, read in slices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from groundswell.errors import SourceError
from groundswell.sources.batch import Batch


class Parquet:
    """A Parquet file; a row's line is its number."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the rows in order; raises SourceError where the file is damaged."""
        scan = pl.scan_parquet(self.path, glob=False)
        with self._damage():
            count = scan.select(pl.len()).collect().item()
        for start in range(0, count, size) or (0,):
            with self._damage():
                rows = scan.slice(start, size).collect()
            yield self._batch(start, rows)

    def _batch(self, start: int, rows: pl.DataFrame) -> Batch:
        def values(name: str) -> list[Any]:
            with self._damage():
                return rows[name].to_list()

        return Batch(list(range(start + 1, start + rows.height + 1)), frozenset(rows.columns), values)

    @contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        # A damaged page makes polars panic, and a panic is no Exception.
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OverflowError, ValueError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise SourceError(f"{self.path} is a damaged or truncated Parquet file: {reason}.") from None
