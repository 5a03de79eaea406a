"""What the city says of its roads is driven by at once, until it is over; and only where it is said."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import Name
from bowei.domain.places import Point
from bowei.domain.road_conditions import FREE_ROADS, Closure, LineSpeed, RoadConditions, WaySpeeds
from bowei.roads.by_air import AirTravelTimes
from bowei.roads.cch import CchTravelTimes
from bowei.roads.dijkstra import DijkstraTravelTimes
from bowei.roads.errors import ForeignTargets
from bowei.roads.graph import RoadGraph
from bowei.roads.graph_draft import Direction, RoadGraphDraft
from bowei.roads.keeping_up import RoadsKeeper
from bowei.roads.travel_times import LiveTravelTimes, WeighedRoads
from bowei.roads.turn_expansion import Streets, with_turn_rules

METRE = 1 / 111_195.08
KMH, M_S = 36, 10
NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)
Adapter = type[CchTravelTimes] | type[DijkstraTravelTimes]


def at(north_m: float, east_m: float) -> Point:
    """Give a place near the origin."""
    return Point(north_m * METRE, east_m * METRE)


def town(*, left_forbidden: bool = False) -> RoadGraph:
    """Draw a main street of 1 km northwards (way 7), and a way around it of 1.4 km (way 8).

    `left_forbidden`: from the way around nobody turns into the main street; and a street leads on northwards (way 9).
    """
    draft = RoadGraphDraft()
    places = {"s": (0, 0), "n": (1000, 0), "a": (0, 200), "b": (1000, 200)}
    places["e"] = (1200, 0)
    for way, line in ((7, "sn"), (8, "sabn"), (9, "ne"))[: 3 if left_forbidden else 2]:
        draft.add_line([(name, at(*places[name])) for name in line], KMH, Direction.BOTH, way=way)
    graph = draft.finish(name="town", version="v1", attribution="made up")
    if not left_forbidden:
        return graph
    streets = Streets(graph.tail, graph.head, graph.node_count)
    north = draft.find_node("n")
    into = [edge for edge in range(graph.edge_count) if graph.head[edge] == north and graph.way[edge] == 8]
    rules = [(edge, out) for edge in into for out in streets.out_of(north or 0) if abs(graph.way[out]) == 7]
    return with_turn_rules(graph, rules)


@pytest.fixture(params=[CchTravelTimes, DijkstraTravelTimes])
def times(request: pytest.FixtureRequest) -> LiveTravelTimes:
    """Open the town by each engine."""
    opened: LiveTravelTimes = request.param(town())
    return opened


def drive_s(times: LiveTravelTimes, start: Point, end: Point) -> float | None:
    """Give the seconds of one drive on the road."""
    return times.drive(start, times.targets([end])).seconds[0]


def say(times: LiveTravelTimes, now: datetime = NINE, /, **said: object) -> WeighedRoads:
    """Say something of the roads, and drive by it."""
    weighed = times.weigh(replace(FREE_ROADS, version=1, **said), now)  # type: ignore[arg-type]
    times.take(weighed)
    return weighed


def square(north_m: float, east_m: float, half_m: float = 10, **changes: object) -> Closure:
    """Close a square around a place, from nine until ten."""
    corners = [(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)]
    ring = tuple(at(north_m + half_m * n, east_m + half_m * e) for n, e in corners)
    closure = Closure("c", ((ring,),), NINE, TEN, Name("封闭", "closed"), "police")
    return replace(closure, **changes)  # type: ignore[arg-type]


SOUTH, NORTH = at(100, 0), at(900, 0)


def test_a_speed_holds_for_its_way_and_its_direction(times: LiveTravelTimes) -> None:
    """Northwards at half speed the street takes twice as long, southwards as ever."""
    say(times, ways=WaySpeeds.of([(7, 18, TEN)]))
    assert drive_s(times, SOUTH, NORTH) == pytest.approx(160, abs=0.1)
    assert drive_s(times, NORTH, SOUTH) == pytest.approx(80, abs=0.1)


@pytest.mark.parametrize(
    ("speed", "seconds"),
    [(18, 160), (-0.5, 160), (72, 40), (-2, 40), (500, 80 * 36 / 130), (0.001, 160)],
    ids=["km/h", "share", "faster", "share above one", "too fast is the bound", "standing: one drives around"],
)
def test_speeds_in_both_units(times: LiveTravelTimes, speed: float, seconds: float) -> None:
    """Km/h and shares come to the same, within the bounds; who can't get through drives around."""
    say(times, ways=WaySpeeds.of([(7, speed, TEN), (-7, speed, TEN), (5, 1, TEN), (9, 1, TEN), (-99, 1, TEN)]))
    if speed == 0.001:
        # At 1 km/h the 100 m to the corner take 360 s; with or against the traffic, and the rest around.
        assert drive_s(times, SOUTH, NORTH) == pytest.approx(360 + 140 + 360, abs=1)
    else:
        assert drive_s(times, SOUTH, NORTH) == pytest.approx(seconds, abs=0.1)


def test_prepared_targets_are_driven_to_over_the_changed_roads(times: LiveTravelTimes) -> None:
    """Nothing is prepared again, and the count of changes tells who kept an answer that it is old."""
    targets = times.targets([NORTH])
    assert times.roads_serial == 0
    assert times.drive(SOUTH, targets).seconds[0] == pytest.approx(80, abs=0.1)
    for serial, speed in enumerate((18, 24, 18, 36, 30), start=1):
        say(times, ways=WaySpeeds.of([(7, speed, TEN)]))
        assert times.roads_serial == serial
        assert times.drive(SOUTH, targets).seconds[0] == pytest.approx(800 / (speed / 3.6), abs=0.2)
    say(times)
    assert times.drive(SOUTH, targets).seconds[0] == pytest.approx(80, abs=0.1)


def test_what_is_said_ends_at_its_instant(times: LiveTravelTimes) -> None:
    """The next change is told beforehand, the earliest of all; and at that instant it is over."""
    said: dict[str, object] = {
        "ways": WaySpeeds.of([(7, 18, TEN), (8, 9, TEN + timedelta(hours=1))]),
        "lines": (LineSpeed((at(0, 0), at(100, 0)), 5, TEN + timedelta(hours=2)),),
        "closures": (square(500, 0, starts_at=TEN - timedelta(minutes=1)),),
    }
    assert say(times, **said).turns_at == TEN - timedelta(minutes=1)
    assert say(times, TEN - timedelta(minutes=1), **said).turns_at == TEN
    assert drive_s(times, at(200, 0), NORTH) != pytest.approx(140, abs=1)
    weighed = say(times, TEN, **said)
    assert weighed.turns_at == TEN + timedelta(hours=1)
    assert drive_s(times, at(200, 0), NORTH) == pytest.approx(70, abs=0.1)
    assert say(times, TEN + timedelta(hours=2), **said).turns_at is None


def test_a_line_slows_the_road_below_it_in_its_direction(times: LiveTravelTimes) -> None:
    """Drawn 12 m off, from 300 to 500 m: that part northwards takes four times as long; the other road is far."""
    weighed = say(times, lines=(LineSpeed((at(300, 12), at(400, 12), at(500, 12)), 9, TEN),))
    assert weighed.slowed == pytest.approx(200 / 50, abs=2)
    slowed = drive_s(times, SOUTH, NORTH)
    assert slowed == pytest.approx(80 + 3 * 20, abs=16)
    assert drive_s(times, NORTH, SOUTH) == pytest.approx(80, abs=0.1)
    say(times, lines=(LineSpeed((at(300, 40), at(500, 40)), 9, TEN), LineSpeed((at(300, -5), at(300, 5)), 9, TEN)))
    assert drive_s(times, SOUTH, NORTH) == pytest.approx(80, abs=0.1)


def test_of_a_way_and_a_line_the_line_holds(times: LiveTravelTimes) -> None:
    """The more particular word wins."""
    say(times, ways=WaySpeeds.of([(7, 9, TEN)]), lines=(LineSpeed((at(0, 0), at(1000, 0)), 36, TEN),))
    assert drive_s(times, SOUTH, NORTH) == pytest.approx(80, abs=0.1)


def test_a_closed_area_is_driven_around(times: LiveTravelTimes) -> None:
    """A square on the main street closes it in both directions, at that place only."""
    weighed = say(times, closures=(square(500, 0),))
    assert weighed.closed == 2  # one piece, in two directions
    assert drive_s(times, at(0, 0), NORTH) == pytest.approx((1400 + 100) / M_S, abs=0.1)
    assert drive_s(times, NORTH, at(0, 0)) == pytest.approx((1400 + 100) / M_S, abs=0.1)
    assert drive_s(times, SOUTH, at(300, 0)) == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("adapter", [CchTravelTimes, DijkstraTravelTimes])
def test_closed_roads_and_forbidden_turns_together_make_long_ways(adapter: Adapter) -> None:
    """Around the closed street one comes to a turn that is forbidden: on to the street's north end, and back."""
    times = adapter(town(left_forbidden=True))
    say(times, closures=(square(500, 0),))
    assert drive_s(times, at(0, 0), NORTH) == pytest.approx((1400 + 2 * 200 + 100) / M_S, abs=0.1)
    assert drive_s(times, NORTH, at(0, 0)) == pytest.approx((1400 + 100) / M_S, abs=0.1)
    say(times, closures=(square(1000, 100),), ways=WaySpeeds.of([(7, 18, TEN)]))
    assert drive_s(times, at(0, 0), NORTH) == pytest.approx(180, abs=0.1)


@pytest.mark.parametrize("adapter", [CchTravelTimes, DijkstraTravelTimes])
def test_the_roads_behind_a_forbidden_turn_change_as_well(adapter: Adapter) -> None:
    """Who came by the way around drives straight on over a copy of the street: slowed and closed like the street."""
    times = adapter(town(left_forbidden=True))
    assert drive_s(times, at(1000, 100), at(1100, 0)) == pytest.approx(20, abs=0.1)
    say(times, ways=WaySpeeds.of([(9, 18, TEN)]))
    assert drive_s(times, at(1000, 100), at(1100, 0)) == pytest.approx(30, abs=0.1)
    say(times, closures=(square(1025, 0),))
    assert drive_s(times, at(1000, 100), at(1100, 0)) is None


def test_a_lot_within_a_closed_area_is_cut_off_and_a_driver_within_it_leaves(times: LiveTravelTimes) -> None:
    """No way leads to an entrance on a closed road; who stands there starts on the next open one."""
    say(times, closures=(square(500, 0, half_m=95),))
    assert drive_s(times, SOUTH, at(500, 5)) is None
    # Pieces are 47.6 m long: open again from 619 m on, 109 m away at a yard's pace.
    assert drive_s(times, at(510, 10), NORTH) == pytest.approx(109.5 / 4 + 28.1, abs=0.1)
    everywhere = say(times, closures=(square(500, 100, half_m=2000),))
    assert everywhere.closed == town().road_count
    nowhere = times.drive(SOUTH, times.targets([NORTH]))
    assert (nowhere.seconds, nowhere.estimated, nowhere.by) == ((None,), False, times.name)


def test_who_stands_deep_within_a_closed_area_is_let_out_and_not_guided_by_air(times: LiveTravelTimes) -> None:
    """Of a kilometre of street 900 m are closed: out at its end, 600 m on; a lot within stays cut off."""
    say(times, closures=(square(450, 0, half_m=460),))
    drives = times.drive(at(300, 0), times.targets([at(980, 0), at(400, 0)]))
    assert (drives.estimated, drives.by) == (False, times.name)
    outside, within = drives.seconds
    assert outside == pytest.approx((952.4 - 300) / 4 + 2.8, abs=0.1)
    assert within is None


def test_what_merely_touches_an_area_is_closed_and_what_lies_beside_it_is_not(times: LiveTravelTimes) -> None:
    """One metre decides; a hole in an area stays open."""
    assert say(times, closures=(square(500, 11, half_m=10),)).closed == 0
    assert say(times, closures=(square(500, 10, half_m=10),)).closed == 2
    outer, inner = square(500, 0, half_m=280).area[0][0], square(500, 0, half_m=270).area[0][0]
    frame = say(times, closures=(square(500, 0, area=((outer, inner),)),))
    assert 0 < frame.closed < say(times, closures=(square(500, 0, half_m=280),)).closed
    say(times, closures=(square(500, 0, area=((outer, inner),)),))
    assert drive_s(times, at(450, 0), at(550, 0)) == pytest.approx(10, abs=0.1)
    assert drive_s(times, at(450, 0), NORTH) is None


def test_roads_of_others_are_not_taken() -> None:
    """Each adapter takes its own only; air takes notice of nothing but the change."""
    air, roads = AirTravelTimes(), CchTravelTimes(town())
    weighed = air.weigh(replace(FREE_ROADS, version=3), NINE)
    with pytest.raises(ForeignTargets):
        roads.take(weighed)
    with pytest.raises(ForeignTargets):
        air.take(roads.weigh(FREE_ROADS, NINE))
    air.take(weighed)
    assert (air.roads_serial, weighed.version, weighed.turns_at) == (1, 3, None)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_roads_change_while_other_threads_drive_on_them() -> None:
    """A thread that has not driven since the change before keeps its query; the next change gets by without it."""
    times = CchTravelTimes(town())
    targets = times.targets([NORTH])
    with ThreadPoolExecutor(1) as other:
        for speed in (18, 20, 24, 30):
            say(times, ways=WaySpeeds.of([(7, speed, TEN)]))
            expected = pytest.approx(800 / (speed / 3.6), abs=0.3)
            if speed != 20:
                assert other.submit(times.drive, SOUTH, targets).result(timeout=30).seconds[0] == expected
            assert times.drive(SOUTH, targets).seconds[0] == expected


# ---------------------------------------------------------------------------------------------------- keeping up


class Says:
    """Says what a test tells it to."""

    def __init__(self) -> None:
        self.roads: RoadConditions = FREE_ROADS
        self._told = asyncio.Event()

    def tell(self, **said: object) -> None:
        """Say something else."""
        self.roads = replace(self.roads, version=self.roads.version + 1, **said)  # type: ignore[arg-type]
        self._told.set()
        self._told = asyncio.Event()

    async def wait_roads(self, version: int, timeout_s: float) -> bool:
        """Wait for another version."""
        if self.roads.version != version:
            return True
        try:
            async with asyncio.timeout(min(timeout_s, 0.01)):
                await self._told.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def kept(times: LiveTravelTimes, says: Says, clock: SteppedClock) -> AsyncIterator[RoadsKeeper]:
    """Keep roads up for as long as the test looks."""
    keeper = RoadsKeeper(times, says, clock)
    task = asyncio.create_task(keeper.run())
    try:
        yield keeper
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true; after a while fail."""
    deadline_s = time.monotonic() + 8
    while not true():
        assert time.monotonic() < deadline_s, "never came true"
        await asyncio.sleep(0.005)


async def test_a_keeper_drives_by_what_is_said_and_by_its_clock() -> None:
    """Said, it holds; at ten, with nothing said, it is over; and whoever waits for a change is woken each time."""
    times, says, clock = CchTravelTimes(town()), Says(), SteppedClock(NINE)
    targets = times.targets([NORTH])
    async with kept(times, says, clock) as keeper:
        assert not await keeper.wait_change(0, 0.02)
        says.tell(ways=WaySpeeds.of([(7, 18, TEN)]))
        assert await keeper.wait_change(0, 8)
        assert times.drive(SOUTH, targets).seconds[0] == pytest.approx(160, abs=0.1)
        clock.step_to(TEN - timedelta(seconds=1))
        assert not await keeper.wait_change(1, 0.05)
        clock.step_to(TEN)
        assert await keeper.wait_change(1, 8)
        assert times.drive(SOUTH, targets).seconds[0] == pytest.approx(80, abs=0.1)
        assert not await keeper.wait_change(2, 0.05)


async def test_conditions_that_cannot_be_worked_out_leave_the_roads_as_they_are() -> None:
    """A closure without a shape is logged; drives go on, and the next word is heard."""
    times, says = CchTravelTimes(town()), Says()
    targets = times.targets([NORTH])
    async with kept(times, says, SteppedClock(NINE)) as keeper:
        says.tell(closures=(square(0, 0, area=(((at(0, 0),),),)),))
        assert not await keeper.wait_change(0, 0.2)
        assert times.drive(SOUTH, targets).seconds[0] == pytest.approx(80, abs=0.1)
        says.tell(closures=(), ways=WaySpeeds.of([(7, 18, TEN)]))
        assert await keeper.wait_change(0, 8)
        assert times.drive(SOUTH, targets).seconds[0] == pytest.approx(160, abs=0.1)
