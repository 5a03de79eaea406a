"""What the endpoints work with, and how they get it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from bowei.domain.clock import Clock
from bowei.domain.road_conditions import Closure
from services.availability.boards.lines import Board
from services.availability.gates import GateStatus
from services.availability.measures import Measures
from services.availability.opendata.editions import Editions
from services.availability.opendata.history_folder import HistoryFolder
from services.availability.snapshots import Snapshots
from services.availability.streaming import Places, Streams
from services.availability.whole_streams import WholeStreams


@dataclass(frozen=True, slots=True)
class Wiring:
    """The collaborators of the endpoints; made when the process has started."""

    clock: Clock
    speed: float | None
    """How many times as fast as real time the clock runs; None: real time."""
    snapshots: Snapshots
    places: Places
    streams: Streams
    board_streams: WholeStreams[Board]
    gate_streams: WholeStreams[GateStatus]
    editions: Editions
    history: HistoryFolder
    closures: Callable[[], Sequence[Closure]]
    """What was said of closed roads and is not over."""
    measures: Measures


def _wired(request: Request) -> Wiring:
    wiring = request.app.state.wiring
    if not isinstance(wiring, Wiring):
        raise TypeError("the app was not started")
    return wiring


Wired = Annotated[Wiring, Depends(_wired)]
