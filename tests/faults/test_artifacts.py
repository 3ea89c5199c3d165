"""What goes wrong with the place of the artifacts is one clear error."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from groundswell.errors import ArtifactError
from groundswell.store.artifacts import Artifacts


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    artifacts = Artifacts(f"file://{tmp_path}/file/models")
    with pytest.raises(ArtifactError, match=r"cannot be written to file://.*Not a directory") as caught:
        artifacts.put(b"model")
    assert "GROUNDSWELL_ARTIFACTS_URL" in caught.value.hint


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ArtifactError, match="No space left on device"):
        Artifacts(f"file://{tmp_path}").put(b"model")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_read_as_a_file_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "ab" / ("ab" * 32)).mkdir(parents=True)
    with pytest.raises(ArtifactError, match="Is a directory"):
        Artifacts(f"file://{tmp_path}").get("ab" * 32)


def test_a_missing_bucket_is_named(s3_bucket: str, s3_server: str) -> None:
    with pytest.raises(ArtifactError, match="s3://no-such-bucket/models"):
        Artifacts("s3://no-such-bucket/models", s3_server).put(b"model")


def test_an_unreachable_s3_server_is_told_quickly(s3_bucket: str) -> None:
    artifacts = Artifacts(f"s3://{s3_bucket}/models", f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(ArtifactError, match=f"s3://{s3_bucket}/models"):
        artifacts.put(b"model")
    with pytest.raises(ArtifactError, match="cannot be read from"):
        artifacts.get("0" * 64)
    assert time.monotonic() - began < 10


def test_s3_without_keys_is_one_error(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ArtifactError, match="credentials") as caught:
        Artifacts("s3://bucket-without-keys/models", s3_server).put(b"model")
    assert "AWS_" in caught.value.hint


def test_a_secret_in_the_url_is_never_shown(tmp_path: Path) -> None:
    artifacts = Artifacts("s3://key:hushhush@bucket/models", f"http://127.0.0.1:{free_port()}")
    assert "hushhush" not in artifacts.url
    with pytest.raises(ArtifactError) as caught:
        artifacts.get("0" * 64)
    assert "hushhush" not in str(caught.value)
