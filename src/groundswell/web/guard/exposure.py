"""What a server would be open to: nobody beyond this machine while no key is set."""

from __future__ import annotations

import socket

from groundswell.access import SHORTEST_KEY
from groundswell.errors import GroundswellError
from groundswell.settings import Settings
from groundswell.web.guard.origins import is_loopback_address


def check_exposure(settings: Settings, host: str) -> None:
    """Raise GroundswellError where others could reach the address, and no key is set or one can be guessed."""
    if all(is_loopback_address(address) for address in _addresses(host)):
        return
    short = [key.name for key in settings.keys if len(key.secret) < SHORTEST_KEY]
    if short:
        raise GroundswellError(
            f"Others can reach {host or 'every address'}, and a key can be guessed: that of {', '.join(short)} has "
            f"fewer than {SHORTEST_KEY} characters.",
            "Set it to a long random text, or listen with --host 127.0.0.1.",
        )
    if settings.keys:
        return
    raise GroundswellError(
        f"Others can reach {host or 'every address'}, and no key is set: everybody could promote a model.",
        "Set GROUNDSWELL_API_KEY to a long random text, or listen with --host 127.0.0.1.",
    )


def _addresses(host: str) -> list[str]:
    """Return the addresses a name stands for; the name itself, which then is no address, where there are none."""
    try:
        found = socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return [host]
    return [str(entry[4][0]) for entry in found]
