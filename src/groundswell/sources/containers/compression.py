"""Bytes of a file, unpacked where it is gzipped."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from groundswell.errors import SourceError

#: Enough to see the first rows of any export.
HEAD_BYTES = 256 * 1024


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Yield the file opened for reading; what goes wrong while it is read becomes a SourceError."""
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if not packed:
                yield plain
                return
            with gzip.open(plain) as unzipped:
                yield cast("IO[bytes]", unzipped)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"{path} is a damaged or truncated gzip file: {error}.") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.", "Check its permissions.") from None


def beginning(path: Path) -> bytes:
    """Return the first bytes of the file."""
    with unpacked(path) as stream:
        return stream.read(HEAD_BYTES)
