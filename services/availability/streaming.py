"""Server-sent events: what changed, as it changes, at most five frames a second for each client.

    event: snapshot   first: all that was asked for, or only what changed since Last-Event-ID where that is known
    event: lot        a lot changed          event: gate    what a gate shows changed
    event: status     contact with the live state was lost for long, or is back

What changes between two frames is sent once, as it is then, so a slow client gets fewer frames, never old ones. The
events of a frame carry the id of the frame before, the last one its own: a client cut off half-way gets it all again.
A change of the directory is answered with a whole new snapshot.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi.sse import ServerSentEvent

from bowei.domain.lots import HospitalId, LotId
from bowei.domain.problems import FieldError, Refused
from services.availability.selecting import Filter, select
from services.availability.snapshots import Snapshot, Snapshots
from services.availability.views import CopyView, GateView, LotNowView, StreamSnapshotView

MOST_LOTS = 200
"""How many lots one stream may follow."""

_RETRY_MS = 3_000
_LONGEST_WAIT_S = 60.0
_EVENT_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})")
_BUSY_RETRY_S = 5


@dataclass(frozen=True, slots=True)
class _Selection:
    """What one stream follows in one snapshot."""

    lot_ids: tuple[LotId, ...]
    hospital_ids: tuple[HospitalId, ...]


class Places:
    """The places for open streams of this process, of whatever kind: at most `most`."""

    def __init__(self, snapshots: Snapshots, *, most: int) -> None:
        self._snapshots = snapshots
        self._most = most
        self._open = 0
        self._closing = asyncio.Event()

    @property
    def open_count(self) -> int:
        """How many streams are open."""
        return self._open

    def close(self) -> None:
        """End every stream after the event it is sending: the process stops."""
        self._closing.set()
        self._snapshots.wake()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take one place for as long as the context lasts.

        Raises:
            Refused: overloaded.
        """
        if self._open >= self._most or self._closing.is_set():
            raise Refused("overloaded", retry_after_s=_BUSY_RETRY_S)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def closed_within(self, wait_s: float) -> bool:
        """Wait, and say whether the process stops."""
        try:
            async with asyncio.timeout(wait_s):
                return await self._closing.wait()
        except TimeoutError:
            return False


class Streams:
    """The streams of lots and gates."""

    def __init__(self, snapshots: Snapshots, places: Places, *, frame_gap_s: float = 0.2) -> None:
        self._snapshots = snapshots
        self._places = places
        self._frame_gap_s = frame_gap_s
        self._epoch = secrets.token_hex(4)
        self._lines = _Lines(snapshots)

    @contextmanager
    def admitted(self, asked: Filter) -> Iterator[None]:
        """Take one of the places for streams, and check what is asked for, before anything is sent.

        Raises:
            Refused: overloaded (all places are taken), invalid_request, unknown_lot, unknown_hospital, store_away.
        """
        snapshot = self._snapshots.latest()
        if asked.lot_ids is not None and not asked.lot_ids <= snapshot.lots.keys():
            raise Refused("unknown_lot")
        if len(_selection(snapshot, asked).lot_ids) > MOST_LOTS:
            raise Refused("invalid_request", errors=(FieldError("lots", "wrong_length", f"(lots <= {MOST_LOTS})"),))
        with self._places.taken():
            yield

    async def follow(self, asked: Filter, last_event_id: str | None) -> AsyncIterator[ServerSentEvent]:
        """Give the events of one stream until the client leaves or the process stops."""
        snapshot = self._snapshots.latest()
        chosen = _selection(snapshot, asked)
        yield self._first(snapshot, chosen, self._number_in(last_event_id, snapshot))
        while not await self._places.closed_within(self._frame_gap_s):
            newer = await self._snapshots.wait_newer(snapshot.number, _LONGEST_WAIT_S)
            if newer is None:
                continue
            if newer.directory_changed_in > snapshot.number:
                chosen = _selection(newer, asked)
                if len(chosen.lot_ids) > MOST_LOTS:
                    return
                yield self._first(newer, chosen, None)
            else:
                for event in self._changes(newer, chosen, snapshot):
                    yield event
            snapshot = newer

    def _first(self, snapshot: Snapshot, chosen: _Selection, since: int | None) -> ServerSentEvent:
        after = -1 if since is None else since
        view = StreamSnapshotView(
            as_of=snapshot.as_of,
            stale=snapshot.stale,
            whole=since is None,
            lots=[
                LotNowView.of(snapshot.lots[key], snapshot.at)
                for key in chosen.lot_ids
                if snapshot.lot_changed_in[key] > after
            ],
            gates=[
                GateView.cut(snapshot.gates[key], snapshot, self._snapshots.silent_s)
                for key in chosen.hospital_ids
                if snapshot.gate_changed_in[key] > after
            ],
        )
        return ServerSentEvent(
            event="snapshot",
            id=self._id(snapshot.number),
            retry=_RETRY_MS,
            raw_data=view.model_dump_json(exclude_none=True, by_alias=True),
        )

    def _changes(self, now: Snapshot, chosen: _Selection, before: Snapshot) -> list[ServerSentEvent]:
        frame = [
            ("lot", self._lines.lot(now, key)) for key in chosen.lot_ids if now.lot_changed_in[key] > before.number
        ]
        frame += [
            ("gate", self._lines.gate(now, key))
            for key in chosen.hospital_ids
            if now.gate_changed_in[key] > before.number
        ]
        if now.stale != before.stale:
            frame.append(("status", CopyView(as_of=now.as_of, stale=now.stale).model_dump_json()))
        ids = [self._id(before.number)] * (len(frame) - 1) + [self._id(now.number)]
        return [
            ServerSentEvent(event=event, id=event_id, raw_data=line)
            for (event, line), event_id in zip(frame, ids, strict=False)
        ]

    def _id(self, number: int) -> str:
        return f"{self._epoch}-{number}"

    def _number_in(self, last_event_id: str | None, snapshot: Snapshot) -> int | None:
        found = _EVENT_ID.fullmatch(last_event_id or "")
        if found is None or found[1] != self._epoch:
            return None
        number = int(found[2])
        return number if snapshot.directory_changed_in <= number <= snapshot.number else None


class _Lines:
    """The bodies of one snapshot's events, written once for all streams."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._of: Snapshot | None = None
        self._lots: dict[LotId, str] = {}
        self._gates: dict[HospitalId, str] = {}

    def lot(self, snapshot: Snapshot, lot_id: LotId) -> str:
        self._turn_to(snapshot)
        if lot_id not in self._lots:
            self._lots[lot_id] = LotNowView.of(snapshot.lots[lot_id], snapshot.at).model_dump_json(exclude_none=True)
        return self._lots[lot_id]

    def gate(self, snapshot: Snapshot, hospital_id: HospitalId) -> str:
        self._turn_to(snapshot)
        if hospital_id not in self._gates:
            view = GateView.cut(snapshot.gates[hospital_id], snapshot, self._snapshots.silent_s)
            self._gates[hospital_id] = view.model_dump_json(exclude_none=True, by_alias=True)
        return self._gates[hospital_id]

    def _turn_to(self, snapshot: Snapshot) -> None:
        if snapshot is not self._of:
            self._of, self._lots, self._gates = snapshot, {}, {}


def _selection(snapshot: Snapshot, asked: Filter) -> _Selection:
    lot_ids = tuple(status.lot.lot_id for status in select(snapshot, asked))
    hospitals = snapshot.directory.hospitals
    if asked.hospital_id is not None:
        return _Selection(lot_ids, (asked.hospital_id,))
    followed = frozenset(lot_ids)
    return _Selection(lot_ids, tuple(key for key, hospital in hospitals.items() if hospital.lot_id in followed))
