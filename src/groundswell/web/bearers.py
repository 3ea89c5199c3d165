"""Who may call: bearer secrets, compared in constant time."""

from __future__ import annotations

import hmac

from fastapi import Request
from pydantic import SecretStr

from groundswell.web.errors import UnauthorizedError

#: What a script sends when the variable it read was never set; never a secret.
_NOT_A_SECRET = frozenset({"", "undefined", "null", "None"})


def require(request: Request, secret: SecretStr | None) -> None:
    """Raise UnauthorizedError unless the request carries the secret; with no secret set every call is refused."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    expected = secret.get_secret_value() if secret else ""
    # Compared even when it cannot match, so that the time taken tells nothing of what is set.
    equal = hmac.compare_digest(token.encode(), expected.encode())
    if scheme.lower() != "bearer" or expected in _NOT_A_SECRET or not equal:
        raise UnauthorizedError
