"""A turn that OpenStreetMap forbids is not driven, and what is not forbidden is."""

import itertools
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from pathlib import Path

import numpy as np
import osmium
import osmium.osm.mutable
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowei.domain.places import Point
from bowei.roads.cch import CchEngine, CchTravelTimes
from bowei.roads.dijkstra import DijkstraEngine, DijkstraTravelTimes
from bowei.roads.graph import RoadGraph
from bowei.roads.osm_import import ImportSummary, import_osm
from bowei.roads.turn_expansion import Streets, closing_detours, with_turn_rules

METRE = 1 / 111_195.08
M_S = 10.0
"""Of every fast street below: maxspeed 45, of which four fifths are driven."""
FAST = {"highway": "residential", "maxspeed": "45"}
SLOW = {"highway": "residential", "maxspeed": "5"}
Tags = Mapping[str, str]
Rule = tuple[Tags, list[tuple[str, str, int]]]

PLACES = {5: (0, 0), 1: (100, 0), 2: (0, 100), 3: (-100, 0), 4: (0, -100)}
"""Metres north and east: a crossing, and its arms' ends to the north, east, south and west."""

ARMS = {11: [3, 5], 12: [5, 1], 13: [4, 5], 14: [5, 2]}
AROUND = {20: [1, 2, 3], 21: [3, 4], 22: [4, 1]}
"""A slow ring joins the ends, so that each is a junction, where one may turn round."""


def at(north_m: float, east_m: float) -> Point:
    """Give a place near the origin."""
    return Point(north_m * METRE, east_m * METRE)


def extract(
    path: Path,
    rules: Iterable[Rule],
    places: Mapping[int, tuple[float, float]],
    ways: Mapping[int, tuple[list[int], Tags]],
) -> tuple[RoadGraph, ImportSummary]:
    """Write a .osm.pbf and import it."""
    path.unlink(missing_ok=True)
    with osmium.SimpleWriter(str(path)) as writer:
        for node, (north_m, east_m) in sorted(places.items()):
            place = at(north_m, east_m)
            writer.add_node(osmium.osm.mutable.Node(id=node, location=(place.lon, place.lat)))
        for number, (nodes, tags) in sorted(ways.items()):
            writer.add_way(osmium.osm.mutable.Way(id=number, nodes=nodes, tags=dict(tags)))
        for number, (tags, members) in enumerate(rules, start=1):
            named = [(kind, ref, role) for role, kind, ref in members]
            writer.add_relation(osmium.osm.mutable.Relation(id=number, members=named, tags=dict(tags)))
    return import_osm(path)


def crossing(folder: Path, *rules: Rule) -> tuple[RoadGraph, ImportSummary]:
    """Import the crossing with these rules."""
    ways: dict[int, tuple[list[int], Tags]] = {number: (nodes, FAST) for number, nodes in ARMS.items()}
    ways |= {number: (nodes, SLOW) for number, nodes in AROUND.items()}
    ways[30] = ([1, 3], {"highway": "footway"})
    return extract(folder / "crossing.osm.pbf", rules, PLACES, ways)


def rule(restriction: str, way_in: int, way_out: int, via: int = 5, **tags: str) -> Rule:
    """Write a restriction at a node."""
    members = [("from", "w", way_in), ("via", "n", via), ("to", "w", way_out)]
    return {"type": "restriction", "restriction": restriction, **tags}, members


def drive_m(graph: RoadGraph, start: Point, end: Point) -> float:
    """Give the drive in metres of fast street; both engines must agree."""
    found = []
    for times in (CchTravelTimes(graph), DijkstraTravelTimes(graph)):
        (seconds,) = times.drive(start, times.targets([end])).seconds
        assert seconds is not None
        found.append(seconds * M_S)
    assert found[0] == pytest.approx(found[1], abs=0.2)
    return found[0]


SOUTH, WEST, EAST, NORTH = at(-50, 0), at(0, -50), at(0, 50), at(50, 0)
"""Half-way along each arm."""


@pytest.mark.parametrize(
    ("rules", "metres"),
    [
        pytest.param([], 100, id="none"),
        pytest.param([rule("no_left_turn", 11, 13)], 300, id="no left turn: on to the next junction, and back"),
        pytest.param([rule("only_straight_on", 11, 12)], 300, id="only straight on"),
        pytest.param([rule("only_right_turn", 11, 14)], 300, id="only to the right"),
        pytest.param([rule("no_right_turn", 11, 14)], 100, id="another turn"),
        pytest.param([rule("no_left_turn", 13, 11)], 100, id="the other way round"),
        pytest.param([rule("no_entry", 11, 13)], 300, id="no entry"),
        pytest.param([rule("no_left_turn", 11, 13, except_="")], 300, id="an unknown tag"),
    ],
)
def test_from_the_south_to_the_west(tmp_path: Path, rules: list[Rule], metres: float) -> None:
    """The forbidden turn costs the way to the next junction and back; whatever else is forbidden costs nothing."""
    graph, summary = crossing(tmp_path, *rules)
    assert drive_m(graph, SOUTH, WEST) == pytest.approx(metres, abs=1)
    assert summary.turn_rules.applied == len(rules)
    assert summary.counts.edge_km == pytest.approx(0.8 + 2 * 4 * 0.14142, abs=0.001)  # copies are no roads


@pytest.mark.parametrize(
    ("tags", "metres", "counted"),
    [
        ({"except": "psv;motorcar"}, 100, "for_others"),
        ({"except": "psv"}, 300, "applied"),
        ({"restriction:hgv": "no_left_turn", "restriction": ""}, 100, "for_others"),
        ({"type": "restriction:bus"}, 100, "for_others"),
        ({"restriction:motorcar": "no_right_turn"}, 300, "applied"),
        ({"restriction": "", "restriction:motor_vehicle": "no_left_turn"}, 300, "applied"),
        ({"restriction:conditional": "no_left_turn @ (07:00-09:00)"}, 100, "conditional"),
        ({"hour_on": "07:00", "hour_off": "09:00"}, 100, "conditional"),
        ({"restriction": "give_way"}, 100, "unreadable"),
    ],
)
def test_whom_and_when_a_restriction_binds(tmp_path: Path, tags: Tags, metres: float, counted: str) -> None:
    """Rules for others and rules of some hours are counted, not applied."""
    whole, members = rule("no_left_turn", 11, 13)
    meant = {key: value for key, value in ({**whole, **tags}).items() if value}
    graph, summary = crossing(tmp_path, (meant, members))
    assert drive_m(graph, SOUTH, WEST) == pytest.approx(metres, abs=1)
    counts = summary.turn_rules
    assert {name: getattr(counts, name) for name in counts.__slots__ if getattr(counts, name)} == {counted: 1}


@pytest.mark.parametrize(
    ("members", "counted"),
    [
        ([("from", "w", 11), ("via", "n", 5)], "unreadable"),
        ([("from", "w", 11), ("to", "w", 13)], "unreadable"),
        ([("from", "w", 11), ("via", "n", 5), ("via", "n", 1), ("to", "w", 13)], "unreadable"),
        ([("from", "n", 5), ("via", "n", 5), ("to", "w", 13)], "unreadable"),
        ([("from", "w", 11), ("via", "n", 99), ("to", "w", 13)], "off_road"),
        ([("from", "w", 11), ("via", "n", 5), ("to", "w", 99)], "off_road"),
        ([("from", "w", 30), ("via", "n", 1), ("to", "w", 12)], "off_road"),
        ([("from", "w", 11), ("via", "n", 1), ("to", "w", 12)], "off_road"),
        ([("from", "w", 20), ("via", "n", 2), ("to", "w", 14)], "unreadable"),
        ([("from", "w", 14), ("via", "n", 2), ("to", "w", 20)], "unreadable"),
    ],
)
def test_a_restriction_that_nobody_can_follow_is_counted_and_harmless(
    tmp_path: Path, members: list[tuple[str, str, int]], counted: str
) -> None:
    """Torn, mistaken or ambiguous relations change no way."""
    graph, summary = crossing(tmp_path, ({"type": "restriction", "restriction": "no_left_turn"}, members))
    counts = summary.turn_rules
    assert {name: getattr(counts, name) for name in counts.__slots__ if getattr(counts, name)} == {counted: 1}
    assert graph.copy_of.size == 0
    assert drive_m(graph, SOUTH, WEST) == pytest.approx(100, abs=1)


def test_who_obeyed_one_rule_obeys_the_next(tmp_path: Path) -> None:
    """No left turn at the crossing, and none at the north end behind it: round there, back, and out by the west end."""
    target, slow = at(50, -50), 9
    behind = rule("no_left_turn", 12, 22, via=1)
    one, _ = crossing(tmp_path, rule("no_left_turn", 11, 13))
    assert drive_m(one, SOUTH, target) == pytest.approx(150 + 70.7 * slow * 0.8, abs=2)
    both, _ = crossing(tmp_path, rule("no_left_turn", 11, 13), behind)
    assert drive_m(both, SOUTH, target) == pytest.approx(350 + 70.7 * slow * 0.8, abs=2)


def test_several_ways_into_one_and_out_of_one(tmp_path: Path) -> None:
    """`no_entry` may have several ways in, `no_exit` several out: each pair is forbidden."""
    members = [("from", "w", 11), ("from", "w", 14), ("via", "n", 5), ("to", "w", 13)]
    graph, summary = crossing(tmp_path, ({"type": "restriction", "restriction": "no_entry"}, members))
    assert summary.turn_rules.applied == 1
    assert drive_m(graph, SOUTH, WEST) == drive_m(graph, EAST, WEST) == pytest.approx(300, abs=1)
    assert drive_m(graph, NORTH, WEST) == pytest.approx(100, abs=1)


def test_where_turning_round_is_forbidden_one_goes_on_to_the_next_junction(tmp_path: Path) -> None:
    """With the left turn and the turn at the north end forbidden, the east end is as near; with both, none is left."""
    left = rule("no_left_turn", 11, 13)
    around = [rule("no_u_turn", arm, arm, via=end) for arm, end in ((12, 1), (14, 2))]
    one, _ = crossing(tmp_path, left, around[0])
    assert drive_m(one, SOUTH, WEST) == pytest.approx(300, abs=1)
    both, summary = crossing(tmp_path, left, *around)
    assert summary.turn_rules.applied == 3
    assert drive_m(both, SOUTH, WEST) > 500


def test_one_turns_round_at_the_end_of_a_dead_end_street(tmp_path: Path) -> None:
    """A street that leads nowhere can be left again, also by who had to drive into it."""
    ways: dict[int, tuple[list[int], Tags]] = {number: (nodes, FAST) for number, nodes in ARMS.items()}
    graph, _ = extract(tmp_path / "ends.osm.pbf", [rule("no_left_turn", 11, 13)], PLACES, ways)
    assert drive_m(graph, SOUTH, WEST) == pytest.approx(300, abs=1)


DUAL: dict[int, tuple[list[int], Tags]] = {
    1: ([1, 2], FAST | {"oneway": "yes"}),
    2: ([2, 3], FAST | {"oneway": "yes"}),
    3: ([4, 5], FAST | {"oneway": "yes"}),
    4: ([5, 6], FAST | {"oneway": "yes"}),
    5: ([2, 5], FAST),
    6: ([3, 4], SLOW),
    7: ([6, 1], SLOW),
    8: ([5, 7], FAST),
    9: ([6, 8, 4], SLOW),
}
"""A divided street, eastwards and back, with a gap in its middle, a side street northwards behind the gap, and a slow
road around all."""

DUAL_PLACES = {
    1: (0, 0),
    2: (0, 100),
    3: (0, 200),
    4: (20, 200),
    5: (20, 100),
    6: (20, 0),
    7: (120, 100),
    8: (300, 100),
}


@pytest.mark.parametrize(
    ("restriction", "way_in", "way_out", "round_m", "side_m"),
    [
        ("", 0, 0, 120, 120),
        ("no_u_turn", 1, 4, 320, 120),
        ("no_straight_on", 1, 8, 120, None),
        ("only_u_turn", 1, 4, 120, None),
    ],
)
def test_a_restriction_over_a_way(
    tmp_path: Path, restriction: str, way_in: int, way_out: int, round_m: float, side_m: float | None
) -> None:
    """Through the gap of a divided street: turning back and turning into the side street are told apart."""
    members = [("from", "w", way_in), ("via", "w", 5), ("to", "w", way_out)]
    rules = [({"type": "restriction", "restriction": restriction}, members)] if restriction else []
    graph, summary = extract(tmp_path / "dual.osm.pbf", rules, DUAL_PLACES, DUAL)
    assert summary.turn_rules.applied == len(rules)
    start = at(0, 50)
    # Forbidden to turn back, one drives into the side street to its end and back: 50 + 20 + 100 + 100 + 50.
    assert drive_m(graph, start, at(20, 50)) == pytest.approx(round_m, abs=1)
    side = drive_m(graph, start, at(70, 100))
    if side_m is None:
        assert side > 300
    else:
        assert side == pytest.approx(side_m, abs=1)


# ------------------------------------------------------------------------------------------------ against an oracle


def quickest_s(graph: RoadGraph, forbidden: set[Sequence[int]], start: int) -> dict[int, float]:
    """Dijkstra over what was driven last, straight from the rules: the seconds from a node to each node."""
    begun = {one[:length] for one in forbidden for length in range(len(one))}
    streets = Streets(graph.tail, graph.head, graph.node_count)
    best: dict[tuple[int, tuple[int, ...]], float] = {}
    reached: dict[int, float] = {}
    numbers = itertools.count()
    waiting: list[tuple[float, int, int, tuple[int, ...]]] = [(0.0, next(numbers), start, ())]
    while waiting:
        seconds, _, node, driven = heappop(waiting)
        if (node, driven) in best:
            continue
        best[node, driven] = seconds
        reached.setdefault(node, seconds)
        for edge in streets.out_of(node):
            tried = (*driven, edge)
            if not any(tried[i:] in forbidden for i in range(len(tried))):
                kept = next(tried[i:] for i in range(len(tried) + 1) if tried[i:] in begun or i == len(tried))
                heappush(waiting, (seconds + float(graph.travel_s[edge]), next(numbers), streets.end_of(edge), kept))
    return reached


def assert_obeyed(graph: RoadGraph, rules: set[tuple[int, ...]], origins: Iterable[int]) -> int:
    """Compare both engines on the expanded graph with the oracle on the plain one; give how many ways were compared."""
    forbidden: set[Sequence[int]] = set(closing_detours(Streets(graph.tail, graph.head, graph.node_count), rules))
    expanded = with_turn_rules(graph, rules)
    copies: dict[int, list[int]] = {node: [node] for node in range(graph.node_count)}
    for number, node in enumerate(expanded.node_copy_of.tolist()):
        copies[node].append(graph.node_count + number)
    engines = CchEngine(expanded), DijkstraEngine(expanded)
    cch, links = engines[0].weigh(expanded.travel_s), engines[1].weigh(expanded.travel_s)
    everywhere = list(range(expanded.node_count))
    compared = 0
    for origin in origins:
        exact = quickest_s(graph, forbidden, origin)
        for found in (
            engines[0].ways_s(cch, [(origin, 0)], everywhere),
            engines[1].ways_s(links, [(origin, 0)], everywhere),
        ):
            for node, places in copies.items():
                seconds = min((s for place in places if (s := found[place]) is not None), default=None)
                assert seconds == (None if node not in exact else pytest.approx(exact[node], abs=0.3, rel=1e-4))
                compared += seconds is not None
    return compared


def without_copies(graph: RoadGraph) -> RoadGraph:
    """Give the roads alone, crossed by everyone."""
    places, roads = graph.place_count, graph.road_count
    place_of = np.concatenate((np.arange(places, dtype=np.int32), graph.node_copy_of))
    return RoadGraph(
        name=graph.name,
        version=graph.version,
        attribution=graph.attribution,
        node_lat=graph.node_lat[:places],
        node_lon=graph.node_lon[:places],
        tail=graph.tail[:roads],
        head=place_of[graph.head[:roads]],
        travel_s=graph.travel_s[:roads],
        length_m=graph.length_m[:roads],
        way=graph.way[:roads],
        kerb_only=np.zeros(roads, dtype=np.bool_),
    )


@st.composite
def towns(draw: st.DrawFn) -> tuple[RoadGraph, set[tuple[int, ...]]]:
    """A ring with random streets, two-way and one-way, and sequences of two to four edges that are forbidden."""
    n = draw(st.integers(3, 9))
    node, seconds = st.integers(0, n - 1), st.integers(1_000, 90_000).map(lambda ms: ms / 1000)
    streets = [(i, (i + 1) % n, draw(seconds), True) for i in range(n)]
    streets += draw(st.lists(st.tuples(node, node, seconds, st.booleans()).filter(lambda s: s[0] != s[1]), max_size=12))
    edges = [
        (a, b, s, number * sign)
        for number, (one, other, s, both) in enumerate(streets, start=1)
        for a, b, sign in ([(one, other, 1), (other, one, -1)] if both else [(one, other, 1)])
    ]
    graph = RoadGraph(
        name="random",
        version="v1",
        attribution="made up",
        node_lat=np.arange(n, dtype=np.float64) * METRE,
        node_lon=np.zeros(n),
        tail=np.array([a for a, _, _, _ in edges], dtype=np.int32),
        head=np.array([b for _, b, _, _ in edges], dtype=np.int32),
        travel_s=np.array([s for _, _, s, _ in edges], dtype=np.float32),
        length_m=np.ones(len(edges), dtype=np.float32),
        way=np.array([way for _, _, _, way in edges], dtype=np.int64),
        kerb_only=np.zeros(len(edges), dtype=np.bool_),
    )
    out = Streets(graph.tail, graph.head, n)
    rules: set[tuple[int, ...]] = set()
    for _ in range(draw(st.integers(0, 6))):
        driven: tuple[int, ...] = (draw(st.integers(0, len(edges) - 1)),)
        for _ in range(draw(st.integers(1, 3))):
            onward = out.out_of(out.end_of(driven[-1]))
            driven = (*driven, onward[draw(st.integers(0, len(onward) - 1))])
        rules.add(driven)
    return graph, rules


@given(towns())
@settings(max_examples=200, deadline=None)
def test_in_any_town_both_engines_obey_any_rules(town: tuple[RoadGraph, set[tuple[int, ...]]]) -> None:
    """From every node, the quickest ways equal those of a search that looks at the rules at each step."""
    graph, rules = town
    assert_obeyed(graph, rules, range(graph.node_count))


def test_in_a_whole_country_both_engines_obey_rules_at_its_junctions() -> None:
    """Andorra's streets, with 300 turns forbidden at junctions drawn by lot (the extract itself states none)."""
    root = os.environ.get("BOWEI_RECORDINGS")
    if not root:
        pytest.skip("BOWEI_RECORDINGS is not set: the recorded road extracts are not at hand")
    graph, summary = import_osm(Path(root, "roads-andorra", "andorra.osm.pbf"))
    counts = summary.turn_rules
    assert all(getattr(counts, name) == 0 for name in counts.__slots__)
    assert graph.copy_of.size > 0  # its main roads are two-way, and nobody turns round between their junctions
    graph = without_copies(graph)
    chosen = random.Random(20240501)  # noqa: S311  (places, not secrets)
    streets = Streets(graph.tail, graph.head, graph.node_count)
    degrees = np.bincount(graph.tail, minlength=graph.node_count)
    into = [edge for edge in range(graph.edge_count) if degrees[graph.head[edge]] > 2]
    rules: set[tuple[int, ...]] = {
        (edge, chosen.choice(streets.out_of(streets.end_of(edge)))) for edge in chosen.sample(into, 300)
    }
    assert assert_obeyed(graph, rules, [chosen.randrange(graph.node_count) for _ in range(3)]) > 20_000
