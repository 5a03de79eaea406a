"""Trust as it is kept in Postgres: read, written and renewed in the transaction of whoever changes it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from bowei.domain.assessing import Finding
from bowei.domain.lots import LotId, SourceId
from bowei.domain.trust import Trust
from bowei.records.quality import Key, QualityEvent, changes_of_trust, enrolled_trusts
from bowei.records.registering import Source

Connection = asyncpg.pool.PoolConnectionProxy


def trust_of(row: asyncpg.Record) -> Trust:
    """Read a row of `source_trust`."""
    return msgspec.convert(
        {
            "state": row["state"],
            "since": row["since"],
            "counted_from": row["counted_from"],
            "good": row["good"],
            "bad": row["bad"],
            "bad_from": row["bad_from"],
            "pinned": row["pinned"],
            "reason": row["reason"],
            "evidence": msgspec.json.decode(str(row["evidence"])),
        },
        Trust,
    )


def key_of(row: asyncpg.Record) -> Key:
    """Read of whom a row of `source_trust` is."""
    return SourceId(str(row["source_id"])), LotId(str(row["lot_id"])) if row["lot_id"] else None


def findings_of(document: str | None) -> tuple[Finding, ...]:
    """Read what was found."""
    return () if document is None else tuple(msgspec.json.decode(document, type=list[Finding]))


async def read_trusts(connection: Connection, source_ids: Iterable[SourceId]) -> dict[Key, Trust]:
    """Give where sources and their lots stand; the rows are locked."""
    rows = await connection.fetch(
        "SELECT * FROM bowei.source_trust WHERE source_id = ANY ($1) ORDER BY source_id, lot_id FOR UPDATE",
        list(source_ids),
    )
    return {key_of(row): trust_of(row) for row in rows}


async def keep_trusts(connection: Connection, trusts: Mapping[Key, Trust]) -> None:
    """Write where sources and lots stand; those that are no longer registered are passed by."""
    kept = sorted(trusts.items(), key=lambda one: (one[0][0], one[0][1] or ""))
    await connection.execute(
        """
        INSERT INTO bowei.source_trust (source_id, lot_id, state, since, counted_from, good, bad, bad_from, pinned,
                                        reason, evidence)
        SELECT u.* FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::integer[],
                               $7::integer[], $8::timestamptz[], $9::boolean[], $10::text[], $11::jsonb[])
            AS u (source_id, lot_id, state, since, counted_from, good, bad, bad_from, pinned, reason, evidence)
        JOIN bowei.source s USING (source_id)
        ON CONFLICT (source_id, lot_id) DO UPDATE SET state = excluded.state, since = excluded.since,
            counted_from = excluded.counted_from, good = excluded.good, bad = excluded.bad,
            bad_from = excluded.bad_from, pinned = excluded.pinned, reason = excluded.reason,
            evidence = excluded.evidence
        """,
        [source_id for (source_id, _), _ in kept],
        [lot_id or "" for (_, lot_id), _ in kept],
        [str(trust.state) for _, trust in kept],
        [trust.since for _, trust in kept],
        [trust.counted_from for _, trust in kept],
        [trust.good for _, trust in kept],
        [trust.bad for _, trust in kept],
        [trust.bad_from for _, trust in kept],
        [trust.pinned for _, trust in kept],
        [trust.reason for _, trust in kept],
        [msgspec.json.encode(trust.evidence).decode() for _, trust in kept],
    )


async def note_events(connection: Connection, events: Sequence[QualityEvent]) -> None:
    """Keep what changed."""
    await connection.execute(
        """
        INSERT INTO bowei.quality_event (at, source_id, lot_id, kind, was, became, reason, said_by, evidence)
        SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                             $8::text[], $9::jsonb[])
        """,
        [event.at for event in events],
        [event.source_id for event in events],
        [event.lot_id for event in events],
        [str(event.kind) for event in events],
        [event.was for event in events],
        [event.became for event in events],
        [event.reason for event in events],
        [event.said_by for event in events],
        [msgspec.json.encode(event.evidence).decode() for event in events],
    )


async def renew_doubts(connection: Connection, lot_ids: Iterable[LotId]) -> dict[LotId, str | None]:
    """Renew what follows for lots; give those whose doubt changed, and to what."""
    rows = await connection.fetch("SELECT * FROM bowei.renew_doubts($1)", sorted(set(lot_ids)))
    return {LotId(row["lot_id"]): row["doubt"] for row in rows}


async def enrol(connection: Connection, sources: Sequence[Source]) -> None:
    """Let sources that were put begin where they must, and take an operator's word on those that are known."""
    before = await read_trusts(connection, [source.source_id for source in sources])
    now: datetime = await connection.fetchval("SELECT bowei.now()")
    lots = {lot_id for source_id, lot_id in before if lot_id is not None}
    after: dict[Key, Trust] = {}
    for source in sources:
        after |= enrolled_trusts(source, before, now)
        kept = [lot_id for _, lot_id in source.lots]
        lots |= set(kept)
        await connection.execute(
            "DELETE FROM bowei.source_trust WHERE source_id = $1 AND lot_id <> '' AND lot_id <> ALL ($2)",
            source.source_id,
            kept,
        )
        await connection.execute(
            "DELETE FROM bowei.pending_lot WHERE source_id = $1 AND code = ANY ($2)",
            source.source_id,
            [name for pair in source.lots for name in pair],
        )
    await keep_trusts(connection, after)
    await note_events(connection, changes_of_trust(before, after, now, said_by="registry"))
    await renew_doubts(connection, lots)
