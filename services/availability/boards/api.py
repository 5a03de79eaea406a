"""HTTP in, HTTP out, of boards."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from bowei.observability.problems import problem_responses
from services.availability.boards.asking import MOST_ROWS, BoardAsked, Hanging, read_hanging
from services.availability.boards.lines import board_of
from services.availability.boards.views import BoardView
from services.availability.wiring import Wired

router = APIRouter(
    prefix="/v1/boards",
    tags=["boards"],
    responses=problem_responses(
        said={
            404: "unknown_board: no hospital, lot or block of that id.",
            422: "invalid_request: see errors.",
            503: "store_away: nothing was ever copied from the live state; overloaded: too many streams.",
        }
    ),
)


_BoardId = Annotated[str, Path(min_length=1, max_length=64, description="Of a hospital, a lot or a block.")]
_Rows = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Lines that the board has room for.")]


def _hanging(
    facing: Annotated[
        str | None,
        Query(max_length=3, description="Where drivers look when they look at the board: n, ne, … or degrees."),
    ] = None,
    at: Annotated[
        str | None, Query(max_length=60, description="Where it hangs, lat,lon in WGS-84; else at the hospital's gate.")
    ] = None,
    arrows: Annotated[
        str | None,
        Query(max_length=90 * MOST_ROWS, description="Arrows by lot, where streets turn: in77=left,gonglian-cc=ahead"),
    ] = None,
) -> Hanging:
    return read_hanging(facing, at, arrows)


_Hangs = Annotated[Hanging, Depends(_hanging)]


@router.get(
    "/{board_id}",
    operation_id="get_board",
    response_model_exclude_none=True,
    summary="What a board shows, line by line",
)
async def get_board(
    board_id: _BoardId, wired: Wired, response: Response, hanging: _Hangs, rows: _Rows = 5
) -> BoardView:
    """Show a board: a hospital's own lot and the best around it, a block, or one lot."""
    snapshot = wired.snapshots.latest()
    board = board_of(snapshot, BoardAsked(board_id, rows, hanging))
    response.headers["Cache-Control"] = "public, max-age=1"
    return BoardView.cut(board, snapshot, wired.snapshots.silent_s)


def _admitted(board_id: _BoardId, wired: Wired, hanging: _Hangs, rows: _Rows = 5) -> Iterator[BoardAsked]:
    asked = BoardAsked(board_id, rows, hanging)
    board_of(wired.snapshots.latest(), asked)
    with wired.places.taken():
        yield asked


@router.get(
    "/{board_id}/stream",
    operation_id="stream_board",
    response_class=EventSourceResponse,
    summary="A board, as it changes (server-sent events)",
)
async def stream_board(
    wired: Wired, asked: Annotated[BoardAsked, Depends(_admitted)]
) -> AsyncIterator[ServerSentEvent]:
    """Follow a board: `board` events are whole, and a `beat` comes every 3 s in which nothing changed."""
    async for event in wired.board_streams.follow(lambda snapshot: board_of(snapshot, asked)):
        wired.measures.events.inc()
        yield event
