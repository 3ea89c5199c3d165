"""A FastAPI app that answers what it was sent: what the server itself costs."""

from __future__ import annotations

import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Request(BaseModel):
    """The same body that a prediction takes."""

    window: str = "observed"
    reasons: bool = False
    videos: list[Any]


@app.post("/echo")
def echo(request: Request) -> dict[str, Any]:
    """Answer the body."""
    return request.model_dump()


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sys.stdout.write(f"http://127.0.0.1:{taken.getsockname()[1]}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[taken])
