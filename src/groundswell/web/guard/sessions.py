"""Sessions: a signed cookie that names the key somebody logged in with, and never holds it.

What signs is derived from that key, so that a changed key ends its sessions, in every process and replica, and no
further setting is needed. Its roles are looked up with each request, and so is whether somebody has logged out: a
cookie that was stolen is worth nothing afterwards.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import multiprocessing
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from fastapi import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from groundswell.access import Key
from groundswell.errors import DatabaseError
from groundswell.settings import Settings
from groundswell.store import logins
from groundswell.web.state import State, state_of

COOKIE = "groundswell_session"
LASTS_SECONDS = 12 * 3_600
#: How long it is known that a session was ended: twice as long as its cookie lasts, whose clock is another machine's.
KEPT = timedelta(seconds=2 * LASTS_SECONDS)
#: Ours are far shorter.
_LONGEST_COOKIE = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """Whose key it was that somebody logged in with, and the session's own id."""

    key: Key
    id: str


def begin(response: Response, key: Key, *, secure: bool) -> None:
    """Give the browser the cookie of a new session."""
    sealed = _sealer(key).dumps([key.name, secrets.token_urlsafe(16)])
    response.set_cookie(
        COOKIE, str(sealed), max_age=LASTS_SECONDS, path="/", secure=secure, httponly=True, samesite="lax"
    )


def end(response: Response, *, secure: bool) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="lax")


def session_of(request: Request) -> Session | None:
    """Return the session that the cookie of a request proves and nobody has ended; None where there is none.

    The database is asked once a request. While it is away every valid cookie counts: a page needs the database anyway.
    """
    if not hasattr(request.state, "session"):
        state = state_of(request)
        proven = _proven(request, state.settings.keys)
        request.state.session = None if proven is None or _has_ended(state, proven) else proven
    found: Session | None = request.state.session
    return found


def _has_ended(state: State, session: Session) -> bool:
    if not state.is_away():
        with suppress(DatabaseError):
            return logins.has_ended(state.context().database, session.id)
    return False


def _proven(request: Request, keys: Sequence[Key]) -> Session | None:
    cookie = request.cookies.get(COOKIE, "")
    if not cookie or len(cookie) > _LONGEST_COOKIE:
        return None
    for key in keys:
        try:
            name, session_id = _sealer(key).loads(cookie, max_age=LASTS_SECONDS)
        except BadData:
            continue
        if name == key.name:
            return Session(key, str(session_id))
    return None


def is_secure(request: Request, settings: Settings) -> bool:
    """Return whether browsers reach us by https, so that a cookie need never travel in the clear."""
    return request.url.scheme == "https" or (settings.public_url or "").startswith("https://")


def derived_secret(keys: Sequence[Key], purpose: str) -> bytes:
    """Return a secret for a purpose that all who know the keys can derive, and nobody else.

    Without keys it is this server's own: a secret that the workers of one supervisor share, and that ends with it.
    """
    own = "\n".join(f"{key.name}:{key.secret}" for key in keys).encode()
    return hmac.digest(own or bytes(multiprocessing.current_process().authkey), purpose.encode(), "sha256")


def sealer(secret: bytes) -> URLSafeTimedSerializer:
    """Return what signs and reads texts under the secret, with the time."""
    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeTimedSerializer(secret, salt="groundswell", signer_kwargs=options)


def _sealer(key: Key) -> URLSafeTimedSerializer:
    return sealer(derived_secret([key], "session"))
