"""A board as it changes: always whole, because it is small and a screen that missed one must not guess.

    event: board   what it shows, at first and whenever that changed
    event: beat    a sign of life, every three seconds in which nothing changed

A board that hears neither for ten seconds says that its numbers are old.
"""

import time
from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent

from services.availability.boards.asking import BoardAsked
from services.availability.boards.lines import Board, board_of
from services.availability.boards.views import BoardView, SignOfLifeView
from services.availability.snapshots import Snapshots
from services.availability.streaming import Places

BEAT_S = 3.0
_RETRY_MS = 2_000


class BoardStreams:
    """The open streams of boards; they share their places with all other streams."""

    def __init__(self, snapshots: Snapshots, places: Places, *, frame_gap_s: float, beat_s: float = BEAT_S) -> None:
        self._snapshots = snapshots
        self._places = places
        self._frame_gap_s = frame_gap_s
        self._beat_s = beat_s

    async def follow(self, asked: BoardAsked) -> AsyncIterator[ServerSentEvent]:
        """Give the events of one board until the client leaves or the process stops."""
        snapshot = self._snapshots.latest()
        shown, sent_at_s = board_of(snapshot, asked), time.monotonic()
        yield self._whole(shown)
        while not await self._places.closed_within(self._frame_gap_s):
            left_s = max(0.0, sent_at_s + self._beat_s - time.monotonic())
            snapshot = await self._snapshots.wait_newer(snapshot.number, left_s) or self._snapshots.latest()
            board = board_of(snapshot, asked)
            if board != shown:
                shown, sent_at_s = board, time.monotonic()
                yield self._whole(board)
            elif time.monotonic() >= sent_at_s + self._beat_s:  # also where others change all the time
                sent_at_s = time.monotonic()
                yield self._beat()

    def _whole(self, board: Board) -> ServerSentEvent:
        view = BoardView.cut(board, self._snapshots.latest(), self._snapshots.silent_s)
        return ServerSentEvent(event="board", retry=_RETRY_MS, raw_data=view.model_dump_json(exclude_none=True))

    def _beat(self) -> ServerSentEvent:
        view = SignOfLifeView.at(self._snapshots.latest(), self._snapshots.silent_s)
        return ServerSentEvent(event="beat", raw_data=view.model_dump_json())
