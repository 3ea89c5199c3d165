"""The same commands with the models in an S3 bucket."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from groundswell.store.artifacts import Artifacts
from tests.acceptance.process import EASY, Place, made_up, serving, write_export


@pytest.fixture
def bucket(s3_server: str, s3_bucket: str, tmp_path: Path) -> Place:
    """A place whose artifacts go to a bucket under a prefix."""
    environment = {
        **EASY,
        "GROUNDSWELL_ARTIFACTS_URL": f"s3://{s3_bucket}/models/tiktok",
        "GROUNDSWELL_S3_ENDPOINT": s3_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "s3cret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return Place(tmp_path, environment)


@pytest.mark.slow
def test_models_live_in_the_bucket(bucket: Place, s3_server: str) -> None:
    bucket.run("ingest", str(write_export(bucket.folder / "export.jsonl", made_up(600))))
    artifact = bucket.json("retrain")["artifact"]
    assert Artifacts(bucket.environment["GROUNDSWELL_ARTIFACTS_URL"], s3_server).get(artifact)
    assert not (bucket.folder / "groundswell-data" / "artifacts").exists()
    assert bucket.champion() == 1
    assert bucket.predict()["modelVersion"] == 1

    # The service is away: nothing is published, what is known is told, and the champion comes back with it.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
    away = {"GROUNDSWELL_S3_ENDPOINT": closed}
    failed = bucket.run("retrain", "--json", code=1, environment=away)
    assert failed.body["status"] == "failed"
    assert failed.body["error"].startswith("Training failed: The artifact ")
    assert "cannot be read from s3://" in failed.body["error"]
    assert "GROUNDSWELL_ARTIFACTS_URL" in failed.body["hint"]
    assert "s3cret-key" not in failed.out + failed.err
    refused = bucket.run("predict", "--json", code=1, environment=away, given=b'{"videos": [{"views": 1, "likes": 1}]}')
    assert "cannot be read from s3://" in refused.body["error"]
    assert bucket.champion(**away) == 1


def test_a_server_serves_from_the_bucket(bucket: Place) -> None:
    bucket.run("ingest", str(write_export(bucket.folder / "export.jsonl", made_up(600))))
    with serving(bucket, CRON_SECRET="x") as server:
        assert server.post("/api/cron/retrain-ml", authorization="Bearer x").body["modelVersion"] == 1
        (answer,) = server.predict({"views": 1_000, "likes": 50})
        assert answer["modelVersion"] == 1
        bucket.sql("delete from aliases")
    away = {"GROUNDSWELL_S3_ENDPOINT": "http://127.0.0.1:9"}
    failed = bucket.run("retrain", "--json", code=1, environment=away)
    assert "cannot be written to s3://" in failed.body["error"]
    assert "AWS_*" in failed.body["hint"]
