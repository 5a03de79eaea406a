"""The ceiling of recording: for each batch one statement that writes what must last of it, and its commit.

What lasts of a report is a row of history and the lot's newest report, in tables and with indexes as ours are; so that
is written here, once each, from arrays. An INSERT into the history alone would be compared with work that nobody who
has to know what a lot said last can leave out. There is no HTTP here, no judging, no order (the later one overwrites,
whatever its time), no outcome, no partition to find and no live state.

python -m loadtests.peers.bare_batches URL ITEMS_PER_COMMIT COMMITS    prints its own processor time, seconds
"""

import asyncio
import sys
import time
from datetime import UTC, datetime

import asyncpg

from loadtests.city import LOTS, lot_id

SCHEMA = """
    CREATE TABLE IF NOT EXISTS peer_observation
        (LIKE bowei.observation INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES);
    CREATE TABLE IF NOT EXISTS peer_report (LIKE bowei.report INCLUDING ALL) WITH (fillfactor = 70);
"""
_INSERT = """
    WITH said AS (
        SELECT s.*, clock_timestamp() AS received_at
        FROM unnest($1::text::text[], $2::text::timestamptz[], $3::text::text[], $4::text::integer[],
                    $5::text::integer[], $6::text::integer[], $7::text::text[])
            AS s (lot_id, observed_at, source_id, capacity, open, free, state)
    ), kept AS (
        INSERT INTO peer_observation (lot_id, observed_at, said_at, received_at, source_id, capacity, open, free,
                                      state, outcome)
        SELECT lot_id, observed_at, observed_at, received_at, source_id, capacity, open, free,
               state, 'applied' FROM said
    )
    INSERT INTO peer_report (lot_id, observed_at, seq, received_at, source_id, capacity, open, free, state, usual_gap,
                             counted_at)
    SELECT lot_id, observed_at, 0, received_at, source_id, capacity, open, free, state, interval '60 seconds',
           observed_at FROM said
    ON CONFLICT (lot_id) DO UPDATE SET
        observed_at = excluded.observed_at, received_at = excluded.received_at, source_id = excluded.source_id,
        capacity = excluded.capacity, open = excluded.open, free = excluded.free, state = excluded.state,
        counted_at = excluded.counted_at
"""


async def _main(url: str, items: int, commits: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(SCHEMA)
        for number in range(commits):
            now = datetime.now(UTC).isoformat()
            lots = ",".join(lot_id((number * items + place) % LOTS) for place in range(items))
            await connection.execute(_INSERT, f"{{{lots}}}", *(_repeated(value, items) for value in _said(now)))
    finally:
        await connection.close()
    print(time.process_time(), flush=True)


def _said(now: str) -> tuple[str, ...]:
    return f'"{now}"', "source-1", "500", "480", "7", "open"


def _repeated(value: str, items: int) -> str:
    return "{" + ",".join([value] * items) + "}"


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
