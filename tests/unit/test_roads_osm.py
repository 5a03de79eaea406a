"""What OpenStreetMap says about a road is what a car meets there."""

import os
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import osmium
import osmium.osm.mutable
import pytest

from bowei.domain.lots import Name
from bowei.domain.places import Point
from bowei.domain.road_conditions import Closure, RoadConditions, WaySpeeds
from bowei.roads.building import build_road_file
from bowei.roads.cch import CchTravelTimes
from bowei.roads.dijkstra import DijkstraTravelTimes
from bowei.roads.errors import NoRoadsFound, RoadFileMissing, RoadFileUnreadable
from bowei.roads.graph import OSM_ATTRIBUTION, RoadGraph
from bowei.roads.graph_file import load_graph
from bowei.roads.opening import open_travel_times
from bowei.roads.osm_import import ImportSummary, import_osm

METRE = 1 / 111_195.08
Tags = Mapping[str, str]
NOON, HOUR = datetime(2026, 3, 2, 4, tzinfo=UTC), timedelta(hours=1)


def north(metres: float) -> Point:
    """Give the place some metres north of the origin."""
    return Point(metres * METRE, 0)


A, B, C, D = (north(40 * i) for i in range(4))
PLACES = {1: A, 2: B, 3: C, 4: D}


def extract(folder: Path, ways: list[tuple[list[int], Tags]], barriers: Mapping[int, Tags] | None = None) -> Path:
    """Write a .osm.pbf with nodes 1 to 4 every 40 m northwards (node 9 is named but lies outside the extract)."""
    path = folder / "town.osm.pbf"
    with osmium.SimpleWriter(str(path)) as writer:
        for node, place in PLACES.items():
            tags = dict((barriers or {}).get(node, {}))
            writer.add_node(osmium.osm.mutable.Node(id=node, location=(place.lon, place.lat), tags=tags))
        for number, (nodes, way_tags) in enumerate(ways, start=1):
            writer.add_way(osmium.osm.mutable.Way(id=number, nodes=nodes, tags=dict(way_tags)))
    return path


def links(graph: RoadGraph) -> set[tuple[int, int]]:
    """Give the directed edges as pairs of the numbers in `PLACES`."""
    number = {round(place.lat / METRE): n for n, place in PLACES.items()}
    at = [number[round(lat / METRE)] for lat in graph.node_lat.tolist()]
    return {(at[tail], at[head]) for tail, head in zip(graph.tail.tolist(), graph.head.tolist(), strict=True)}


STREET = ([1, 2], {"highway": "residential"})
"""Always there, so that a road that is left out does not leave an empty file."""

FORTH, BACK = {(3, 4)}, {(4, 3)}


@pytest.mark.parametrize(
    ("tags", "driven"),
    [
        ({"highway": "residential"}, FORTH | BACK),
        ({"highway": "primary", "oneway": "no"}, FORTH | BACK),
        ({"highway": "primary", "oneway": "yes"}, FORTH),
        ({"highway": "primary", "oneway": "1"}, FORTH),
        ({"highway": "primary", "oneway": "-1"}, BACK),
        ({"highway": "primary", "oneway": "reversible"}, set()),
        ({"highway": "motorway"}, FORTH),
        ({"highway": "motorway", "oneway": "no"}, FORTH | BACK),
        ({"highway": "tertiary", "junction": "roundabout"}, FORTH),
        ({"highway": "service", "access": "private"}, set()),
        ({"highway": "residential", "access": "no"}, set()),
        ({"highway": "residential", "motor_vehicle": "no"}, set()),
        ({"highway": "residential", "access": "no", "motor_vehicle": "yes"}, FORTH | BACK),
        ({"highway": "residential", "access": "customers"}, FORTH | BACK),
        ({"highway": "footway"}, set()),
        ({"highway": "construction"}, set()),
        ({"highway": "service", "area": "yes"}, set()),
        ({"route": "ferry", "motor_vehicle": "yes"}, set()),
        ({"highway": "primary", "route": "ferry"}, set()),
        ({"highway": "service", "ferry": "yes"}, set()),
        ({"highway": "service", "ferry": "no"}, FORTH | BACK),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_car_drives_where_the_tags_let_it(tmp_path: Path, tags: Tags, driven: set[tuple[int, int]]) -> None:
    """One-ways, closures, paths and ferries: exactly the allowed directions are in the graph."""
    graph, _ = import_osm(extract(tmp_path, [STREET, ([3, 4], tags)]))
    assert links(graph) == {(1, 2), (2, 1)} | driven


@pytest.mark.parametrize(
    ("tags", "kmh"),
    [
        ({"highway": "primary"}, 45),
        ({"highway": "primary", "maxspeed": "50"}, 40),
        ({"highway": "primary", "maxspeed": "90;30"}, 72),
        ({"highway": "primary", "maxspeed": "25 mph"}, 32.19),
        ({"highway": "primary", "maxspeed": "signals"}, 45),
        ({"highway": "primary", "maxspeed": "CN:urban"}, 45),
        ({"highway": "primary", "maxspeed": "0"}, 45),
        ({"highway": "service"}, 12),
        ({"highway": "service", "maxspeed": "60"}, 15),
        ({"highway": "residential", "maxspeed": "5"}, 5),
        ({"highway": "motorway", "maxspeed": "999"}, 130),
    ],
)
def test_a_road_takes_the_time_of_its_class_or_its_limit(tmp_path: Path, tags: Tags, kmh: float) -> None:
    """40 m at the usual speed of the class, or at four fifths of the limit; service roads stay slow."""
    graph, _ = import_osm(extract(tmp_path, [([3, 4], tags)]))
    assert graph.length_m[0] == pytest.approx(40, abs=0.1)
    assert graph.travel_s[0] == pytest.approx(40 / (kmh / 3.6), rel=2e-3)


@pytest.mark.parametrize(
    ("barrier", "passed"),
    [
        ({"barrier": "bollard"}, False),
        ({"barrier": "gate"}, True),
        ({"barrier": "gate", "access": "private"}, False),
        ({"barrier": "bollard", "motor_vehicle": "yes"}, True),
        ({"highway": "crossing"}, True),
    ],
)
def test_no_car_passes_a_bollard_or_a_closed_gate(tmp_path: Path, barrier: Tags, passed: bool) -> None:
    """A barrier in the middle of a road cuts it there; a gate that is not tagged closed does not."""
    graph, _ = import_osm(extract(tmp_path, [([1, 2, 3, 4], {"highway": "service"}), STREET], {3: barrier}))
    assert ((2, 3) in links(graph)) is passed
    assert ((3, 4) in links(graph)) is passed


def test_a_road_that_leaves_the_extract_is_cut_there(tmp_path: Path) -> None:
    """Points that are not in the file tear a road; they do not lead to a place nobody knows."""
    graph, summary = import_osm(extract(tmp_path, [([1, 2, 9, 3, 4], {"highway": "residential"})]))
    assert links(graph) == {(1, 2), (2, 1), (3, 4), (4, 3)}
    assert summary.ways_torn == 1


def test_the_summary_lets_an_operator_compare_with_what_they_know(tmp_path: Path) -> None:
    """Ways used and left out, and kilometres by class with two-way streets once, longest first."""
    ways: list[tuple[list[int], Tags]] = [
        ([1, 2], {"highway": "residential"}),
        ([2, 3, 4], {"highway": "primary", "oneway": "yes"}),
        ([1, 3], {"highway": "footway"}),
    ]
    graph, summary = import_osm(extract(tmp_path, ways))
    assert (summary.ways_used, summary.ways_left_out, summary.ways_torn) == (2, 1, 0)
    assert list(summary.km_by_class) == ["primary", "residential"]
    assert list(summary.km_by_class.values()) == pytest.approx([0.08, 0.04], abs=0.001)
    assert summary.counts.edge_km == pytest.approx(0.16, abs=0.001)
    assert graph.name == "town"
    assert graph.attribution == OSM_ATTRIBUTION


def test_the_same_extract_is_the_same_version_and_another_is_not(tmp_path: Path) -> None:
    """Where the file states no date, its content names the version that answers show."""
    first, _ = import_osm(extract(tmp_path, [STREET]))
    again, _ = import_osm(tmp_path / "town.osm.pbf")
    (tmp_path / "town.osm.pbf").unlink()
    other, _ = import_osm(extract(tmp_path, [STREET, ([3, 4], {"highway": "primary"})]))
    assert first.version == again.version != other.version


def test_a_built_file_opens_with_its_order_and_says_who_answers(tmp_path: Path) -> None:
    """`build` then `open`: the order of contraction is in the file, and a progress bar was told of each step."""
    told: list[str] = []
    target = tmp_path / "town.graph"
    summary = build_road_file(
        extract(tmp_path, [STREET]), target, progress=lambda step, _done, _total: told.append(step)
    )
    graph = load_graph(target)
    assert summary.counts.nodes == graph.node_count == 2
    assert graph.contraction_order is not None
    assert list(dict.fromkeys(told)) == ["reading roads", "ordering junctions"]
    times = open_travel_times(target)
    assert times.name == f"cch:town-{graph.version}"
    assert times.drive(A, times.targets([B])).seconds == pytest.approx((40 / (22 / 3.6),), abs=0.01)


def test_a_file_without_a_road_for_cars_is_refused(tmp_path: Path) -> None:
    """A park's paths make no road graph; the operator is told so, not given an empty one."""
    with pytest.raises(NoRoadsFound, match="town"):
        import_osm(extract(tmp_path, [([1, 2], {"highway": "footway"})]))


@pytest.mark.parametrize("content", [b"", b"hello" * 1000, b"<?xml version='1.0'?><osm version='0.6'></osm>"])
def test_a_file_that_is_no_pbf_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty files, text and OSM XML under the wrong name are called what they are."""
    path = tmp_path / "town.osm.pbf"
    path.write_bytes(content)
    with pytest.raises(RoadFileUnreadable, match=r"town\.osm\.pbf: not an OpenStreetMap"):
        import_osm(path)


def test_a_damaged_pbf_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """A download cut short, or with bytes overwritten, leaves no half city behind."""
    source = extract(tmp_path, [STREET, ([3, 4], {"highway": "primary"})])
    whole = source.read_bytes()
    middle = len(whole) * 3 // 4
    for damaged in (whole[:middle], whole[:middle] + b"\xff" * 20 + whole[middle + 20 :]):
        source.write_bytes(damaged)
        with pytest.raises(RoadFileUnreadable):
            build_road_file(source, tmp_path / "town.graph")
    assert [file.name for file in tmp_path.iterdir()] == ["town.osm.pbf"]


def test_a_missing_pbf_is_said_to_be_missing(tmp_path: Path) -> None:
    """A wrong path is not called a damaged file."""
    with pytest.raises(RoadFileMissing, match=r"nowhere\.osm\.pbf"):
        import_osm(tmp_path / "nowhere.osm.pbf")


def recorded(*path: str) -> Path:
    """Give a recorded extract; where recordings are not at hand, skip."""
    root = os.environ.get("BOWEI_RECORDINGS")
    if not root:
        missing = "BOWEI_RECORDINGS is not set: the recorded road extracts are not at hand"
        pytest.skip(missing)
    return Path(root, *path)


@pytest.fixture(scope="module")
def hangzhou() -> tuple[RoadGraph, ImportSummary]:
    """Import the core of Hangzhou once for all tests."""
    return import_osm(recorded("roads-hangzhou-core", "hangzhou_core.osm.pbf"))


def test_hangzhous_core_comes_in_whole(hangzhou: tuple[RoadGraph, ImportSummary]) -> None:
    """The length that the extract's own description states is found, and nine tenths of it hang together."""
    _, summary = hangzhou
    assert sum(summary.km_by_class.values()) == pytest.approx(2357, abs=1)
    assert summary.counts.main_component_share > 0.9


def test_on_hangzhous_core_the_engine_finds_the_quickest_ways(hangzhou: tuple[RoadGraph, ImportSummary]) -> None:
    """900 random drives equal Dijkstra's within the rounding of 1 ms per edge, of which a way has a few hundred."""
    graph, _ = hangzhou
    engine, oracle = CchTravelTimes(graph), DijkstraTravelTimes(graph)
    chosen = random.Random(20240501)  # noqa: S311  (places, not secrets)

    def somewhere() -> Point:
        node = chosen.randrange(graph.node_count)
        return Point(float(graph.node_lat[node]), float(graph.node_lon[node]))

    lots = [somewhere() for _ in range(30)]
    engine_targets, oracle_targets = engine.targets(lots), oracle.targets(lots)
    for _ in range(30):
        origin = somewhere()
        found, exact = engine.drive(origin, engine_targets), oracle.drive(origin, oracle_targets)
        assert found.estimated is exact.estimated is False
        assert found.seconds == pytest.approx(exact.seconds, abs=0.3)


def test_on_hangzhous_core_the_engines_agree_on_slowed_and_closed_roads(
    hangzhou: tuple[RoadGraph, ImportSummary],
) -> None:
    """Three times 5,000 roads at random speeds and ten closed blocks: both say the same of who gets where, and when."""
    graph, _ = hangzhou
    engine, oracle = CchTravelTimes(graph), DijkstraTravelTimes(graph)
    chosen = random.Random(20240502)  # noqa: S311  (places, not secrets)

    def somewhere() -> Point:
        node = chosen.randrange(graph.node_count)
        return Point(float(graph.node_lat[node]), float(graph.node_lon[node]))

    def block(number: int) -> Closure:
        place, half = somewhere(), 0.004
        corners = [(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)]
        ring = tuple(Point(place.lat + half * north, place.lon + half * east) for north, east in corners)
        return Closure(f"c-{number}", ((ring,),), NOON, NOON + HOUR, Name("封闭", "closed"), "police")

    lots = [somewhere() for _ in range(30)]
    engine_targets, oracle_targets = engine.targets(lots), oracle.targets(lots)
    ways = sorted(set(graph.way.tolist()))
    cut_off = 0
    for version in (1, 2, 3):
        speeds = [
            (way, chosen.choice((chosen.uniform(3, 90), -chosen.uniform(0.1, 2))), NOON + HOUR)
            for way in chosen.sample(ways, 5_000)
        ]
        said = RoadConditions(version, WaySpeeds.of(speeds), (), tuple(block(number) for number in range(10)))
        for times in (engine, oracle):
            times.take(times.weigh(said, NOON))
        for _ in range(7):
            origin = somewhere()
            found, exact = engine.drive(origin, engine_targets), oracle.drive(origin, oracle_targets)
            assert [s is None for s in found.seconds] == [s is None for s in exact.seconds]
            assert [s or 0 for s in found.seconds] == pytest.approx([s or 0 for s in exact.seconds], abs=0.3)
            cut_off += sum(s is None for s in found.seconds)
    assert cut_off > 0


def test_a_whole_country_comes_in() -> None:
    """Andorra, with every tag of a real extract: dated, with its roads, and one can drive through it."""
    graph, summary = import_osm(recorded("roads-andorra", "andorra.osm.pbf"))
    assert graph.version == "2013-05-28T18:59:04Z"
    assert summary.ways_used > 1000
    assert summary.counts.main_component_share > 0.95
    times = CchTravelTimes(graph)
    la_vella, soldeu = Point(42.5069, 1.5218), Point(42.5769, 1.6670)
    (seconds,) = times.drive(la_vella, times.targets([soldeu])).seconds
    assert seconds is not None
    assert 15 * 60 < seconds < 45 * 60
