"""`schedule` as a user types it: a file on stdout that another scheduler can take as it is."""

from __future__ import annotations

import pytest

from tests.acceptance.process import Place


@pytest.mark.parametrize(("words", "head"), [("crontab", "# groundswell"), ("vercel", "{"), ("k8s", "# kubectl")])
def test_what_is_printed_is_what_json_holds(place: Place, words: str, head: str) -> None:
    url = "https://waves.example"
    body = place.json("schedule", "--format", words, "--url", url)
    assert (body["format"], body["url"]) == (words, url)
    assert [job["kind"] for job in body["jobs"]] == ["retrain", "retrain", "audit", "harvest"]
    assert body["text"].startswith(head)
    assert place.run("schedule", "--format", words, "--url", url).out == body["text"]


def test_lines_and_times_are_those_of_the_settings(place: Place) -> None:
    given = {"GROUNDSWELL_LINES": "24h", "GROUNDSWELL_SCHEDULE_RETRAIN": "15 4 * * sun"}
    out = place.run("schedule", environment=given).out
    assert "\n15 4 * * 0 curl " in out
    assert "/api/cron/retrain-ml?window=24h" in out
    assert "window=observed" not in out


def test_an_address_that_is_none_is_refused(place: Place) -> None:
    assert "--url" in place.run("schedule", "--url", "ftp://x", code=1).err
    place.run("schedule", "--format", "systemd", code=2)
