"""Streams that always send a thing whole: it is small, and a screen that missed one event must not guess.

    event: board, or gate   what it shows, at first and whenever that changed
    event: beat             a sign of life, every three seconds in which nothing changed

A screen that hears neither for eight seconds says that its numbers are old.
"""

import time
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from fastapi.sse import ServerSentEvent
from pydantic import BaseModel

from services.availability.snapshots import Snapshot, Snapshots
from services.availability.streaming import Places
from services.availability.views import SignOfLifeView

BEAT_S = 3.0
_RETRY_MS = 2_000

_Shown = TypeVar("_Shown")


class WholeStreams(Generic[_Shown]):
    """The open streams of one kind of thing; they share their places with all other streams.

    `view` writes a thing as it is sent, from the newest snapshot and the live state's silence.
    """

    def __init__(
        self,
        event: str,
        view: Callable[[_Shown, Snapshot, float], BaseModel],
        snapshots: Snapshots,
        places: Places,
        *,
        frame_gap_s: float,
        beat_s: float = BEAT_S,
    ) -> None:
        self._event = event
        self._view = view
        self._snapshots = snapshots
        self._places = places
        self._frame_gap_s = frame_gap_s
        self._beat_s = beat_s

    async def follow(self, look: Callable[[Snapshot], _Shown]) -> AsyncIterator[ServerSentEvent]:
        """Give the events of what `look` sees, until the client leaves, the process stops or it is gone."""
        snapshot = self._snapshots.latest()
        shown, sent_at_s = look(snapshot), time.monotonic()
        yield self._whole(shown)
        while not await self._places.closed_within(self._frame_gap_s):
            left_s = max(0.0, sent_at_s + self._beat_s - time.monotonic())
            snapshot = await self._snapshots.wait_newer(snapshot.number, left_s) or self._snapshots.latest()
            now = look(snapshot)
            if now != shown:
                shown, sent_at_s = now, time.monotonic()
                yield self._whole(now)
            elif time.monotonic() >= sent_at_s + self._beat_s:  # also where others change all the time
                sent_at_s = time.monotonic()
                yield self._beat()

    def _whole(self, shown: _Shown) -> ServerSentEvent:
        view = self._view(shown, self._snapshots.latest(), self._snapshots.silent_s)
        body = view.model_dump_json(exclude_none=True, by_alias=True)
        return ServerSentEvent(event=self._event, retry=_RETRY_MS, raw_data=body)

    def _beat(self) -> ServerSentEvent:
        view = SignOfLifeView.at(self._snapshots.latest(), self._snapshots.silent_s)
        return ServerSentEvent(event="beat", raw_data=view.model_dump_json())
