"""What every `TravelTimes` promises, asked of air, Dijkstra and the CCH alike."""

import gc
import math
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from bowei.domain.places import Point, distance_m
from bowei.domain.road_conditions import RoadConditions
from bowei.roads.by_air import AirTravelTimes
from bowei.roads.cch import CchTravelTimes
from bowei.roads.dijkstra import DijkstraTravelTimes
from bowei.roads.errors import ForeignTargets
from bowei.roads.graph import RoadGraph
from bowei.roads.graph_draft import Direction, RoadGraphDraft
from bowei.roads.travel_times import LiveTravelTimes, TravelTimes

SOUTH, EAST, STREETS, APART = 30.25, 120.16, 6, 0.002
"""A town of crossing streets, about 200 m apart."""

Opened = Callable[[], LiveTravelTimes]
NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def corner(row: int, column: int) -> Point:
    """Give the crossing of a row and a column of streets."""
    return Point(SOUTH + row * APART, EAST + column * APART)


def town() -> RoadGraph:
    """Draw the town; one of its streets is one-way."""
    draft = RoadGraphDraft()
    for i in range(STREETS):
        along = [((i, j), corner(i, j)) for j in range(STREETS)]
        across = [((j, i), corner(j, i)) for j in range(STREETS)]
        draft.add_line(along, 30, Direction.FORWARD if i == 3 else Direction.BOTH)
        draft.add_line(across, 20 + 5 * i, Direction.BOTH)
    return draft.finish(name="town", version="v1", attribution="made up")


@pytest.fixture(params=["air", "dijkstra", "cch"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Give each adapter's way to open the town."""
    makers: dict[str, Opened] = {
        "air": AirTravelTimes,
        "dijkstra": lambda: DijkstraTravelTimes(town()),
        "cch": lambda: CchTravelTimes(town()),
    }
    return makers[request.param]


@pytest.fixture
def times(opened: Opened) -> TravelTimes:
    """Open the town's travel times."""
    return opened()


def test_every_target_gets_its_own_answer_in_the_order_asked(times: TravelTimes) -> None:
    """Asked for several lots at once, each time is the one the lot gets when asked alone."""
    lots = [corner(5, 5), corner(0, 1), corner(3, 2), corner(0, 1)]
    together = times.drive(corner(0, 0), times.targets(lots)).seconds
    alone = tuple(times.drive(corner(0, 0), times.targets([lot])).seconds[0] for lot in lots)
    assert len(times.targets(lots)) == len(together) == len(lots)
    assert together == alone


def test_a_lot_farther_down_the_street_takes_longer(times: TravelTimes) -> None:
    """Times grow along a straight street, and are real numbers of seconds."""
    seconds = times.drive(corner(0, 0), times.targets([corner(0, j) for j in range(STREETS)])).seconds
    known = [s for s in seconds if s is not None]
    assert len(known) == STREETS
    assert known == sorted(set(known))
    assert all(math.isfinite(s) and s >= 0 for s in known)


def test_no_targets_give_no_drives(times: TravelTimes) -> None:
    """A city without shared lots is asked without an error."""
    nowhere = times.targets([])
    assert len(nowhere) == 0
    assert times.drive(corner(1, 1), nowhere).seconds == ()


def test_two_hospitals_lots_are_not_mixed_up(times: TravelTimes) -> None:
    """Asking in turn for two sets of targets, of the same length or not, gives each its own answers every time."""
    sets = [times.targets([corner(0, 1)]), times.targets([corner(5, 5)]), times.targets([corner(2, 2), corner(4, 1)])]
    first = [times.drive(corner(0, 0), targets).seconds for targets in sets]
    again = [times.drive(corner(0, 0), targets).seconds for targets in reversed(sets)]
    assert first == again[::-1]
    assert first[0] != first[1]


def test_the_answer_names_who_gave_it(times: TravelTimes) -> None:
    """On its roads an adapter answers in its own name, and only air is an estimate."""
    drives = times.drive(corner(1, 1), times.targets([corner(2, 2)]))
    assert drives.by == times.name
    assert drives.estimated is (times.name == "air")
    assert times.name in {"air", "dijkstra:town-v1", "cch:town-v1"}


def test_a_driver_far_from_any_road_gets_the_air_estimate(times: TravelTimes) -> None:
    """600 m beyond the last street nothing is known of the roads: all times come from air, and the answer says so."""
    away = Point(SOUTH - 0.0054, EAST)
    assert distance_m(away, corner(0, 0)) > 550
    lots = [corner(0, 0), corner(4, 4)]
    air = AirTravelTimes()
    drives = times.drive(away, times.targets(lots))
    assert drives == air.drive(away, air.targets(lots))
    assert drives.estimated
    assert drives.by == "air"


def test_a_lot_far_from_any_road_gets_the_air_estimate_and_the_others_keep_their_way(times: TravelTimes) -> None:
    """One lot off the map makes the answer an estimate without spoiling or shifting the other lots' times."""
    off_map = Point(SOUTH + 1, EAST)
    lots = [corner(0, 2), off_map, corner(3, 3), off_map]
    drives = times.drive(corner(0, 0), times.targets(lots))
    near = times.drive(corner(0, 0), times.targets([corner(0, 2), corner(3, 3)]))
    air = AirTravelTimes()
    by_air = air.drive(corner(0, 0), air.targets([off_map])).seconds[0]
    assert drives.seconds == (near.seconds[0], by_air, near.seconds[1], by_air)
    assert drives.estimated


def test_targets_of_other_roads_are_refused(opened: Opened) -> None:
    """After the roads were replaced, targets prepared on the old ones can't be asked by mistake."""
    new = opened()
    other = AirTravelTimes() if new.name != "air" else CchTravelTimes(town())
    with pytest.raises(ForeignTargets):
        new.drive(corner(0, 0), other.targets([corner(1, 1)]))
    if new.name != "air":
        with pytest.raises(ForeignTargets):
            new.drive(corner(0, 0), opened().targets([corner(1, 1)]))


def test_roads_that_were_taken_are_counted_and_targets_stay_prepared(opened: Opened) -> None:
    """Whoever keeps an answer can tell that it is old; and what was worked out elsewhere is refused."""
    times, targets_at = opened(), [corner(5, 5), corner(0, 1)]
    targets = times.targets(targets_at)
    before = times.drive(corner(0, 0), targets)
    assert times.roads_serial == 0
    for version in (1, 2):
        weighed = times.weigh(RoadConditions(version), NINE)
        assert (weighed.version, weighed.turns_at, times.roads_serial) == (version, None, version - 1)
        times.take(weighed)
        assert times.roads_serial == version
        assert times.drive(corner(0, 0), targets) == before
    other = CchTravelTimes(town()) if times.name == "air" else AirTravelTimes()
    with pytest.raises(ForeignTargets):
        times.take(other.weigh(RoadConditions(3), NINE))
    if times.name != "air":
        with pytest.raises(ForeignTargets):
            times.take(opened().weigh(RoadConditions(3), NINE))


def test_who_knows_of_no_footways_says_so(times: TravelTimes) -> None:
    """No walk is made up: whoever asks estimates it, and says that."""
    assert list(times.walks_m([corner(0, 0), corner(1, 1)], corner(0, 1))) == [None, None]
    assert list(times.walks_m([], corner(0, 1))) == []


def test_places_off_the_roads_are_named_in_the_order_asked(times: TravelTimes) -> None:
    """Air knows of no roads, so nothing is off them."""
    off_map = Point(SOUTH + 1, EAST)
    said = list(times.off_road(times.targets([corner(0, 2), off_map, corner(3, 3)])))
    assert said == [False, times.name != "air", False]


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_opened_on_one_thread_they_drive_on_others(opened: Opened) -> None:
    """A service may open its roads on a worker thread, prepare on another and drive on several; all agree."""
    with ThreadPoolExecutor(1) as opening:
        times = opening.submit(opened).result(timeout=30)
        targets = opening.submit(times.targets, [corner(5, 5), corner(0, 1)]).result(timeout=30)
        here = times.drive(corner(0, 0), targets)
        with ThreadPoolExecutor(3) as drivers:
            asked = [drivers.submit(times.drive, corner(0, 0), targets) for _ in range(30)]
            assert {answer.result(timeout=30) for answer in asked} == {here}
        del targets, asked
        del times


@pytest.mark.parametrize("drivers", [0, 2])
def test_roads_that_were_replaced_are_let_go_at_once(opened: Opened, drivers: int) -> None:
    """Nothing waits for the garbage collector, which may run on a thread where the engine can't free its queries."""
    times = opened()
    targets = times.targets([corner(5, 5)])
    if drivers:
        with ThreadPoolExecutor(drivers) as threads:
            threads.submit(times.drive, corner(0, 0), targets).result(timeout=30)
    times.drive(corner(0, 0), targets)
    gone = weakref.ref(times)
    gc.disable()
    try:
        del times, targets
        assert gone() is None
    finally:
        gc.enable()
