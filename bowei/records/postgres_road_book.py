"""The road book in Postgres (migrations/0010). A city's speeds come out packed, in one value for each column."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import msgspec
from typing_extensions import override

from bowei.domain.places import Point
from bowei.domain.road_conditions import Closure, LineSpeed, RoadConditions, RoadSpeed, WaySpeeds
from bowei.records.connecting import acquired, translated
from bowei.records.registering import UnknownReference
from bowei.records.road_book import RoadBook

_TIMEOUT_S = 10.0


class PostgresRoadBook(RoadBook):
    """The road book; each change is one transaction and raises the version."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @override
    async def now(self) -> datetime:
        async with acquired(self._pool) as connection:
            with translated():
                now: datetime = await connection.fetchval("SELECT bowei.now()")
                return now

    @override
    async def version(self) -> int:
        async with acquired(self._pool) as connection:
            with translated():
                return int(await connection.fetchval("SELECT version FROM bowei.road_version"))

    @override
    async def conditions(self) -> RoadConditions:
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    version = await connection.fetchval("SELECT version FROM bowei.road_version")
                    (ways,) = await connection.fetch(
                        """
                        SELECT string_agg(int8send(way), '') AS ways, string_agg(float4send(speed), '') AS speeds,
                               string_agg(float8send(extract(epoch FROM valid_until)::double precision), '') AS until
                        FROM (SELECT * FROM bowei.road_speed WHERE valid_until > bowei.now() ORDER BY way) AS sorted
                        """,
                        timeout=_TIMEOUT_S,
                    )
                    lines = await connection.fetch(
                        """
                        SELECT line, speed, valid_until FROM bowei.road_line_speed WHERE valid_until > bowei.now()
                        ORDER BY line_sha256
                        """,
                        timeout=_TIMEOUT_S,
                    )
                    closures = await _closures(connection)
        return RoadConditions(
            version=int(version),
            ways=WaySpeeds(ways["ways"] or b"", ways["speeds"] or b"", ways["until"] or b""),
            lines=tuple(LineSpeed(_line(row["line"]), row["speed"], row["valid_until"]) for row in lines),
            closures=closures,
        )

    @override
    async def put_speeds(self, speeds: Sequence[RoadSpeed], until: datetime) -> None:
        by_way = {speed.way: speed.packed for speed in speeds if speed.way is not None}
        by_line = {_json(speed.line): speed.packed for speed in speeds if speed.way is None}
        async with self._changing() as connection:
            for table in ("road_speed", "road_line_speed"):
                await connection.execute(f"DELETE FROM bowei.{table} WHERE valid_until <= bowei.now()")  # noqa: S608
            await connection.execute(
                """
                INSERT INTO bowei.road_speed (way, speed, valid_until)
                    SELECT u.way, u.speed, $3 FROM unnest($1::bigint[], $2::real[]) AS u (way, speed) ORDER BY u.way
                ON CONFLICT (way) DO UPDATE SET speed = excluded.speed, valid_until = excluded.valid_until
                """,
                list(by_way),
                list(by_way.values()),
                until,
                timeout=_TIMEOUT_S,
            )
            await connection.executemany(
                """
                INSERT INTO bowei.road_line_speed (line_sha256, line, speed, valid_until) VALUES ($1, $2::jsonb, $3, $4)
                ON CONFLICT (line_sha256) DO UPDATE SET speed = excluded.speed, valid_until = excluded.valid_until
                """,
                sorted((hashlib.sha256(line.encode()).digest(), line, speed, until) for line, speed in by_line.items()),
                timeout=_TIMEOUT_S,
            )

    @override
    async def closures(self) -> Sequence[Closure]:
        async with acquired(self._pool) as connection:
            with translated():
                return await _closures(connection)

    @override
    async def put_closure(self, closure: Closure) -> bool:
        async with self._changing() as connection:
            # One that is over is as good as none, as for whoever asks.
            over = "DELETE FROM bowei.road_closure WHERE closure_id = $1 AND ends_at <= bowei.now()"
            await connection.execute(over, closure.closure_id)
            fresh: bool = await connection.fetchval(
                """
                INSERT INTO bowei.road_closure (closure_id, starts_at, ends_at, document) VALUES ($1, $2, $3, $4::jsonb)
                ON CONFLICT (closure_id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at,
                    document = excluded.document
                RETURNING xmax = 0
                """,
                closure.closure_id,
                closure.starts_at,
                closure.ends_at,
                msgspec.json.encode(closure).decode(),
            )
        return fresh

    @override
    async def remove_closure(self, closure_id: str) -> None:
        async with self._changing() as connection:
            done = await connection.execute(
                "DELETE FROM bowei.road_closure WHERE closure_id = $1 AND ends_at > bowei.now()", closure_id
            )
            if done == "DELETE 0":
                raise UnknownReference("unknown_closure")

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """One transaction that raises the version and wakes whoever copies the conditions; one at a time."""
        async with acquired(self._pool) as connection:
            with translated():
                async with connection.transaction():
                    await connection.execute("UPDATE bowei.road_version SET version = version + 1")
                    yield connection
                    await connection.execute("SELECT pg_notify('bowei_promised', 'roads')")


async def _closures(connection: asyncpg.pool.PoolConnectionProxy) -> tuple[Closure, ...]:
    rows = await connection.fetch(
        "SELECT document FROM bowei.road_closure WHERE ends_at > bowei.now() ORDER BY closure_id", timeout=_TIMEOUT_S
    )
    return tuple(msgspec.json.decode(row["document"], type=Closure) for row in rows)


def _json(line: Sequence[Point]) -> str:
    return msgspec.json.encode([(point.lat, point.lon) for point in line]).decode()


def _line(text: str) -> tuple[Point, ...]:
    return tuple(Point(lat, lon) for lat, lon in msgspec.json.decode(text, type=list[tuple[float, float]]))
