"""The ceiling of recording: one INSERT of arrays for each batch, and its commit. No HTTP, no order, no live state.

python -m loadtests.peers.bare_batches URL ITEMS_PER_COMMIT COMMITS    prints its own processor time, seconds
"""

import asyncio
import sys
import time
from datetime import UTC, datetime

import asyncpg

from loadtests.city import LOTS, lot_id

SCHEMA = """
    CREATE TABLE IF NOT EXISTS peer_observation (
        lot_id text COLLATE "C" NOT NULL, observed_at timestamptz NOT NULL, received_at timestamptz NOT NULL,
        source_id text NOT NULL, capacity integer, open integer, free integer, state text NOT NULL);
    CREATE INDEX IF NOT EXISTS peer_observation_by_lot ON peer_observation (lot_id, observed_at);
"""
_INSERT = """
    INSERT INTO peer_observation
    SELECT s.lot_id, s.observed_at, clock_timestamp(), s.source_id, s.capacity, s.open, s.free, s.state
    FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::integer[], $5::integer[], $6::integer[], $7::text[])
        AS s (lot_id, observed_at, source_id, capacity, open, free, state)
"""


async def _main(url: str, items: int, commits: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(SCHEMA)
        for number in range(commits):
            now = datetime.now(UTC)
            lots = [lot_id((number * items + place) % LOTS) for place in range(items)]
            await connection.execute(
                _INSERT, lots, [now] * items, ["s"] * items, [500] * items, [480] * items, [7] * items, ["open"] * items
            )
    finally:
        await connection.close()
    print(time.process_time(), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
