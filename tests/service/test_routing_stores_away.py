"""A store is lost: drivers are told the truth, and everything goes on by itself when it is back."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bowei.records.failures import OutcomeUnknown, Overloaded, StoreAway, StoreFailure
from tests.service.routing_block import MALL, OFFICE, World, code, of_lot, running, running_block, until


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, with routing running on it."""
    async with running_block() as world:
        yield world


async def test_without_the_ledger_a_driver_is_guided_and_told_that_nothing_is_held(world: World) -> None:
    """The best lot by what is shown, the way there, and plain words; no hold, and no promise."""
    driver = await world.driver()
    world.book.failing = StoreAway("gone")
    answer = await driver.puts()
    said = answer.json()
    assert (answer.status_code, said["outcome"], said["guaranteed"]) == (200, "guided", False)
    assert said["lot"]["lot_id"] == MALL
    assert set(said["nav"]) == {"amap", "tencent", "baidu", "apple", "google", "geo"}
    assert "hold" not in said
    assert "NOT held" in said["text"]["en"]
    assert "未保留" in said["text"]["zh"]
    assert "excluded" not in of_lot(said, MALL)
    assert world.holds() == []


async def test_the_same_id_is_held_by_itself_once_the_ledger_is_back(world: World) -> None:
    """The driver's app repeats what it asked, and gets the hold."""
    driver = await world.driver()
    world.book.failing = StoreAway("gone")
    assert (await driver.asks())["outcome"] == "guided"
    world.book.failing = None
    assert (await driver.puts()).status_code == 201
    assert [state for *_, state in world.holds()] == ["held"]


async def test_a_lost_answer_is_never_taken_for_no_hold(world: World) -> None:
    """The commit happened and its answer was lost: `unknown, repeat`, never `guided`; the repeat is that hold."""
    driver = await world.driver()
    world.book.failing, world.book.commits_first = OutcomeUnknown("lost"), True
    answer = await driver.puts()
    assert code(answer) == (503, "outcome_unknown")
    assert int(answer.headers["retry-after"]) >= 1
    world.book.failing = None
    assert (await driver.puts()).status_code == 200
    assert len(world.holds()) == 1


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (StoreAway("gone"), "store_away"),
        (OutcomeUnknown("lost"), "outcome_unknown"),
        (Overloaded("full"), "overloaded"),
    ],
)
async def test_every_step_says_to_repeat_it_while_the_ledger_is_away(
    world: World, failure: StoreFailure, said: str
) -> None:
    """Looking, arriving, refusing and giving up are decided by the ledger alone; each is asked again later."""
    driver = await world.driver()
    await driver.asks()
    world.book.failing = failure
    steps = [
        await world.request("GET", driver.path, driver.token),
        await driver.gives_up(),
        await world.request("POST", f"{driver.path}/arrive", driver.token),
        await world.request("POST", f"{driver.path}/refused", driver.token, json={"ordinal": 1}),
    ]
    assert [code(answer) for answer in steps] == [(503, said)] * 4
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in steps)
    world.book.failing = None
    assert (await driver.looks())["hold"]["state"] == "held"


async def test_too_many_waiting_is_said_and_not_guided(world: World) -> None:
    """The ledger is there and busy: the same id again in a moment, not a lot without a hold."""
    driver = await world.driver()
    world.book.failing = Overloaded("full")
    assert code(await driver.puts()) == (503, "overloaded")


async def test_without_the_live_state_decisions_come_from_the_ledger(world: World) -> None:
    """What changed since is read from the record itself, within seconds of the loss."""
    driver = await world.driver()
    world.live_state.away = True
    await world.report(MALL, seen=False, free=0)
    await until(lambda: (world.mirror.age_s or 0) > 3.0)
    said = await driver.asks()
    assert (said["outcome"], said["hold"]["lot_id"]) == ("held", OFFICE)
    assert of_lot(said, MALL)["excluded"] == "full"
    world.live_state.away = False
    await until(lambda: (world.mirror.age_s or 0) < 1.0)
    ready = (await world.request("GET", "/readyz")).json()
    assert ready["status"] == "ready"


async def test_without_the_live_state_the_ledger_is_not_read_for_every_driver(world: World) -> None:
    """A hundred drivers in a moment share one reading: the record must not be lost to its readers too."""
    world.live_state.away = True
    await until(lambda: (world.mirror.age_s or 0) > 3.0)
    world.book.reads = 0
    drivers = [await world.driver() for _ in range(20)]
    for driver in drivers:
        await driver.asks()
    assert world.book.reads <= 3


async def test_a_process_that_starts_while_the_live_state_is_away_serves_from_the_ledger() -> None:
    """Redis is no condition of the start."""
    world = World.empty()
    await world.settle_in()
    world.live_state.away = True
    async with running(world):
        assert (await (await world.driver()).asks())["hold"]["lot_id"] == MALL
        ready = await world.request("GET", "/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert ready.json()["dependencies"]["live_state"]["state"] == "away"


async def test_what_the_ledger_last_said_serves_when_it_goes_too() -> None:
    """Both stores are gone: the youngest copy guides, and a registered hospital is not called unknown."""
    world = World.empty()
    await world.settle_in()
    world.live_state.away, world.leadership.taken = True, True
    async with running(world):
        driver = await world.driver()
        await driver.asks()
        await driver.gives_up()
        driver.diversion_id = "another-trip"
        world.book.failing = StoreAway("gone")
        readings = world.book.reads

        async def guided() -> None:
            said = await driver.asks()
            assert (said["outcome"], said["lot"]["lot_id"]) == ("guided", MALL)

        deadline_s = time.monotonic() + 5
        while world.book.reads < readings + 2:  # the ledger was asked again, and did not answer
            assert time.monotonic() < deadline_s
            await guided()
            await asyncio.sleep(0.05)
        await guided()


async def test_a_process_to_which_no_store_ever_spoke_calls_no_hospital_unknown() -> None:
    """It knows nothing yet, and says to come again: 404 would make an app give up."""
    world = World.empty()
    await world.settle_in()
    world.live_state.away = True
    world.book.failing = StoreAway("gone")
    async with running(world):
        assert code(await (await world.driver()).puts()) == (503, "store_away")


async def test_a_ledger_that_is_away_at_the_start_is_waited_for() -> None:
    """The process is alive and says that it is not ready; with the ledger it serves, without being started again."""
    world = World.empty()
    await world.settle_in()
    world.starts_that_fail = 2
    async with running(world):
        assert (await (await world.driver()).asks())["outcome"] == "held"
        assert world.opened == ["opened", "closed", "opened", "closed", "opened"]
    assert world.opened[-1] == "closed"


async def test_flushing_the_live_state_brings_all_of_it_back(world: World) -> None:
    """What is promised is copied again within a look or two of the follower."""
    await (await world.driver()).asks()
    world.live_state.flush()
    await until(lambda: world.live_state._promises.keys() == world.records.lots.keys())
    assert world.live_state._promises[MALL].held == 1
    assert await world.live_state.directory() is not None


async def test_what_is_promised_is_shown_to_everyone(world: World) -> None:
    """Boards and other processes hear of a hold, and of its end, without asking the ledger."""
    driver = await world.driver()
    await driver.asks()
    await until(lambda: world.live_state._promises[MALL].held == 1)
    await driver.gives_up()
    await until(lambda: world.live_state._promises[MALL].held == 0)


async def test_a_new_agreement_is_known_to_everyone_soon(world: World) -> None:
    """The parties agree in the registry; drivers are sent by it without anything being started again."""
    await world.register.pause_lot(MALL, paused=True)
    await until(lambda: world.mirror.directory.lots[MALL].paused)
    said = await (await world.driver()).asks()
    assert of_lot(said, MALL)["excluded"] == "operator_paused"


async def test_only_one_process_follows_and_another_takes_over(world: World) -> None:
    """While another has the right nothing is copied from here; when it is free, this process copies."""
    second = World.empty()
    second.leadership.taken = True
    await second.settle_in()
    async with running(second):
        assert await second.live_state.directory() is None
        second.leadership.taken = False
        await until(lambda: second.live_state._directory is not None)
    world.leadership.lost_now = True
    await until(lambda: world.leadership.given == 2)


async def test_holds_that_nobody_asks_about_are_ended_in_time(world: World) -> None:
    """The follower sweeps: a board shows the space again though no driver comes to that lot."""
    await (await world.driver()).asks()
    await until(lambda: world.live_state._promises[MALL].held == 1)
    world.clock.step_to(world.clock.now() + timedelta(minutes=6))
    await until(lambda: world.live_state._promises[MALL].held == 0)
