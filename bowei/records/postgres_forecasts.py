"""Forecasts in Postgres: all counts in one row of arrays, all that is kept in one commit (migrations/0011)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import numpy as np
from typing_extensions import override

from bowei.domain.foreseeing import Counted
from bowei.domain.freshness import STALE_FLOOR, STALE_GAPS
from bowei.domain.lots import LotId
from bowei.domain.observations import Bound, LotState
from bowei.records.connecting import acquired, translated
from bowei.records.forecasts import ForecastBook, HourMeans
from bowei.records.leading import Leadership, Post

_TIMEOUT_S = 10.0
_FORESEER = Post(lock_key=0x666F7265736565, name="foreseer")  # "foresee"

# As `foreseeing.learnable` and `Report.within` have it.
_COUNTED = """
    SELECT coalesce(array_agg(l.lot_id ORDER BY l.lot_id), '{}') AS lots,
           coalesce(array_agg(l.timezone ORDER BY l.lot_id), '{}') AS zones,
           coalesce(array_agg(l.capacity::float8 ORDER BY l.lot_id), '{}') AS capacities,
           coalesce(array_agg(CASE WHEN r.free > l.capacity THEN l.capacity ELSE r.free END::float8
                              ORDER BY l.lot_id), '{}') AS free,
           coalesce(array_agg(extract(epoch FROM r.observed_at)::float8 ORDER BY l.lot_id), '{}') AS observed
    FROM bowei.lot l
    LEFT JOIN bowei.report r ON r.lot_id = l.lot_id AND r.free IS NOT NULL AND r.doubt IS NULL
        AND r.state = $1 AND r.bound = $2 AND bowei.now() - r.observed_at <= greatest($3 * r.usual_gap, $4)
"""
_HOURS = """
    SELECT h.hour, array_agg(h.lot_id) AS lots, array_agg(h.free_mean) AS free FROM bowei.hourly h
    WHERE h.hour >= $1 AND h.hour < $2 AND h.free_mean IS NOT NULL GROUP BY h.hour ORDER BY h.hour
"""
_KEEP = """
    WITH kept AS (
        INSERT INTO bowei.forecast (lot_id, learned, kept_at)
            SELECT k.lot_id, k.learned, bowei.now() FROM unnest($1::text[], $2::bytea[]) AS k (lot_id, learned)
            JOIN bowei.lot l ON l.lot_id = k.lot_id ORDER BY k.lot_id
            ON CONFLICT (lot_id) DO UPDATE SET learned = excluded.learned, kept_at = excluded.kept_at
    )
    INSERT INTO bowei.forecast_city (learned, kept_at) VALUES ($3, bowei.now())
        ON CONFLICT (one) DO UPDATE SET learned = excluded.learned, kept_at = excluded.kept_at
"""


def foreseer_leadership(url: str) -> Leadership:
    """Hand out the right to be the one that foresees for the database at `url`."""
    return Leadership(url, _FORESEER)


class PostgresForecastBook(ForecastBook):
    """Forecasts; whoever writes them has the lead."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def counted(self) -> Counted:
        async with acquired(self._pool) as connection:
            with translated():
                row = await connection.fetchrow(
                    _COUNTED, LotState.OPEN.value, Bound.EXACT.value, STALE_GAPS, STALE_FLOOR, timeout=_TIMEOUT_S
                )
        assert row is not None  # noqa: S101 (an aggregate always gives one row)
        return Counted(
            lot_ids=tuple(LotId(lot_id) for lot_id in row["lots"]),
            zones=tuple(row["zones"]),
            capacities=np.array(row["capacities"], dtype=float),
            free=np.array(row["free"], dtype=float),
            observed_s=np.array(row["observed"], dtype=float),
        )

    @override
    async def hours_of(self, day: date) -> Sequence[HourMeans]:
        begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(_HOURS, begins, begins + timedelta(days=1), timeout=_TIMEOUT_S)
        return [HourMeans(row["hour"], [LotId(lot_id) for lot_id in row["lots"]], row["free"]) for row in rows]

    @override
    async def kept_lots(self, lot_ids: Sequence[LotId]) -> Mapping[LotId, bytes]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    "SELECT lot_id, learned FROM bowei.forecast WHERE lot_id = ANY ($1)", lot_ids, timeout=_TIMEOUT_S
                )
        return {LotId(row["lot_id"]): row["learned"] for row in rows}

    @override
    async def kept_city(self) -> bytes | None:
        async with acquired(self._pool) as connection:
            with translated():
                learned: bytes | None = await connection.fetchval(
                    "SELECT learned FROM bowei.forecast_city", timeout=_TIMEOUT_S
                )
        return learned

    @override
    async def keep(self, lots: Mapping[LotId, bytes], city: bytes) -> None:
        async with acquired(self._pool) as connection:
            with translated():
                await connection.execute(_KEEP, list(lots), list(lots.values()), city, timeout=_TIMEOUT_S)
