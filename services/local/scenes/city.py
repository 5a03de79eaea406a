"""A city of 26 hospitals that share their lots: made by a rule, the same every time.

The hospitals are real and public; their places are approximate (a few hundred metres), and what they have is
invented. Every other lot is invented, named 示例 and marked synthetic. Each lends to the nearest hospitals, so that
neighbouring hospitals draw on the same spaces.
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from bowei.domain.places import Point, distance_m

_LOT_COUNT = 200
_RADIUS_M = 2_000
_LENDS_TO_MOST = 3
_NATIVE_LOTS = 40

# id, zh, en, lat, lon, own spaces
_HOSPITALS: Sequence[tuple[str, str, str, float, float, int]] = (
    ("first-hospital", "杭州市第一人民医院", "Hangzhou First People's Hospital", 30.2576, 120.1621, 127),
    ("zheyi", "浙大一院（庆春）", "First Affiliated Hospital, Zhejiang University (Qingchun)", 30.2583, 120.1732, 260),
    (
        "zheer",
        "浙大二院（解放路）",
        "Second Affiliated Hospital, Zhejiang University (Jiefang Road)",
        30.2535,
        120.1728,
        230,
    ),
    ("zhaohui", "浙江省人民医院（朝晖）", "Zhejiang Provincial People's Hospital (Zhaohui)", 30.2870, 120.1635, 300),
    ("red-cross", "杭州市红十字会医院", "Hangzhou Red Cross Hospital", 30.2679, 120.1825, 110),
)
_EXAMPLE_HOSPITALS = 21
"""The other hospitals of the 26: invented, because nobody here is sure of their places."""

_CENTRE = Point(30.2700, 120.1650)
_KINDS = (("mall", "商场", "Mall"), ("office", "写字楼", "Offices"), ("public", "公共停车场", "Public Car Park"))


def city_document() -> dict[str, Any]:
    """Give the scene as the registry takes it (docs/scene-file.md)."""
    rng = random.Random("city")  # noqa: S311  (a layout, not a secret)
    hospitals = [*_HOSPITALS, *_example_hospitals(rng)]
    lots = _lots(rng, hospitals)
    own_lots = [_hospital_lot(one) for one in hospitals]
    return {
        "scene": {
            "name": {"zh": "杭州主城区（演示）", "en": "Central Hangzhou (demo)"},
            "timezone": "Asia/Shanghai",
            "note": "Lots and hospitals named 示例 are invented; so is what the real hospitals have.",
        },
        "lots": [*own_lots, *lots],
        "hospitals": [_hospital(one) for one in hospitals],
        "agreements": _agreements(lots, hospitals),
        "sources": _sources([str(lot["lot_id"]) for lot in own_lots], [str(lot["lot_id"]) for lot in lots]),
    }


def _example_hospitals(rng: random.Random) -> list[tuple[str, str, str, float, float, int]]:
    """Spread them in three rings around the centre, 2 to 7 km out."""
    made = []
    for number in range(1, _EXAMPLE_HOSPITALS + 1):
        ring_m = (2_600, 4_600, 6_800)[number % 3]
        place = _beside(_CENTRE, ring_m * rng.uniform(0.9, 1.1), 360 * number / _EXAMPLE_HOSPITALS)
        spaces = rng.randrange(80, 240, 10)
        made.append(
            (
                f"example-hospital-{number:02d}",
                f"示例医院{number}",
                f"Example Hospital {number}",
                place.lat,
                place.lon,
                spaces,
            )
        )
    return made


def _lots(rng: random.Random, hospitals: Sequence[tuple[str, str, str, float, float, int]]) -> list[dict[str, Any]]:
    made = []
    for number in range(1, _LOT_COUNT + 1):
        _, _, _, lat, lon, _ = hospitals[number % len(hospitals)]
        place = _beside(Point(lat, lon), rng.uniform(180, 1_500), rng.uniform(0, 360))
        kind, zh, en = _KINDS[number % len(_KINDS)]
        made.append(
            {
                "lot_id": f"example-{kind}-{number:03d}",
                "kind": kind,
                "name": {"zh": f"示例{zh}{number}", "en": f"Example {en} {number}"},
                "capacity": rng.randrange(80, 500, 10),
                "location": _position(place),
                "entrances": [_entrance("e1", place)],
                "barrier_link": number % 10 != 0,
                "synthetic": True,
            }
        )
    return made


def _agreements(
    lots: Sequence[Mapping[str, Any]], hospitals: Sequence[tuple[str, str, str, float, float, int]]
) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for lot in lots:
        place = Point(lot["location"]["lat"], lot["location"]["lon"])
        near = sorted((distance_m(place, Point(one[3], one[4])), one[0]) for one in hospitals)
        lent = lot["capacity"] * 4 // 10
        made.extend(
            {
                "agreement_id": f"{lot['lot_id']}-{hospital_id}",
                "lot_id": lot["lot_id"],
                "hospital_id": hospital_id,
                "margin": 3,
                "windows": _windows(str(lot["kind"]), lent),
            }
            for metres, hospital_id in near[:_LENDS_TO_MOST]
            if metres <= _RADIUS_M
        )
    return made


def _windows(kind: str, lent: int) -> list[dict[str, Any]]:
    if kind == "mall":
        return [
            {"spaces": lent, "starts": "21:00", "stops": "10:00"},
            {"spaces": lent // 2, "starts": "10:00", "stops": "12:00"},
            {"spaces": lent // 6, "starts": "12:00", "stops": "21:00"},
        ]
    if kind == "office":
        return [
            {"spaces": lent, "days": [1, 2, 3, 4, 5, 7], "starts": "18:00", "stops": "08:30"},
            {"spaces": lent // 4, "days": [1, 2, 3, 4, 5], "starts": "08:30", "stops": "18:00"},
            {"spaces": lent, "days": [6, 7]},
        ]
    return [{"spaces": lent}]


def _sources(own_lots: Sequence[str], lots: Sequence[str]) -> list[dict[str, Any]]:
    """Give one source for the hospitals, one City Brain lot and its barrier, and for the rest one per 40 lots."""
    citybrain, *others = lots
    batches = [others[start : start + _NATIVE_LOTS] for start in range(0, len(others), _NATIVE_LOTS)]
    sources: list[dict[str, Any]] = [
        {"source_id": "hospital-barriers", "kind": "native", "lots": {lot_id: lot_id for lot_id in own_lots}},
        {"source_id": "citybrain-example", "kind": "citybrain", "lots": {"330100-0001": citybrain}},
        {"source_id": "citybrain-barrier", "kind": "native", "lots": {citybrain: citybrain}},
        *(
            {"source_id": f"operator-{number}", "kind": "native", "lots": {lot_id: lot_id for lot_id in batch}}
            for number, batch in enumerate(batches, start=1)
        ),
    ]
    # The demo knows its own lots: they need no day of good reports to be believed.
    return [source | {"trusted": True} for source in sources]


def _hospital_lot(hospital: tuple[str, str, str, float, float, int]) -> dict[str, Any]:
    hospital_id, zh, en, lat, lon, spaces = hospital
    place = Point(lat, lon)
    return {
        "lot_id": f"{hospital_id}-lot",
        "kind": "hospital",
        "name": {"zh": f"{zh}停车场", "en": f"{en} car park"},
        "capacity": spaces,
        "location": _position(place),
        "entrances": [_entrance("main", place)],
        "synthetic": hospital_id.startswith("example-"),
    }


def _hospital(hospital: tuple[str, str, str, float, float, int]) -> dict[str, Any]:
    hospital_id, zh, en, lat, lon, _ = hospital
    place = _position(Point(lat, lon))
    return {
        "hospital_id": hospital_id,
        "name": {"zh": zh, "en": en},
        "lot_id": f"{hospital_id}-lot",
        "door": place,
        "gate": dict(place),
        "radius_m": _RADIUS_M,
    }


def _entrance(entrance_id: str, place: Point) -> dict[str, Any]:
    return {"entrance_id": entrance_id, "name": {"zh": "入口", "en": "Entrance"}, "location": _position(place)}


def _position(place: Point) -> dict[str, Any]:
    return {"lat": round(place.lat, 5), "lon": round(place.lon, 5), "datum": "wgs84"}


def _beside(centre: Point, metres: float, bearing_deg: float) -> Point:
    bearing = math.radians(bearing_deg)
    lat = centre.lat + metres * math.cos(bearing) / 111_195
    return Point(lat, centre.lon + metres * math.sin(bearing) / (111_195 * math.cos(math.radians(centre.lat))))
