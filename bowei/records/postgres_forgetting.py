"""Forgetting persons in Postgres (migrations/0021)."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
from typing_extensions import override

from bowei.domain.holds import Hold
from bowei.domain.lots import DriverId
from bowei.records.connecting import acquired, translated
from bowei.records.forgetting import PLATES_KEPT, ForgetsPersons, ForgottenPersons
from bowei.records.hold_rows import hold_of

_AT_ONCE = 1_000
_TIMEOUT_S = 10.0


class PostgresForgetting(ForgetsPersons):
    """Forgets; each piece is one statement."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def forget(self, drivers_kept: timedelta) -> ForgottenPersons:
        (row,) = await self._fetch(
            "SELECT * FROM bowei.forget_persons($1, $2, $3)", PLATES_KEPT, drivers_kept, _AT_ONCE
        )
        return ForgottenPersons(row["plates"], row["drivers"], row["leavings"])

    @override
    async def kept_too_long(self, drivers_kept: timedelta) -> int:
        (row,) = await self._fetch("SELECT bowei.kept_too_long($1, $2) AS kept", PLATES_KEPT, drivers_kept)
        return int(row["kept"])

    @override
    async def holds_of(self, driver_id: DriverId) -> Sequence[Hold]:
        rows = await self._fetch(
            """
            SELECT * FROM bowei.hold WHERE state IN ('held', 'arrived') AND driver_id = $1
            UNION ALL
            SELECT * FROM bowei.hold WHERE ended_at IS NOT NULL AND driver_id <> 'forgotten' AND driver_id = $1
            ORDER BY placed_at, diversion_id, ordinal
            """,
            driver_id,
        )
        return [hold_of(row)[0] for row in rows]

    @override
    async def erase(self, driver_id: DriverId) -> bool:
        (row,) = await self._fetch("SELECT bowei.erase_driver($1) AS erased", driver_id)
        return bool(row["erased"])

    async def _fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async with acquired(self._pool) as connection:
            with translated():
                return await connection.fetch(statement, *arguments, timeout=_TIMEOUT_S)
