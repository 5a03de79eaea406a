"""The design that most booking servers have: one transaction per hold, the lot's row locked across the commit."""

from datetime import timedelta

import asyncpg

SCHEMA = """
    CREATE TABLE peer_lot (lot_id text PRIMARY KEY, free integer NOT NULL, held integer NOT NULL DEFAULT 0);
    CREATE TABLE peer_hold (hold_id text PRIMARY KEY, lot_id text NOT NULL, driver_id text NOT NULL,
                            state text NOT NULL, placed_at timestamptz NOT NULL, expires_at timestamptz NOT NULL);
    CREATE UNIQUE INDEX ON peer_hold (driver_id) WHERE state = 'held';
"""


async def place(pool: asyncpg.Pool, hold_id: str, driver_id: str, lot_id: str, lifetime: timedelta) -> bool:
    """Hold one space if one is free; True where it was."""
    async with pool.acquire() as connection, connection.transaction():
        room = await connection.fetchval("SELECT free - held FROM peer_lot WHERE lot_id = $1 FOR UPDATE", lot_id)
        if room < 1:
            return False
        await connection.execute(
            "INSERT INTO peer_hold VALUES ($1, $2, $3, 'held', now(), now() + $4)", hold_id, lot_id, driver_id, lifetime
        )
        await connection.execute("UPDATE peer_lot SET held = held + 1 WHERE lot_id = $1", lot_id)
        return True
