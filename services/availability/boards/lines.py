"""Which lots a board shows, and in which order.

The lots that serve best now are chosen, best first; what was chosen stands nearest first, so that a lot keeps its
line for as long as it is shown. Drivers learn where to look.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bowei.domain.gate import GateState
from bowei.domain.lots import HospitalId, Lot, LotId, Name
from bowei.domain.places import Point, distance_m
from bowei.domain.problems import Refused
from services.availability.boards.arrows import Arrow, arrow_to
from services.availability.boards.asking import BoardAsked, Hanging
from services.availability.boards.showing import Shown, Shows, shown_of
from services.availability.gates import GateStatus
from services.availability.lots import LotStatus
from services.availability.snapshots import Snapshot

_OF_NO_USE = frozenset({Shows.FULL, Shows.CLOSED, Shows.UNKNOWN})


class BoardKind(StrEnum):
    """What a board is of."""

    HOSPITAL = "hospital"
    BLOCK = "block"
    LOT = "lot"


@dataclass(frozen=True, slots=True)
class Line:
    """One lot on a board."""

    lot_id: LotId
    name: Name
    shown: Shown
    own: bool = False
    """The hospital's own lot."""
    next: bool = False
    """Where the next car should go."""
    arrow: Arrow | None = None
    walk_s: int | None = None
    """From the lot to the hospital's door."""


@dataclass(frozen=True, slots=True)
class Board:
    """What a board shows. Two are equal when they show the same."""

    board_id: str
    kind: BoardKind
    name: Name | None
    """None of a block, which has no name but its id."""
    timezone: str
    state: GateState | None
    lines: tuple[Line, ...]


def board_of(snapshot: Snapshot, asked: BoardAsked) -> Board:
    """Give what a board shows now. An id is looked for among hospitals, then lots, then blocks.

    Raises:
        Refused: unknown_board.
    """
    gate = snapshot.gates.get(HospitalId(asked.board_id))
    if gate is not None:
        return _of_hospital(snapshot, gate, asked)
    status = snapshot.lots.get(LotId(asked.board_id))
    if status is not None:
        line = _with_arrow(_line(status), status.lot, asked.hanging, status.lot.location)
        return Board(asked.board_id, BoardKind.LOT, status.lot.name, status.lot.timezone, None, (line,))
    return _of_block(snapshot, asked)


def _of_hospital(snapshot: Snapshot, gate: GateStatus, asked: BoardAsked) -> Board:
    hospital = gate.hospital
    own = snapshot.lots.get(hospital.lot_id)
    walks = {one.lot_id: round(one.approach.walk_s) for one in gate.considered if one.approach is not None}
    room = asked.rows - (own is not None)
    next_id = None if gate.next is None else gate.next.lot.lot_id
    lines = [] if own is None else [replace(_line(own), own=True)]
    best_first = [snapshot.lots[one.lot_id] for one in gate.considered if one.excluded is None]
    others = [snapshot.lots[one.lot_id] for one in gate.considered if one.excluded is not None]
    ranked = {status.lot.lot_id: status for status in (*best_first, *_useful_first(others, hospital.gate))}
    ranked.pop(hospital.lot_id, None)  # it has its line, whoever it lends to
    for status in _nearest_first(list(ranked.values())[:room], hospital.gate):
        lot_id = status.lot.lot_id
        lines.append(replace(_line(status), next=lot_id == next_id, walk_s=walks.get(lot_id)))
    return Board(
        board_id=asked.board_id,
        kind=BoardKind.HOSPITAL,
        name=hospital.name,
        timezone="UTC" if own is None else own.lot.timezone,
        state=gate.state,
        lines=tuple(_with_arrow(line, snapshot.lots[line.lot_id].lot, asked.hanging, hospital.gate) for line in lines),
    )


def _of_block(snapshot: Snapshot, asked: BoardAsked) -> Board:
    lots = [status for status in snapshot.lots.values() if status.lot.block == asked.board_id]
    if not lots:
        raise Refused("unknown_board")
    centre = asked.hanging.at or lots[0].lot.location
    chosen = _nearest_first(_useful_first(lots, centre)[: asked.rows], centre)
    return Board(
        board_id=asked.board_id,
        kind=BoardKind.BLOCK,
        name=None,
        timezone=lots[0].lot.timezone,
        state=None,
        lines=tuple(_with_arrow(_line(status), status.lot, asked.hanging, None) for status in chosen),
    )


def _useful_first(lots: Iterable[LotStatus], place: Point) -> Sequence[LotStatus]:
    """Put what a driver could use before what is full, closed or unknown; among equals the nearest."""
    return sorted(_nearest_first(lots, place), key=lambda status: shown_of(status).shows in _OF_NO_USE)


def _nearest_first(lots: Iterable[LotStatus], place: Point) -> Sequence[LotStatus]:
    return sorted(lots, key=lambda status: (distance_m(place, status.lot.location), status.lot.lot_id))


def _line(status: LotStatus) -> Line:
    return Line(status.lot.lot_id, status.lot.name, shown_of(status))


def _with_arrow(line: Line, lot: Lot, hanging: Hanging, usual_place: Point | None) -> Line:
    """Give a line its arrow: the one that was said, or the way to the lot's first entrance by air."""
    said = hanging.arrows.get(line.lot_id)
    place = hanging.at or usual_place
    if said is None and place is not None and hanging.facing_deg is not None:
        there = lot.entrances[0].point if lot.entrances else lot.location
        said = arrow_to(place, hanging.facing_deg, there)
    return replace(line, arrow=said)
