"""Forecasts over real processes: one ingest process foresees, shows it to all, and keeps what it learned."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bowei.domain.forecasting import UNKNOWN_LOT
from bowei.livestate.redis_store import RedisLiveState
from bowei.records.migrating import migrate
from bowei.records.postgres_forecasts import foreseer_leadership
from tests.system.test_ingest_real import MALL, database, observation, query, running_ingest, wait_until
from tests.system.test_trust_real import metric

__all__ = ["database"]


async def test_a_running_ingest_foresees_every_lot_and_keeps_what_it_knows(
    database: str, fresh_redis: str, tmp_path: Path
) -> None:
    """From the first start on: Redis shows the prior of an unknown lot, and Postgres has what is known of the city."""
    live_state = RedisLiveState.connect(fresh_redis)
    try:
        async with running_ingest(tmp_path, {"BOWEI_DATABASE_URL": database, "BOWEI_REDIS_URL": fresh_redis}) as ingest:
            assert (await ingest.observe(observation(118, datetime.now(UTC)))).status_code == 200

            async def shown() -> bool:
                return MALL in await live_state.forecasts()

            await wait_until(shown, within_s=15)
            foreseen = (await live_state.forecasts())[MALL]
            assert abs(foreseen.volatility - UNKNOWN_LOT.volatility) < 0.01
            assert 0.5 < foreseen.chance(3, timedelta(minutes=15)) < 1

            async def kept() -> bool:
                return bool(await query(database, "SELECT FROM bowei.forecast_city"))

            await wait_until(kept, within_s=15)
            page = (await ingest.client.get("/metrics")).text
            assert metric(page, "bowei_ingest_foreseeing") == 1
    finally:
        await live_state.close()


async def test_of_several_processes_one_foresees(fresh_database: str) -> None:
    """The right is of one, and free again when it is given up."""
    await migrate(fresh_database)
    leadership = foreseer_leadership(fresh_database)
    async with AsyncExitStack() as stack:
        first = await leadership.try_lead()
        assert first is not None
        assert await leadership.try_lead() is None
        await first.give_up()
        second = await leadership.try_lead()
        assert second is not None
        stack.push_async_callback(second.give_up)
