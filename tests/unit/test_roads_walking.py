"""A visitor walks where one may walk, and the walk says whether it is known or guessed."""

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import osmium
import osmium.osm.mutable
import pytest

from bowei.domain.choosing import WALK_DETOUR, WALK_SPEED_M_S
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name
from bowei.domain.places import Point, distance_m
from bowei.roads.approaches import Approaches
from bowei.roads.building import build_road_file
from bowei.roads.by_air import AirTravelTimes
from bowei.roads.foot_profile import blocks_walkers, may_walk
from bowei.roads.graph_file import load_graph
from bowei.roads.opening import over_roads
from bowei.roads.walk_network import WalkDraft
from bowei.roads.walking import BESIDE_M_MAX, Footways

METRE = 1 / 111_195.08
NAME = Name("甲", "A")
Tags = Mapping[str, str]


def at(north_m: float, east_m: float) -> Point:
    """Give a place near the origin."""
    return Point(north_m * METRE, east_m * METRE)


@pytest.mark.parametrize(
    ("tags", "walked"),
    [
        ({"highway": "footway"}, True),
        ({"highway": "steps"}, True),
        ({"highway": "pedestrian", "area": "yes"}, True),
        ({"highway": "service"}, True),
        ({"highway": "residential", "foot": "no"}, False),
        ({"highway": "residential", "access": "private"}, False),
        ({"highway": "service", "access": "private", "foot": "yes"}, True),
        ({"highway": "primary"}, True),
        ({"highway": "trunk"}, False),
        ({"highway": "trunk", "foot": "yes"}, True),
        ({"highway": "motorway", "foot": "yes"}, False),
        ({"highway": "cycleway"}, False),
        ({"highway": "cycleway", "foot": "designated"}, True),
        ({"highway": "construction"}, False),
        ({"highway": "footway", "foot": "use_sidepath"}, False),
    ],
)
def test_where_the_tags_let_one_walk(tags: Tags, walked: bool) -> None:
    """Footways, steps and quiet streets are walked; motorways never, private ways only where feet are welcome."""
    assert may_walk(tags) is walked


@pytest.mark.parametrize(
    ("tags", "blocked"),
    [
        ({"barrier": "gate"}, False),
        ({"barrier": "gate", "access": "private"}, True),
        ({"barrier": "gate", "access": "private", "foot": "yes"}, False),
        ({"barrier": "bollard"}, False),
        ({"barrier": "fence"}, True),
        ({"highway": "crossing"}, False),
    ],
)
def test_what_stops_a_walker(tags: Tags, blocked: bool) -> None:
    """A bollard stops cars only; a closed gate everyone."""
    assert blocks_walkers(tags) is blocked


def river() -> Footways:
    """Two banks 100 m apart, walked along for 1 km, with one bridge at their north end, and an islet of paths."""
    draft = WalkDraft()
    draft.add_line([("sw", at(0, 0)), ("nw", at(1000, 0))])
    draft.add_line([("se", at(0, 100)), ("ne", at(1000, 100))])
    draft.add_line([("nw", at(1000, 0)), ("ne", at(1000, 100))])
    draft.add_line([("i", at(0, 300)), ("j", at(40, 300))])
    network = draft.finish()
    assert network is not None
    return Footways(network)


def test_the_walk_goes_over_the_bridge() -> None:
    """Across the river it is 100 m by air and 1,900 m on foot; along the bank what it is, and to a place aside more."""
    walks = river().walks_m([at(100, 100), at(600, 0), at(600, -30), at(120, 0)], at(100, 0))
    assert walks == pytest.approx([1900, 500, 530, 20], abs=1)


def test_what_lies_far_from_any_footway_is_not_known() -> None:
    """Neither a far place nor a far door has a walk, and nobody walks from an islet of paths."""
    footways = river()
    far = at(500, BESIDE_M_MAX + 120)
    assert footways.walks_m([far, at(500, 10)], at(0, 0)) == [None, pytest.approx(510, abs=1)]
    assert footways.walks_m([at(500, 10)], far) == footways.walks_m([at(0, 300)], at(0, 0)) == [None]
    assert footways.walks_m([], at(0, 0)) == []


def test_kept_walks_are_the_same_and_new_places_are_found() -> None:
    """A directory that grows by an entrance gets its walk, and the old ones stay."""
    footways = river()
    one = footways.walks_m([at(100, 100)], at(100, 0))
    both = footways.walks_m([at(200, 0), at(100, 100)], at(100, 0))
    assert both == [pytest.approx(100, abs=1), *one]


def town(path: Path) -> Path:
    """Write an extract: a street, a footway across the block to the door, and a lake that only the street rounds."""
    nodes = {1: (0, 0), 2: (600, 0), 3: (600, 400), 4: (0, 400), 5: (300, 0), 6: (300, 200)}
    ways: dict[int, tuple[list[int], Tags]] = {
        1: ([1, 5, 2, 3, 4, 1], {"highway": "residential"}),
        2: ([5, 6], {"highway": "footway"}),
        3: ([4, 1], {"route": "ferry", "foot": "yes", "motor_vehicle": "yes"}),
    }
    with osmium.SimpleWriter(str(path)) as writer:
        for node, (north_m, east_m) in sorted(nodes.items()):
            place = at(north_m, east_m)
            writer.add_node(osmium.osm.mutable.Node(id=node, location=(place.lon, place.lat)))
        for number, (refs, tags) in ways.items():
            writer.add_way(osmium.osm.mutable.Way(id=number, nodes=refs, tags=dict(tags)))
    return path


def a_lot(lot_id: str, entrance: Point) -> Lot:
    """Give a lot with one entrance."""
    return Lot(
        LotId(lot_id), LotKind.MALL, NAME, str(ZoneInfo("UTC")), 10, entrance, (Entrance("main", NAME, entrance),)
    )


def test_walks_from_a_built_file_reach_the_ranking(tmp_path: Path) -> None:
    """The walk of each lot is the one on foot at 1.2 m/s, and one without a footway near is a guess that says so."""
    target = tmp_path / "town.roads"
    summary = build_road_file(town(tmp_path / "town.osm.pbf"), target)
    assert summary.ferries_left_out == 1
    assert summary.walk_km == pytest.approx(2.2, abs=0.01)
    lots = [a_lot("street", at(600, 100)), a_lot("lake", at(300, 400 + BESIDE_M_MAX + 10))]
    hospital = Hospital(HospitalId("h"), NAME, LotId("own"), door=at(300, 200), gate=at(300, 0))
    ways = Approaches(hospital, lots, over_roads(load_graph(target))).from_origin(hospital.gate)
    street, lake = ways[LotId("street")], ways[LotId("lake")]
    assert street.walk_m == pytest.approx(200 + 300 + 100, abs=1)
    assert street.walk_s == pytest.approx(600 / WALK_SPEED_M_S, abs=1)
    assert not street.walk_estimated
    assert lake.walk_estimated
    assert lake.walk_m == pytest.approx(distance_m(at(300, 400 + BESIDE_M_MAX + 10), hospital.door) * WALK_DETOUR)
    by_air = Approaches(hospital, lots, AirTravelTimes()).from_origin(hospital.gate)
    assert by_air[LotId("street")].walk_estimated
    assert (by_air[LotId("street")].by, street.by) == ("air", f"cch:town-{load_graph(target).version}")
