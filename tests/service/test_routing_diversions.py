"""A driver asks, and the nearest shared space is held until the driver is there."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bowei.domain.lots import Entrance, LotId, Name
from bowei.domain.places import Point, distance_m
from bowei.domain.plates import PlateKeys
from tests.service.routing_block import (
    DOOR,
    MALL,
    OFFICE,
    PLACES,
    SPACES,
    TOWER,
    World,
    a_lot,
    an_agreement,
    code,
    of_lot,
    running,
    running_block,
    until,
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, with routing running on it."""
    async with running_block() as world:
        yield world


def instant(written: str) -> datetime:
    """Read an instant of an answer."""
    assert written.endswith("Z")
    return datetime.fromisoformat(written)


async def leave_one_space(world: World, left: LotId) -> None:
    """Let one lot report one free space, and every other none."""
    for lot_id in (MALL, OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=int(lot_id == left))


async def test_the_nearest_lot_with_room_is_held_for_the_driver(world: World) -> None:
    """One answer names the hold, the lot, the way there and why not the others."""
    said = await (await world.driver()).asks()
    assert said["outcome"] == "held"
    assert said["hold"]["lot_id"] == said["lot"]["lot_id"] == MALL
    assert said["lot"]["entrance"] == {
        "id": "north",
        "name": {"zh": "北口", "en": "North"},
        "lat": PLACES[MALL].lat,
        "lon": PLACES[MALL].lon,
        "datum": "wgs84",
    }
    assert set(said["nav"]) == {"amap", "tencent", "baidu", "apple", "google", "geo"}
    assert [one["lot_id"] for one in said["considered"]] == [MALL, OFFICE, TOWER]
    assert said["text"]["zh"].startswith("已在")
    assert "Lot in77" in said["text"]["en"]
    assert world.holds() == [("trip-00001", 1, MALL, "held")]


async def test_the_parts_of_a_cost_add_up(world: World) -> None:
    """A driver can check why a lot was chosen; the sum tells no more about the origin than its parts."""
    await world.reports_and_is_seen(MALL, free=15)
    await world.reports_and_is_seen(OFFICE, free=2)
    said = await (await world.driver()).asks(position={"lat": 30.27, "lon": 120.15, "datum": "wgs84"})
    assert of_lot(said, OFFICE)["failure_s"] > 0
    for one in said["considered"]:
        assert one["cost_s"] == one["drive_s"] + one["walk_s"] + one["fill_s"] + one["failure_s"]
        assert one["drive_s"] % 10 == 0
    assert said["route"] == {
        "drive_s": of_lot(said, MALL)["drive_s"],
        "walk_s": of_lot(said, MALL)["walk_s"],
        "walk_m": round(distance_m(PLACES[MALL], DOOR) * 1.3),
        "estimated": True,
        "walk_estimated": True,
        "by": "air",
    }


async def test_a_new_hold_is_created_and_a_repeat_is_the_same_one(world: World) -> None:
    """201 for what is new, 200 with the same answer for the same id: a driver never holds two."""
    driver = await world.driver()
    first, second = await driver.puts(), await driver.puts()
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert len(world.holds()) == 1


async def test_a_repeat_may_come_from_another_place(world: World) -> None:
    """The position changes between retries and is no part of the request's meaning."""
    driver = await world.driver()
    first = await driver.puts(position={"lat": 30.26, "lon": 120.16, "datum": "wgs84"})
    second = await driver.puts(position={"lat": 30.27, "lon": 120.17, "datum": "gcj02"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["hold"] == second.json()["hold"]


@pytest.mark.parametrize(
    "other", [{"class": "disabled"}, {"height_cm": 170}, {"plate": "浙A99999"}], ids=["class", "height", "plate"]
)
async def test_an_id_used_for_another_request_is_refused(world: World, other: dict[str, object]) -> None:
    """The same id must mean the same request; the hold that it names stays as it was."""
    driver = await world.driver()
    held = (await driver.asks())["hold"]
    assert code(await driver.puts(**other)) == (409, "id_reused")
    assert (await driver.looks())["hold"] == held


async def test_a_driver_holds_one_space_at_a_time(world: World) -> None:
    """A second request is refused and names the first, so that an app that lost its id can give it up."""
    driver = await world.driver()
    await driver.asks()
    first, driver.diversion_id = driver.diversion_id, "another-trip"
    refused = await driver.puts()
    assert code(refused) == (409, "driver_has_hold")
    assert refused.json()["diversion_id"] == first


async def test_twenty_drivers_at_once_share_out_what_there_is_and_no_more(world: World) -> None:
    """45 drivers for 40 spaces: 40 holds, the nearest lot's first, and five plain answers that nothing is free."""
    drivers = [await world.driver() for _ in range(45)]
    answers = await asyncio.gather(*(driver.asks() for driver in drivers))
    outcomes = [one["outcome"] for one in answers]
    assert (outcomes.count("held"), outcomes.count("none")) == (40, 5)
    lots = [lot for _, _, lot, _ in world.holds()]
    assert {lot: lots.count(lot) for lot in (MALL, OFFICE, TOWER)} == {
        lot: SPACES[lot] for lot in (MALL, OFFICE, TOWER)
    }
    for said in answers:
        if said["outcome"] == "none":
            assert set(said) == {
                "diversion_id",
                "outcome",
                "hospital_id",
                "asked_at",
                "guaranteed",
                "considered",
                "text",
                "why",
            }
            assert all("excluded" in one and "cost_s" not in one for one in said["considered"])


async def test_a_lot_that_others_took_meanwhile_is_explained_as_held_out(world: World) -> None:
    """Whoever was sent on to the second lot reads why the first, cheaper one was not it."""
    drivers = [await world.driver() for _ in range(25)]
    answers = await asyncio.gather(*(driver.asks() for driver in drivers))
    sent_on = [said for said in answers if said["hold"]["lot_id"] == OFFICE]
    assert len(sent_on) == 5
    for said in sent_on:
        assert of_lot(said, MALL)["excluded"] == "held_out"
        assert "excluded" not in of_lot(said, OFFICE)


async def test_the_ninth_best_lot_is_found_when_others_took_the_eight_before_it() -> None:
    """`none` means that no lot had room, not that the first eight had none."""
    world = World.empty()
    await world.settle_in()
    for number in range(12):
        lot_id, place = LotId(f"lot-{number:02d}"), Point(DOOR.lat + 0.0005 * number, DOOR.lon)
        entrance = Entrance("in", Name("入口", "In"), place)
        lot = dataclasses.replace(a_lot(OFFICE), lot_id=lot_id, location=place, entrances=(entrance,))
        await world.register.put_lots([lot])
        await world.register.put_agreements([an_agreement(lot_id)])
        await world.report(lot_id, free=1)
    for lot_id in (MALL, OFFICE, TOWER):
        await world.report(lot_id, free=0)
    async with running(world):
        drivers = [await world.driver() for _ in range(13)]
        answers = await asyncio.gather(*(driver.asks() for driver in drivers))
    outcomes = [said["outcome"] for said in answers]
    assert (outcomes.count("held"), outcomes.count("none")) == (12, 1)


@pytest.mark.parametrize(
    ("minutes_away", "lifetime"),
    [(1, timedelta(minutes=5)), (10, timedelta(minutes=17)), (60, timedelta(minutes=30))],
    ids=["near", "usual", "far"],
)
async def test_a_hold_lasts_half_as_long_again_as_the_drive_and_two_minutes(
    world: World, minutes_away: float, lifetime: timedelta
) -> None:
    """1.5 x the drive + 2 min, at least 5 and at most 30 min: long enough to arrive, short enough for others."""
    metres = minutes_away * 60 * 6.0 / 1.4
    north = {"lat": PLACES[MALL].lat - metres / 111_195, "lon": PLACES[MALL].lon, "datum": "wgs84"}
    hold = (await (await world.driver()).asks(position=north))["hold"]
    lasts = instant(hold["expires_at"]) - instant(hold["placed_at"])
    assert abs(lasts - lifetime) < timedelta(seconds=5)


async def test_a_hold_is_over_at_the_very_instant_that_was_said(world: World) -> None:
    """A millisecond before it the space is the driver's; at it, it is not, whoever looks first."""
    driver = await world.driver()
    expires_at = instant((await driver.asks())["hold"]["expires_at"])
    world.clock.step_to(expires_at - timedelta(milliseconds=1))
    before = await driver.looks()
    assert (before["hold"]["state"], before["guaranteed"]) == ("held", True)
    world.clock.step_to(expires_at)
    after = await driver.looks()
    assert (after["hold"]["state"], after["guaranteed"]) == ("expired", False)
    assert "run out" in after["text"]["en"]


async def test_a_space_is_given_to_the_next_driver_once_the_first_one_s_time_is_over(world: World) -> None:
    """What was held and not used goes on to others without anybody doing anything."""
    await leave_one_space(world, MALL)
    first, second = await world.driver(), await world.driver()
    assert (await first.asks())["hold"]["lot_id"] == MALL
    assert (await second.asks())["outcome"] == "none"
    third = await world.driver()
    await world.step(minutes=6)
    await until(lambda: world.mirror.lot(MALL).promise.held == 0)
    assert (await third.asks())["hold"]["lot_id"] == MALL


async def test_a_hold_is_extended_once_and_not_beyond_the_bound(world: World) -> None:
    """Five minutes more, said twice, are five; other five after that are refused; so is an hour."""
    driver = await world.driver()
    expires_at = instant((await driver.asks())["hold"]["expires_at"])
    assert code(await driver.extends(901)) == (422, "extension_too_long")
    once, again = await driver.extends(300), await driver.extends(300)
    assert once.status_code == again.status_code == 200
    assert once.json()["hold"] == again.json()["hold"]
    assert once.json()["hold"]["extended"] is True
    assert instant(once.json()["hold"]["expires_at"]) == expires_at + timedelta(minutes=5)
    assert code(await driver.extends(600)) == (409, "already_extended")
    assert instant((await driver.looks())["hold"]["expires_at"]) == expires_at + timedelta(minutes=5)


async def test_a_hold_that_is_over_can_not_be_extended(world: World) -> None:
    """The space may be another driver's by now."""
    driver = await world.driver()
    await driver.asks()
    await world.step(minutes=6)
    assert code(await driver.extends(300)) == (409, "hold_over")


async def test_giving_up_frees_the_space_and_may_be_repeated(world: World) -> None:
    """A driver who turns back helps the next one; the same id stays what it was."""
    await leave_one_space(world, MALL)
    first, second = await world.driver(), await world.driver()
    await first.asks()
    assert [(await first.gives_up()).status_code for _ in range(2)] == [204, 204]
    await until(lambda: world.mirror.lot(MALL).promise.held == 0)
    assert (await second.asks())["hold"]["lot_id"] == MALL
    assert (await first.asks())["hold"]["state"] == "released"


async def test_giving_up_before_the_request_arrived_makes_it_grant_nothing(world: World) -> None:
    """The app gave up waiting: its request, late on its way, must not hold a space for nobody."""
    driver = await world.driver()
    assert (await driver.gives_up()).status_code == 204
    assert code(await driver.puts()) == (409, "given_up")
    assert world.holds() == []


async def test_another_driver_sees_and_changes_nothing(world: World) -> None:
    """Whoever learns an id by chance gets 404 for it, whatever is tried, and the hold stays."""
    owner, thief = await world.driver(), await world.driver()
    held = (await owner.asks())["hold"]
    thief.diversion_id = owner.diversion_id
    attempts = [
        await thief.puts(),
        await world.request("GET", thief.path, thief.token),
        await thief.extends(300),
        await thief.gives_up(),
        *[await world.request("POST", f"{thief.path}/{step}", thief.token) for step in ("arrive", "leave")],
        await world.request("POST", f"{thief.path}/refused", thief.token, json={"ordinal": 1}),
    ]
    assert [code(answer) for answer in attempts] == [(404, "unknown_diversion")] * 7
    assert (await owner.looks())["hold"] == held


async def test_a_car_that_arrived_keeps_its_space_until_the_count_shows_it(world: World) -> None:
    """Arrived, then settled by the next report, then gone: each step can be repeated."""
    driver = await world.driver()
    await driver.asks()
    arrived = await driver.arrives()
    assert (arrived["hold"]["state"], (await driver.arrives())["hold"]["state"]) == ("arrived", "arrived")
    assert arrived["hold"]["arrived_at"] == "2026-03-02T01:00:00.000Z"
    world.clock.step_to(world.clock.now() + timedelta(minutes=1))
    await world.reports_and_is_seen(MALL, free=19)
    left = await driver.leaves()
    assert (left["hold"]["state"], left["hold"]["reason"]) == ("settled", "counted")
    assert (await driver.leaves())["hold"] == left["hold"]
    assert left["guaranteed"] is False


async def test_who_never_arrived_can_not_leave(world: World) -> None:
    """A hold that was given up is over: neither arrival nor departure brings it back."""
    driver = await world.driver()
    await driver.asks()
    await driver.gives_up()
    for step in ("arrive", "leave"):
        assert code(await world.request("POST", f"{driver.path}/{step}", driver.token)) == (409, "hold_over")


async def test_a_car_that_stands_in_the_lot_can_not_give_its_space_up(world: World) -> None:
    """Once the count shows the car, the space is taken: giving up comes too late and says so."""
    driver = await world.driver()
    await driver.asks()
    await driver.arrives()
    world.clock.step_to(world.clock.now() + timedelta(minutes=1))
    await world.reports_and_is_seen(MALL, free=19)
    assert code(await driver.gives_up()) == (409, "hold_over")


async def test_only_a_linked_barrier_makes_a_promise_sure(world: World) -> None:
    """At a lot whose barrier knows of no holds a walk-in may take the space, and the driver is told before."""
    await world.reports_and_is_seen(MALL, free=0)
    said = await (await world.driver()).asks()
    assert (said["hold"]["lot_id"], said["guaranteed"]) == (OFFICE, False)
    assert "not guaranteed" in said["text"]["en"]
    assert "不保证" in said["text"]["zh"]


async def test_the_ledger_and_not_the_copy_decides(world: World) -> None:
    """The live state still shows a free space that the record knows to be gone: nobody is promised it."""
    await world.report(MALL, seen=False, free=0)
    said = await (await world.driver()).asks()
    assert said["hold"]["lot_id"] == OFFICE
    assert of_lot(said, MALL)["excluded"] == "held_out"


async def test_a_plate_is_kept_only_as_a_hash(world: World) -> None:
    """Nothing that is kept or answered has the plate in it."""
    driver = await world.driver()
    answer = await driver.puts(plate="浙A·12345")
    assert answer.status_code == 201
    assert (await driver.puts(plate="浙a12345")).status_code == 200
    kept = world.records.newest(driver.diversion_id, None)
    assert kept is not None
    assert kept.plate_hash is not None
    assert "12345" not in repr(kept) + answer.text


async def test_a_repeat_across_a_change_of_the_plates_key_is_the_same_hold(world: World) -> None:
    """Whoever lost the answer just then asks again and gets it; another car's plate is still another request."""
    driver = await world.driver()
    assert (await driver.puts(plate="浙A·12345")).status_code == 201
    _change_key_of_plates(world, b"another key of 32 bytes, new ...")
    assert (await driver.puts(plate="浙A12345")).status_code == 200
    assert code(await driver.puts(plate="浙B12345")) == (409, "id_reused")
    assert len(world.holds()) == 1


def _change_key_of_plates(world: World, key: bytes) -> None:
    assert world.app is not None
    wiring = world.app.state.wiring
    world.app.state.wiring = replace(wiring, plate_keys=PlateKeys(key, before=wiring.plate_keys.now))


async def test_a_hospital_that_nobody_registered_is_not_found(world: World) -> None:
    """A typing error in the id is said at once."""
    assert code(await (await world.driver()).puts(hospital_id="nowhere")) == (404, "unknown_hospital")


async def test_a_diversion_that_nobody_asked_for_is_not_found(world: World) -> None:
    """Steps of an id that was never used change nothing."""
    driver = await world.driver()
    assert code(await world.request("GET", driver.path, driver.token)) == (404, "unknown_diversion")
    refused = await world.request("POST", f"{driver.path}/refused", driver.token, json={"ordinal": 1})
    assert code(refused) == (404, "unknown_diversion")
