"""The gate book in Postgres (migrations/0017)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
from typing_extensions import override

from bowei.domain.acts import Act
from bowei.domain.gate import QUEUE_WORD_HOLDS, GateWord
from bowei.domain.lots import HospitalId
from bowei.records.connecting import acquired, translated
from bowei.records.gate_book import GateBook
from bowei.records.postgres_audit import note_beside
from bowei.records.registering import UnknownReference

_TIMEOUT_S = 4.0
_SAY_QUEUE = """
    INSERT INTO bowei.gate_word AS word (hospital_id, queue_vehicles, queue_said_at) VALUES ($1, $2, bowei.now())
    ON CONFLICT (hospital_id) DO UPDATE
        SET queue_vehicles = excluded.queue_vehicles, queue_said_at = excluded.queue_said_at
    RETURNING queue_said_at
"""
_PAUSE = """
    INSERT INTO bowei.gate_word AS word (hospital_id, paused_until) VALUES ($1, bowei.now() + $2::interval)
    ON CONFLICT (hospital_id) DO UPDATE SET paused_until = excluded.paused_until
    RETURNING paused_until
"""


class PostgresGateBook(GateBook):
    """The gate book; each word and its note in the audit are one transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def words(self) -> Sequence[GateWord]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    """
                    SELECT hospital_id,
                           CASE WHEN queue_said_at + $1 > now THEN queue_vehicles END AS queue_vehicles,
                           CASE WHEN queue_said_at + $1 > now THEN queue_said_at END AS queue_said_at,
                           CASE WHEN paused_until > now THEN paused_until END AS paused_until
                    FROM bowei.gate_word, bowei.now() AS now
                    WHERE queue_said_at + $1 > now OR paused_until > now ORDER BY hospital_id
                    """,
                    QUEUE_WORD_HOLDS,
                    timeout=_TIMEOUT_S,
                )
        return [GateWord(**row) for row in rows]

    @override
    async def say_queue(self, hospital_id: HospitalId, vehicles: int, act: Act) -> datetime:
        return await self._write(act, _SAY_QUEUE, hospital_id, vehicles)

    @override
    async def pause(self, hospital_id: HospitalId, how_long: timedelta, act: Act) -> datetime:
        return await self._write(act, _PAUSE, hospital_id, how_long)

    @override
    async def resume(self, hospital_id: HospitalId, act: Act) -> None:
        await self._write(
            act, "UPDATE bowei.gate_word SET paused_until = NULL WHERE hospital_id = $1 RETURNING NULL", hospital_id
        )

    async def _write(self, act: Act, statement: str, *arguments: object) -> datetime:
        """Write a word, note the act, and wake whoever copies words."""
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction():
                    try:
                        instant: datetime = await connection.fetchval(statement, *arguments, timeout=_TIMEOUT_S)
                    except asyncpg.ForeignKeyViolationError as error:
                        raise UnknownReference("unknown_hospital") from error
                    await note_beside(connection, act)
                    await connection.execute("SELECT pg_notify('bowei_promised', 'gates')")
        return instant
