"""Why a caller is turned away: nobody we know, not their role, not from our own page, or not under our own name."""

from __future__ import annotations

from groundswell.errors import GroundswellError


class UnauthorizedError(Exception):
    """The key, secret or session is missing or wrong; the answer does not say which."""


class ForbiddenError(GroundswellError):
    """The key is known, and has another role."""

    hint = "Use a key with that role: GROUNDSWELL_API_KEYS gives each key its own."
    http_status = 403

    def __init__(self, role: str, name: str) -> None:
        super().__init__(f"The key {name!r} has not the role {str(role)!r}.")


class ForeignRequestError(GroundswellError):
    """A change was not asked for by one of our own pages, so nothing was changed."""

    hint = "Open the page again and send it from there; a program sends its key as a bearer instead."
    http_status = 403


class StillLoggedInError(GroundswellError):
    """A log-out could not be stored, so the session goes on."""

    hint = "Log out again in a moment; what keeps the database from it stands in the server's log."
    http_status = 503

    def __init__(self) -> None:
        super().__init__("You are still logged in: the database did not take the log-out.")


class MisdirectedError(GroundswellError):
    """The request was meant for another host, as one is whose name was made to point here."""

    hint = "Ask for http://127.0.0.1 or http://localhost, or set GROUNDSWELL_API_KEY and GROUNDSWELL_PUBLIC_URL."
    http_status = 421

    def __init__(self) -> None:
        super().__init__("While no key is set, only requests for this machine by its own name are answered.")


class WebhookError(GroundswellError):
    """A scraper's call cannot be taken in as it stands; nothing of it was stored."""

    hint = "See the API reference at /docs."
    http_status = 422
