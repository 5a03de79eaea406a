"""History in Postgres (migrations/0005)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from typing_extensions import override

from bowei.domain.lots import LotId
from bowei.records.connecting import acquired, translated
from bowei.records.history import Forgotten, HistoryState, Hour, KeepsHistory, ReadsHours
from bowei.records.leading import Leadership, Post

DAYS_AHEAD = 7
"""For so long the keeper may be away before reports come undated."""
_SETTLED_AFTER = timedelta(seconds=10)
"""Longer than any statement that records may take."""
_LOTS_AT_ONCE = 200
_ROWS_AT_ONCE = 5_000
_TIMEOUT_S = 60.0

_KEEPER = Post(lock_key=0x6B6565706572, name="keeper")  # "keeper"


def keeper_leadership(url: str) -> Leadership:
    """Hand out the right to be the one keeper of the history at `url`."""
    return Leadership(url, _KEEPER)


class PostgresHistory(KeepsHistory, ReadsHours):
    """History. `settled_after`: how long (in real time) after its date a report is surely committed or never."""

    def __init__(self, pool: asyncpg.Pool, *, settled_after: timedelta = _SETTLED_AFTER) -> None:
        self._pool = pool
        self._settled_after = settled_after

    @override
    async def make_days(self) -> int:
        made = 0
        async with acquired(self._pool) as connection:
            with translated():
                days = await connection.fetch("SELECT * FROM bowei.missing_days($1) AS day", DAYS_AHEAD)
                for row in days:
                    # One commit each: reports wait while a day is made.
                    made += await connection.fetchval("SELECT bowei.make_day($1)", row["day"], timeout=_TIMEOUT_S)
        return made

    @override
    async def note_hours(self) -> None:
        await self._ask("SELECT bowei.note_hours($1)", self._settled_after)

    @override
    async def roll_up(self) -> int:
        return int(await self._ask("SELECT bowei.roll_up($1)", _LOTS_AT_ONCE))

    @override
    async def forget(self, *, days: int, hourly_days: int) -> Forgotten:
        dropped = await self._ask("SELECT bowei.drop_day(bowei.now() - make_interval(days => $1))", days)
        passages = await self._ask(
            "SELECT bowei.forget_passages(bowei.now() - make_interval(days => $1), $2)", days, _ROWS_AT_ONCE
        )
        hours = await self._ask(
            "SELECT bowei.forget_hours(bowei.now() - make_interval(days => $1), $2)", hourly_days, _ROWS_AT_ONCE
        )
        return Forgotten(days=int(dropped is not None), passages=passages, hours=hours)

    @override
    async def state(self) -> HistoryState:
        async with acquired(self._pool) as connection:
            with translated():
                row = await connection.fetchrow(
                    """
                    SELECT coalesce(floor(extract(epoch FROM date_trunc('hour', bowei.now(), 'UTC') - m.noted_to)
                                          / 3600), 0)::integer AS behind,
                           (SELECT count(*) FROM bowei.hour_due) AS due,
                           (SELECT count(*) FROM bowei.observation_undated) AS undated
                    FROM (SELECT) AS nothing LEFT JOIN bowei.history_mark m ON true
                    """,
                    timeout=_TIMEOUT_S,
                )
        assert row is not None  # noqa: S101 (the statement always gives one row)
        return HistoryState(hours_behind=max(0, row["behind"]), hours_due=row["due"], undated=row["undated"])

    @override
    async def hours(self, lot_id: LotId, since: datetime, until: datetime) -> Sequence[Hour]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    "SELECT * FROM bowei.hourly WHERE lot_id = $1 AND hour >= $2 AND hour < $3 ORDER BY hour",
                    lot_id,
                    since,
                    until,
                )
        return [Hour(**dict(row)) for row in rows]

    @override
    async def hours_of_all(self, hour: datetime) -> Sequence[Hour]:
        async with acquired(self._pool) as connection:
            with translated():
                rows = await connection.fetch(
                    "SELECT * FROM bowei.hourly WHERE hour = $1 ORDER BY lot_id", hour, timeout=_TIMEOUT_S
                )
        return [Hour(**dict(row)) for row in rows]

    @override
    async def summed_up_to(self) -> datetime | None:
        # Of an hour's last reports some are received just after it: it ends with the hour that was noted after it.
        statement = "SELECT least(m.noted_to, (SELECT min(d.hour) FROM bowei.hour_due d)) FROM bowei.history_mark m"
        upto: datetime | None = await self._ask(statement)
        return upto

    async def _ask(self, statement: str, *values: object) -> Any:  # noqa: ANN401 (what the statement gives)
        async with acquired(self._pool) as connection:
            with translated():
                return await connection.fetchval(statement, *values, timeout=_TIMEOUT_S)
