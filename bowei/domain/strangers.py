"""Strangers: lots that a source names and nobody registered. They wait for a person, and are never shown.

Most are new lots, some are known lots under a new name, and some are no lots at all.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher

from bowei.domain.dirt import Dirt
from bowei.domain.lots import LotId, SourceId
from bowei.domain.places import Point, distance_m

NAME_ALIKE = 0.75
"""迪卡儂-新竹店 and 迪卡農-新竹店 are 0.88 alike; names of different lots of one city seldom reach 0.7."""
PLACE_ALIKE_M = 60.0
LONGEST_NAME = 200

_JUNK_WORDS = frozenset(
    {"", "null", "none", "nil", "nan", "undefined", "unknown", "test", "n/a", "na", "false", "true"}
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_ONE_CHARACTER = re.compile(r"(.)\1*")
_NUMBER_AROUND_A_SIGN = re.compile(r"\W")


@dataclass(frozen=True, slots=True)
class Stranger:
    """A code that a source used for a lot that is not registered: as it was said, from when to when, how often."""

    source_id: SourceId
    code: str
    first_heard_at: datetime
    last_heard_at: datetime
    times: int = 1
    name: str | None = None
    place: Point | None = None
    dirt: Dirt = Dirt.UNKNOWN_LOT
    like: LotId | None = None
    """The known lot that it may be, under a new name."""


@dataclass(frozen=True, slots=True)
class KnownLot:
    """What a stranger may be like: a lot of the same source, by all its names."""

    lot_id: LotId
    names: tuple[str, ...]
    place: Point


def is_junk(code: str) -> bool:
    """Say whether a code is no lot's: empty, a word for nothing, zeros, a negative number, not printable, endless."""
    plain = code.strip().lower()
    if plain in _JUNK_WORDS or len(code) > LONGEST_NAME or _CONTROLS.search(code):
        return True
    if not any(character.isalnum() for character in plain):
        return True
    return plain.startswith("-") or (_ONE_CHARACTER.fullmatch(plain) is not None and plain[0] in "0x*?.")


def likely(code: str, name: str | None, place: Point | None, known: Iterable[KnownLot]) -> LotId | None:
    """Give the known lot that a stranger most likely is: at the same place, or with nearly the same name."""
    best: tuple[float, LotId] | None = None
    for lot in known:
        score = _likeness(code, name, place, lot)
        if score > 0 and (best is None or score > best[0]):
            best = (score, lot.lot_id)
    return None if best is None else best[1]


def named(stranger: Stranger, known: Mapping[SourceId, Iterable[KnownLot]]) -> tuple[Dirt, LotId | None]:
    """Name what a stranger is, and whom it is like."""
    if is_junk(stranger.code):
        return Dirt.JUNK_ID, None
    like = likely(stranger.code, stranger.name, stranger.place, known.get(stranger.source_id, ()))
    return (Dirt.UNKNOWN_LOT, None) if like is None else (Dirt.RENAMED_LOT, like)


def _likeness(code: str, name: str | None, place: Point | None, lot: KnownLot) -> float:
    said = [text for text in (name, code if _NUMBER_AROUND_A_SIGN.search(code) or not code.isascii() else None) if text]
    alike = max((_ratio(text, other) for text in said for other in lot.names), default=0.0)
    near = place is not None and distance_m(place, lot.place) <= PLACE_ALIKE_M
    if alike >= NAME_ALIKE:
        return alike + near
    return 0.5 + alike if near else 0.0


def _ratio(a: str, b: str) -> float:
    return SequenceMatcher(None, a.lower(), b.lower(), autojunk=False).ratio()
