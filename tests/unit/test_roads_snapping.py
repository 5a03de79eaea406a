"""A car arrives at an entrance in a direction from which it can turn in, and is where it is said to be."""

import random

import numpy as np
import pytest

from bowei.domain.places import Point, distance_m
from bowei.roads.cch import CchTravelTimes
from bowei.roads.dijkstra import DijkstraTravelTimes
from bowei.roads.graph import RoadGraph, TrafficSide
from bowei.roads.graph_draft import Direction, RoadGraphDraft
from bowei.roads.pieces import Pieces, in_between
from bowei.roads.snapping import ACCESS_MPS, SNAP_M_MAX
from bowei.roads.turn_expansion import with_turn_rules

METRE = 1 / 111_195.08
KMH, M_S = 36, 10
Engines = [CchTravelTimes, DijkstraTravelTimes]
Adapter = type[CchTravelTimes] | type[DijkstraTravelTimes]


def at(north_m: float, east_m: float) -> Point:
    """Give a place near the origin."""
    return Point(north_m * METRE, east_m * METRE)


def drawn(
    lines: list[tuple[list[tuple[float, float]], Direction]],
    *,
    kerb_only: bool = False,
    traffic_side: TrafficSide = TrafficSide.RIGHT,
) -> RoadGraph:
    """Draw streets at 36 km/h between places in metres; equal places are junctions."""
    draft = RoadGraphDraft()
    for places, direction in lines:
        draft.add_line([(place, at(*place)) for place in places], KMH, direction, kerb_only=kerb_only)
    return with_turn_rules(draft.finish(name="town", version="v1", attribution="made up", traffic_side=traffic_side))


def drive_m(adapter: Adapter, graph: RoadGraph, origin: Point, entrance: Point) -> float | None:
    """Give the metres driven on the road, without what lies between road and place."""
    times = adapter(graph)
    (seconds,) = times.drive(origin, times.targets([entrance])).seconds
    if seconds is None:
        return None
    beside_s = sum(abs(place.lon) / METRE / ACCESS_MPS for place in (origin, entrance))
    return (seconds - beside_s) * M_S


ONE_WAY_BLOCK: list[tuple[list[tuple[float, float]], Direction]] = [
    ([(0, 0), (40, 0)], Direction.FORWARD),
    ([(40, 0), (40, 1000), (0, 1000), (0, 0)], Direction.BOTH),
]
"""A short one-way street northwards, and a road of 2,040 m around the block from its end to its beginning."""


@pytest.mark.parametrize("adapter", Engines)
def test_an_entrance_on_a_one_way_street_is_reached_with_the_traffic(adapter: Adapter) -> None:
    """From the street's end the entrance lies behind: 15 m back to it, but the lawful way is around the block."""
    graph = drawn(ONE_WAY_BLOCK)
    entrance = at(25, 0)  # 15 m before the street's end, where a car from the block comes by
    assert drive_m(adapter, graph, at(40, 0), entrance) == pytest.approx(2040 + 25, abs=1)
    assert drive_m(adapter, graph, at(0, 0), entrance) == pytest.approx(25, abs=1)


@pytest.mark.parametrize("adapter", Engines)
def test_a_car_on_the_same_street_drives_straight_on_or_around(adapter: Adapter) -> None:
    """Before the entrance it has some metres left; past it, the block."""
    graph = drawn(ONE_WAY_BLOCK)
    assert drive_m(adapter, graph, at(10, 0), at(25, 0)) == pytest.approx(15, abs=1)
    assert drive_m(adapter, graph, at(30, 0), at(25, 0)) == pytest.approx(2080 - 5, abs=1)


STREET: list[tuple[list[tuple[float, float]], Direction]] = [([(0, 0), (1000, 0)], Direction.BOTH)]
"""A street of 1 km northwards, at whose ends one may turn round."""


@pytest.mark.parametrize("adapter", Engines)
@pytest.mark.parametrize(
    ("kerb_only", "side", "east_m", "metres"),
    [
        (False, TrafficSide.RIGHT, 20, 300),
        (False, TrafficSide.RIGHT, -20, 300),
        (True, TrafficSide.RIGHT, 20, 300),
        (True, TrafficSide.RIGHT, -20, 300 + 2 * 500),
        (True, TrafficSide.LEFT, -20, 300),
        (True, TrafficSide.LEFT, 20, 300 + 2 * 500),
        (True, TrafficSide.RIGHT, -1, 300),
    ],
)
def test_an_entrance_is_reached_by_the_lane_on_its_side(
    adapter: Adapter, kerb_only: bool, side: TrafficSide, east_m: float, metres: float
) -> None:
    """Northwards on the right: what lies to the east is turned into, what lies to the west only on the way back."""
    graph = drawn(STREET, kerb_only=kerb_only, traffic_side=side)
    assert drive_m(adapter, graph, at(200, 0), at(500, east_m)) == pytest.approx(metres, abs=1)


def test_of_a_divided_road_the_near_carriageway_counts() -> None:
    """Two one-way lanes 20 m apart: an entrance to the west is on the one that leads south."""
    lanes = drawn(
        [
            ([(0, 0), (1000, 0)], Direction.FORWARD),
            ([(1000, 0), (1000, -20), (0, -20), (0, 0)], Direction.FORWARD),
        ]
    )
    times = CchTravelTimes(lanes)
    drives = times.drive(at(200, 0), times.targets([at(500, 10), at(500, -30)]))
    assert drives.seconds == pytest.approx(((300 + 25) / M_S, (800 + 20 + 500 + 25) / M_S), abs=0.1)


def test_a_place_is_snapped_to_the_nearest_road_of_all() -> None:
    """Against a look at every piece, for 2,000 places among 300 pieces of all lengths; also where some are shut."""
    chosen = random.Random(7)  # noqa: S311  (places, not secrets)

    def somewhere() -> tuple[float, float]:
        return 30.25 + chosen.uniform(0, 0.02), 120.16 + chosen.uniform(0, 0.02)

    lines = []
    for _ in range(300):
        lat, lon = somewhere()
        long = chosen.choice((0.0003, 0.0003, 0.003))
        lines.append((lat, lon, lat + chosen.gauss(0, long), lon + chosen.gauss(0, long)))
    ends = np.array(lines)
    pieces = Pieces(*ends.T)
    shut = np.array([chosen.random() < 0.3 for _ in lines])
    for _ in range(2_000):
        place = Point(*somewhere())
        exact = sorted((pieces.beside(place, piece)[0].away_m, piece) for piece in range(len(lines)))
        nearest = pieces.nearest(place, 300)
        assert (None if nearest is None else nearest.piece) == (exact[0][1] if exact[0][0] <= 300 else None)
        open_ones = [piece for away_m, piece in exact if not shut[piece] and away_m <= 300]
        nearest = pieces.nearest(place, 300, shut)
        assert (None if nearest is None else nearest.piece) == next(iter(open_ones), None)
        assert nearest is None or nearest.away_m <= 300


def test_points_in_between_are_no_farther_apart_than_asked() -> None:
    """A line of 120 m in steps of at most 50 m has two points between its ends, evenly spaced."""
    between, step_m = in_between(at(0, 0), at(120, 0), 50)
    assert [round(point.lat / METRE) for point in between] == [40, 80]
    assert step_m == pytest.approx(40, abs=0.01)


def test_places_too_far_from_any_road_are_told_apart() -> None:
    """Of three entrances the one 600 m off the street is named, and its drive alone is estimated by air."""
    times = CchTravelTimes(drawn(STREET))
    targets = times.targets([at(500, 10), at(500, 600), at(600, -490)])
    assert times.off_road(targets) == [False, True, False]
    drives = times.drive(at(0, 0), targets)
    assert drives.estimated
    assert drives.by == "cch:town-v1"
    far = at(500, SNAP_M_MAX + 100)
    assert distance_m(far, at(500, 0)) > SNAP_M_MAX
    away = times.drive(far, targets)
    assert (away.by, away.estimated) == ("air", True)
