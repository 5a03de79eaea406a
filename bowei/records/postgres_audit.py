"""The audit in Postgres (migrations/0016)."""

from collections.abc import Sequence

import asyncpg
from typing_extensions import override

from bowei.domain.acts import Act, Entry
from bowei.records.audit import MOST_AT_ONCE, AuditTrail
from bowei.records.connecting import acquired, translated

_TIMEOUT_S = 4.0


class PostgresAuditTrail(AuditTrail):
    """The chain; each act is one statement."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def note(self, act: Act) -> Entry:
        (row,) = await self._fetch(
            "SELECT * FROM bowei.note_act($1, $2, $3, $4, $5, $6)",
            act.actor,
            act.act,
            act.subject,
            act.outcome,
            act.request_id,
            act.body_sha256,
        )
        return _entry(row)

    @override
    async def entries(self, after: int, limit: int = MOST_AT_ONCE) -> Sequence[Entry]:
        rows = await self._fetch(
            "SELECT * FROM bowei.audit WHERE serial > $1 ORDER BY serial LIMIT $2", after, min(limit, MOST_AT_ONCE)
        )
        return [_entry(row) for row in rows]

    @override
    async def newest(self) -> Entry | None:
        rows = await self._fetch("SELECT * FROM bowei.audit ORDER BY serial DESC LIMIT 1")
        return _entry(rows[0]) if rows else None

    async def _fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async with acquired(self._pool) as connection:
            with translated():
                return await connection.fetch(statement, *arguments, timeout=_TIMEOUT_S)


async def note_beside(connection: asyncpg.pool.PoolConnectionProxy, act: Act) -> None:
    """Note an act in the transaction that does it."""
    await connection.execute(
        "SELECT FROM bowei.note_act($1, $2, $3, $4, $5, $6)",
        act.actor,
        act.act,
        act.subject,
        act.outcome,
        act.request_id,
        act.body_sha256,
        timeout=_TIMEOUT_S,
    )


def _entry(row: asyncpg.Record) -> Entry:
    act = Act(row["actor"], row["act"], row["subject"], row["outcome"], row["request_id"], row["body_sha256"])
    return Entry(row["serial"], row["at"], act, row["hash"])
