"""Acts of persons, chained: who did what to what, and what became of it.

Each entry's hash covers the entry and the hash of the one before. So whoever changes, inserts, removes or reorders an
entry must write all later ones anew, and that shows against any hash that was kept elsewhere (an `Anchor`).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

BEGINNING = bytes(32)
"""What stands before the first entry."""
ASKED = "asked"
"""What became of an act that is about to be tried; a later entry of the request says more, unless it was cut off."""

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did, or tried to do. Nothing personal: parties act, not names; of a body there is a digest."""

    actor: str
    act: str
    """The operation, by its id in the API's description."""
    subject: str
    """What it is about: the path of the request."""
    outcome: str
    """`asked`, `done`, or the code of the refusal."""
    request_id: str = ""
    body_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An act as it is kept."""

    serial: int
    """1, 2, 3, … without a gap."""
    at: datetime
    act: Act
    hash: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest entry at some time, as it was noted elsewhere."""

    serial: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain does not hold, and why."""

    serial: int
    why: str
    """`altered`, `missing`, or `not_as_anchored`."""


def hash_of(serial: int, at: datetime, act: Act, before: bytes) -> bytes:
    """Give an entry's hash: SHA-256 over its fields as netstrings, the hash before it last. As migrations/0016 does."""
    body = "" if act.body_sha256 is None else act.body_sha256.hex()
    fields = (
        str(serial),
        str((at - _EPOCH) // _MICROSECOND),
        act.actor,
        act.act,
        act.subject,
        act.outcome,
        act.request_id,
        body,
        before.hex(),
    )
    return hashlib.sha256(b"".join(_netstring(field) for field in fields)).digest()


def first_break(entries: Iterable[Entry], anchors: Iterable[Anchor] = ()) -> Break | None:
    """Give the first place where the chain from its beginning on does not hold; None: it holds.

    `entries` are all there are, by serial. An anchor that no entry answers to is a break too: the end was cut off.
    """
    anchored = {anchor.serial: anchor.hash for anchor in anchors}
    before, expected = BEGINNING, 1
    for entry in entries:
        if entry.serial != expected:
            return Break(expected, "missing")
        if hash_of(entry.serial, entry.at, entry.act, before) != entry.hash:
            return Break(entry.serial, "altered")
        if anchored.pop(entry.serial, entry.hash) != entry.hash:
            return Break(entry.serial, "not_as_anchored")
        before, expected = entry.hash, expected + 1
    return Break(min(anchored), "missing") if anchored else None


def _netstring(field: str) -> bytes:
    encoded = field.encode()
    return b"%d:%s," % (len(encoded), encoded)
