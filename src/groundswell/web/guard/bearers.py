"""Secrets that a call carries: compared in constant time."""

from __future__ import annotations

import hmac

from fastapi import Request
from pydantic import SecretStr

from groundswell.access import NOT_A_SECRET
from groundswell.web.guard.refusals import UnauthorizedError


def require(request: Request, secret: SecretStr | None) -> None:
    """Raise UnauthorizedError unless the bearer is the secret; with no secret set every call is refused."""
    compare(bearer(request), secret)


def bearer(request: Request) -> str:
    """Return the bearer of a request; empty where it has none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def compare(given: str, secret: SecretStr | None) -> None:
    """Raise UnauthorizedError unless what was given is the secret; with no secret set nothing is."""
    expected = secret.get_secret_value() if secret else ""
    # Compared even when it cannot match, so that the time taken tells nothing of what is set.
    equal = hmac.compare_digest(given.encode(errors="replace"), expected.encode())
    if expected in NOT_A_SECRET or not equal:
        raise UnauthorizedError
