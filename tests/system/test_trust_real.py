"""Trust over real processes: what a person decides in the registry is what readers see, and one process assesses."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from bowei.domain.dirt import Doubt
from bowei.domain.heartbeats import Heartbeat, Sign
from bowei.domain.lots import SourceId
from bowei.domain.trust import TrustState
from bowei.records.connecting import connect
from bowei.records.migrating import migrate, migrations
from bowei.records.postgres_quality import PostgresQualityBook, assessor_leadership
from bowei.records.postgres_quality_desk import PostgresQualityDesk
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.registering import Source, SourceKind, key_sha256_of
from tests.system.test_ingest_real import KEY, MALL, database, observation, query, running_ingest, shown, wait_until

__all__ = ["database"]

MALLS = SourceId("malls")


def metric(client_text: str, name: str) -> float:
    """Give one value of a page of metrics."""
    for line in client_text.splitlines():
        written, _, value = line.rpartition(" ")
        if written == name:
            return float(value)
    return 0.0


async def test_a_person_s_word_reaches_readers_and_a_new_source_is_doubted(
    database: str, fresh_redis: str, tmp_path: Path
) -> None:
    """Proves the whole way: the act is committed by the registry's store, ingest hears of it and shows it."""
    environment = {"BOWEI_DATABASE_URL": database, "BOWEI_REDIS_URL": fresh_redis}
    pool = await connect(database, most_connections=2, check_durable=False)
    try:
        desk, register = PostgresQualityDesk(pool), PostgresRegister(pool)
        brain = [one for one in await register.sources() if one.source_id != MALLS]
        await query(database, "DELETE FROM bowei.source")
        await register.put_sources(
            [Source(MALLS, SourceKind.NATIVE, key_sha256_of(KEY), lots=(("mall", MALL),), trusted=False)]
        )
        assert len(brain) == 1
        async with running_ingest(tmp_path, environment) as ingest:

            async def is_doubted(doubt: Doubt | None) -> bool:
                report = await shown(fresh_redis)
                return report is not None and report.doubt is doubt

            assert (await ingest.observe(observation(118, datetime.now(UTC)))).status_code == 200
            assert await is_doubted(Doubt.PROBATION)
            for lot_id in (None, MALL):
                await desk.release(MALLS, lot_id, said_by="li", reason="known", pinned=False)
            await wait_until(lambda: is_doubted(None), within_s=15)
            await desk.suspend(MALLS, MALL, said_by="li", reason="lies")
            await wait_until(lambda: is_doubted(Doubt.SUSPENDED), within_s=15)

            async def assesses() -> bool:
                page = (await ingest.client.get("/metrics")).text
                return metric(page, 'bowei_ingest_lots{coverage="registered"}') == 1

            await wait_until(assesses, within_s=15)
    finally:
        await pool.close()


async def test_of_several_processes_one_assesses(fresh_database: str) -> None:
    """Proves that the right is of one, and free again when it is given up; and that its holder hears of doubts."""
    await migrate(fresh_database)
    leadership = assessor_leadership(fresh_database)
    async with AsyncExitStack() as stack:
        first = await leadership.try_lead()
        assert first is not None
        assert await leadership.try_lead() is None
        await first.give_up()
        second = await leadership.try_lead()
        assert second is not None
        stack.push_async_callback(second.give_up)
        connection = await asyncpg.connect(fresh_database)
        stack.push_async_callback(connection.close)
        await connection.execute("SELECT pg_notify('bowei_doubted', '')")
        await second.wait(10.0)
        assert not second.lost()


async def test_who_reported_before_there_was_trust_goes_on_as_it_was(fresh_database: str) -> None:
    """Proves that an upgrade puts nobody on probation, and leaves who was suspended suspended."""
    connection = await asyncpg.connect(fresh_database)
    try:
        await connection.execute("CREATE SCHEMA bowei")
        for version, _, sql in migrations():
            if version == 7:
                await connection.execute(
                    """
                    INSERT INTO bowei.lot VALUES ('mall', '{}', 'Asia/Shanghai', 300);
                    INSERT INTO bowei.source (source_id, kind, suspended)
                        VALUES ('old', 'feed', false), ('liar', 'feed', true);
                    INSERT INTO bowei.source_lot
                        VALUES ('old', 'a', 'mall'), ('old', 'b', 'mall'), ('liar', 'a', 'mall');
                    """
                )
            await connection.execute(sql)
    finally:
        await connection.close()
    pool = await connect(fresh_database, most_connections=1)
    try:
        city = await PostgresQualityDesk(pool).city()
        assert {key: (trust.state, trust.pinned) for key, trust in city.trusts.items()} == {
            (SourceId("old"), None): (TrustState.LIVE, False),
            (SourceId("old"), MALL): (TrustState.LIVE, False),
            (SourceId("liar"), None): (TrustState.SUSPENDED, True),
            (SourceId("liar"), MALL): (TrustState.LIVE, False),
        }
        sign = Heartbeat(SourceId("old"), datetime.now(UTC), MALL, Sign.COMMS_LOST)
        assert await PostgresQualityBook(pool).note_signs([sign]) == {}  # it never reported: there is nothing to doubt
    finally:
        await pool.close()
