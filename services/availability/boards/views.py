"""The bodies of boards: what stands on each line, and how current it is."""

from pydantic import BaseModel, ConfigDict, Field

from bowei.domain.gate import GateState
from services.availability import examples
from services.availability.boards.arrows import Arrow
from services.availability.boards.lines import Board, BoardKind, Line
from services.availability.boards.showing import Shows
from services.availability.lots import Level
from services.availability.snapshots import Snapshot
from services.availability.views import SignOfLifeView, TextView


class LineView(BaseModel):
    """One lot on a board."""

    lot_id: str
    name: TextView
    shows: Shows
    number: int | None = Field(
        None,
        description="With `count`, `at_least`, `at_most`: the lot's `free` (`free_at_most`), as `/v1/lots` has it.",
    )
    level: Level
    own: bool = Field(description="The hospital's own lot.")
    next: bool = Field(description="Where the next car should go.")
    arrow: Arrow | None = None
    walk_s: int | None = Field(None, description="From the lot to the hospital's door.")

    @classmethod
    def of(cls, line: Line) -> "LineView":
        """Show a line."""
        return cls(
            lot_id=line.lot_id,
            name=TextView.of(line.name),
            shows=line.shown.shows,
            number=line.shown.number,
            level=line.shown.level,
            own=line.own,
            next=line.next,
            arrow=line.arrow,
            walk_s=line.walk_s,
        )


class BoardView(SignOfLifeView):
    """What a board shows."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.BOARD]})

    id: str
    kind: BoardKind
    name: TextView | None = None
    timezone: str
    state: GateState | None = Field(None, description="Of a hospital's gate.")
    lines: list[LineView]

    @classmethod
    def cut(cls, board: Board, snapshot: Snapshot, silent_s: float) -> "BoardView":
        """Show a board of a snapshot."""
        return cls(
            as_of=snapshot.as_of,
            stale=snapshot.stale,
            silent_s=int(silent_s),
            id=board.board_id,
            kind=board.kind,
            name=None if board.name is None else TextView.of(board.name),
            timezone=board.timezone,
            state=board.state,
            lines=[LineView.of(line) for line in board.lines],
        )
