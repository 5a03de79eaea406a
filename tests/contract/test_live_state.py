"""What everyone may rely on of the live state, in memory and in Redis in every form alike."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatch
from typing import Any, Protocol

import pytest
from redis.asyncio import Redis

from bowei.domain.choosing import LotNow
from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.lots import LotId, SpaceClass
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import NOTHING_PROMISED, LotPromise, PoolPromise, Report
from bowei.domain.road_conditions import RoadConditions
from bowei.livestate import keys
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.in_memory import InMemoryLiveState
from bowei.livestate.reading import Change, ReadsLiveState
from bowei.livestate.redis_store import RedisLiveState
from bowei.livestate.showing import ShowsForecasts, ShowsPromises, ShowsReports
from services.local.servers import Servers
from tests.contract.full_directory import MALL, NINE, directory
from tests.contract.live_state_users import LiveStateAsUsers, sign_up

OFFICE = LotId("office")
LEDGER = "7331.1.16384"
FULL_REPORT = Report(
    observed_at=NINE.replace(microsecond=123_456),
    received_at=NINE + timedelta(seconds=1),
    seq=12,
    free=118,
    open=280,
    capacity=300,
    state=LotState.FULL_AT_ENTRANCE,
    usual_gap=timedelta(seconds=42.5),
    free_by_class={SpaceClass.DISABLED: 4},
    queue_vehicles=3,
    bound=Bound.AT_LEAST,
    dirt=frozenset({Dirt.NAIVE_TIME, Dirt.AT_LEAST}),
    doubt=Doubt.DRIFT,
    refused=Dirt.FREE_ABOVE_CAPACITY,
    revision=3,
    said_at=NINE - timedelta(days=30),
)
FULL_PROMISE = LotPromise(
    held=3,
    stays=2,
    version=7,
    pools={"mall-first/standard": PoolPromise(2, 1), "mall-second/ev": PoolPromise(1, 1)},
    refusal_rate=0.02,
)


class LiveState(ShowsReports, ShowsForecasts, ShowsPromises, ReadsLiveState, Protocol):
    """The ports of writers and readers together."""


@dataclass(frozen=True)
class Room:
    """One live state, and the hand that empties its servers."""

    live_state: LiveState
    flush: Callable[[], Awaitable[object]]

    async def now(self, lot_id: LotId = MALL) -> LotNow | None:
        """Give what is shown of a lot."""
        return (await self.live_state.lots([lot_id])).get(lot_id)

    async def free(self) -> int | None:
        """Give what the mall is shown to have free."""
        shown = await self.now()
        return shown.report.free if shown and shown.report else None


FORMS = {
    "in_memory": None,
    "redis": "fresh_redis",
    "redis_as_users": "fresh_redis",
    "sentinels": "live_sentinels",
    "cluster": "live_cluster",
    "cluster_as_users": "live_cluster",
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """Give a form that the live state is run in, and the servers of that form."""
    servers = FORMS[request.param]
    return request.param, servers and request.getfixturevalue(servers)


@pytest.fixture
async def room(form: tuple[str, Any]) -> AsyncIterator[Room]:
    """Give an empty live state."""
    name, servers = form
    if name == "in_memory":
        yield in_memory_room()
    elif name in {"sentinels", "cluster", "cluster_as_users"}:
        if name == "cluster_as_users":
            for node in servers.nodes:
                await sign_up(node.do)
        await servers.flush()
        async with closing(LiveStateAsUsers if name.endswith("users") else RedisLiveState.connect, servers.url) as live:
            yield Room(live, servers.flush)
    else:
        async with in_redis(servers) as (live_state, redis):
            if name == "redis":
                yield Room(live_state, redis.flushdb)
                return
            await sign_up(redis.execute_command)
            async with closing(LiveStateAsUsers, servers) as live:
                yield Room(live, redis.flushdb)


def in_memory_room() -> Room:
    """Give a live state in memory."""
    in_memory = InMemoryLiveState()

    async def flush() -> None:
        in_memory.flush()

    return Room(in_memory, flush)


@asynccontextmanager
async def closing(
    connect: Callable[[str], RedisLiveState | LiveStateAsUsers], url: str
) -> AsyncIterator[RedisLiveState | LiveStateAsUsers]:
    """Open a live state for a while."""
    live_state = connect(url)
    try:
        yield live_state
    finally:
        await live_state.close()


@asynccontextmanager
async def in_redis(url: str) -> AsyncIterator[tuple[RedisLiveState, Redis]]:
    """Open the live state in Redis, and a plain client beside it."""
    live_state = RedisLiveState.connect(url)
    try:
        async with Redis.from_url(url, decode_responses=True) as redis:
            yield live_state, redis
    finally:
        await live_state.close()


def report(free: int, *, at: float = 0, seq: int = 0, received: float = 0) -> Report:
    """Give a report made so many seconds after nine."""
    received_at = NINE + timedelta(seconds=received)
    return Report(observed_at=NINE + timedelta(seconds=at), received_at=received_at, seq=seq, free=free)


async def test_nothing_is_shown_of_a_lot_that_never_reported(room: Room) -> None:
    """Such a lot is absent: neither empty nor full."""
    assert await room.live_state.lots([MALL]) == {}
    assert await room.live_state.directory() is None


async def test_what_is_shown_is_what_was_said(room: Room) -> None:
    """Every field comes back as it was, to the microsecond, whichever half came first."""
    await room.live_state.show_reports({MALL: FULL_REPORT})
    assert await room.now() == LotNow(FULL_REPORT, NOTHING_PROMISED)
    await room.live_state.show_promises({MALL: FULL_PROMISE, OFFICE: FULL_PROMISE})
    assert await room.now() == LotNow(FULL_REPORT, FULL_PROMISE)
    assert await room.now(OFFICE) == LotNow(None, FULL_PROMISE)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (report(2, at=1), report(1, at=0, seq=9, received=9)),
        (report(2, seq=10), report(1, seq=9, received=9)),
        (report(2, received=2), report(1, received=1)),
        (report(2, at=10), report(1, at=9)),
        (replace(report(2), revision=10), replace(report(1), revision=9)),
        (report(2, at=1), replace(report(1), revision=9)),
    ],
    ids=["observed", "seq", "received", "ten after nine", "revised", "observed after a revision"],
)
async def test_a_newer_report_replaces_an_older_one_in_whatever_order_they_come(
    room: Room, newer: Report, older: Report
) -> None:
    """By the time observed, then seq, receipt and revision: two processes that write across each other do no harm."""
    for order in ((newer, older), (older, newer)):
        await room.flush()
        for one in order:
            await room.live_state.show_reports({MALL: one})
        assert await room.free() == 2


async def test_a_newer_promise_replaces_an_older_one_in_whatever_order_they_come(room: Room) -> None:
    """By the ledger's version alone, as a number: 10 is after 9."""
    newer, older = LotPromise(held=1, version=10), LotPromise(held=5, version=9)
    for order in ((newer, older), (older, newer)):
        await room.flush()
        for one in order:
            await room.live_state.show_promises({MALL: one})
        assert await room.now() == LotNow(None, newer)


async def test_copying_the_whole_ledger_overwrites_what_is_shown(room: Room) -> None:
    """After a restore from an old copy, or for another ledger, higher versions mean nothing."""
    await room.live_state.show_promises({MALL: LotPromise(held=9, version=1_000)})
    await room.live_state.copy_promises({MALL: FULL_PROMISE}, directory(), ledger=LEDGER)
    assert await room.now() == LotNow(None, FULL_PROMISE)


async def test_copying_all_reports_replaces_nothing_newer(room: Room) -> None:
    """What arrived while the record was read stays."""
    await room.live_state.show_reports({MALL: report(2, at=60)})
    await room.live_state.copy_reports({MALL: report(1, at=0)})
    assert await room.free() == 2


async def test_a_copy_is_known_to_be_whole_until_the_server_is_emptied(room: Room) -> None:
    """An emptied server, or another ledger, asks for a copy by itself."""
    live_state = room.live_state
    assert not await live_state.promises_copied(LEDGER)
    assert not await live_state.reports_copied()
    await live_state.copy_promises({MALL: FULL_PROMISE}, directory(), ledger=LEDGER)
    await live_state.copy_reports({MALL: FULL_REPORT})
    assert await live_state.promises_copied(LEDGER)
    assert await live_state.reports_copied()
    assert not await live_state.promises_copied("another.1.16384")
    await room.flush()
    assert not await live_state.promises_copied(LEDGER)
    assert not await live_state.reports_copied()
    assert (await live_state.directory(), await room.now()) == (None, None)


async def test_the_directory_comes_back_as_it_was_put(room: Room) -> None:
    """Lots, hospitals and agreements with every field, and the newest of two."""
    await room.live_state.show_directory(directory())
    assert await room.live_state.directory() == directory()
    await room.live_state.show_directory(directory(2, paused=True))
    assert await room.live_state.directory() == directory(2, paused=True)


async def test_readers_hear_of_every_change(room: Room) -> None:
    """From the moment of listening on, and nothing else: reports, promises, a whole copy and the directory."""
    async with room.live_state.changes() as news, asyncio.timeout(10):
        await room.live_state.show_reports({MALL: FULL_REPORT})
        assert await next_news(news) == Change(lots=frozenset({MALL}))
        await room.live_state.show_promises({MALL: FULL_PROMISE, OFFICE: FULL_PROMISE})
        assert await next_news(news) == Change(lots=frozenset({MALL, OFFICE}))
        await room.live_state.show_directory(directory())
        assert await next_news(news) == Change(directory=True)
        await room.live_state.copy_promises({OFFICE: FULL_PROMISE}, directory(), ledger=LEDGER)
        assert await next_news(news) == Change(directory=True)
        assert await next_news(news) == Change(lots=frozenset({OFFICE}))


async def test_what_is_shown_again_is_told_only_where_it_was_not_shown(room: Room) -> None:
    """Readers of a large city need not read it whole because somebody made sure; what was lost, or older, is told."""
    await room.live_state.show_promises({MALL: FULL_PROMISE, OFFICE: FULL_PROMISE})
    async with room.live_state.changes() as news, asyncio.timeout(10):
        await room.live_state.show_promises_again({MALL: FULL_PROMISE, OFFICE: FULL_PROMISE})
        await room.live_state.show_promises_again({MALL: LotPromise(version=FULL_PROMISE.version - 1)})
        await room.live_state.show_reports({OFFICE: FULL_REPORT})
        assert await next_news(news) == Change(lots=frozenset({OFFICE}))
        newer = LotPromise(held=1, version=FULL_PROMISE.version + 1)
        await room.live_state.show_promises_again({MALL: newer})
        assert await next_news(news) == Change(lots=frozenset({MALL}))
    assert await room.now() == LotNow(None, newer)
    await room.flush()
    async with room.live_state.changes() as news, asyncio.timeout(10):
        await room.live_state.show_promises_again({MALL: FULL_PROMISE})
        assert await next_news(news) == Change(lots=frozenset({MALL}))


async def test_news_is_heard_in_the_order_told_and_none_from_before(room: Room) -> None:
    """Also where nobody waits between two, and where something was told just before somebody began to listen."""
    told = [LotId(f"lot-{number}") for number in range(50)]
    for _ in range(3):
        await room.live_state.show_reports({MALL: FULL_REPORT})
        async with room.live_state.changes() as news, asyncio.timeout(10):
            for lot_id in told:
                await room.live_state.show_promises({lot_id: FULL_PROMISE})
            assert [(await next_news(news)).lots for _ in told] == [{lot_id} for lot_id in told]


async def test_silence_is_told_from_loss(room: Room) -> None:
    """Where nothing happens a reader gets a sign of life at least every other second."""
    async with room.live_state.changes() as news:
        for _ in range(2):
            async with asyncio.timeout(2):
                assert await anext(news) == Change()


async def test_a_city_of_lots_is_shown_and_heard_of_whole(room: Room) -> None:
    """1,200 lots in one call: none is lost at the edges of what travels together."""
    city = [LotId(f"lot-{number}") for number in range(1_200)]
    async with room.live_state.changes() as news, asyncio.timeout(20):
        await room.live_state.show_reports({lot_id: report(number) for number, lot_id in enumerate(city)})
        heard: set[LotId] = set()
        while len(heard) < len(city):
            heard |= (await next_news(news)).lots
    shown = await room.live_state.lots(city)
    assert [now.report.free for now in shown.values() if now.report] == list(range(1_200))


async def next_news(news: AsyncIterator[Change]) -> Change:
    """Give the next change that says something."""
    async for change in news:
        if change != Change():
            return change
    raise AssertionError("the news ended")


async def test_no_key_is_left_behind_in_redis(fresh_redis: str) -> None:
    """Every key has an end, or is one of those that are listed with a reason for none."""
    async with in_redis(fresh_redis) as (live_state, redis):
        await live_state.show_reports({MALL: FULL_REPORT, OFFICE: FULL_REPORT})
        await live_state.copy_reports({MALL: FULL_REPORT})
        await live_state.show_promises({MALL: FULL_PROMISE})
        await live_state.copy_promises({OFFICE: FULL_PROMISE}, directory(), ledger=LEDGER)
        written = {key: await redis.pttl(key) async for key in redis.scan_iter()}
    assert len(written) == 7
    for key, left_ms in written.items():
        permanent = any(fnmatch(key, pattern) for pattern in keys.PERMANENT)
        assert permanent or 0 < left_ms <= keys.SEEN_LIFETIME.total_seconds() * 1_000, key


async def test_a_report_that_is_repeated_lives_on(fresh_redis: str) -> None:
    """Each newer report begins the lifetime anew."""
    async with in_redis(fresh_redis) as (live_state, redis):
        await live_state.show_reports({MALL: report(1)})
        await redis.pexpire(keys.seen(MALL), 5_000)
        await live_state.show_reports({MALL: report(2, at=1)})
        assert await redis.pttl(keys.seen(MALL)) > 5_000


async def test_what_another_program_wrote_is_said_to_be_away(fresh_redis: str) -> None:
    """An unreadable value breaks no reader."""
    async with in_redis(fresh_redis) as (live_state, redis):
        await redis.set(keys.seen(MALL), '1 {"free": "many"}')
        with pytest.raises(LiveStateAway):
            await live_state.lots([MALL])
        await redis.set(keys.DIRECTORY, "[1, 2")
        with pytest.raises(LiveStateAway):
            await live_state.directory()
        await redis.set(keys.promised(OFFICE), "a text")
        with pytest.raises(LiveStateAway):
            await live_state.lots([OFFICE])


async def test_a_server_that_is_not_there_is_away(tmp_path: os.PathLike[str]) -> None:
    """Every call says so, and none waits."""
    live_state = RedisLiveState.connect(f"unix://{tmp_path}/none.sock")
    calls: list[Callable[[], Awaitable[object]]] = [
        live_state.ping,
        live_state.directory,
        live_state.reports_copied,
        live_state.roads,
        live_state.roads_version,
        lambda: live_state.show_roads(RoadConditions(1)),
        live_state.gate_words,
        lambda: live_state.show_gate_words([]),
        lambda: live_state.lots([MALL]),
        lambda: live_state.show_reports({MALL: FULL_REPORT}),
        lambda: live_state.show_promises({MALL: FULL_PROMISE}),
        lambda: live_state.copy_promises({}, directory(), ledger=LEDGER),
    ]
    async with asyncio.timeout(5):
        for call in calls:
            with pytest.raises(LiveStateAway):
                await call()
        with pytest.raises(LiveStateAway):
            async with live_state.changes():
                pass
    await live_state.close()


async def test_a_server_that_hangs_is_noticed(servers: Servers, fresh_redis: str) -> None:
    """Connections stay open and nothing comes: readers learn it within a few seconds, not from TCP hours later."""
    pid = servers.pids()["redis"]
    async with in_redis(fresh_redis) as (live_state, _), live_state.changes() as news:
        assert await anext(news) == Change()
        os.kill(pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(6):
                with pytest.raises(LiveStateAway):
                    async for _change in news:
                        pass
                with pytest.raises(LiveStateAway):
                    await live_state.lots([MALL])
        finally:
            os.kill(pid, signal.SIGCONT)
        async with asyncio.timeout(5):
            await live_state.ping()
