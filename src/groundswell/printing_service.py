"""How what belongs to running the service reads on a terminal."""

from __future__ import annotations

from groundswell.printing import Body

_SIGNS = {"ok": "✓", "missing": "–", "broken": "✗"}
_VERDICTS = {
    "ready": "Everything is there.",
    "incomplete": "It works; what is marked – is not there yet.",
    "broken": "What is marked ✗ has to be mended first.",
}


def doctor(body: Body) -> str:
    """Return what was looked at, and what to type next."""
    width = max(len(check["name"]) for check in body["checks"])
    lines = [f"{_SIGNS[check['status']]} {check['name']:<{width}}  {check['said']}" for check in body["checks"]]
    steps = [f"  {number}. {hint}" for number, hint in enumerate(body["next"], start=1)]
    return "\n".join([*lines, "", _VERDICTS[body["status"]], *(["", "Next:", *steps] if steps else [])])


def backup(body: Body) -> str:
    """Return where the backup is and what it holds."""
    return f"{body['folder']}: the database and {body['artifacts']} artifacts, {body['bytes'] / 1e6:,.1f} MB"


def restored(body: Body) -> str:
    """Return what was put back."""
    aside = f" What was there could not be read and is in {body['setAside']}." if body["setAside"] else ""
    return f"The database is that of {body['folder']} again, with {body['artifacts']} artifacts.{aside}"


def alerts(body: Body) -> str:
    """Return of each channel whether it took the message."""
    return "\n".join(f"{'✓' if one['arrived'] else '✗'} {one['channel']}: {one['said']}" for one in body["channels"])
