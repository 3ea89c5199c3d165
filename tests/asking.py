"""An app as its callers meet it, without a network or a lifespan: what was asked, and what was answered."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from groundswell.settings import load_settings
from groundswell.web.app import create_app

OPERATOR, READER, PREDICTOR = "ann-secret-1", "ron-secret-1", "pia-secret-1"
KEYS = f"ann:operate:{OPERATOR},ron:read:{READER},pia:predict:{PREDICTOR}"
CRON, HOOK = "a-cron-secret", "a-hook-secret"
HERE = "http://localhost:8000"
OWN = {"origin": HERE}
SESSION = "groundswell_session"


@dataclasses.dataclass
class Browser:
    """Somebody who asks, and keeps the cookies that were given.

    An unexpected error ends the test, unless `raises` is false: it is then answered as a server answers it.
    """

    app: FastAPI
    url: str = HERE
    address: str = "127.0.0.1"
    cookies: dict[str, str] = dataclasses.field(default_factory=dict)
    raises: bool = True

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Return the answer; redirects are not followed."""

        async def answered() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=self.raises, client=(self.address, 5_000))
            async with httpx.AsyncClient(transport=transport, base_url=self.url, cookies=self.cookies) as client:
                return await client.request(method, path, **given)

        response = asyncio.run(answered())
        for line in response.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return response

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Return the answer to a GET request; the underscores of the headers' names stand for hyphens."""
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, **given: Any) -> httpx.Response:
        return self.ask("POST", path, **given)

    def log_in(self, key: str = OPERATOR, **form: str) -> httpx.Response:
        return self.post("/login", data={"key": key, **form}, headers={"origin": self.url})

    def token(self, path: str = "/") -> str:
        """Return the token in the forms of a page."""
        found = re.search(r'name="csrf" value="([^"]*)"', self.get(path).text)
        assert found
        return found.group(1)


def app_of(home: Path, **settings: Any) -> FastAPI:
    """Return an app with keys of every kind, of which `settings` changes some."""
    usual = {"api_keys": KEYS, "cron_secret": CRON, "webhook_secret": HOOK, "home": home}
    return create_app(load_settings(**{**usual, **settings}))


def bearer(key: str) -> dict[str, str]:
    """Return the header of a key."""
    return {"authorization": f"Bearer {key}"}
