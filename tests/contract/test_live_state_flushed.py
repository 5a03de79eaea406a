"""A server that is emptied while everything is being copied to it: the copy must not be called whole."""

from collections.abc import Mapping
from datetime import UTC, datetime

from redis.asyncio import Redis
from typing_extensions import override

from bowei.domain.directory import Directory
from bowei.domain.lots import LotId
from bowei.domain.offering import LotPromise, Report
from bowei.livestate.connecting import open_servers
from bowei.livestate.redis_store import RedisLiveState

QUIET = LotId("quiet")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


class EmptiedOnTheWay(RedisLiveState):
    """A live state whose server somebody empties once, after lots were copied and before the copy is done."""

    def __init__(self, url: str) -> None:
        super().__init__(open_servers(url))
        self._url = url
        self._emptied = False

    async def _empty_once(self) -> None:
        if not self._emptied:
            self._emptied = True
            async with Redis.from_url(self._url) as redis:
                await redis.flushdb()

    @override
    async def show_reports(self, reports: Mapping[LotId, Report]) -> None:
        await super().show_reports(reports)
        await self._empty_once()

    @override
    async def show_directory(self, directory: Directory) -> None:
        await self._empty_once()
        await super().show_directory(directory)


async def test_reports_that_were_lost_while_being_copied_are_copied_again(fresh_redis: str) -> None:
    """Proves that a lot which reports once a day is not missing for a day."""
    live = EmptiedOnTheWay(fresh_redis)
    reports = {QUIET: Report(NOON, NOON, free=7)}
    try:
        await live.copy_reports(reports)
        assert not await live.reports_copied()
        await live.copy_reports(reports)
        assert await live.reports_copied()
        assert (await live.lots([QUIET]))[QUIET].report == reports[QUIET]
    finally:
        await live.close()


async def test_promises_that_were_lost_while_being_copied_are_copied_again(fresh_redis: str) -> None:
    """Proves that a lot on which nothing happens gets its promises back at the next look."""
    live = EmptiedOnTheWay(fresh_redis)
    promises = {QUIET: LotPromise(version=3)}
    try:
        await live.copy_promises(promises, Directory.empty(), ledger="ledger-1")
        assert not await live.promises_copied("ledger-1")
        await live.copy_promises(promises, Directory.empty(), ledger="ledger-1")
        assert await live.promises_copied("ledger-1")
        assert (await live.lots([QUIET]))[QUIET].promise == promises[QUIET]
    finally:
        await live.close()
