"""Drivers of the demo: they follow the protocol to the letter, and see it when a service does not."""

import asyncio
from datetime import timedelta

import httpx2

from bowei.domain.lots import LotId
from services.local.demo.people import Temper
from services.local.demo.world import Car
from tests.unit.demo_stand_in import HOSPITAL, StandIn, block, drive, wait_until

MALL, OTHER, KERB, OWN = LotId("mall"), LotId("other"), LotId("kerb"), LotId("own")


async def test_a_diverted_driver_arrives_stays_and_leaves() -> None:
    """The car stands in the lot for the stay, and every step is told to routing, in order."""
    world = block()
    stand_in = StandIn(world.pace)
    tally = await drive(world, stand_in)
    assert (tally.diverted, tally.held, tally.arrived, tally.broken_promises) == (1, 1, 1, 0)
    assert world.parks[MALL].parked == 0
    steps = [f"{method} {path.rsplit('/', 1)[-1]}" for method, path in stand_in.asked]
    asked = ["POST drivers", "PUT demo-t-hospital-1-1", "GET demo-t-hospital-1-1", "POST arrive", "POST leave"]
    assert list(dict.fromkeys(steps)) == asked


async def test_a_car_that_finds_the_hospital_free_asks_nobody() -> None:
    """No diversion where none is needed."""
    world = block()
    world.parks[OWN].parked = 0
    stand_in = StandIn(world.pace)
    tally = await drive(world, stand_in)
    assert (tally.parked_at_hospital, tally.diverted) == (1, 0)
    assert stand_in.asked == []


async def test_where_no_lot_has_room_the_car_waits_at_the_gate_and_parks_in_turn() -> None:
    """It enters when a car leaves the hospital."""
    world = block()
    stand_in = StandIn(world.pace, answers={"PUT": lambda _: httpx2.Response(200, json={"outcome": "none"})})
    coming = asyncio.create_task(drive(world, stand_in))
    await wait_until(lambda: world.gates[HOSPITAL].queue and stand_in.asked)
    world.parks[OWN].leave(Car("before", "浙A00000000"), world.pace.now())
    tally = await coming
    assert (tally.no_lot, tally.parked_at_hospital, tally.diverted) == (1, 1, 0)


async def test_a_full_lot_that_keeps_held_spaces_is_a_refusal_on_arrival() -> None:
    """The driver reports it, takes the replacement, and arrives there."""
    world = block()
    world.parks[MALL].parked = world.parks[MALL].lot.capacity
    tally = await drive(world, StandIn(world.pace))
    assert (tally.refused_on_arrival, tally.refused_unfenced) == (1, 0)
    assert (tally.replaced, tally.arrived, tally.held) == (1, 1, 1)


async def test_a_full_lot_without_a_link_is_counted_apart() -> None:
    """Drivers were guided there, not guaranteed."""
    world = block()
    world.parks[KERB].parked = world.parks[KERB].lot.capacity
    tally = await drive(world, StandIn(world.pace, lot_id="kerb"))
    assert (tally.refused_on_arrival, tally.refused_unfenced, tally.replaced) == (0, 1, 1)


async def test_a_driver_who_is_moved_on_the_way_drives_to_the_other_lot() -> None:
    """The look on the way names another space: the car arrives there, and nothing was broken or refused."""
    world = block()
    stand_in = StandIn(world.pace)

    def moves(request: httpx2.Request) -> httpx2.Response:
        return stand_in.moved(request.url.path, "other")

    stand_in.answers["GET"] = moves
    tally = await drive(world, stand_in)
    assert (tally.moved, tally.arrived, tally.replaced, tally.broken_promises) == (1, 1, 0, 0)
    assert ("POST", "/v1/diversions/demo-t-hospital-1-1/arrive") in stand_in.asked


async def test_a_driver_who_was_moved_and_did_not_hear_of_it_gives_the_other_space_up() -> None:
    """The car stands in the old lot already; that is no broken promise, and nothing stays held."""
    world = block()
    stand_in = StandIn(world.pace)

    def over(request: httpx2.Request) -> httpx2.Response:
        stand_in.answers["GET"] = lambda _: stand_in.moved(request.url.path.removesuffix("/arrive"), "other")
        return httpx2.Response(409, json={"code": "hold_over"})

    stand_in.answers["arrive"] = over
    tally = await drive(world, stand_in)
    assert (tally.moved_unheard, tally.broken_promises) == (1, 0)
    assert ("DELETE", "/v1/diversions/demo-t-hospital-1-1") in stand_in.asked


async def test_a_driver_without_a_replacement_goes_home() -> None:
    """Refused, and no other lot had room: nothing is held any more."""
    world = block()
    world.parks[MALL].parked = world.parks[MALL].lot.capacity
    tally = await drive(world, StandIn(world.pace, replacement=None))
    assert (tally.refused_on_arrival, tally.arrived, tally.turned_away, tally.broken_promises) == (1, 0, 1, 0)


async def test_a_driver_who_gives_up_says_so() -> None:
    """The space is deleted, not left to run out."""
    world = block()
    stand_in = StandIn(world.pace)
    tally = await drive(world, stand_in, temper=Temper.GIVES_UP)
    assert (tally.held, tally.gave_up, tally.arrived) == (1, 1, 0)
    assert stand_in.asked[-1][0] == "DELETE"


async def test_a_driver_who_asks_the_same_again_gets_the_same() -> None:
    """A repeat on purpose, and no broken promise."""
    world = block()
    tally = await drive(world, StandIn(world.pace), asks_twice=True)
    assert (tally.held, tally.repeats, tally.broken_promises) == (1, 1, 0)


async def test_a_second_answer_that_differs_is_seen() -> None:
    """Routing forgets what it promised and names another lot for the same id: one broken promise."""
    world = block()
    stand_in = StandIn(world.pace)

    def forgetful(request: httpx2.Request) -> httpx2.Response:
        said = stand_in.usual(request)
        stand_in._holds.clear()
        stand_in.lot_id = "other"
        return said

    stand_in.answers["PUT"] = forgetful
    tally = await drive(world, stand_in, asks_twice=True, temper=Temper.GIVES_UP)
    assert tally.broken_promises == 1


async def test_a_hold_denied_on_arrival_is_seen() -> None:
    """The driver is there in time, and routing says that the hold is over: one broken promise."""
    world = block()
    stand_in = StandIn(world.pace, answers={"arrive": lambda _: httpx2.Response(409, json={"code": "hold_over"})})
    tally = await drive(world, stand_in)
    assert (tally.arrived, tally.broken_promises) == (1, 1)


async def test_at_a_lot_that_reads_plates_the_driver_says_nothing() -> None:
    """The lot's own passage tells of the car; the driver only looks whether the hold stands."""
    world = block()
    stand_in = StandIn(world.pace)
    tally = await drive(world, stand_in, by_plate=["mall"])
    assert (tally.arrived, tally.broken_promises) == (1, 0)
    assert list(dict.fromkeys(method for method, _ in stand_in.asked)) == ["POST", "PUT", "GET"]


async def test_a_driver_who_gets_no_answer_leaves_nothing_behind() -> None:
    """Every attempt fails: counted as unanswered, and the id is deleted so that a late attempt grants nothing."""
    world = block()
    stand_in = StandIn(world.pace, answers={"PUT": lambda _: httpx2.Response(503)})
    coming = asyncio.create_task(drive(world, stand_in, budget_s=0.3))
    await wait_until(lambda: any(method == "DELETE" for method, _ in stand_in.asked))
    world.parks[OWN].leave(Car("before", "浙A00000000"), world.pace.now())
    tally = await coming
    assert (tally.unanswered, tally.diverted) == (1, 0)
    puts = {path for method, path in stand_in.asked if method == "PUT"}
    assert len(puts) == 1


async def test_a_driver_who_asks_early_is_diverted_before_the_gate() -> None:
    """The gate says full, so the request carries a position and the car never stands at the gate."""
    world = block()
    stand_in = StandIn(world.pace)
    tally = await drive(world, stand_in, asks_early=True)
    assert (tally.diverted, tally.arrived) == (1, 1)
    assert world.gates[HOSPITAL].queue_most == 0


async def test_a_driver_who_is_late_extends_the_hold_once() -> None:
    """The drive takes longer than the hold lasts; routing is asked for more time before it ends."""
    world = block()
    stand_in = StandIn(world.pace, lifetime=timedelta(minutes=4))
    await drive(world, stand_in)
    assert [method for method, _ in stand_in.asked].count("PATCH") == 1
