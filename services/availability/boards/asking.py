"""What a board's address may say of it: how many lots it has room for, and where it hangs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bowei.domain.lots import ID_FORM, LotId
from bowei.domain.places import Datum, Point
from bowei.domain.problems import FieldError, Refused
from services.availability.boards.arrows import Arrow
from services.availability.selecting import read_near

MOST_ROWS = 12
_COMPASS = {name: 45.0 * place for place, name in enumerate(("n", "ne", "e", "se", "s", "sw", "w", "nw"))}
_ARROW = re.compile(rf"({ID_FORM})=([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Hanging:
    """Where a board hangs, and what its arrows are; `at` None: at the hospital's gate, or where its lot lies."""

    facing_deg: float | None = None
    at: Point | None = None
    arrows: Mapping[LotId, Arrow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BoardAsked:
    """One board: of what, and how."""

    board_id: str
    rows: int = 5
    hanging: Hanging = field(default_factory=Hanging)


def read_hanging(facing: str | None, at: str | None, arrows: str | None) -> Hanging:
    """Read where a board hangs: `facing` as n, ne … or degrees, `at` as lat,lon, `arrows` as lot=left,lot=ahead.

    Raises:
        Refused: invalid_request.
    """
    return Hanging(
        facing_deg=None if facing is None else _facing_deg(facing),
        at=None if at is None else read_near(at, 1, Datum.WGS84, field="at").point,
        arrows={} if arrows is None else dict(map(_arrow, arrows.split(","))),
    )


def _facing_deg(text: str) -> float:
    if text.lower() in _COMPASS:
        return _COMPASS[text.lower()]
    if re.fullmatch(r"[0-9]{1,3}", text) and int(text) <= 360:
        return float(text)
    raise _wrong("facing", "(n, ne, e, se, s, sw, w, nw, 0-360)")


def _arrow(text: str) -> tuple[LotId, Arrow]:
    found = _ARROW.fullmatch(text)
    if found is None or found[2] not in set(Arrow):
        raise _wrong("arrows", f"(lot=arrow; {', '.join(Arrow)})")
    return LotId(found[1]), Arrow(found[2])


def _wrong(name: str, message: str) -> Refused:
    return Refused("invalid_request", errors=(FieldError(name, "bad_value", message),))
