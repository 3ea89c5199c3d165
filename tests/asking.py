"""Asking an app without a server: requests go straight into it, and its lifespan is the test's."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import httpx
from fastapi import FastAPI


@dataclasses.dataclass(frozen=True)
class Asking:
    """An app, asked as one of its own names."""

    app: FastAPI

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Return the answer to a request; an unexpected error is answered as a server answers it."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                return await client.request(method, path, **given)

        return asyncio.run(ask())

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Return the answer to a GET request."""
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, content: Any) -> httpx.Response:
        """Return the answer to a POST request with JSON."""
        return self.ask("POST", path, json=content)
