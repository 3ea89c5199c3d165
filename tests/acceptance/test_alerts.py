"""`alerts test`: whoever sets up a channel sees whether a message arrives there, and nothing of its secrets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.process import Place
from tests.inbox import Inbox

DEAD = "json://ann:s3cret@127.0.0.1:9/hook-t0ken"
CHANNELS = "GROUNDSWELL_ALERT_URLS"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.close()


def test_a_test_message_arrives_and_is_said_to(place: Place, inbox: Inbox) -> None:
    answer = place.run("alerts", "test", environment={CHANNELS: inbox.url})
    assert answer.out == "✓ 1: JSON: arrived\n"
    assert "error:" not in answer.err
    told = inbox.arrived.get(timeout=30)
    assert (told["title"], told["type"]) == ("groundswell: a test", "success")
    assert told["message"] == "This is a test of groundswell. Nothing is wrong."
    assert inbox.titles() == [], "it is sent once"


def test_a_dead_channel_is_named_without_its_secrets_and_the_others_are_told(place: Place, inbox: Inbox) -> None:
    both = {CHANNELS: f"{DEAD} {inbox.url}", "GROUNDSWELL_PUBLIC_URL": "https://waves.example"}
    answer = place.run("alerts", "test", code=1, environment=both)
    assert answer.out == "✗ 1: JSON: the channel did not take it\n✓ 2: JSON: arrived\n"
    assert "error: Not every channel took the message.\n" in answer.err
    assert "hint: Correct GROUNDSWELL_ALERT_URLS and try again.\n" in answer.err
    for secret in ("s3cret", "t0ken"):
        assert secret not in answer.out + answer.err
    told = inbox.arrived.get(timeout=30)
    assert told["message"] == "This is a test of groundswell at https://waves.example. Nothing is wrong."


def test_a_program_is_told_the_same(place: Place) -> None:
    assert place.json("alerts", "test", code=1, environment={CHANNELS: DEAD}) == {
        "status": "failed",
        "channels": [{"channel": "1: JSON", "arrived": False, "said": "the channel did not take it"}],
    }


def test_without_a_channel_it_is_said_what_to_set(place: Place) -> None:
    answer = place.run("alerts", "test", code=1)
    assert (answer.out, "GROUNDSWELL_ALERT_URLS is not set" in answer.err) == ("", True)
