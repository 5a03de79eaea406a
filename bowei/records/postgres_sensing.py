"""The spaces with sensors in Postgres: a batch of signs is one statement and one commit (migrations/0008)."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
from typing_extensions import override

from bowei.domain.observations import Outcome
from bowei.records.connecting import acquired, translated
from bowei.records.sensing import SpaceBook, SpaceCount, SpaceSign, SpacesNoted

_TIMEOUT_S = 5.0


class PostgresSpaceBook(SpaceBook):
    """The spaces, each a row; a lot's signs wait for each other, and for nobody else."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def note(self, signs: Sequence[SpaceSign], *, silent_after: timedelta) -> SpacesNoted:
        if not signs:
            return SpacesNoted((), {})
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    "SELECT * FROM bowei.note_spaces($1, $2, $3, $4, $5, $6, $7)",
                    [one.source_id for one in signs],
                    [one.device_id for one in signs],
                    [one.lot_id for one in signs],
                    [one.occupied for one in signs],
                    [one.f_cnt for one in signs],
                    [one.said_at for one in signs],
                    silent_after,
                    timeout=_TIMEOUT_S,
                )
        return SpacesNoted(
            outcomes=[Outcome(row["outcome"]) for row in rows],
            counts={
                sign.lot_id: SpaceCount(row["version"], row["counted_at"], row["free"], row["known"], row["spaces"])
                for sign, row in zip(signs, rows, strict=True)
                if row["version"] is not None
            },
        )
