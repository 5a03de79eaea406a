"""A driver waits for what becomes of a diversion: by a stream or by a long poll, woken when it happens."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from bowei.records.failures import StoreAway
from tests.service.availability_block import EventReader
from tests.service.routing_block import OFFICE, Driver, World, code, running_block, until


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, with routing running on it, and six places for those who wait."""
    async with running_block(most_streams=6) as world:
        yield world


def _stream(driver: Driver, last_event_id: str | None = None) -> EventReader:
    assert driver.world.app is not None
    return EventReader(driver.world.app, f"{driver.path}/stream", last_event_id, token=driver.token)


async def test_a_stream_tells_each_step_until_the_diversion_is_over(world: World) -> None:
    """Held, extended, arrived, settled: each once, whole, as GET gives it; then the stream ends by itself."""
    driver = await world.driver()
    await driver.asks()
    async with _stream(driver) as stream:
        first = await stream.event()
        assert (first.event, first.data["hold"]["state"]) == ("standing", "held")
        await driver.extends(300)
        longer = await stream.event()
        assert (longer.event, longer.data["hold"]["extended"]) == ("extended", True)
        await driver.arrives()
        assert (await stream.event()).event == "arrived"
        await driver.leaves()
        over = await stream.event()
        assert over.event == "settled"
        assert over.data["text"] == (await driver.looks())["text"]
        assert await stream.next_event() is None


async def test_a_replacement_is_told_with_the_new_lot_and_why(world: World) -> None:
    """The driver was refused at the first lot; whoever follows hears where to go now."""
    driver = await world.driver()
    await driver.asks()
    async with _stream(driver) as stream:
        await stream.event()
        await driver.is_refused()
        told = await stream.event()
    assert (told.event, told.data["hold"]["ordinal"], told.data["hold"]["lot_id"]) == ("replaced", 2, OFFICE)


async def test_who_comes_back_is_told_what_is_new_and_nothing_again(world: World) -> None:
    """Last-Event-ID names how it stood: the same is not sent, what happened meanwhile is, once."""
    driver = await world.driver()
    await driver.asks()
    async with _stream(driver) as stream:
        last = (await stream.event()).id
    async with _stream(driver, last) as stream:
        await asyncio.wait_for(stream.status, 5)
        await asyncio.sleep(0.1)
        await driver.extends(300)
        again = await stream.event()
    assert again.data["hold"]["extended"] is True
    await driver.arrives()
    async with _stream(driver, again.id) as stream:
        assert (await stream.event()).data["hold"]["state"] == "arrived"


async def test_a_hold_that_runs_out_ends_its_stream(world: World) -> None:
    """Nobody has to ask: the sweep ends it and the stream says so."""
    driver = await world.driver()
    await driver.asks()
    async with _stream(driver) as stream:
        await stream.event()
        await world.step(minutes=31)
        assert (await stream.event()).event == "expired"
        assert await stream.next_event() is None


async def test_nobody_follows_what_is_not_theirs(world: World) -> None:
    """Another's diversion, one that was never granted, and no token at all are refused before anything is sent."""
    driver, thief = await world.driver(), await world.driver()
    await driver.asks()
    path = f"{driver.path}/stream"
    assert code(await world.request("GET", path, thief.token)) == (404, "unknown_diversion")
    assert code(await world.request("GET", f"{thief.path}/stream", thief.token)) == (404, "unknown_diversion")
    assert code(await world.request("GET", path)) == (401, "key_missing")


async def test_places_for_those_who_wait_are_bounded(world: World) -> None:
    """Four for one driver, six for all; a place that was left can be had again."""
    driver, other = await world.driver(), await world.driver()
    await driver.asks()
    await other.asks()
    async with _stream(driver) as one, _stream(driver) as two, _stream(driver) as three, _stream(driver) as four:
        for stream in (one, two, three, four):
            await stream.event()
        answer = await world.request("GET", f"{driver.path}/stream", driver.token)
        assert code(answer) == (429, "too_many_requests")
        async with _stream(other) as five, _stream(other) as six:
            await asyncio.gather(five.event(), six.event())
            answer = await world.request("GET", f"{other.path}/stream", other.token)
            assert code(answer) == (503, "overloaded")
            assert "retry-after" in answer.headers
    async with _stream(driver) as again:
        assert (await again.event()).event == "standing"


async def test_a_stream_outlives_a_ledger_that_goes_away(world: World) -> None:
    """What happened while it was away is told when it is back; the stream does not break."""
    driver = await world.driver()
    await driver.asks()
    async with _stream(driver) as stream:
        await stream.event()
        await driver.extends(300)
        world.book.failing = StoreAway("refused")
        await asyncio.sleep(0.1)
        world.book.failing = None
        assert (await stream.event()).event == "extended"


async def test_a_long_poll_answers_when_something_changes(world: World) -> None:
    """With the ETag of how it stood, the answer comes with the change, and not before."""
    driver = await world.driver()
    first = await driver.puts()
    waiting = asyncio.create_task(_poll(driver, first.headers["etag"], wait_s=20))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await driver.arrives()
    answer = await asyncio.wait_for(waiting, 5)
    assert (answer.status_code, answer.json()["hold"]["state"]) == (200, "arrived")
    assert answer.headers["etag"] != first.headers["etag"]


async def test_a_long_poll_in_which_nothing_happens_says_so(world: World) -> None:
    """304 after the time asked for, at once without any, and the whole answer to who knows nothing yet."""
    driver = await world.driver()
    etag = (await driver.puts()).headers["etag"]
    for wait_s in (0, 1):
        answer = await _poll(driver, etag, wait_s=wait_s)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    answer = await world.request("GET", f"{driver.path}?wait_s=20", driver.token)
    assert (answer.status_code, answer.headers["etag"]) == (200, etag)
    answer = await world.request("GET", f"{driver.path}?wait_s=31", driver.token)
    assert code(answer) == (422, "invalid_request")


async def test_whoever_waits_is_let_go_when_the_process_stops(world: World) -> None:
    """A stream ends and a long poll is answered, so that a stop waits for nobody."""
    driver = await world.driver()
    etag = (await driver.puts()).headers["etag"]
    waiting = asyncio.create_task(_poll(driver, etag, wait_s=30))
    async with _stream(driver) as stream:
        await stream.event()
        assert world.app is not None
        world.app.state.wiring.streams._watching.close()
        assert await stream.next_event() is None
    assert (await asyncio.wait_for(waiting, 5)).status_code == 304


async def test_while_nobody_waits_the_ledger_is_not_read_for_it(world: World) -> None:
    """Steps are read for those who wait, once for all of them, and not at all where nobody does."""
    driver, other = await world.driver(), await world.driver()
    await driver.asks()
    await other.asks()
    await asyncio.sleep(0.1)
    before, world.book.looked = world.book.step_reads, 0
    await asyncio.sleep(0.2)
    assert world.book.step_reads == before
    async with _stream(driver) as one, _stream(driver) as two, _stream(other) as three:
        for stream in (one, two, three):
            await stream.event()
        await until(lambda: world.book.step_reads > before + 3)
        looked = world.book.looked
        await asyncio.sleep(0.3)
        assert world.book.looked == looked, "a stream in which nothing happens asked the ledger"


async def _poll(driver: Driver, etag: str, *, wait_s: int) -> httpx2.Response:
    path = f"{driver.path}?wait_s={wait_s}"
    return await driver.world.request("GET", path, driver.token, headers={"If-None-Match": etag})
