"""Forms that change something: the token each carries, bound to the session, and its check."""

from __future__ import annotations

import hmac

from fastapi import Request
from itsdangerous import BadData

from groundswell.web.guard.origins import from_own_page
from groundswell.web.guard.refusals import ForeignRequestError
from groundswell.web.guard.sessions import LASTS_SECONDS, derived_secret, sealer, session_of
from groundswell.web.state import state_of

_LONGEST_TOKEN = 500


def csrf_token(request: Request) -> str:
    """Return the token that a form carries."""
    return str(sealer(_secret(request)).dumps(_binding(request)))


def check_csrf(request: Request, token: str) -> None:
    """Raise ForeignRequestError unless the form came from a page of this service, and within the same session."""
    if from_own_page(request, state_of(request).settings) is not True:
        raise ForeignRequestError("The form did not come from a page of this service.")
    try:
        bound = sealer(_secret(request)).loads(token[:_LONGEST_TOKEN], max_age=LASTS_SECONDS)
    except BadData:
        raise ForeignRequestError("The form is too old, or not ours.") from None
    if not hmac.compare_digest(str(bound).encode(), _binding(request).encode()):
        raise ForeignRequestError("The form is one of another session.")


def _secret(request: Request) -> bytes:
    return derived_secret(state_of(request).settings.keys, "form")


def _binding(request: Request) -> str:
    """Return the id of the session that a token holds for; empty where nobody has logged in."""
    session = session_of(request)
    return session.id if session else ""
