"""A browser, and services that it looks at: one that has lived, one that is empty, one whose database is away."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from groundswell.jobs.context import open_context
from groundswell.overview import tallied
from groundswell.settings import Settings
from groundswell.web.app import create_app
from tests.browser.lived import live, settings_of

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)
_PATIENCE = 60.0
_ABORTED = "ERR_ABORTED"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are waited for, so that no test hangs on how fast they are."""
    monkeypatch.setattr(tallied.Tallies.of, "__defaults__", (10.0,))


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Yield the address of a service that runs in a thread of this process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        until = time.monotonic() + _PATIENCE
        while not server.started and time.monotonic() < until:
            threading.Event().wait(0.02)
        with urllib.request.urlopen(f"{address}/healthz") as answer:
            assert answer.status == 200
        yield address
        server.should_exit = True
        thread.join(_PATIENCE)


@dataclasses.dataclass
class Visitor:
    """A page of the browser at one service; at the end nothing must have gone wrong in it, unless it was expected."""

    page: Page
    address: str
    problems: list[str]

    def open(self, path: str, status: int = 200) -> Page:
        """Open a page of the service, and return it once it is there."""
        if "#" in path:  # or a page that is open already would only be scrolled
            self.page.goto("about:blank")
        answer = self.page.goto(self.address + path)
        assert answer is not None
        assert answer.status == status, (path, answer.status)
        if status >= 400:  # that the page itself is an error is a word in the console
            self.problems[:] = [one for one in self.problems if f"status of {status}" not in one]
        self.check_fits()
        return self.page

    def check_fits(self) -> None:
        """The page must not be wider than the window."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{self.page.url} is {wide} px too wide"


@contextmanager
def visiting(browser: Browser, address: str, **look: object) -> Iterator[Visitor]:
    """Yield a visitor of the service; fails on a console error, a refused or failed load, or another host."""
    context: BrowserContext = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **look})  # type: ignore[arg-type]
    context.set_default_timeout(1_000 * _PATIENCE)
    page = context.new_page()
    visitor = Visitor(page, address, [])

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            visitor.problems.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((f"{address}/", "data:")):
            visitor.problems.append(f"asked {request.url}")

    def failed(request: Request) -> None:
        # What is still on its way when the next page is opened is given up, which is no failure.
        if _ABORTED not in str(request.failure):
            visitor.problems.append(f"failed: {request.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: visitor.problems.append(str(error)))
    page.on("request", asked)
    page.on("requestfailed", failed)
    yield visitor
    context.close()
    assert visitor.problems == []


# Of a module, since playwright keeps an event loop in this thread for as long as it lives.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium; installed where that is allowed, else skipped with a word, except in CI."""
    path = _chromium()
    if path is None:
        reason = "no chromium is here, and it cannot be installed: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield launched
        launched.close()


def _chromium() -> str | None:
    if (found := shutil.which("chromium")) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
            subprocess.run(command, check=False, capture_output=True)
        found = shutil.which("chromium")
    return found


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a service that has lived; tests that change it take a copy."""
    home = tmp_path_factory.mktemp("lived")
    context = live(home)
    context.database.dispose()
    return home


@pytest.fixture(scope="session")
def lived_service(lived: Path) -> Iterator[str]:
    """The address of the service that has lived."""
    with serving(settings_of(lived)) as address:
        yield address


@pytest.fixture(scope="session")
def empty_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that nobody has fed yet."""
    settings = settings_of(tmp_path_factory.mktemp("empty"))
    open_context(settings).database.dispose()
    with serving(settings) as address:
        yield address
