"""The artifacts: models as bytes, each stored under its own sha256, in a folder or an S3 bucket."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from groundswell.errors import ArtifactError
from groundswell.settings import masked
from groundswell.store.files import write_whole

_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_ATTEMPTS = 2


class Folder(Protocol):
    """Where artifacts lie: bytes by relative name; OSError where that cannot be."""

    def write(self, name: str, data: bytes) -> None:
        """Store the bytes under the name: wholly or not at all."""

    def read(self, name: str) -> bytes:
        """Return the bytes of the name; FileNotFoundError where there are none."""


class Artifacts:
    """A folder of artifacts at a file:// or s3:// URL; a name is the sha256 of what it holds.

    `s3_endpoint` is the URL of an S3 service other than Amazon's. Keys are taken from the AWS_* variables.
    """

    def __init__(self, url: str, s3_endpoint: str | None = None) -> None:
        self.url = masked(url).rstrip("/")
        self._url = url.rstrip("/")
        self._s3_endpoint = s3_endpoint

    def put(self, data: bytes) -> str:
        """Return the sha256 (hex) under which the bytes are now stored, on disk before this returns.

        Putting the same bytes again changes nothing and mends a damaged copy. Raises ArtifactError.
        """
        sha = hashlib.sha256(data).hexdigest()
        try:
            self._folder.write(_name(sha), data)
        except Exception as error:  # an S3 client has no one root of its errors
            raise ArtifactError(
                f"The artifact {sha} cannot be written to {self.url}: {_reason(error)}.",
                "Set GROUNDSWELL_ARTIFACTS_URL to a place that can be written, or give its credentials as AWS_*.",
            ) from error
        return sha

    def get(self, sha: str) -> bytes:
        """Return the bytes stored under the sha256; ArtifactError if they are missing, unreachable or other bytes."""
        try:
            data = self._folder.read(_name(sha))
        except FileNotFoundError:
            raise ArtifactError(f"The artifact {sha} is missing at {self.url}.") from None
        except Exception as error:
            raise ArtifactError(f"The artifact {sha} cannot be read from {self.url}: {_reason(error)}.") from error
        found = hashlib.sha256(data).hexdigest()
        if found != sha:
            raise ArtifactError(f"The artifact {sha} at {self.url} is damaged: its bytes hash to {found}.")
        return data

    @cached_property
    def _folder(self) -> Folder:
        if self._url.startswith("s3://"):
            return BucketFolder(self._url, self._s3_endpoint)
        return DiskFolder(Path(self._url.removeprefix("file://")))


class DiskFolder:
    """A folder on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, name: str, data: bytes) -> None:
        """Store the bytes: a reader sees all of them or none, and they outlive a power cut."""
        write_whole(self._path / name, data)

    def read(self, name: str) -> bytes:
        """Return the bytes of the name."""
        return (self._path / name).read_bytes()


class BucketFolder:
    """A prefix in an S3 bucket; a put of S3 is whole or nothing by itself."""

    def __init__(self, url: str, endpoint: str | None) -> None:
        import s3fs

        self._prefix = url.removeprefix("s3://")
        # No cache of listings: it would hide what another process wrote since. No shared instance: it would keep
        # the keys of the first. `max_concurrency=1` saves the question for the size before each read.
        self._files: Any = s3fs.S3FileSystem(
            endpoint_url=endpoint,
            skip_instance_cache=True,
            use_listings_cache=False,
            max_concurrency=1,
            config_kwargs={
                "connect_timeout": _CONNECT_SECONDS,
                "read_timeout": _READ_SECONDS,
                "retries": {"max_attempts": _ATTEMPTS},
            },
        )
        self._files.retries = _ATTEMPTS

    def write(self, name: str, data: bytes) -> None:
        """Store the bytes."""
        self._files.pipe_file(f"{self._prefix}/{name}", data)

    def read(self, name: str) -> bytes:
        """Return the bytes of the name."""
        data: bytes = self._files.cat_file(f"{self._prefix}/{name}")
        return data


def _name(sha: str) -> str:
    return f"{sha[:2]}/{sha}"


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return masked(str(error).strip().rstrip(".").split("\n", 1)[0]) or type(error).__name__
