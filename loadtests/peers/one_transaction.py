"""The design that most booking servers have: one transaction per hold, the lot's row locked across the commit.

Two of it. `place` keeps what a driver must be able to rely on, as one would write it by hand:

- a repeated id gets its first answer, with another body it is refused (the row is looked up first);
- one held hold per driver (a partial unique index);
- no space twice (the lot's row is locked, what is over is ended, then the count is compared);
- each step of a hold is kept (a row for each);
- nobody is answered before the commit is on the disk.

It leaves out what Bowei's ledger does besides: candidates in order, pools by agreement and class, hours of lending, the
age of reports, cars that arrived, tombstones, the position of the follower's copy and the word that wakes it.

`place_lean` is the least that still sells no space twice: lock, compare, insert, count. Neither repeated ids nor holds
that are over are looked for, and no step is kept: a driver who asks again gets an error, and a full lot stays full.

Both use the same pool and driver as Bowei, and prepared statements.
"""

from datetime import timedelta

import asyncpg

SCHEMA = """
    CREATE TABLE peer_lot (lot_id text PRIMARY KEY, free integer NOT NULL, held integer NOT NULL DEFAULT 0);
    CREATE TABLE peer_hold (hold_id text PRIMARY KEY, lot_id text NOT NULL REFERENCES peer_lot, driver_id text NOT NULL,
                            request_hash bytea NOT NULL, state text NOT NULL, placed_at timestamptz NOT NULL,
                            expires_at timestamptz NOT NULL);
    CREATE UNIQUE INDEX ON peer_hold (driver_id) WHERE state = 'held';
    CREATE INDEX ON peer_hold (lot_id, expires_at) WHERE state = 'held';
    CREATE TABLE peer_step (hold_id text NOT NULL REFERENCES peer_hold, state text NOT NULL, at timestamptz NOT NULL,
                            PRIMARY KEY (hold_id, state));

    CREATE TABLE lean_lot (lot_id text PRIMARY KEY, free integer NOT NULL, held integer NOT NULL DEFAULT 0);
    CREATE TABLE lean_hold (hold_id text PRIMARY KEY, lot_id text NOT NULL, driver_id text NOT NULL,
                            state text NOT NULL, placed_at timestamptz NOT NULL, expires_at timestamptz NOT NULL);
    CREATE UNIQUE INDEX ON lean_hold (driver_id) WHERE state = 'held';
"""

_END_WHAT_IS_OVER = """
    WITH over AS (
        UPDATE peer_hold SET state = 'expired'
        WHERE lot_id = $1 AND state = 'held' AND expires_at <= clock_timestamp() RETURNING hold_id
    ), steps AS (
        INSERT INTO peer_step SELECT hold_id, 'expired', clock_timestamp() FROM over
    )
    SELECT count(*)::integer FROM over
"""


async def place(
    pool: asyncpg.Pool, hold_id: str, driver_id: str, request_hash: bytes, lot_id: str, lifetime: timedelta
) -> asyncpg.Record | None:
    """Hold one space if one is free, and give the hold: this one, or that of an earlier request of the same id.

    Raises:
        asyncpg.UniqueViolationError: the driver has a hold, or another request of the same id was faster.
    """
    async with pool.acquire() as connection, connection.transaction():
        known = await connection.fetchrow("SELECT * FROM peer_hold WHERE hold_id = $1", hold_id)
        if known is not None:
            return known if (known["driver_id"], known["request_hash"]) == (driver_id, request_hash) else None
        room = await connection.fetchval("SELECT free - held FROM peer_lot WHERE lot_id = $1 FOR UPDATE", lot_id)
        over = await connection.fetchval(_END_WHAT_IS_OVER, lot_id)
        hold = None
        if room + over > 0:
            hold = await connection.fetchrow(
                "INSERT INTO peer_hold"
                " VALUES ($1, $2, $3, $4, 'held', clock_timestamp(), clock_timestamp() + $5) RETURNING *",
                hold_id,
                lot_id,
                driver_id,
                request_hash,
                lifetime,
            )
            await connection.execute("INSERT INTO peer_step VALUES ($1, 'held', clock_timestamp())", hold_id)
        change = (hold is not None) - over
        await connection.execute("UPDATE peer_lot SET held = held + $2 WHERE lot_id = $1", lot_id, change)
        return hold


async def place_lean(pool: asyncpg.Pool, hold_id: str, driver_id: str, lot_id: str, lifetime: timedelta) -> bool:
    """Hold one space if one is free; True where it was."""
    async with pool.acquire() as connection, connection.transaction():
        room = await connection.fetchval("SELECT free - held FROM lean_lot WHERE lot_id = $1 FOR UPDATE", lot_id)
        if room < 1:
            return False
        await connection.execute(
            "INSERT INTO lean_hold VALUES ($1, $2, $3, 'held', now(), now() + $4)", hold_id, lot_id, driver_id, lifetime
        )
        await connection.execute("UPDATE lean_lot SET held = held + 1 WHERE lot_id = $1", lot_id)
        return True
