"""Emptying the ledger of a demo. A ledger that somebody means is never touched."""

import asyncpg

from bowei.records.connecting import translated


class NotADemo(Exception):
    """The database holds lots and is not marked as a demo's or a replay's."""


async def empty_demo(url: str) -> bool:
    """Drop everything of ours from a database that is marked as a demo's, or has no lots; say whether there was any.

    Raises:
        NotADemo: there are lots, and the mark says production.
        StoreAway: the server can't be reached.
    """
    with translated():
        connection = await asyncpg.connect(url, timeout=5.0, command_timeout=30.0)
        try:
            if not await connection.fetchval("SELECT to_regclass('bowei.clock') IS NOT NULL"):
                return False
            async with connection.transaction():
                mark = await connection.fetchval("SELECT mark FROM bowei.clock FOR UPDATE")
                if mark == "production" and await connection.fetchval("SELECT EXISTS (SELECT FROM bowei.lot)"):
                    raise NotADemo
                await connection.execute("DROP SCHEMA bowei CASCADE")
            return True
        finally:
            await connection.close(timeout=5.0)
