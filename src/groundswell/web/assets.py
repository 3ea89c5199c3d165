"""The files that pages link to: each under a name with its hash in it, so that a browser may keep it for ever."""

from __future__ import annotations

import dataclasses
import hashlib
from importlib import resources

from fastapi import APIRouter, HTTPException, Response

_FOREVER = "public, max-age=31536000, immutable"
_OF_OTHERS = "public, max-age=60"


@dataclasses.dataclass(frozen=True, slots=True)
class Asset:
    """A file: what is in it, of what kind it is, and the hash in its name."""

    content: bytes
    kind: str
    digest: str


def _asset(kind: str, *places: tuple[str, str]) -> Asset:
    content = b"\n".join((resources.files(package) / path).read_bytes() for package, path in places)
    return Asset(content, kind, hashlib.sha256(content).hexdigest()[:16])


#: The look of the reports, and what pages add to it.
_LOOK = (("groundswell.reports", "templates/style.css"), ("groundswell.web", "static/page.css"))
_ASSETS = {
    "page.css": _asset("text/css; charset=utf-8", *_LOOK),
    "icon.svg": _asset("image/svg+xml", ("groundswell.web", "static/icon.svg")),
}
router = APIRouter(include_in_schema=False)


def asset(name: str) -> str:
    """Return the path of a file as it is now."""
    stem, _, suffix = name.rpartition(".")
    return f"/static/{stem}.{_ASSETS[name].digest}.{suffix}"


@router.get("/static/{file}")
def get_asset(file: str) -> Response:
    """Answer the file; under a hash that is not its own, which another version linked to, it is not kept for long."""
    stem, digest, suffix = (*file.split("."), "", "", "")[:3]
    found = _ASSETS.get(f"{stem}.{suffix}")
    if found is None:
        raise HTTPException(404)
    kept = _FOREVER if digest == found.digest else _OF_OTHERS
    return Response(found.content, media_type=found.kind, headers={"Cache-Control": kept})
