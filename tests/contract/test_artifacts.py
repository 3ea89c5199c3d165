"""Artifacts are the same story in a folder and in an S3 bucket."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from groundswell.errors import ArtifactError
from groundswell.store.artifacts import Artifacts

MODEL = b'{"estimator": "logistic"}'
SHA = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture(params=["file", "s3"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    if request.param == "file":
        return Artifacts(f"file://{tmp_path}/my models")
    bucket = request.getfixturevalue("s3_bucket")
    return Artifacts(f"s3://{bucket}/my models/", s3_endpoint=request.getfixturevalue("s3_server"))


def test_what_was_put_is_got_back(artifacts: Artifacts) -> None:
    assert artifacts.put(MODEL) == SHA
    assert artifacts.get(SHA) == MODEL


def test_putting_twice_is_putting_once(artifacts: Artifacts) -> None:
    assert artifacts.put(MODEL) == artifacts.put(MODEL)
    assert artifacts.get(SHA) == MODEL


def test_a_large_artifact_comes_back_whole(artifacts: Artifacts) -> None:
    large = bytes(range(256)) * 40_000
    assert artifacts.get(artifacts.put(large)) == large


def test_a_missing_artifact_is_named_with_its_place(artifacts: Artifacts) -> None:
    with pytest.raises(ArtifactError, match="is missing at") as caught:
        artifacts.get(SHA)
    assert SHA in str(caught.value)
    assert artifacts.url in str(caught.value)
    assert "rollback" in caught.value.hint


def test_other_bytes_under_the_name_are_refused(artifacts: Artifacts) -> None:
    artifacts.put(MODEL)
    artifacts._folder.write(f"{SHA[:2]}/{SHA}", b"something else")
    with pytest.raises(ArtifactError, match="is damaged"):
        artifacts.get(SHA)


def test_putting_again_mends_a_damaged_copy(artifacts: Artifacts) -> None:
    artifacts._folder.write(f"{SHA[:2]}/{SHA}", b"something else")
    artifacts.put(MODEL)
    assert artifacts.get(SHA) == MODEL


def test_another_process_sees_what_was_put_after_it_looked(artifacts: Artifacts) -> None:
    other = Artifacts(artifacts._url, artifacts._s3_endpoint)
    with pytest.raises(ArtifactError):
        other.get(SHA)
    artifacts.put(MODEL)
    assert other.get(SHA) == MODEL


def test_s3_is_imported_only_for_s3(tmp_path: Path) -> None:
    program = (
        "import sys; from groundswell.store.artifacts import Artifacts; "
        f"Artifacts('file://{tmp_path}').put(b'x'); sys.exit('s3fs' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_s3_session_ends_without_a_warning(s3_bucket: str, s3_server: str) -> None:
    program = (
        "from groundswell.store.artifacts import Artifacts; "
        f"a = Artifacts('s3://{s3_bucket}/m', {s3_server!r}); print(a.get(a.put(b'x')))"
    )
    finished = subprocess.run(
        [sys.executable, "-W", "default::ResourceWarning", "-c", program], capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "b'x'\n", "")
