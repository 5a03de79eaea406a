"""What may be said of roads, what may not, and how long it holds."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bowei.domain.clock import SteppedClock
from bowei.domain.places import Point, distance_m, to_gcj02
from bowei.records.in_memory import InMemoryRecords, InMemoryRoadBook
from bowei.roads.graph_draft import Direction, RoadGraphDraft
from bowei.roads.graph_file import save_graph
from bowei.roads.verdicts import RoadPlaces
from bowei.roads.walk_network import WalkDraft
from tests.service.registry_app import NAME, NOW, Document, at, faults, hospital, lot, registry

SPEEDS, CLOSURE = "/v1/road-speeds", "/v1/closures/west-lake"
LATER = NOW + timedelta(minutes=5)
RING = [[120.16, 30.25], [120.17, 30.25], [120.17, 30.26], [120.16, 30.26], [120.16, 30.25]]


def speeds(*said: Document, until: str = "2026-03-02T01:05:00Z") -> Document:
    """Write a batch."""
    return {"valid_until": until, "speeds": list(said)}


def closure(**changes: object) -> Document:
    """Write a closure of a square kilometre, for a day."""
    return {
        "area": {"type": "Polygon", "coordinates": [RING]},
        "datum": "wgs84",
        "starts_at": "2026-03-02T00:00:00Z",
        "ends_at": "2026-03-03T00:00:00+08:00",
        "reason": {"zh": "西湖马拉松", "en": "West Lake marathon"},
        "by": "交警",
    } | changes


async def test_speeds_are_kept_as_they_were_said_for_each_direction() -> None:
    """A way in both directions is two; a line in the Chinese datum lands where the road is."""
    here = Point(30.2847, 120.1680)
    lat, lon = to_gcj02(here)
    room = InMemoryRecords(SteppedClock(NOW))
    async with registry(records=room) as client:
        said = speeds(
            {"way": 173846211, "direction": "forward", "kmh": 12.5},
            {"way": 24611093, "direction": "backward", "share": 0.25},
            {"way": 5, "direction": "both", "kmh": 3},
            {"line": [[lon, lat], [lon, lat + 0.001]], "datum": "gcj02", "kmh": 8},
        )
        answer = await client.put(SPEEDS, json=said)
        assert (answer.status_code, answer.json()) == (200, {"speeds": 5, "valid_until": "2026-03-02T01:05:00.000Z"})
        counted = (await client.get(SPEEDS)).json()
    assert counted == {"version": 1, "ways": 4, "lines": 1}
    kept = await InMemoryRoadBook(room).conditions()
    assert list(kept.ways.each()) == [
        (-24611093, -0.25, LATER),
        (-5, 3, LATER),
        (5, 3, LATER),
        (173846211, 12.5, LATER),
    ]
    assert distance_m(kept.lines[0].line[0], here) < 0.1


WAY: Document = {"way": 1, "direction": "forward"}
LINE: Document = {"line": [[120.1, 30.1], [120.2, 30.1]], "datum": "wgs84"}


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (speeds(WAY), "speeds[0]", "one_speed_needed"),
        (speeds(WAY | {"kmh": 5, "share": 0.5}), "speeds[0]", "one_speed_needed"),
        (speeds({"kmh": 5}), "speeds[0]", "one_road_needed"),
        (speeds({"way": 1, "kmh": 5}), "speeds[0]", "one_road_needed"),
        (speeds(WAY | LINE | {"kmh": 5}), "speeds[0]", "one_road_needed"),
        (speeds({"line": LINE["line"], "kmh": 5}), "speeds[0]", "one_road_needed"),
        (speeds(WAY | {"kmh": 0}), "speeds[0].kmh", "out_of_range"),
        (speeds(WAY | {"kmh": 131}), "speeds[0].kmh", "out_of_range"),
        (speeds(WAY | {"share": 0}), "speeds[0].share", "out_of_range"),
        (speeds(WAY | {"kmh": "5"}), "speeds[0].kmh", "wrong_type"),
        (speeds(WAY | {"kmh": 5, "lanes": 2}), "speeds[0].lanes", "unknown_field"),
        (speeds({"way": 0, "direction": "forward", "kmh": 5}), "speeds[0].way", "out_of_range"),
        (speeds({"way": 1, "direction": "up", "kmh": 5}), "speeds[0].direction", "unknown_option"),
        (speeds({"line": [[120.1, 30.1]], "datum": "wgs84", "kmh": 5}), "speeds[0].line", "wrong_length"),
        (speeds({"line": [[30.1, 120.1], [30.2, 120.1]], "datum": "wgs84", "kmh": 5}), "speeds[0]", "swapped_axes"),
        (speeds(), "speeds", "wrong_length"),
        ({"speeds": [WAY | {"kmh": 5}]}, "valid_until", "missing_field"),
        (speeds(WAY | {"kmh": 5}, until="2026-03-02T01:00:00Z"), "valid_until", "bad_period"),
        (speeds(WAY | {"kmh": 5}, until="2026-03-03T01:00:01Z"), "valid_until", "bad_period"),
        (speeds(WAY | {"kmh": 5}, until="2026-03-02T01:05:00"), "valid_until", "naive_time"),
        (speeds(WAY | {"kmh": 5}, until="soon"), "valid_until", "bad_time"),
    ],
)
async def test_a_batch_that_can_not_be_meant_is_refused_whole(body: Document, field: str, code: str) -> None:
    """Each refusal names the field; nothing of the batch is kept."""
    async with registry() as client:
        answer = await client.put(SPEEDS, json=body)
        assert (answer.status_code, faults(answer.json())) == (422, [(field, code)])
        assert (await client.get(SPEEDS)).json()["version"] == 0


async def test_a_closure_is_set_shown_changed_and_ended() -> None:
    """201 and then 200, in the shape in which it is put, until somebody opens the roads again."""
    async with registry() as client:
        first = await client.put(CLOSURE, json=closure())
        assert first.status_code == 201
        shown = (await client.get(CLOSURE)).json()
        assert shown == first.json()
        assert (shown["closure_id"], shown["ends_at"]) == ("west-lake", "2026-03-02T16:00:00.000Z")
        again = await client.put(CLOSURE, json={name: said for name, said in shown.items() if name != "closure_id"})
        assert (again.status_code, again.json()) == (200, shown)
        listed = (await client.get("/v1/closures")).json()
        assert listed == {"items": [shown], "total": 1}
        assert (await client.delete(CLOSURE)).status_code == 204
        for gone in (await client.get(CLOSURE), await client.delete(CLOSURE)):
            assert (gone.status_code, gone.json()["code"]) == (404, "unknown_closure")


async def test_a_closure_of_several_areas_in_the_chinese_datum() -> None:
    """A MultiPolygon comes back as one, in WGS-84."""
    lat, lon = to_gcj02(Point(30.25, 120.16))
    ring = [[lon, lat], [lon + 0.01, lat], [lon, lat + 0.01], [lon, lat]]
    other = [[x + 0.1, y] for x, y in ring]
    area = {"type": "MultiPolygon", "coordinates": [[ring], [other]]}
    async with registry() as client:
        answer = await client.put(CLOSURE, json=closure(area=area, datum="gcj02"))
    assert answer.status_code == 201
    shown = answer.json()["area"]
    assert shown["type"] == "MultiPolygon"
    assert shown["coordinates"][0][0][0] == pytest.approx([120.16, 30.25], abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"area": {"type": "Point", "coordinates": [120, 30]}}, "area", "unknown_option"),
        ({"area": {"type": "Polygon", "coordinates": [RING[:-1]]}}, "area", "bad_polygon"),
        ({"area": {"type": "Polygon", "coordinates": [RING[:2] + RING[:1]]}}, "area", "bad_polygon"),
        ({"area": {"type": "Polygon", "coordinates": [[RING[i] for i in (0, 2, 1, 3, 0)]]}}, "area", "bad_polygon"),
        ({"area": {"type": "Polygon", "coordinates": [[RING[0]] * 5]}}, "area", "bad_polygon"),
        ({"area": {"type": "Polygon", "coordinates": []}}, "area.Polygon.coordinates", "wrong_length"),
        ({"area": {"type": "Polygon", "coordinates": [[[y, x] for x, y in RING]]}}, "area", "swapped_axes"),
        (
            {"area": {"type": "Polygon", "coordinates": [[[x * 20 - 2283, y * 20 - 574] for x, y in RING]]}},
            "area",
            "area_too_large",
        ),
        ({"datum": None}, "datum", "unknown_option"),
        ({"ends_at": "2026-03-02T00:00:00Z"}, "ends_at", "bad_period"),
        ({"ends_at": "2026-03-02T00:30:00Z"}, "ends_at", "bad_period"),
        ({"starts_at": "2027-04-02T00:00:00Z", "ends_at": "2027-04-08T00:00:00Z"}, "ends_at", "bad_period"),
        ({"reason": "marathon"}, "reason", "wrong_type"),
        ({"by": ""}, "by", "wrong_length"),
    ],
)
async def test_a_closure_that_can_not_be_meant_is_refused(changes: Document, field: str, code: str) -> None:
    """Shapes that are none, areas larger than a city's quarter, and times that are over or too far."""
    async with registry() as client:
        answer = await client.put(CLOSURE, json=closure(**changes))
        assert answer.status_code == 422, answer.text
        assert (field, code) in faults(answer.json())
        assert (await client.get("/v1/closures")).json()["total"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", SPEEDS),
        ("GET", SPEEDS),
        ("PUT", CLOSURE),
        ("GET", CLOSURE),
        ("DELETE", CLOSURE),
        ("GET", "/v1/closures"),
    ],
)
async def test_only_who_has_the_token_may_speak_of_roads(method: str, path: str) -> None:
    """Closing a street is an act of the city's."""
    async with registry() as client:
        answer = await client.request(method, path, json=closure(), headers={"Authorization": "Bearer another-token"})
    assert (answer.status_code, answer.json()["code"]) == (401, "key_wrong")


async def test_all_roads_of_a_city_fit_into_one_batch() -> None:
    """40,000 roads, both directions; a batch beyond the limit is refused by its number."""
    said = [{"way": number, "direction": "both", "kmh": 20} for number in range(1, 40_001)]
    async with registry() as client:
        answer = await client.put(SPEEDS, json=speeds(*said))
        assert (answer.status_code, answer.json()["speeds"]) == (200, 80_000)


@pytest.fixture
def road_places(tmp_path: Path) -> RoadPlaces:
    """Give the places along one street and one path of 1 km eastwards, through the block's lots."""
    draft, walks = RoadGraphDraft(), WalkDraft()
    line = [(lon, Point(30.2553, lon)) for lon in (120.155, 120.165)]
    draft.add_line(line, 30, Direction.BOTH)
    walks.add_line(line)
    graph = draft.finish(name="street", version="v1", attribution="made up")
    save_graph(replace(graph, walks=walks.finish()), tmp_path / "street.roads")
    return RoadPlaces(tmp_path / "street.roads")


async def test_who_registers_a_place_off_the_roads_is_told_and_it_is_taken(road_places: RoadPlaces) -> None:
    """The second entrance, 700 m off, is registered all the same; what lies beside the street is not spoken of."""
    far = {"entrance_id": "north", "name": NAME, "location": at(30.2616, 120.1590)}
    near = lot()["entrances"]
    assert isinstance(near, list)
    async with registry(road_places=road_places) as client:
        answer = await client.put("/v1/lots/mall", json=lot(entrances=[*near, far]))
        assert answer.status_code == 201
        warnings = answer.json()["warnings"]
        assert [(one["field"], one["code"]) for one in warnings] == [
            ("entrances[1].location", "far_from_road"),
            ("entrances[1].location", "far_from_footway"),
        ]
        assert all(one["zh"] and one["en"] for one in warnings)
        assert "warnings" not in (await client.get("/v1/lots/mall")).json()
        assert "warnings" not in (await client.put("/v1/lots/mall", json=lot())).json()
        await client.put("/v1/lots/h", json=lot(kind="hospital", location=at(30.2576, 120.1621), classes={}))
        answer = await client.put("/v1/hospitals/first", json=hospital(door=at(30.2580, 120.1623)))
        assert [(one["field"], one["code"]) for one in answer.json()["warnings"]] == [("door", "far_from_footway")]
        scene = {"scene": {"name": NAME, "timezone": "Asia/Shanghai"}, "lots": [lot(lot_id="x", entrances=[far])]}
        answer = await client.put("/v1/scene", json=scene)
        assert answer.status_code == 200, answer.text
        assert answer.json()["warnings"][0]["field"] == "lots[0].entrances[0].location"


async def test_without_a_road_file_nothing_is_said_of_roads() -> None:
    """A registry that knows no roads warns of nothing."""
    async with registry() as client:
        answer = await client.put("/v1/lots/mall", json=lot(location=at(30.2616, 120.1590)))
    assert (answer.status_code, "warnings" in answer.json()) == (201, False)
