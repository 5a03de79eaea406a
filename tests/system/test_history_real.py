"""History in a real Postgres: a database that was used before, late commits, one keeper, and the command."""

import asyncio
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from bowei.domain.lots import LotId
from bowei.records.clock import step_replay
from bowei.records.connecting import connect
from bowei.records.migrating import migrate, migrations
from bowei.records.postgres_history import PostgresHistory, keeper_leadership
from bowei.records.postgres_registering import PostgresRegister
from tests.system.test_ingest_real import MALL, database, observation, query, running_ingest, wait_until

__all__ = ["database"]

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
_SAY = (
    "INSERT INTO bowei.observation (lot_id, observed_at, received_at, source_id, free, state, outcome)"
    " VALUES ('mall', $1, $1, 'malls', $2, 'open', 'applied')"
)


async def test_a_database_that_was_used_before_keeps_what_was_said(fresh_database: str) -> None:
    """Proves that the migration takes old reports along, in one partition that retention ends as a whole."""
    connection = await asyncpg.connect(fresh_database)
    try:
        await connection.execute("CREATE SCHEMA bowei")
        for version, _, sql in migrations():
            if version < 5:
                await connection.execute(sql)
        earlier = datetime.now(UTC) - timedelta(days=3)
        for number in range(5):
            await connection.execute(_SAY, earlier + timedelta(minutes=number), number)
        await connection.execute(next(sql for version, _, sql in migrations() if version == 5))
        kept = await connection.fetch("SELECT observation_id, free FROM bowei.observation ORDER BY observation_id")
        assert [tuple(row) for row in kept] == [(number + 1, number) for number in range(5)]
        await connection.execute(_SAY, datetime.now(UTC), 99)
        assert await connection.fetchval("SELECT max(observation_id) FROM bowei.observation") == 6
    finally:
        await connection.close()
    pool = await connect(fresh_database, most_connections=2)
    try:
        history = PostgresHistory(pool, settled_after=timedelta())
        assert await history.make_days() == 7  # today is in the old partition
        for _ in range(5):
            await history.note_hours()
        while await history.roll_up():
            pass
        assert (await history.state()).undated == 0
        assert not (await history.forget(days=2, hourly_days=400)).anything
        names = await query(fresh_database, "SELECT name FROM bowei.observation_day ORDER BY ends")
        assert names[0]["name"].startswith("observation_until_")
        hours = await query(fresh_database, "SELECT reports, free_last FROM bowei.hourly ORDER BY hour")
        assert (sum(hour["reports"] for hour in hours), hours[-1]["free_last"]) == (5, 4)
    finally:
        await pool.close()


async def test_a_report_that_is_committed_late_is_in_its_hour(fresh_database: str) -> None:
    """Proves that an hour waits for every transaction that may still add to it, however long it takes."""
    await migrate(fresh_database)
    pool = await connect(fresh_database, most_connections=3)
    try:
        history = PostgresHistory(pool, settled_after=timedelta())
        await step_replay(pool, NINE + HOUR - timedelta(seconds=1))
        await history.make_days()
        await history.note_hours()
        slow = await asyncpg.connect(fresh_database)
        try:
            late = slow.transaction()
            await late.start()
            await slow.execute(_SAY, NINE + HOUR - timedelta(seconds=1), 5)
            await step_replay(pool, NINE + 2 * HOUR)
            for _ in range(3):
                await history.note_hours()
            assert await history.roll_up() == 0
            assert (await history.state()).hours_behind > 0
            await late.commit()
        finally:
            await slow.close()
        for _ in range(3):
            await history.note_hours()
        assert await history.roll_up() == 1
        [hour] = await query(fresh_database, "SELECT hour, free_last FROM bowei.hourly")
        assert (hour["hour"], hour["free_last"]) == (NINE, 5)
        assert (await history.state()).hours_behind == 0
    finally:
        await pool.close()


async def test_days_are_made_while_reports_pour_in(fresh_database: str) -> None:
    """Proves that making days, moving undated reports to theirs, loses none and stops nobody for long."""
    await migrate(fresh_database)
    pool = await connect(fresh_database, most_connections=6)
    try:
        history = PostgresHistory(pool, settled_after=timedelta())
        stop = asyncio.Event()
        said = 0

        async def pour() -> None:
            nonlocal said
            while not stop.is_set():
                number, said = said, said + 1
                async with pool.acquire() as connection:
                    await connection.execute(_SAY, NINE + timedelta(days=number % 20), number)

        pouring = [asyncio.create_task(pour()) for _ in range(3)]
        try:
            await wait_until(lambda: _at_least(fresh_database, 200), within_s=20)
            await step_replay(pool, NINE)
            made = await history.make_days()
        finally:
            stop.set()
            await asyncio.gather(*pouring)
        assert made >= 20
        await history.make_days()
        [row] = await query(
            fresh_database, "SELECT count(*) AS kept, count(DISTINCT free) AS different FROM bowei.observation"
        )
        assert (row["kept"], row["different"]) == (said, said)
        assert (await history.state()).undated == 0
    finally:
        await pool.close()


async def _at_least(database_url: str, rows: int) -> bool:
    [row] = await query(database_url, "SELECT count(*) AS n FROM bowei.observation")
    return bool(row["n"] >= rows)


async def test_there_is_one_keeper_and_another_takes_over(fresh_database: str) -> None:
    """Proves that the right is one process's, is given up with its connection, and is not the follower's."""
    await migrate(fresh_database)
    first = await keeper_leadership(fresh_database).try_lead()
    assert first is not None
    assert await keeper_leadership(fresh_database).try_lead() is None
    await first.give_up()
    assert first.lost()
    second = await keeper_leadership(fresh_database).try_lead()
    assert second is not None
    await second.give_up()


async def test_ingest_keeps_history_and_the_command_delivers_letters(
    database: str, fresh_redis: str, tmp_path: Path
) -> None:
    """Proves the whole way: days are made at start, an unknown lot's report waits, and one command delivers it."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=20)
    stores = {"BOWEI_DATABASE_URL": database, "BOWEI_REDIS_URL": fresh_redis}
    async with running_ingest(tmp_path, stores) as ingest:

        async def days_made() -> bool:
            return len(await query(database, "SELECT FROM bowei.observation_day")) == 8

        await wait_until(days_made)
        answer = await ingest.observe(observation(118, at), observation(7, at) | {"lot_id": "later"})
        assert [one.get("code") for one in answer.json()["results"]] == [None, "unknown_lot"]
        assert await query(database, "SELECT FROM bowei.observation_undated") == []
        assert await _redeliver(stores) == (1, "unknown_lot\t1")

        await _register_later(database)
        assert await _redeliver(stores, "--dry-run") == (0, "would be delivered\t1")
        assert await _redeliver(stores, "--source", "malls", "--reason", "unknown_lot") == (0, "delivered\t1")
        assert await _redeliver(stores) == (0, "delivered\t0")
        [kept] = await query(database, "SELECT free, doubt, said_at FROM bowei.report WHERE lot_id = 'later'")
        # What was learned of the lot is heeded: nobody trusts it yet, and its clock stands, so receipt is its time.
        assert (kept["free"], kept["doubt"], kept["said_at"]) == (7, "probation", at)
        metrics = (await ingest.client.get("/metrics")).text
        assert "bowei_ingest_keeping 1.0" in metrics


async def _register_later(database_url: str) -> None:
    pool = await connect(database_url, most_connections=1)
    try:
        register = PostgresRegister(pool)
        mall = (await register.directory()).lots[MALL]
        await register.put_lots([replace(mall, lot_id=LotId("later"))])
        [malls] = [one for one in await register.sources() if one.source_id == "malls"]
        await register.put_sources([replace(malls, trusted=False, lots=(*malls.lots, ("later", LotId("later"))))])
        await pool.execute("UPDATE bowei.lot_quality SET frozen_clock = true WHERE lot_id = 'later'")
    finally:
        await pool.close()


async def _redeliver(stores: dict[str, str], *options: str) -> tuple[int, str]:
    """Run the command; give its exit code and its last line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.local",
        "ingest",
        "redeliver",
        *options,
        env={name: value for name, value in os.environ.items() if not name.startswith("BOWEI_")} | stores,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, said.decode().splitlines()[-1]
