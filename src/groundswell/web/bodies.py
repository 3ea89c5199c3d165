"""What an answer is made of: JSON written by orjson, which for ten thousand videos takes a hundredth of the time."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Response


class Json(Response):
    """A body of plain JSON types; FastAPI's own way would look at each value of it twice."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes of the body."""
        return orjson.dumps(content)
