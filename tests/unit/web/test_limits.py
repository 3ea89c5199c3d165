"""How large, how slow and how long: an app behind the limits, its server played by hand."""

from __future__ import annotations

import asyncio
import dataclasses
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundswell.web.guard.limits import Bounds, Limits

SHORT = 0.05


@dataclasses.dataclass
class Heard:
    """What a caller heard, and whether the app behind the limits was asked."""

    status: int = 0
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    answers: int = 0


def scope_of(path: str = "/x", **headers: str) -> Scope:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": path, "headers": named, "query_string": b""}


async def hear(app: ASGIApp, scope: Scope, parts: AsyncIterator[Message]) -> Heard:
    """Play the server: give the parts of a body, wait until there is an answer, and note it."""
    heard, answered = Heard(), asyncio.Event()

    async def receive() -> Message:
        if not answered.is_set():
            async for part in parts:
                return part
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            heard.status, heard.answers = message["status"], heard.answers + 1
            heard.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            heard.body += message.get("body", b"")
            if not message.get("more_body"):
                answered.set()

    await app(scope, receive, send)
    return heard


async def parts_of(size: int, part: int = 1_000) -> AsyncIterator[Message]:
    content = b"x" * part
    for start in range(0, size, part):
        yield {"type": "http.request", "body": content[: size - start], "more_body": start + part < size}
    if not size:
        yield {"type": "http.request", "body": b"", "more_body": False}


async def breaking_off(parts: int) -> AsyncIterator[Message]:
    for _ in range(parts):
        yield {"type": "http.request", "body": b"x", "more_body": True}


async def echo_length(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        body = await Request(scope, receive).body()
    except ClientDisconnect:  # as FastAPI, which answers to whoever may still be there
        await PlainTextResponse("gone", 400)(scope, receive, send)
        return
    await PlainTextResponse(str(len(body)))(scope, receive, send)


def behind(app: ASGIApp, most: int = 10_000, seconds: float = 60.0) -> Limits:
    return Limits(app, Bounds(most, seconds, ("/api/cron/",)))


def run(scene: Callable[[], Awaitable[Heard]]) -> Heard:
    async def timed() -> Heard:
        return await asyncio.wait_for(scene(), 20)

    return asyncio.run(timed())


@pytest.mark.parametrize("size", [0, 1, 9_999, 10_000])
@pytest.mark.parametrize("said", [True, False])
def test_a_body_within_the_limit_is_read(size: int, said: bool) -> None:
    scope = scope_of(content_length=str(size)) if said else scope_of(transfer_encoding="chunked")
    heard = run(lambda: hear(behind(echo_length), scope, parts_of(size)))
    assert (heard.status, heard.body) == (200, str(size).encode())


@pytest.mark.parametrize("said", [True, False])
def test_a_body_beyond_it_is_413_and_never_held(said: bool) -> None:
    size = 100_000_000
    scope = scope_of(content_length=str(size)) if said else scope_of(transfer_encoding="chunked")
    tracemalloc.start()
    heard = run(lambda: hear(behind(echo_length), scope, parts_of(size, 65_536)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (heard.status, heard.answers) == (413, 1)
    assert heard.headers["connection"] == "close"
    assert orjson.loads(heard.body) == {
        "error": "The body is larger than 0.01 MB.",
        "hint": "Send it in parts, or raise GROUNDSWELL_MAX_BODY_MB.",
    }
    assert peak < 3_000_000


def test_what_waits_to_be_told_to_go_on_is_refused_before_it_sends() -> None:
    asked = False

    async def never() -> AsyncIterator[Message]:
        nonlocal asked
        asked = True
        yield {"type": "http.request", "body": b"", "more_body": False}

    heard = run(lambda: hear(behind(echo_length), scope_of(content_length="10001", expect="100-continue"), never()))
    assert (heard.status, asked) == (413, False)


@pytest.mark.parametrize("headers", [{"content_length": "50"}, {"transfer_encoding": "chunked"}])
@pytest.mark.parametrize("path", ["/x", "/api/cron/retrain-ml"])
def test_a_body_that_does_not_arrive_is_408(headers: dict[str, str], path: str) -> None:
    heard = run(lambda: hear(behind(echo_length, seconds=SHORT), scope_of(path, **headers), breaking_off(3)))
    assert (heard.status, heard.answers) == (408, 1)
    assert "did not arrive within 0.05 s" in heard.body.decode()


def test_an_answer_that_takes_too_long_is_503_and_a_later_one_is_dropped() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(5 * SHORT)
        await PlainTextResponse("late")(scope, receive, send)

    heard = run(lambda: hear(behind(slow, seconds=SHORT), scope_of(), parts_of(0)))
    assert (heard.status, heard.answers) == (503, 1)
    assert set(orjson.loads(heard.body)) == {"error", "hint"}
    assert heard.headers["retry-after"] == "1"
    kept = run(lambda: hear(behind(slow, seconds=SHORT), scope_of("/api/cron/retrain-ml"), parts_of(0)))
    assert (kept.status, kept.body) == (200, b"late"), "a retrain has a limit of its own"


def test_the_time_for_the_answer_begins_with_the_whole_body() -> None:
    async def scene() -> Heard:
        async def slowly() -> AsyncIterator[Message]:
            await asyncio.sleep(0.6)
            yield {"type": "http.request", "body": b"x", "more_body": False}

        async def works(scope: Scope, receive: Receive, send: Send) -> None:
            await Request(scope, receive).body()
            await asyncio.sleep(0.6)
            await PlainTextResponse("done")(scope, receive, send)

        return await hear(behind(works, seconds=1.0), scope_of(content_length="1"), slowly())

    assert run(scene).status == 200


def test_an_answer_that_has_begun_is_not_cut_off() -> None:
    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(4 * SHORT)
        await send({"type": "http.response.body", "body": b"all", "more_body": False})

    heard = run(lambda: hear(behind(streams, seconds=SHORT), scope_of(), parts_of(0)))
    assert (heard.status, heard.body, heard.answers) == (200, b"all", 1)


def test_what_fails_behind_the_limits_fails_on() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(lambda: hear(behind(fails), scope_of(), parts_of(0)))
