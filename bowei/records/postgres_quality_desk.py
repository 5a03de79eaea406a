"""Where the city looks and a person's word is taken, in Postgres (migrations/0007)."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import asyncpg
import msgspec
from typing_extensions import override

from bowei.domain.dirt import Dirt
from bowei.domain.lots import LotId, SourceId
from bowei.domain.places import Point
from bowei.domain.strangers import Stranger
from bowei.domain.trust import Trust, release_by_hand, suspend_by_hand
from bowei.records.connecting import acquired, translated
from bowei.records.postgres_trusting import (
    Connection,
    findings_of,
    keep_trusts,
    key_of,
    note_events,
    read_trusts,
    renew_doubts,
    trust_of,
)
from bowei.records.quality import (
    EVENTS_MOST,
    CityQuality,
    EventKind,
    Key,
    LinkQuality,
    LotQuality,
    QualityDesk,
    QualityEvent,
    changes_of_trust,
)
from bowei.records.registering import UnknownReference

_TIMEOUT_S = 10.0


class PostgresQualityDesk(QualityDesk):
    """The desk; a look is one snapshot, a person's word one transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def city(self) -> CityQuality:
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    at = await connection.fetchval("SELECT bowei.now()")
                    lots = await connection.fetch(_LOTS, timeout=_TIMEOUT_S)
                    trusts = await connection.fetch("SELECT * FROM bowei.source_trust", timeout=_TIMEOUT_S)
                    links = await connection.fetch(
                        "SELECT * FROM bowei.heartbeat ORDER BY source_id, lot_id", timeout=_TIMEOUT_S
                    )
                    strangers = await connection.fetch(
                        "SELECT * FROM bowei.pending_lot ORDER BY source_id, times DESC, code", timeout=_TIMEOUT_S
                    )
        return CityQuality(
            at=at,
            # Beside the answers: of a large city it takes some tenths of a second.
            lots=await asyncio.to_thread(lambda: [_lot(row) for row in lots]),
            trusts={key_of(row): trust_of(row) for row in trusts},
            links=[_link(row) for row in links],
            strangers=[_stranger(row) for row in strangers],
        )

    @override
    async def events(
        self, *, source_id: SourceId | None = None, lot_id: LotId | None = None, most: int = EVENTS_MOST
    ) -> Sequence[QualityEvent]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    """
                    SELECT * FROM bowei.quality_event
                    WHERE ($1::text IS NULL OR source_id = $1) AND ($2::text IS NULL OR lot_id = $2)
                    ORDER BY event_id DESC LIMIT $3
                    """,
                    source_id,
                    lot_id,
                    min(most, EVENTS_MOST),
                    timeout=_TIMEOUT_S,
                )
        return [_event(row) for row in rows]

    @override
    async def suspend(self, source_id: SourceId, lot_id: LotId | None, *, said_by: str, reason: str) -> None:
        await self._take_word(source_id, lot_id, suspend_by_hand, said_by, reason, suspended=True)

    @override
    async def release(
        self, source_id: SourceId, lot_id: LotId | None, *, said_by: str, reason: str, pinned: bool
    ) -> None:
        def released(trust: Trust, now: datetime) -> Trust:
            return release_by_hand(trust, now, pinned=pinned)

        await self._take_word(source_id, lot_id, released, said_by, reason, suspended=False)

    @override
    async def forget_stranger(self, source_id: SourceId, code: str) -> None:
        async with acquired(self._pool) as connection:
            with translated():
                done = await connection.execute(
                    "DELETE FROM bowei.pending_lot WHERE source_id = $1 AND code = $2", source_id, code
                )
        if done == "DELETE 0":
            raise UnknownReference("unknown_lot")

    async def _take_word(
        self,
        source_id: SourceId,
        lot_id: LotId | None,
        act: Callable[[Trust, datetime], Trust],
        said_by: str,
        reason: str,
        *,
        suspended: bool,
    ) -> None:
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction():
                    if lot_id is None:
                        await _refuse_reports(connection, source_id, refused=suspended)
                    trusts = await read_trusts(connection, [source_id])
                    key: Key = (source_id, lot_id)
                    if key not in trusts:
                        known = any(known_id == source_id for known_id, _ in trusts)
                        raise UnknownReference("unknown_lot" if known else "unknown_source")
                    now = await connection.fetchval("SELECT bowei.now()")
                    after = {key: act(trusts[key], now)}
                    await keep_trusts(connection, after)
                    await note_events(connection, changes_of_trust(trusts, after, now, said_by=said_by, reason=reason))
                    lots = [one for _, one in trusts if one is not None] if lot_id is None else [lot_id]
                    await renew_doubts(connection, lots)


async def _refuse_reports(connection: Connection, source_id: SourceId, *, refused: bool) -> None:
    """Have ingest refuse what a source says, or take it again: it reads the register when its version grows."""
    await connection.execute("UPDATE bowei.directory_version SET version = version + 1")
    await connection.execute(
        "UPDATE bowei.source SET suspended = $2 WHERE source_id = $1 AND suspended <> $2", source_id, refused
    )


_LOTS = """
    SELECT l.lot_id, r.observed_at, r.received_at, r.usual_gap, q.assessed_at, q.findings, q.doubt, q.doubt_since,
           coalesce(q.frozen_clock, false) AS frozen_clock, coalesce(q.binary_count, false) AS binary_count,
           q.suggested_capacity,
           ARRAY(SELECT DISTINCT s.source_id FROM bowei.source_lot s WHERE s.lot_id = l.lot_id ORDER BY 1) AS source_ids
    FROM bowei.lot l LEFT JOIN bowei.report r USING (lot_id) LEFT JOIN bowei.lot_quality q USING (lot_id)
    ORDER BY l.lot_id
"""


def _lot(row: asyncpg.Record) -> LotQuality:
    return LotQuality(
        lot_id=LotId(row["lot_id"]),
        source_ids=tuple(SourceId(one) for one in row["source_ids"]),
        observed_at=row["observed_at"],
        received_at=row["received_at"],
        usual_gap=row["usual_gap"],
        assessed_at=row["assessed_at"],
        findings=findings_of(row["findings"]),
        doubt=row["doubt"],
        doubt_since=row["doubt_since"],
        frozen_clock=row["frozen_clock"],
        binary_count=row["binary_count"],
        suggested_capacity=row["suggested_capacity"],
    )


def _link(row: asyncpg.Record) -> LinkQuality:
    source_id, lot_id = key_of(row)
    return LinkQuality(source_id, lot_id, row["last_at"], row["lost_since"])


def _stranger(row: asyncpg.Record) -> Stranger:
    return Stranger(
        source_id=SourceId(row["source_id"]),
        code=row["code"],
        first_heard_at=row["first_heard_at"],
        last_heard_at=row["last_heard_at"],
        times=row["times"],
        name=row["name"],
        place=None if row["lat"] is None else Point(row["lat"], row["lon"]),
        dirt=Dirt(row["dirt"]),
        like=None if row["like_lot"] is None else LotId(row["like_lot"]),
    )


def _event(row: asyncpg.Record) -> QualityEvent:
    return QualityEvent(
        at=row["at"],
        kind=EventKind(row["kind"]),
        source_id=None if row["source_id"] is None else SourceId(row["source_id"]),
        lot_id=None if row["lot_id"] is None else LotId(row["lot_id"]),
        was=row["was"],
        became=row["became"],
        reason=row["reason"],
        said_by=row["said_by"],
        evidence=msgspec.json.decode(row["evidence"]),
    )
