"""The ledger: the append-only history of the registry, each entry chained to the one before by its hash."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from groundswell.records import LedgerEntry, as_json
from groundswell.store import tables

#: What the first entry names as the hash before it.
GENESIS = "0" * 64
PROMOTE, ROLLBACK, HOLD, CALIBRATION = "promote", "rollback", "hold", "calibration"
OUTCOME, AUDIT = "outcome", "audit"

_LAST = sa.select(tables.ledger.c.seq, tables.ledger.c.hash).order_by(tables.ledger.c.seq.desc()).limit(1)


@dataclasses.dataclass(frozen=True, slots=True)
class Verification:
    """Whether the ledger is what was written: `verified`, or `broken` at an entry (None: at no single one), and why.

    `explanation` also names the last hash: noted elsewhere, it proves that nothing was cut off the end.
    """

    status: Literal["verified", "broken"]
    broken_at: int | None
    explanation: str


def lock(connection: sa.Connection) -> None:
    """Make everybody else who would append wait until this transaction ends."""
    if connection.dialect.name == "postgresql":  # a write transaction of SQLite is alone anyway
        connection.exec_driver_sql(f"lock table {tables.SCHEMA}.ledger in exclusive mode")


def append(connection: sa.Connection, kind: str, payload: Mapping[str, Any], at: datetime) -> LedgerEntry:
    """Return the entry just added at the end of the chain, as part of the caller's write transaction."""
    lock(connection)
    last = connection.execute(_LAST).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    moment, text = as_json(at), canonical(payload)
    entry = LedgerEntry(seq, moment, kind, text, previous, chained(previous, seq, moment, kind, text))
    connection.execute(sa.insert(tables.ledger), dataclasses.asdict(entry))
    return entry


def entries(connection: sa.Connection) -> list[LedgerEntry]:
    """Return every entry, oldest first."""
    rows = connection.execute(sa.select(tables.ledger).order_by(tables.ledger.c.seq))
    return [LedgerEntry(**row) for row in rows.mappings()]


def payload_of(entry: LedgerEntry) -> dict[str, Any]:
    """Return what the entry says."""
    payload: dict[str, Any] = orjson.loads(entry.payload)
    return payload


def moves(history: list[LedgerEntry]) -> list[tuple[str, dict[str, Any]]]:
    """Return kind and payload of every entry that moved a champion, oldest first."""
    return [(entry.kind, payload_of(entry)) for entry in history if entry.kind in {PROMOTE, ROLLBACK}]


def named(version: int | None) -> str:
    """Return the words for a champion that may not be there.

    >>> named(3), named(None)
    ('version 3', 'none')
    """
    return "none" if version is None else f"version {version}"


def find(connection: sa.Connection, kind: str, name: str, value: Any) -> dict[str, Any] | None:
    """Return what the newest entry of the kind says of which `name` is the value; None where there is none."""
    said = sa.select(tables.ledger).where(tables.ledger.c.kind == kind).order_by(tables.ledger.c.seq.desc())
    for row in connection.execute(said).mappings():
        payload = payload_of(LedgerEntry(**row))
        if payload.get(name) == value:
            return payload
    return None


def canonical(payload: Mapping[str, Any]) -> str:
    """Return the one JSON text of a payload: keys sorted, no blanks, numbers that JSON has no word for as null.

    >>> canonical({"b": float("nan"), "a": [1, "é"]})
    '{"a":[1,"é"],"b":null}'
    """
    return orjson.dumps(as_json(payload), option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()


def chained(previous: str, seq: int, at: str, kind: str, payload: str) -> str:
    """Return the hash of an entry: sha256 over the hash before it and the canonical JSON of what it says."""
    said = canonical({"seq": seq, "at": at, "kind": kind, "payload": payload})
    return hashlib.sha256((previous + said).encode()).hexdigest()


def verify(connection: sa.Connection) -> Verification:
    """Return whether every entry, and everything that the entries speak of, is as it was written.

    The chain is recomputed; then the champions, the versions with their artifacts, and the calibrations are held
    against what the ledger says of them, so that an end cut off, a moved alias or a swapped artifact shows.
    """
    history = entries(connection)
    for position, entry in enumerate(history, start=1):
        if complaint := _broken_link(history, position, entry):
            return Verification("broken", position, complaint)
    for complaint in (
        *_wrong_champions(connection, history),
        *_wrong_versions(connection, history),
        *_wrong_calibrations(connection, history),
    ):
        return Verification("broken", None, complaint)
    last = history[-1].hash if history else GENESIS
    return Verification("verified", None, f"{len(history)} entries, the last with hash {last}")


def _broken_link(history: list[LedgerEntry], position: int, entry: LedgerEntry) -> str | None:
    previous = history[position - 2].hash if position > 1 else GENESIS
    if entry.seq != position:
        return f"entry {position} is missing"
    if entry.previous_hash != previous:
        return f"entry {entry.seq} does not follow the entry before it"
    if entry.hash != chained(previous, entry.seq, entry.at, entry.kind, entry.payload):
        return f"entry {entry.seq} was changed after it was written"
    return None


def _wrong_champions(connection: sa.Connection, history: list[LedgerEntry]) -> Iterator[str]:
    said = {payload["window"]: payload["version"] for _, payload in moves(history)}
    found = {
        row.window: row.version
        for row in connection.execute(sa.select(tables.aliases).where(tables.aliases.c.name == "champion"))
    }
    for window in sorted(said.keys() | found.keys()):
        if said.get(window) != found.get(window):
            yield (
                f"the champion of {window} is {named(found.get(window))}, but the ledger says {named(said.get(window))}"
            )


def _wrong_versions(connection: sa.Connection, history: list[LedgerEntry]) -> Iterator[str]:
    said = {(payload["version"], payload["content"]) for _, payload in moves(history)}
    rows = connection.execute(sa.select(tables.model_versions)).mappings()
    found = {(row["version"], version_content(dict(row))) for row in rows}
    for version, content in sorted(said ^ found):
        where = "is not what the ledger says of it" if (version, content) in found else "is not stored as it was added"
        yield f"version {version} {where}"


def version_content(row: Mapping[str, Any]) -> str:
    """Return the sha256 of everything a version's row says: a changed lineage or evaluation shows as well.

    Numbers count by value, since PostgreSQL's jsonb may write 1e-05 as 0.00001.
    """
    said = {name: by_value(as_json(row[name])) for name in tables.model_versions.c.keys()}  # noqa: SIM118
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def by_value(value: Any) -> Any:
    """Return JSON types with every number as a float, so that how a database writes one does not matter."""
    if isinstance(value, dict):
        return {name: by_value(item) for name, item in value.items()}
    if isinstance(value, list):
        return [by_value(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_stored(value: Any) -> Any:
    """Return JSON types as every database gives them back, but for `by_value`: PostgreSQL's jsonb has no −0.

    >>> as_stored({"a": [-0.0, 7, "x"]})
    {'a': [0.0, 7, 'x']}
    """
    if isinstance(value, dict):
        return {name: as_stored(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_stored(item) for item in value]
    return value + 0.0 if isinstance(value, float) else value


def _wrong_calibrations(connection: sa.Connection, history: list[LedgerEntry]) -> Iterator[str]:
    said = {entry.payload for entry in history if entry.kind == CALIBRATION}
    found = {canonical(calibration_payload(row)) for row in connection.execute(sa.select(tables.calibrations))}
    for payload in sorted(said ^ found):
        where = "is stored but not in the ledger" if payload in found else "is not stored"
        yield f"calibration {payload} {where}"


def calibration_payload(row: Any) -> dict[str, Any]:
    """Return what the ledger says of a calibration: all but the time, which the entry has.

    The first ones were all Platt's and had no content.
    """
    said = {name: getattr(row, name) for name in ("version", "a", "b", "active", "reason", "pairs")}
    return said if row.content is None else said | {"content": by_value(as_json(row.content))}
