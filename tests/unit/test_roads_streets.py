"""Drawn streets lead where they are drawn, and a drawing with a mistake is refused with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

import services.local
from bowei.domain.places import Point, distance_m
from bowei.roads.errors import NoRoadsFound, RoadFileMissing, RoadFileTooLarge, RoadFileUnreadable
from bowei.roads.graph import count_roads
from bowei.roads.opening import open_travel_times
from bowei.roads.streets_geojson import FILE_BYTES_MAX, load_streets

BLOCK = Path(services.local.__file__).parent / "scenes" / "hangzhou_streets.geojson"
FIRST_HOSPITAL = Point(30.2576, 120.1621)
PLACES = {
    "工联CC": Point(30.2563, 120.1600),
    "湖滨银泰in77": Point(30.2552, 120.1582),
    "国大城市广场": Point(30.2719, 120.1578),
    "浙大一院": Point(30.2583, 120.1732),
    "浙大二院": Point(30.2535, 120.1728),
    "省人民医院朝晖": Point(30.2870, 120.1635),
    "红十字会医院": Point(30.2679, 120.1825),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_place_of_the_block_is_reached_from_the_hospital_and_back(place: str) -> None:
    """By road, not by estimate, at a pace between 1.2 and 12 m/s of air distance."""
    times = open_travel_times(BLOCK)
    assert times.name == "cch:hangzhou-block-v1"
    there = times.drive(FIRST_HOSPITAL, times.targets([PLACES[place]]))
    back = times.drive(PLACES[place], times.targets([FIRST_HOSPITAL]))
    air_m = distance_m(FIRST_HOSPITAL, PLACES[place])
    for drives in (there, back):
        assert not drives.estimated
        (seconds,) = drives.seconds
        assert seconds is not None
        assert air_m / 12 < seconds < air_m / 1.2


def test_every_place_of_the_block_lies_near_a_street() -> None:
    """No place of the demo is more than 250 m from a drawn street, so none is entered across a lake."""
    graph = load_streets(BLOCK)
    nodes = [Point(lat, lon) for lat, lon in zip(graph.node_lat.tolist(), graph.node_lon.tolist(), strict=True)]
    for place in [FIRST_HOSPITAL, *PLACES.values()]:
        assert min(distance_m(place, node) for node in nodes) < 250


def test_the_blocks_streets_hang_together_and_some_are_one_way() -> None:
    """From every point of the drawing one can drive to every other; the drawing says that it is one."""
    assert count_roads(load_streets(BLOCK)).main_component_share == 1
    drawn = json.loads(BLOCK.read_text(encoding="utf-8"))
    assert 40 <= len(drawn["features"]) <= 80
    assert sum(street["properties"]["oneway"] for street in drawn["features"]) >= 3
    assert "not copied from any map database" in drawn["description"]


def street(*coordinates: tuple[float, float], **properties: Any) -> dict[str, Any]:
    """Give a drawn street, (lon, lat) pairs."""
    return {
        "type": "Feature",
        "properties": {"name": "示例路", "speed_kmh": 36, "oneway": False} | properties,
        "geometry": {"type": "LineString", "coordinates": coordinates},
    }


def drawing(folder: Path, *streets: dict[str, Any], **changes: Any) -> Path:
    """Write a drawing of some streets."""
    head = {"type": "FeatureCollection", "name": "sketch", "version": "v1", "datum": "wgs84", "attribution": "me"}
    path = folder / "sketch.geojson"
    path.write_text(json.dumps(head | {"features": streets} | changes), encoding="utf-8")
    return path


def test_streets_meet_where_they_share_a_point_and_pass_where_they_only_cross(tmp_path: Path) -> None:
    """A shared corner is a junction; a bridge over a street is none, and its far bank is out of reach."""
    corner, east, north = (0.001, 0.0), (0.002, 0.0), (0.001, 0.001)
    met = load_streets(drawing(tmp_path, street((0.0, 0.0), corner, east), street(corner, north)))
    assert count_roads(met).main_component_share == 1
    crossed = load_streets(drawing(tmp_path, street((0.0, 0.0), east), street((0.001, -0.001), north)))
    assert count_roads(crossed).main_component_share < 1


def test_a_one_way_street_is_driven_as_it_is_drawn(tmp_path: Path) -> None:
    """The order of the coordinates is the direction of driving."""
    west, east, aside = (0.0, 0.0), (0.0004, 0.0), (0.0002, 0.0004)
    path = drawing(tmp_path, street(west, east, oneway=True), street(east, aside, west, oneway=True, speed_kmh=5))
    times = open_travel_times(path)
    (along,) = times.drive(Point(0, 0), times.targets([Point(0, 0.0004)])).seconds
    (against,) = times.drive(Point(0, 0.0004), times.targets([Point(0, 0)])).seconds
    assert along == pytest.approx(4.45, abs=0.05)
    assert against == pytest.approx(71.6, abs=0.5)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"datum": "gcj02"}, "datum"),
        ({"datum": None}, "datum"),
        ({"name": ""}, "name"),
        ({"type": "Feature"}, "Feature"),
        ({"features": [street((120.1, 30.2))]}, "coordinates"),
        ({"features": [street((30.2, 120.1), (30.3, 120.1))]}, "coordinates"),
        ({"features": [street((120.1, 30.2), (120.2, 30.2), speed_kmh=0)]}, "speed_kmh"),
        ({"features": [street((120.1, 30.2), (120.2, 30.2), oneway="yes")]}, "oneway"),
        ({"features": [street((120.1, 30.2), (120.2, 30.2)) | {"geometry": {"type": "Point"}}]}, "geometry"),
    ],
    ids=[
        "other datum",
        "no datum",
        "no name",
        "no collection",
        "one point",
        "axes swapped",
        "no speed",
        "words",
        "dot",
    ],
)
def test_a_mistake_in_a_drawing_is_named_with_its_place(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    """Whoever draws is told where to look."""
    with pytest.raises(RoadFileUnreadable, match=place):
        load_streets(drawing(tmp_path, **changes))


def test_what_is_no_drawing_is_refused(tmp_path: Path) -> None:
    """Missing, empty, not JSON, without streets, or far too large: each is told apart."""
    path = tmp_path / "sketch.geojson"
    with pytest.raises(RoadFileMissing):
        load_streets(path)
    for content in (b"", b"{", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(RoadFileUnreadable):
            load_streets(path)
    with pytest.raises(NoRoadsFound):
        load_streets(drawing(tmp_path))
    path.write_bytes(b" " * (FILE_BYTES_MAX + 1))
    with pytest.raises(RoadFileTooLarge):
        load_streets(path)
