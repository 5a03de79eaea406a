"""Streets drawn by hand, as GeoJSON (RFC 7946): for demos, tests, and blocks that no map database has.

    {"type": "FeatureCollection", "name": "hangzhou-block", "version": "v1", "datum": "wgs84", "attribution": "…",
     "features": [{"type": "Feature",
                   "properties": {"name": "解放路", "speed_kmh": 25, "oneway": false},
                   "geometry": {"type": "LineString", "coordinates": [[lon, lat], …]}}, …]}

Lines share a junction where they share a coordinate exactly; lines that merely cross do not meet (a bridge). A
one-way street is driven in the order of its coordinates. Streets are ways 1, 2, … in the order in which they are
drawn; `kerb_only` (false) says that no car crosses to a street's other side, `traffic_side` ("right") on which one
drives. Nothing is drawn for walkers: walks are estimated by air. The datum must be said: streets traced on a Chinese
map are GCJ-02 and half a kilometre off.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bowei.domain.places import Point
from bowei.roads.errors import RoadFileMissing, RoadFileTooLarge, RoadFileUnreadable
from bowei.roads.graph import RoadGraph, TrafficSide
from bowei.roads.graph_draft import Direction, RoadGraphDraft
from bowei.roads.turn_expansion import with_turn_rules

FILE_BYTES_MAX = 16 * 2**20
"""A drawing, not a map: larger maps come as .osm.pbf."""

_Lon = Annotated[float, msgspec.Meta(ge=-180, le=180)]
_Lat = Annotated[float, msgspec.Meta(ge=-90, le=90)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class _Line(msgspec.Struct, tag_field="type", tag="LineString", frozen=True):
    coordinates: Annotated[list[tuple[_Lon, _Lat]], msgspec.Meta(min_length=2)]


class _Properties(msgspec.Struct, frozen=True):
    name: _Text
    speed_kmh: Annotated[float, msgspec.Meta(ge=1, le=130)]
    oneway: bool
    kerb_only: bool = False
    """Nobody crosses to its other side."""


class _Street(msgspec.Struct, tag_field="type", tag="Feature", frozen=True):
    properties: _Properties
    geometry: _Line


class _Streets(msgspec.Struct, tag_field="type", tag="FeatureCollection", frozen=True):
    name: _Text
    version: _Text
    datum: Literal["wgs84"]
    attribution: _Text
    features: list[_Street]
    traffic_side: TrafficSide = TrafficSide.RIGHT


def load_streets(path: Path) -> RoadGraph:
    """Build the graph of a drawing.

    Raises:
        RoadFileMissing: no such file.
        RoadFileTooLarge: more than `FILE_BYTES_MAX`.
        RoadFileUnreadable: not such a drawing; the message names the first place that is wrong.
        NoRoadsFound: a drawing without streets.
    """
    if not path.is_file():
        raise RoadFileMissing(f"{path}: no such file")
    if path.stat().st_size > FILE_BYTES_MAX:
        raise RoadFileTooLarge(f"{path}: more than {FILE_BYTES_MAX} bytes for drawn streets")
    try:
        streets = msgspec.json.decode(path.read_bytes(), type=_Streets)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise RoadFileUnreadable(f"{path}: not drawn streets ({error})") from error
    draft = RoadGraphDraft()
    for street in streets.features:
        line = [((lat, lon), Point(lat, lon)) for lon, lat in street.geometry.coordinates]
        one_way = Direction.FORWARD if street.properties.oneway else Direction.BOTH
        draft.add_line(line, street.properties.speed_kmh, one_way, kerb_only=street.properties.kerb_only)
    return with_turn_rules(
        draft.finish(
            name=streets.name,
            version=streets.version,
            attribution=streets.attribution,
            traffic_side=streets.traffic_side,
        )
    )
