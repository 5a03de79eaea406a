"""Dead letters in Postgres (migrations/0005): those that come together are kept by one commit."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg
from typing_extensions import override

from bowei.domain.lots import SourceId
from bowei.records.connecting import Borrow, acquired, kept, translated
from bowei.records.dead_letters import LARGEST_PAYLOAD_BYTES, MOST_OF_A_SOURCE, DeadLetter, DeadLetters, digest_of
from bowei.records.group_commit import Commit, GroupCommit

_AT_ONCE = 200
_WAITING_MOST = 1_000
_FORGOTTEN_AT_ONCE = 5_000
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Letter:
    source_id: SourceId
    way: str
    reason: str
    lot_code: str | None
    payload: bytes


class PostgresDeadLetters(DeadLetters):
    """The letters, at most `most` of a source."""

    def __init__(self, pool: asyncpg.Pool, *, most: int = MOST_OF_A_SOURCE) -> None:
        self._pool = pool
        self._most = most
        self._keeping: GroupCommit[_Letter, int] = GroupCommit(
            self._writing, keys=lambda _: (), most=_AT_ONCE, queue_limit=_WAITING_MOST
        )

    async def close(self) -> None:
        """Let commits in flight finish."""
        await self._keeping.close()

    @override
    async def keep(self, source_id: SourceId, way: str, reason: str, payload: bytes, lot_code: str | None) -> int:
        if len(payload) > LARGEST_PAYLOAD_BYTES:
            return 1
        return await self._keeping.submit(_Letter(source_id, way, reason, lot_code, payload))

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Commit[_Letter, int]]:
        async with kept(self._pool) as borrow:
            yield partial(self._keep_batch, borrow)

    async def _keep_batch(self, borrow: Borrow, batch: Sequence[_Letter]) -> Sequence[int]:
        async with borrow() as connection:
            with translated():
                dropped: int = await connection.fetchval(
                    "SELECT dropped FROM bowei.keep_letters($1, $2, $3, $4, $5, $6, $7)",
                    [one.source_id for one in batch],
                    [one.way for one in batch],
                    [one.reason for one in batch],
                    [one.lot_code for one in batch],
                    [one.payload for one in batch],
                    [digest_of(one.way, one.payload) for one in batch],
                    self._most,
                    timeout=_TIMEOUT_S,
                )
        # Counted once, with whichever came first.
        return [dropped] + [0] * (len(batch) - 1)

    @override
    async def waiting(
        self, *, source_id: SourceId | None = None, reason: str | None = None, after: int = 0, most: int = 100
    ) -> Sequence[DeadLetter]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    """
                    SELECT letter_id, source_id, way, reason, lot_code, received_at, tries, payload
                    FROM bowei.dead_letter
                    WHERE redelivered_at IS NULL AND letter_id > $1
                      AND ($2::text IS NULL OR source_id = $2) AND ($3::text IS NULL OR reason = $3)
                    ORDER BY letter_id LIMIT $4
                    """,
                    after,
                    source_id,
                    reason,
                    most,
                )
        return [DeadLetter(**dict(row)) for row in rows]

    @override
    async def tried(self, letter_id: int, *, redelivered: bool) -> None:
        async with acquired(self._pool) as connection:
            with translated():
                await connection.execute(
                    "UPDATE bowei.dead_letter SET tries = tries + 1, tried_at = bowei.now(),"
                    " redelivered_at = CASE WHEN $2 THEN bowei.now() END WHERE letter_id = $1",
                    letter_id,
                    redelivered,
                )

    @override
    async def forget(self, *, days: int) -> int:
        async with acquired(self._pool) as connection:
            with translated():
                gone: int = await connection.fetchval(
                    "SELECT bowei.forget_letters(bowei.now() - make_interval(days => $1), $2)",
                    days,
                    _FORGOTTEN_AT_ONCE,
                    timeout=_TIMEOUT_S,
                )
        return gone

    @override
    async def count(self) -> int:
        async with acquired(self._pool) as connection:
            with translated():
                waiting: int = await connection.fetchval(
                    "SELECT count(*) FROM bowei.dead_letter WHERE redelivered_at IS NULL", timeout=_TIMEOUT_S
                )
        return waiting
