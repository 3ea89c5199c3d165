"""Where a request comes from: one of our own pages, a foreign one, or no page at all; and whom it was meant for."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from fastapi import Request

from groundswell.settings import Settings

#: Methods that change nothing.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def from_own_page(request: Request, settings: Settings) -> bool | None:
    """Return whether a page of ours sent the request; None where nothing says so, as no browser sends a change.

    Browsers say `Sec-Fetch-Site` and `Origin` by themselves, and no page can make them say otherwise.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    said = request.headers.get("origin") or request.headers.get("referer")
    if said is None:
        return None
    own = {request.headers.get("host", "").lower(), _netloc(settings.public_url)} - {""}
    return _netloc(said) in own


def is_loopback_name(host: str) -> bool:
    """Return whether a Host header names this machine as only itself can.

    >>> is_loopback_name("localhost:8000"), is_loopback_name("127.0.0.1"), is_loopback_name("[::1]:80")
    (True, True, True)
    >>> is_loopback_name("localhost.evil.example"), is_loopback_name("evil.example:8000"), is_loopback_name("")
    (False, False, False)
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or is_loopback_address(name)


def is_loopback_address(text: str) -> bool:
    """Return whether an address is reached from this machine alone.

    >>> [is_loopback_address(one) for one in ("127.8.8.8", "::1", "::ffff:127.0.0.1", "0.0.0.0", "10.0.0.1", "x")]
    [True, True, True, False, False, False]
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _netloc(url: str | None) -> str:
    try:
        return urlsplit(url or "").netloc.lower()
    except ValueError:
        return ""
