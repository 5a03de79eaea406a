"""One state of all lots as it is published, its renditions, and what changed since when.

Whoever asks gets the newest rendition at once. Where lots have changed since and it is a second old, it is rendered
anew beside the answers; only one that is older than its time to live is waited for. Of each lot the piece is kept for
as long as it shows the same.
"""

import asyncio
import gzip
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Protocol

from bowei.domain.forecasting import UNKNOWN_LOT, Foreseen
from bowei.domain.lots import LotId
from bowei.domain.problems import Refused
from services.availability.lots import LotStatus
from services.availability.opendata.publisher import Publisher
from services.availability.snapshots import Snapshot, Snapshots

TTL_S = 10
"""What is answered is never older than this, in real seconds, but for the live state's own silence (`stale`)."""
_RENEWED_AFTER_S = 1.0
_MOST_DELETED = 10_000
_COMPRESSED_AS = 4
_AT_ONCE_S = 0.002


@dataclass(frozen=True, slots=True)
class OneLot:
    """A lot in an edition."""

    status: LotStatus
    foreseen: Foreseen
    edition: "Edition"


@dataclass(frozen=True, slots=True)
class Edition:
    """All lots at one instant."""

    snapshot: Snapshot
    publisher: Publisher
    lot_ids: Sequence[LotId]
    """Of all lots, sorted."""
    registered_at: datetime
    """When this process first saw what is registered now."""

    @property
    def at(self) -> datetime:
        """When it was made, by the city's clock; what is foreseen is foreseen from here."""
        return self.snapshot.at

    @property
    def version(self) -> int:
        """The register's, of what lots are."""
        return self.snapshot.directory.version

    def lot(self, lot_id: LotId) -> OneLot:
        """Give one lot."""
        foreseen = self.snapshot.foreseen.get(lot_id, UNKNOWN_LOT)
        return OneLot(self.snapshot.lots[lot_id], foreseen, self)


class Shape(Protocol):
    """A format: a piece for each lot, and what stands around the pieces."""

    @property
    def media_type(self) -> str:
        """What it is sent as."""
        ...

    @property
    def foresees(self) -> bool:
        """Whether pieces say what is foreseen: then they change with the minute, too."""
        ...

    def piece(self, lot: OneLot) -> bytes:
        """Write what is said of one lot: of its status, the register's version, and what is foreseen if it foresees."""
        ...

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:
        """Put the pieces together, quickly: pieces are not looked into."""
        ...


@dataclass(frozen=True, slots=True)
class Rendition:
    """An edition in one shape, as it is sent."""

    body: bytes
    compressed: bytes
    etag: str
    last_modified: str
    media_type: str


@dataclass(slots=True)
class _Kept:
    """What is kept of one shape."""

    pieces: dict[LotId, tuple[LotStatus, object, bytes]] = field(default_factory=dict)
    rendition: Rendition | None = None
    number: int = -1
    rendered_at_s: float = float("-inf")
    true_at_s: float = float("-inf")
    """When the rendition last said what was so: long after it was rendered, where nothing changed."""
    rendering: "asyncio.Task[None] | None" = None


class Editions:
    """Renders and keeps. `publisher` is named in each."""

    def __init__(
        self, snapshots: Snapshots, publisher: Publisher, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._snapshots = snapshots
        self._monotonic = monotonic
        self.publisher = publisher
        self._epoch = secrets.token_hex(4)
        self._kept: dict[str, _Kept] = {}
        self._changed_at: dict[LotId, datetime] = {}
        self._deleted_at: dict[LotId, datetime] = {}
        self._seen: Snapshot | None = None
        self._since: datetime | None = None
        self._lot_ids: Sequence[LotId] = ()
        self._registered_at: datetime | None = None

    def latest(self) -> Edition:
        """Give the state of now.

        Raises:
            Refused: store_away.
        """
        snapshot = self._snapshots.latest()
        if self._seen is None or snapshot.directory is not self._seen.directory:
            self._lot_ids, self._registered_at = sorted(snapshot.lots), snapshot.at
        if snapshot is not self._seen:
            self._note(snapshot)
        return Edition(snapshot, self.publisher, self._lot_ids, self._registered_at or snapshot.at)

    def ready(self, name: str, shape: Shape) -> Rendition | None:
        """Give the newest rendition in a shape if there is one that is young enough; `name` tells it from others.

        Where lots have changed since it begins to make the next.

        Raises:
            Refused: store_away.
        """
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = _Kept()
        number, now_s = self._snapshots.latest().number, self._monotonic()
        if kept.number == number:
            kept.true_at_s = now_s
            return kept.rendition
        if now_s - kept.rendered_at_s >= _RENEWED_AFTER_S and kept.rendering is None:
            kept.rendering = asyncio.create_task(self._render(name, shape, kept))
        return kept.rendition if now_s - kept.true_at_s < TTL_S else None

    async def rendition(self, name: str, shape: Shape) -> Rendition:
        """Give the newest rendition in a shape, and wait for it if need be.

        Raises:
            Refused: store_away.
        """
        found = self.ready(name, shape)
        if found is not None:
            return found
        kept = self._kept[name]
        if kept.rendering is not None:
            await asyncio.shield(kept.rendering)
        if kept.rendition is None:
            raise Refused("store_away")
        return kept.rendition

    async def _render(self, name: str, shape: Shape, kept: _Kept) -> None:
        try:
            edition, began_s = self.latest(), self._monotonic()
            body = shape.whole(await _pieces(shape, edition, kept), edition)
            kept.rendition = Rendition(
                body,
                # Beside the answers: packing does not hold the interpreter.
                await asyncio.to_thread(gzip.compress, body, _COMPRESSED_AS, mtime=0),
                f'"{name}-{self._epoch}-{edition.snapshot.number}"',
                format_datetime(edition.at, usegmt=True),
                shape.media_type,
            )
            kept.number, kept.true_at_s, kept.rendered_at_s = edition.snapshot.number, began_s, self._monotonic()
        finally:
            kept.rendering = None

    def changed_since(self, instant: datetime, edition: Edition) -> tuple[Sequence[LotId], Sequence[LotId]] | None:
        """Give the lots that changed at an instant or after, and those that are gone; None where that is not known."""
        if self._since is None or instant < self._since:
            return None
        changed = [lot_id for lot_id in edition.lot_ids if self._changed_at[lot_id] >= instant]
        return changed, [lot_id for lot_id, gone_at in self._deleted_at.items() if gone_at >= instant]

    def _note(self, snapshot: Snapshot) -> None:
        """Remember what changed when; by the number of the snapshot, so that a change between two looks is not lost."""
        before, number = (set[LotId](), -1) if self._seen is None else (self._seen.lots.keys(), self._seen.number)
        for lot_id, changed_in in snapshot.lot_changed_in.items():
            if changed_in > number and lot_id in snapshot.lots:
                self._changed_at[lot_id] = snapshot.at
                self._deleted_at.pop(lot_id, None)
        for lot_id in before - snapshot.lots.keys():
            self._changed_at.pop(lot_id, None)
            self._deleted_at[lot_id] = snapshot.at
        if len(self._deleted_at) > _MOST_DELETED:
            # Who last asked before is given everything: better too much than a lot that never goes away.
            self._since = max(self._deleted_at.values())
            self._deleted_at.clear()
        self._since = self._since or snapshot.at
        self._seen = snapshot


async def _pieces(shape: Shape, edition: Edition, kept: _Kept) -> Sequence[bytes]:
    """Write what shows something else, a little at a time: whoever asks meanwhile is answered between."""
    minute = edition.at.replace(second=0, microsecond=0) if shape.foresees else None
    pieces: dict[LotId, tuple[LotStatus, object, bytes]] = {}
    rest_at_s = time.perf_counter() + _AT_ONCE_S
    for lot_id in edition.lot_ids:
        status, known = edition.snapshot.lots[lot_id], kept.pieces.get(lot_id)
        of = (edition.version, minute, edition.snapshot.foreseen.get(lot_id) if shape.foresees else None)
        if known is None or known[0] is not status or known[1] != of:
            known = status, of, shape.piece(edition.lot(lot_id))
        pieces[lot_id] = known
        if time.perf_counter() >= rest_at_s:
            await asyncio.sleep(0)
            rest_at_s = time.perf_counter() + _AT_ONCE_S
    kept.pieces = pieces
    return [piece for _, _, piece in pieces.values()]
