"""The lot under a held space can't keep it any more: the driver gets another before, or is told plainly."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bowei.domain.dirt import Doubt
from bowei.domain.observations import LotState
from bowei.records.holding import Decision
from tests.service.availability_block import EventReader
from tests.service.routing_block import (
    MALL,
    OFFICE,
    PLACES,
    TOWER,
    Driver,
    World,
    a_lot,
    code,
    running_block,
    until,
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, with routing running on it."""
    async with running_block() as world:
        yield world


async def _held_at_the_mall(world: World) -> Driver:
    driver = await world.driver()
    assert (await driver.asks())["hold"]["lot_id"] == MALL
    return driver


async def _moved(world: World, driver: Driver) -> None:
    await until(lambda: (driver.diversion_id, 2, OFFICE, "held") in world.holds())


async def test_a_driver_whose_lot_closes_gets_another_space_and_hears_why(world: World) -> None:
    """The old hold is revoked with the reason, the new one granted in the same step; the code stays the same."""
    driver = await _held_at_the_mall(world)
    digits = (await driver.looks())["hold"]["code"]
    assert world.app is not None
    async with EventReader(world.app, f"{driver.path}/stream", token=driver.token) as stream:
        await stream.event()
        await world.reports_and_is_seen(MALL, free=20, state=LotState.CLOSED)
        told = await stream.event_that(lambda event: event.event == "replaced")
    said = told.data
    assert (said["hold"]["lot_id"], said["hold"]["code"]) == (OFFICE, digits)
    assert said["moved_from"] == {"lot_id": MALL, "reason": "lot_closed"}
    assert said["text"]["en"].startswith("Lot in77 has closed. You are moved.")
    assert said["text"]["zh"].startswith("停车场in77已关闭，已为您改换车位。")
    assert world.holds() == [(driver.diversion_id, 1, MALL, "revoked"), (driver.diversion_id, 2, OFFICE, "held")]


async def test_a_lot_that_is_paused_lets_its_drivers_go_elsewhere(world: World) -> None:
    """A person said so, and it counts at once."""
    driver = await _held_at_the_mall(world)
    await world.register.pause_lot(MALL, paused=True)
    await _moved(world, driver)
    assert (await driver.looks())["moved_from"]["reason"] == "lot_paused"


async def test_a_doubted_lot_loses_its_drivers_after_a_minute(world: World) -> None:
    """A doubt that is taken back at once moves nobody; one that lasts does."""
    driver = await _held_at_the_mall(world)
    await world.doubts(MALL, Doubt.STUCK)
    await _a_while()
    await world.later(seconds=59)
    await _a_while()
    assert world.holds() == [(driver.diversion_id, 1, MALL, "held")]
    await world.later(seconds=2)
    await _moved(world, driver)
    assert (await driver.looks())["moved_from"]["reason"] == "lot_doubted"


async def test_a_feed_that_dies_moves_who_trusted_it(world: World) -> None:
    """After ten minutes of silence the mall's count is worth nothing; the others went on reporting."""
    driver = await world.driver()
    await driver.asks(position={"lat": 30.20, "lon": 120.10, "datum": "wgs84"})
    await world.later(minutes=11, silent=[MALL])
    await _moved(world, driver)
    assert (await driver.looks())["moved_from"]["reason"] == "feed_lost"


async def test_a_lot_that_fills_below_its_holds_moves_the_last_who_came(world: World) -> None:
    """Three cars are on the way and two spaces are left: one is moved, once the count has stood for two minutes."""
    drivers = []
    for _ in range(3):
        drivers.append(await _held_at_the_mall(world))
        world.clock.step_to(world.clock.now() + timedelta(seconds=1))
    await world.reports_and_is_seen(MALL, free=2)
    await _a_while()
    assert len(world.holds()) == 3
    await world.later(seconds=121)
    await _moved(world, drivers[-1])
    await _a_while()
    assert [(lot, state) for _, ordinal, lot, state in world.holds() if ordinal == 1] == [
        (MALL, "held"),
        (MALL, "held"),
        (MALL, "revoked"),
    ]


async def test_a_count_that_is_wrong_for_one_report_moves_nobody(world: World) -> None:
    """The next report is right again: what looked like a danger was noise."""
    driver = await _held_at_the_mall(world)
    await world.reports_and_is_seen(MALL, free=0)
    await _a_while()
    await world.later(seconds=90)
    await world.reports_and_is_seen(MALL, free=20)
    await world.later(seconds=90)
    await _a_while()
    assert world.holds() == [(driver.diversion_id, 1, MALL, "held")]


async def test_where_nothing_else_has_room_the_hold_stays_and_the_driver_is_told(world: World) -> None:
    """The space is not taken away for nothing; it is said in both languages; and when a lot has room it is had."""
    driver = await _held_at_the_mall(world)
    for lot_id in (OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=0)
    assert world.app is not None
    async with EventReader(world.app, f"{driver.path}/stream", token=driver.token) as stream:
        await stream.event()
        await world.reports_and_is_seen(MALL, free=20, state=LotState.CLOSED)
        told = await stream.event()
        assert told.event == "at_risk"
        assert (told.data["hold"]["state"], told.data["at_risk"]["reason"]) == ("held", "lot_closed")
        assert told.data["at_risk"]["text"]["en"].startswith("Lot in77 has closed, and no other lot has a space now.")
        await world.reports_and_is_seen(MALL, free=20)
        assert (await stream.event()).event == "safe"
    assert "at_risk" not in await driver.looks()


async def test_nobody_is_sent_around_twice_by_lots_that_may_yet_keep_their_word(world: World) -> None:
    """Moved once for a doubt, the driver stays at the second lot although it is doubted too; and never goes back."""
    driver = await _held_at_the_mall(world)
    await world.doubts(MALL, Doubt.STUCK)
    await _a_while()
    await world.later(seconds=61)
    await _moved(world, driver)
    await world.doubts(MALL, None)
    await world.doubts(OFFICE, Doubt.STUCK)
    await _a_while()
    await world.later(seconds=61)
    await _a_while()
    said = await driver.looks()
    assert (said["hold"]["ordinal"], said["at_risk"]["reason"]) == (2, "lot_doubted")
    await world.reports_and_is_seen(OFFICE, free=10, state=LotState.CLOSED)
    await world.doubts(OFFICE, None)
    await until(lambda: (driver.diversion_id, 3, TOWER, "held") in world.holds())


async def test_who_has_arrived_is_left_alone(world: World) -> None:
    """The car stands in the lot: that it closes now is nobody's trouble."""
    driver = await _held_at_the_mall(world)
    await driver.arrives()
    await world.reports_and_is_seen(MALL, free=20, state=LotState.CLOSED)
    await _a_while()
    assert world.holds() == [(driver.diversion_id, 1, MALL, "arrived")]


async def test_who_did_not_hear_of_the_move_does_not_arrive_elsewhere(world: World) -> None:
    """An arrival may say by which hold: the old one is over, and the new space is not taken for it."""
    driver = await _held_at_the_mall(world)
    await world.register.pause_lot(MALL, paused=True)
    await _moved(world, driver)
    answer = await world.request("POST", f"{driver.path}/arrive", driver.token, json={"ordinal": 1})
    assert code(answer) == (409, "hold_over")
    assert (await driver.looks())["hold"]["state"] == "held"
    answer = await world.request("POST", f"{driver.path}/arrive", driver.token, json={"ordinal": 2})
    assert answer.json()["hold"]["state"] == "arrived"


async def test_who_is_refused_is_not_sent_back_to_a_lot_that_was_left_before(world: World) -> None:
    """Moved away from the mall and refused at the office: the mall has room again, and the tower it is.

    That the driver was moved once already still counts after the refusal.
    """
    driver = await _held_at_the_mall(world)
    await world.doubts(MALL, Doubt.STUCK)
    await _a_while()
    await world.later(seconds=61)
    await _moved(world, driver)
    await world.doubts(MALL, None)
    said = await driver.is_refused(2)
    assert (said["hold"]["ordinal"], said["hold"]["lot_id"]) == (3, TOWER)
    await world.doubts(TOWER, Doubt.STUCK)
    await _a_while()
    await world.later(seconds=61)
    await _a_while()
    said = await driver.looks()
    assert (said["hold"]["ordinal"], said["at_risk"]["reason"]) == (3, "lot_doubted")


@pytest.mark.parametrize("step", ["arrive", "position"])
async def test_who_is_moved_while_arriving_does_not_arrive_elsewhere(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard moves the driver between a look and the arrival: the new space is not taken for the old one."""
    async with running_block(geofence_m=50) as world:
        await world.register.put_lots([a_lot(MALL, barrier_link=False)])
        await until(lambda: not world.mirror.directory.lots[MALL].barrier_link)
        driver = await _held_at_the_mall(world)
        decide = world.book.arrive

        async def arrive_late(*arguments: Any) -> Decision:
            await world.register.pause_lot(MALL, paused=True)
            await _moved(world, driver)
            return await decide(*arguments)

        monkeypatch.setattr(world.book, "arrive", arrive_late)
        at_the_mall = {"lat": PLACES[MALL].lat, "lon": PLACES[MALL].lon, "datum": "wgs84"}
        body = {"ordinal": 1} if step == "arrive" else at_the_mall
        answer = await world.request("POST", f"{driver.path}/{step}", driver.token, json=body)
        assert code(answer) == (409, "hold_over")
        assert (await driver.looks())["hold"]["state"] == "held"


async def test_no_more_are_moved_than_the_ledger_says_are_short_of_a_space(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten spaces are held and seven are left; what is shown of the ten stands still. Three are moved, and no fourth."""
    for lot_id in (OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=0)
    for _ in range(10):
        await _held_at_the_mall(world)
    for lot_id in (OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=10)
    await until(lambda: world.mirror.lot(MALL).promise.held == 10)
    monkeypatch.setattr(world.live_state, "show_promises", _shows_nothing)
    await world.reports_and_is_seen(MALL, free=7)
    await _a_while()
    await world.later(seconds=121)
    await until(lambda: _states(world).count("revoked") == 3)
    await _a_while()
    assert world.mirror.lot(MALL).promise.held == 10
    assert _states(world).count("revoked") == 3


async def test_nobody_is_moved_by_what_was_seen_long_ago(world: World) -> None:
    """The live state is lost: that the mall was closed is old, and who guards from now on waits to see it anew."""
    driver = await _held_at_the_mall(world)
    await until(lambda: world.mirror.lot(MALL).promise.held == 1)
    world.leadership.taken = world.leadership.lost_now = True
    await _a_while()
    await world.reports_and_is_seen(MALL, free=20, state=LotState.CLOSED)
    await _a_while()
    assert (await driver.looks())["at_risk"]["reason"] == "lot_closed"
    world.live_state.away = True
    await until(lambda: not world.mirror.is_current())
    world.leadership.taken = False
    given = world.leadership.given
    await until(lambda: world.leadership.given > given)
    await _a_while()
    assert world.holds() == [(driver.diversion_id, 1, MALL, "held")]
    world.live_state.away = False
    await _moved(world, driver)


async def test_one_driver_who_can_not_be_moved_keeps_no_other_from_it(world: World) -> None:
    """The ledger fails for the last who came, each time; the first is moved."""
    first = await _held_at_the_mall(world)
    world.clock.step_to(world.clock.now() + timedelta(seconds=1))
    last = await _held_at_the_mall(world)
    world.book.unmovable.add(last.diversion_id)
    await world.reports_and_is_seen(MALL, free=20, state=LotState.CLOSED)
    await _moved(world, first)
    assert (last.diversion_id, 1, MALL, "held") in world.holds()


async def _shows_nothing(_promises: object) -> None:
    """Be a follower that is busy with something else."""


def _states(world: World) -> list[str]:
    return [state for *_, state in world.holds()]


async def test_one_process_of_all_moves_drivers(world: World) -> None:
    """A process that does not follow the ledger moves nobody, and still says what it sees."""
    world.leadership.taken = True
    world.leadership.lost_now = True
    await _a_while()
    driver = await _held_at_the_mall(world)
    # Nobody copies promises now; who follows has told of this one.
    await world.live_state.show_promises((await world.book.promised(None)).promises)
    await world.reports_and_is_seen(MALL, free=20, state=LotState.CLOSED)
    await _a_while()
    assert world.holds() == [(driver.diversion_id, 1, MALL, "held")]
    assert (await driver.looks())["at_risk"]["reason"] == "lot_closed"


async def test_who_guards_no_more_counts_nobody_in_danger(world: World) -> None:
    """Another process counts them now; the sum over all processes is true."""
    await _held_at_the_mall(world)
    for lot_id in (OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=0)
    await world.register.pause_lot(MALL, paused=True)
    await _a_while()
    assert await _endangered(world) == 1
    world.leadership.taken = world.leadership.lost_now = True
    await _a_while()
    assert await _endangered(world) == 0


async def _endangered(world: World) -> float:
    lines = (await world.request("GET", "/metrics")).text.splitlines()
    (shown,) = [line for line in lines if line.startswith("bowei_routing_endangered_holds ")]
    return float(shown.split()[1])


async def _a_while() -> None:
    """Let the guard look twice; what it does not do then it does not do."""
    await asyncio.sleep(1.2)
