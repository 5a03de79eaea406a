"""Quality in Postgres (migrations/0007): what ingest keeps as it listens and assesses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import asyncpg
import msgspec
from typing_extensions import override

from bowei.domain.assessing import LOOKS_BACK, ClockReading, Day, Hour, Series
from bowei.domain.dirt import Dirt
from bowei.domain.drifting import DAYS_LOOKED_AT
from bowei.domain.heartbeats import LOST_AFTER, Heartbeat, Sign
from bowei.domain.lots import LotId, SourceId
from bowei.domain.strangers import Stranger
from bowei.domain.trust import Trust
from bowei.records.connecting import acquired, translated
from bowei.records.leading import Leadership, Post
from bowei.records.postgres_trusting import (
    Connection,
    findings_of,
    keep_trusts,
    key_of,
    note_events,
    renew_doubts,
    trust_of,
)
from bowei.records.quality import (
    HABIT_HEARTBEATS,
    STRANGERS_MOST,
    Assessment,
    Key,
    LotFlags,
    QualityBook,
    QualityEvent,
    Reconciliation,
    Watched,
    changes_of_findings,
    changes_of_trust,
    kept_since,
    may_follow,
    suggested_capacity,
)

_TIMEOUT_S = 30.0
_ASSESSOR = Post(lock_key=0x617373657373, name="assessor", channel="bowei_doubted")  # "assess"


def assessor_leadership(url: str) -> Leadership:
    """Hand out the right to be the one assessor of the record at `url`, who hears of every changed doubt."""
    return Leadership(url, _ASSESSOR)


class PostgresQualityBook(QualityBook):
    """The book. Each call is one transaction, and reads and writes by the set."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def due(self, *, every: timedelta, most: int) -> Sequence[LotId]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    """
                    SELECT l.lot_id FROM bowei.lot l LEFT JOIN bowei.lot_quality q USING (lot_id)
                    WHERE q.assessed_at IS NULL OR q.assessed_at <= bowei.now() - $1::interval
                    ORDER BY q.assessed_at NULLS FIRST, l.lot_id LIMIT $2
                    """,
                    every,
                    most,
                    timeout=_TIMEOUT_S,
                )
        return [LotId(row["lot_id"]) for row in rows]

    @override
    async def watch(self, lot_ids: Sequence[LotId]) -> Mapping[LotId, Watched]:
        lots = list(lot_ids)
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    heads = await connection.fetch(_HEADS, lots, timeout=_TIMEOUT_S)
                    hours = await connection.fetch(
                        "SELECT * FROM bowei.series_hours($1, bowei.now() - $2::interval)",
                        lots,
                        LOOKS_BACK,
                        timeout=_TIMEOUT_S,
                    )
                    days = await connection.fetch(
                        "SELECT * FROM bowei.series_days($1, $2)", lots, DAYS_LOOKED_AT, timeout=_TIMEOUT_S
                    )
                    clocks = await connection.fetch("SELECT * FROM bowei.series_clocks($1)", lots, timeout=_TIMEOUT_S)
                    heard = await connection.fetch("SELECT * FROM bowei.heard_since_look($1)", lots, timeout=_TIMEOUT_S)
                    trusts = await connection.fetch(
                        "SELECT * FROM bowei.source_trust WHERE lot_id = ANY ($1)", lots, timeout=_TIMEOUT_S
                    )
        hours_of, days_of = _grouped(hours, _hour), _grouped(days, _day)
        clock_of = {row["lot_id"]: _clock(row) for row in clocks}
        heard_of = _grouped(heard, lambda row: (SourceId(row["source_id"]), (row["good"], row["bad"])))
        trusts_of = _grouped(trusts, lambda row: (SourceId(row["source_id"]), trust_of(row)))
        return {
            LotId(head["lot_id"]): Watched(
                series=Series(
                    capacity=head["capacity"],
                    timezone=head["timezone"],
                    hours=hours_of.get(head["lot_id"], ()),
                    days=days_of.get(head["lot_id"], ()),
                    clock=clock_of.get(head["lot_id"]),
                    last_at=head["observed_at"],
                    usual_gap=head["usual_gap"] or timedelta(seconds=60),
                ),
                heard=dict(heard_of.get(head["lot_id"], ())),
                trusts=dict(trusts_of.get(head["lot_id"], ())),
                findings=findings_of(head["findings"]),
            )
            for head in heads
        }

    @override
    async def assess(self, assessments: Sequence[Assessment]) -> Mapping[LotId, str | None]:
        ordered = sorted(assessments, key=lambda one: one.lot_id)
        lots = [one.lot_id for one in ordered]
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction():
                    now = await connection.fetchval("SELECT bowei.now()")
                    trusts: dict[Key, Trust] = {
                        (source_id, one.lot_id): trust for one in ordered for source_id, trust in one.trusts.items()
                    }
                    judged = await _keep_judged(connection, trusts, now)
                    rows = await connection.fetch(_LOCK_LOOKS, lots, timeout=_TIMEOUT_S)
                    before = {LotId(row["lot_id"]): findings_of(row["findings"]) for row in rows}
                    kept = [
                        replace(one, findings=kept_since(one.findings, before.get(one.lot_id, ()))) for one in ordered
                    ]
                    await connection.execute(_KEEP_LOOKS, *_looks(kept), timeout=_TIMEOUT_S)
                    found = [
                        event for one in kept for event in changes_of_findings(one, before.get(one.lot_id, ()), now)
                    ]
                    await note_events(connection, [*judged, *found])
                    return await renew_doubts(connection, lots)

    @override
    async def source_trusts(self) -> Mapping[SourceId, tuple[Trust, datetime | None]]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    """
                    SELECT t.*, (SELECT max(r.received_at) FROM bowei.source_lot sl
                                 JOIN bowei.report r ON r.lot_id = sl.lot_id AND r.source_id = sl.source_id
                                 WHERE sl.source_id = t.source_id) AS heard_at
                    FROM bowei.source_trust t WHERE t.lot_id = ''
                    """,
                    timeout=_TIMEOUT_S,
                )
        return {SourceId(row["source_id"]): (trust_of(row), row["heard_at"]) for row in rows}

    @override
    async def judge_sources(self, trusts: Mapping[SourceId, Trust]) -> Mapping[LotId, str | None]:
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction():
                    now = await connection.fetchval("SELECT bowei.now()")
                    whole: dict[Key, Trust] = {(source_id, None): trust for source_id, trust in trusts.items()}
                    await note_events(connection, await _keep_judged(connection, whole, now))
                    return await renew_doubts(connection, await _lots_of(connection, list(trusts)))

    @override
    async def note_signs(self, heard: Sequence[Heartbeat]) -> Mapping[LotId, str | None]:
        newest: dict[tuple[SourceId, str], tuple[Heartbeat, int]] = {}
        for one in sorted(heard, key=lambda sign: sign.at):
            key = (one.source_id, one.lot_id or "")
            times = newest[key][1] if key in newest else 0
            newest[key] = (one, times + (one.sign is Sign.HEARTBEAT and one.habit))
        signs = [one for one, _ in newest.values()]
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction():
                    touched = await connection.fetchval(
                        "SELECT bowei.note_signs($1, $2, $3, $4, $5)",
                        [one.source_id for one in signs],
                        [one.lot_id or "" for one in signs],
                        [one.at for one in signs],
                        [str(one.sign) for one in signs],
                        [times for _, times in newest.values()],
                        timeout=_TIMEOUT_S,
                    )
                    return await renew_doubts(connection, touched or ())

    @override
    async def watch_links(self) -> Mapping[LotId, str | None]:
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction():
                    touched = await connection.fetchval(
                        "SELECT bowei.watch_links($1, $2)", LOST_AFTER, HABIT_HEARTBEATS, timeout=_TIMEOUT_S
                    )
                    return await renew_doubts(connection, touched or ())

    @override
    async def flags(self) -> Mapping[LotId, LotFlags]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    """
                    SELECT lot_id, frozen_clock, binary_count, doubt FROM bowei.lot_quality
                    WHERE frozen_clock OR binary_count OR doubt IS NOT NULL
                    """,
                    timeout=_TIMEOUT_S,
                )
        return {LotId(row["lot_id"]): LotFlags(row["frozen_clock"], row["binary_count"], row["doubt"]) for row in rows}

    @override
    async def note_strangers(self, heard: Sequence[Stranger]) -> None:
        if not heard:
            return
        async with acquired(self._pool) as connection:
            with translated():
                await connection.execute(
                    "SELECT bowei.note_strangers($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                    [one.source_id for one in heard],
                    [one.code for one in heard],
                    [one.name for one in heard],
                    [None if one.place is None else one.place.lat for one in heard],
                    [None if one.place is None else one.place.lon for one in heard],
                    [one.first_heard_at for one in heard],
                    [one.last_heard_at for one in heard],
                    [one.times for one in heard],
                    [str(one.dirt) for one in heard],
                    [one.like for one in heard],
                    STRANGERS_MOST,
                    timeout=_TIMEOUT_S,
                )

    @override
    async def forget(self, *, days: int, most: int) -> int:
        async with acquired(self._pool) as connection:
            with translated():
                gone = await connection.fetch(
                    """
                    DELETE FROM bowei.quality_event WHERE event_id = ANY (ARRAY(
                        SELECT e.event_id FROM bowei.quality_event e
                        WHERE e.said_by IS NULL AND e.at < bowei.now() - make_interval(days => $1)
                        ORDER BY e.event_id LIMIT $2))
                    RETURNING event_id
                    """,
                    days,
                    most,
                    timeout=_TIMEOUT_S,
                )
        return len(gone)

    @override
    async def reconcile(self, said: Reconciliation) -> None:
        async with acquired(self._pool) as connection:
            with translated():
                await connection.execute(
                    """
                    INSERT INTO bowei.reconciliation (lot_id, day, source_id, arrived, departed, said_at)
                    SELECT l.lot_id, $2, $3, $4, $5, bowei.now() FROM bowei.lot l WHERE l.lot_id = $1
                    ON CONFLICT (lot_id, day) DO UPDATE SET source_id = excluded.source_id, arrived = excluded.arrived,
                        departed = excluded.departed, said_at = excluded.said_at
                    """,
                    said.lot_id,
                    said.day,
                    said.source_id,
                    said.arrived,
                    said.departed,
                    timeout=_TIMEOUT_S,
                )


_HEADS = """
    SELECT l.lot_id, l.capacity, l.timezone, r.observed_at, r.usual_gap, q.findings
    FROM bowei.lot l LEFT JOIN bowei.report r USING (lot_id) LEFT JOIN bowei.lot_quality q USING (lot_id)
    WHERE l.lot_id = ANY ($1)
"""
_LOCK_LOOKS = """
    SELECT lot_id, findings FROM bowei.lot_quality WHERE lot_id = ANY ($1) ORDER BY lot_id FOR UPDATE
"""
_KEEP_LOOKS = """
    INSERT INTO bowei.lot_quality AS q (lot_id, assessed_at, findings, finding_doubt, frozen_clock, binary_count,
                                        suggested_capacity)
    SELECT u.lot_id, bowei.now(), u.findings, u.finding_doubt, u.frozen_clock, u.binary_count, u.suggested_capacity
    FROM unnest($1::text[], $2::jsonb[], $3::text[], $4::boolean[], $5::boolean[], $6::integer[])
        AS u (lot_id, findings, finding_doubt, frozen_clock, binary_count, suggested_capacity)
    JOIN bowei.lot l USING (lot_id)
    ORDER BY u.lot_id
    ON CONFLICT (lot_id) DO UPDATE SET assessed_at = excluded.assessed_at, findings = excluded.findings,
        finding_doubt = excluded.finding_doubt, frozen_clock = excluded.frozen_clock,
        binary_count = excluded.binary_count, suggested_capacity = excluded.suggested_capacity
"""


async def _keep_judged(connection: Connection, trusts: Mapping[Key, Trust], now: datetime) -> list[QualityEvent]:
    """Keep what the rules made of trusts; where a person spoke since they were read, that word stands."""
    rows = await connection.fetch(
        """
        SELECT t.* FROM bowei.source_trust t JOIN unnest($1::text[], $2::text[]) AS u (source_id, lot_id)
            ON t.source_id = u.source_id AND t.lot_id = u.lot_id
        ORDER BY t.source_id, t.lot_id FOR UPDATE OF t
        """,
        [source_id for source_id, _ in trusts],
        [lot_id or "" for _, lot_id in trusts],
    )
    before = {key_of(row): trust_of(row) for row in rows}
    after = {key: trusts[key] for key, was in before.items() if may_follow(was, trusts[key])}
    await keep_trusts(connection, after)
    return changes_of_trust(before, after, now)


async def _lots_of(connection: Connection, source_ids: Sequence[SourceId]) -> list[LotId]:
    rows = await connection.fetch(
        "SELECT DISTINCT lot_id FROM bowei.source_lot WHERE source_id = ANY ($1)", list(source_ids)
    )
    return [LotId(row["lot_id"]) for row in rows]


def _looks(assessments: Sequence[Assessment]) -> tuple[list[object], ...]:
    found = [{finding.dirt for finding in one.findings} for one in assessments]
    return (
        [one.lot_id for one in assessments],
        [msgspec.json.encode(one.findings).decode() for one in assessments],
        [one.finding_doubt for one in assessments],
        [Dirt.FROZEN_CLOCK in dirt for dirt in found],
        [Dirt.BINARY_COUNT in dirt for dirt in found],
        [suggested_capacity(one.findings) for one in assessments],
    )


Item = TypeVar("Item")


def _grouped(rows: Sequence[asyncpg.Record], read: Callable[[asyncpg.Record], Item]) -> dict[str, list[Item]]:
    by_lot: dict[str, list[Item]] = {}
    for row in rows:
        by_lot.setdefault(row["lot_id"], []).append(read(row))
    return by_lot


def _hour(row: asyncpg.Record) -> Hour:
    return Hour(
        at=row["hour"],
        reports=row["reports"],
        low=row["low"],
        high=row["high"],
        last=row["last"],
        values=row["counts"],
        capacity=row["capacity"],
        spilled=row["spilled"],
        spilled_to=row["spilled_to"],
    )


def _day(row: asyncpg.Record) -> Day:
    return Day(
        day=row["day"],
        enters=row["enters"],
        exits=row["exits"],
        free_first=row["free_first"],
        free_last=row["free_last"],
        arrived=row["arrived"],
        left=row["departed"],
        day_enters=row["day_enters"],
        day_exits=row["day_exits"],
    )


def _clock(row: asyncpg.Record) -> ClockReading:
    return ClockReading(row["reports"], row["counts"], row["first_received_at"], row["last_received_at"])
