"""Keys and what they may do: one `name:role:key` for each of those who call."""

from __future__ import annotations

import dataclasses
import enum
import hmac
import re
from collections.abc import Iterable

#: What a script sends, or sets, where the variable it read was never set; never a secret.
NOT_A_SECRET = frozenset({"", "undefined", "null", "None"})
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
#: Shorter ones can be guessed; they will do on this machine alone.
SHORTEST_KEY = 8


class Role(enum.StrEnum):
    """What a key may do: look at what is there, ask for predictions and report outcomes, or change what serves."""

    READ = "read"
    PREDICT = "predict"
    OPERATE = "operate"


EVERY_ROLE = frozenset(Role)
#: Who operates must see what there is to operate, and may try it.
_GRANTS = {
    Role.READ: frozenset({Role.READ}),
    Role.PREDICT: frozenset({Role.PREDICT}),
    Role.OPERATE: EVERY_ROLE,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """Who a key belongs to, what it may do, and the key itself, which is never shown."""

    name: str
    roles: frozenset[Role]
    secret: str = dataclasses.field(repr=False)


def read_keys(text: str) -> tuple[Key, ...]:
    """Return the keys of `name:role:key,…`; a role may be several joined by +. Raises ValueError saying what is wrong.

    The message names no key, since it may be shown.

    >>> [(key.name, sorted(key.roles)) for key in read_keys("site:predict:0123456789,ann:read+predict:abcdefghij")]
    [('site', [<Role.PREDICT: 'predict'>]), ('ann', [<Role.PREDICT: 'predict'>, <Role.READ: 'read'>])]
    """
    keys = tuple(_key(part.strip(), place) for place, part in enumerate(text.split(","), start=1) if part.strip())
    names, secrets = [key.name for key in keys], [key.secret for key in keys]
    if len(set(names)) < len(names) or len(set(secrets)) < len(secrets):
        raise ValueError("each name and each key once")
    return keys


def _key(part: str, place: int) -> Key:
    name, _, rest = part.partition(":")
    roles, _, secret = rest.partition(":")
    wanted = roles.split("+")
    if not _NAME.fullmatch(name) or not set(wanted) <= set(Role) or not secret:
        raise ValueError(f"name:role:key,… where role is read, predict or operate (entry {place} is not)")
    return Key(name, frozenset().union(*(_GRANTS[Role(role)] for role in wanted)), secret)


def key_of(keys: Iterable[Key], secret: str) -> Key | None:
    """Return the key with that secret. All are compared, in constant time each, so that the time tells nothing."""
    given, found = secret.encode(), None
    for key in keys:
        if hmac.compare_digest(given, key.secret.encode()):
            found = key
    return found
