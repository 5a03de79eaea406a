"""The way that is found is the quickest there is, and one a car may drive."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowei.domain.places import Point, distance_m
from bowei.roads.by_air import AirTravelTimes
from bowei.roads.cch import CchEngine, CchTravelTimes, with_contraction_order
from bowei.roads.dijkstra import DijkstraEngine, DijkstraTravelTimes
from bowei.roads.graph import RoadGraph
from bowei.roads.graph_draft import Direction, RoadGraphDraft
from bowei.roads.graph_file import save_graph
from bowei.roads.opening import open_travel_times

METRE = 1 / 111_195.08
"""One metre in degrees of latitude, on the domain's sphere."""

Way = tuple[int, int, float]


def graph_of(node_count: int, ways: list[Way]) -> RoadGraph:
    """Nodes 1 km apart northwards, so that each is the nearest to itself only."""
    return RoadGraph(
        name="random",
        version="v1",
        attribution="made up",
        node_lat=np.arange(node_count, dtype=np.float64) * (1000 * METRE),
        node_lon=np.zeros(node_count),
        tail=np.array([tail for tail, _, _ in ways], dtype=np.int32),
        head=np.array([head for _, head, _ in ways], dtype=np.int32),
        travel_s=np.array([s for _, _, s in ways], dtype=np.float32),
        length_m=np.ones(len(ways), dtype=np.float32),
        way=np.arange(1, len(ways) + 1, dtype=np.int64),
        kerb_only=np.zeros(len(ways), dtype=np.bool_),
    )


@st.composite
def graphs(draw: st.DrawFn) -> RoadGraph:
    """A slow ring, so that all is connected, with random short cuts, parallel ways and loops."""
    n = draw(st.integers(2, 12))
    node, seconds = st.integers(0, n - 1), st.integers(1, 400_000).map(lambda ms: ms / 1000)
    ring: list[Way] = [(i, (i + 1) % n, 500.0) for i in range(n)]
    return graph_of(n, ring + draw(st.lists(st.tuples(node, node, seconds), max_size=40)))


@given(graphs(), st.data())
@settings(max_examples=150, deadline=None)
def test_the_engine_finds_the_quickest_way_of_any_graph(graph: RoadGraph, data: st.DataObject) -> None:
    """From any node to all, some roads closed, the CCH equals Dijkstra within its rounding of 1 ms per edge."""
    closed = data.draw(st.sets(st.integers(0, graph.edge_count - 1), max_size=5))
    travel_s = graph.travel_s.copy()
    travel_s[sorted(closed)] = np.inf
    engine, oracle = CchEngine(graph), DijkstraEngine(graph)
    weighed, links = engine.weigh(travel_s), oracle.weigh(travel_s)
    everywhere = list(range(graph.node_count))
    for origin in everywhere:
        sources = [(origin, 1.5), ((origin + 1) % graph.node_count, 0.0)]
        found, exact = engine.ways_s(weighed, sources, everywhere), oracle.ways_s(links, sources, everywhere)
        assert [s is None for s in found] == [s is None for s in exact]
        assert [s or 0 for s in found] == pytest.approx([s or 0 for s in exact], abs=0.001 * graph.node_count)


@pytest.mark.parametrize("adapter", [CchTravelTimes, DijkstraTravelTimes])
class TestOnAStreet:
    """One straight street of 1 km at 36 km/h: 100 s from end to end."""

    south, north = Point(0, 0), Point(1000 * METRE, 0)

    def street(self, direction: Direction) -> RoadGraph:
        """Draw the street, with a way back if it is one-way."""
        draft = RoadGraphDraft()
        assert draft.add_line([("s", self.south), ("n", self.north)], 36, direction) == pytest.approx(1000)
        if direction is not Direction.BOTH:  # a slow way back, three times as long
            aside = Point(500 * METRE, 1118.03 * METRE)
            back = [("n", self.north), ("a", aside), ("s", self.south)]
            draft.add_line(back if direction is Direction.FORWARD else back[::-1], 36, Direction.FORWARD)
        return draft.finish(name="street", version="v1", attribution="made up")

    def drive_s(self, times: CchTravelTimes | DijkstraTravelTimes, origin: Point, target: Point) -> float:
        """Give the seconds of one drive."""
        (seconds,) = times.drive(origin, times.targets([target])).seconds
        assert seconds is not None
        return seconds

    def test_length_over_speed_is_the_time(self, adapter: type[CchTravelTimes] | type[DijkstraTravelTimes]) -> None:
        """1 km at 10 m/s takes 100 s, both ways."""
        times = adapter(self.street(Direction.BOTH))
        assert self.drive_s(times, self.south, self.north) == pytest.approx(100, abs=0.05)
        assert self.drive_s(times, self.north, self.south) == pytest.approx(100, abs=0.05)

    @pytest.mark.parametrize("direction", [Direction.FORWARD, Direction.BACKWARD])
    def test_nobody_is_sent_against_a_one_way_street(
        self, adapter: type[CchTravelTimes] | type[DijkstraTravelTimes], direction: Direction
    ) -> None:
        """Against the one-way the drive takes the long way round, whichever way the line was drawn."""
        times = adapter(self.street(direction))
        with_it, against = (self.south, self.north)[:: 1 if direction is Direction.FORWARD else -1]
        assert self.drive_s(times, with_it, against) == pytest.approx(100, abs=0.1)
        assert self.drive_s(times, against, with_it) == pytest.approx(245, abs=1)

    def test_a_place_beside_the_street_is_reached_where_it_lies(
        self, adapter: type[CchTravelTimes] | type[DijkstraTravelTimes]
    ) -> None:
        """A lot half-way, 200 m aside: half the street, and the yard at 4 m/s; not from the street's ends."""
        times = adapter(self.street(Direction.BOTH))
        lot = Point(500 * METRE, 200 * METRE)
        assert self.drive_s(times, self.south, lot) == pytest.approx(50 + 50, abs=3)
        assert self.drive_s(times, lot, self.south) == pytest.approx(50 + 50, abs=3)

    def test_nobody_starts_on_an_islet_of_roads(
        self, adapter: type[CchTravelTimes] | type[DijkstraTravelTimes]
    ) -> None:
        """A yard's road that meets no street is passed over for the street 100 m farther."""
        draft = RoadGraphDraft()
        draft.add_line([("s", self.south), ("n", self.north)], 36, Direction.BOTH)
        draft.add_line([("y", Point(0, 100 * METRE)), ("z", Point(40 * METRE, 100 * METRE))], 36, Direction.BOTH)
        times = adapter(draft.finish(name="street", version="v1", attribution="made up"))
        drives = times.drive(Point(0, 100 * METRE), times.targets([self.north]))
        assert drives.seconds == pytest.approx((125,), abs=0.1)
        assert not drives.estimated


@pytest.mark.parametrize("adapter", [CchTravelTimes, DijkstraTravelTimes])
def test_of_two_streets_between_the_same_junctions_the_quicker_counts(
    adapter: type[CchTravelTimes] | type[DijkstraTravelTimes],
) -> None:
    """A slow lane drawn over a main street, before or after it, slows nobody; it is there all the same."""
    ends = [("s", Point(0, 0)), ("n", Point(40 * METRE, 0))]
    on = [("n", Point(40 * METRE, 0)), ("m", Point(80 * METRE, 0))]
    for speeds in ((36, 9), (9, 36)):
        draft = RoadGraphDraft()
        draft.add_line([("o", Point(-40 * METRE, 0)), ends[0]], 36, Direction.BOTH)
        for speed_kmh in speeds:
            draft.add_line(ends, speed_kmh, Direction.BOTH)
        draft.add_line(on, 36, Direction.BOTH)
        graph = draft.finish(name="street", version="v1", attribution="made up")
        assert graph.edge_count == 8
        times = adapter(graph)
        drives = times.drive(Point(-40 * METRE, 0), times.targets([Point(80 * METRE, 0)]))
        assert drives.seconds == pytest.approx((12,), abs=0.05)


def test_air_is_the_great_circle_with_the_trials_detour_and_speed() -> None:
    """1 km of air is 1.4 km of road at 6 m/s."""
    air = AirTravelTimes()
    drives = air.drive(Point(0, 0), air.targets([Point(1000 * METRE, 0), Point(0, 0)]))
    assert drives.seconds == pytest.approx((1400 / 6, 0), abs=0.01)
    assert distance_m(Point(0, 0), Point(1000 * METRE, 0)) == pytest.approx(1000, abs=0.1)


def test_without_a_road_file_the_answer_is_an_estimate_by_air() -> None:
    """Nothing to load is not an error: drivers are still guided."""
    assert open_travel_times(None).name == "air"


def test_without_the_engine_dijkstra_answers_from_the_same_file(tmp_path: Path) -> None:
    """On a machine where the engine's wheel cannot be imported, the roads still open and say who answers."""
    path = tmp_path / "ring.graph"
    save_graph(with_contraction_order(graph_of(3, [(0, 1, 5.0), (1, 2, 5.0), (2, 0, 5.0)])), path)
    program = (
        "import sys; sys.modules['routingkit_cch'] = None\n"
        "from pathlib import Path; from bowei.roads.opening import open_travel_times\n"
        "sys.stdout.write(open_travel_times(Path(sys.argv[1])).name)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout == "dijkstra:random-v1"
    assert "routing_engine_missing" in said.stderr
    assert open_travel_times(path).name == "cch:random-v1"
