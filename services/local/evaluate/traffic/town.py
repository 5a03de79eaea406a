"""The town: the project's own drawing of streets, with driveways to a hospital's lot and to seven lots that lend.

Everything here is values and text; the simulator makes a network of them. A lot lies at the end of a driveway, so
that who waits for a space stands on the driveway first, and only then in the street.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import quoteattr

from bowei.domain.places import Point

STREETS = Path(__file__).parents[2] / "scenes" / "hangzhou_streets.geojson"

DOOR = Point(30.2576, 120.1621)
"""Where patients enter, and the middle of the plane that the network is drawn on."""

_M_PER_DEGREE = 111_195.0
_EAST_M = _M_PER_DEGREE * math.cos(math.radians(DOOR.lat))
_LANES_2_FROM_KMH = 28.0
_LIGHTS_FROM_KMH = 24.0
_LEGAL_KMH = ((20.0, 30.0), (30.0, 40.0), (45.0, 50.0), (math.inf, 60.0))
"""The drawing has speeds with lights and junctions in them; the simulator has lights and junctions of its own, so it
gets the limit of such a street: (up to this speed as drawn, the limit)."""

DRIVEWAY_M = 60.0
HOSPITAL_DRIVEWAY_M = 120.0


@dataclass(frozen=True, slots=True)
class TownLot:
    """A lot of the town. `spaces` are the hospital's own, or those lent; own customers come for them too."""

    name: str
    place: Point
    """Where its driveway leaves the street."""
    spaces: int
    own_per_h: float = 0.0
    at_start: float = 0.0
    """The share that is taken when the simulation begins."""

    @property
    def driveway(self) -> str:
        """The edge on which cars come in."""
        return f"{self.name}_in"


HOSPITAL = TownLot("hospital", Point(30.2577, 120.1613), 127, at_start=0.85)
LENDERS = (
    TownLot("a", Point(30.2555, 120.1601), 40, own_per_h=20.0, at_start=0.5),
    TownLot("b", Point(30.2594, 120.1582), 30, own_per_h=15.0, at_start=0.5),
    TownLot("c", Point(30.2552, 120.1659), 30, own_per_h=15.0, at_start=0.5),
    TownLot("d", Point(30.2640, 120.1615), 20),
    TownLot("e", Point(30.2518, 120.1652), 20, own_per_h=6.0, at_start=0.3),
    TownLot("f", Point(30.2667, 120.1575), 40),
    TownLot("g", Point(30.2583, 120.1760), 60),
)
"""0.30 to 1.34 km from the door by air; their capacities and customers are invented, and tight on purpose."""

LOTS = (HOSPITAL, *LENDERS)


@dataclass(frozen=True, slots=True)
class Street:
    """One line of the drawing; consecutive places are joined by road."""

    places: tuple[Point, ...]
    drawn_kmh: float
    oneway: bool


@dataclass(frozen=True, slots=True)
class PlainNetwork:
    """A network as netconvert reads it, and where its nodes are."""

    nodes_xml: str
    edges_xml: str
    places: Mapping[str, Point]
    streets_from: Mapping[str, Sequence[str]]
    """The street edges that begin at each node."""

    @property
    def origins(self) -> dict[str, Point]:
        """Every street edge, and where it begins."""
        return {edge: self.places[node] for node, edges in self.streets_from.items() for edge in edges}


def on_plane(place: Point) -> tuple[float, float]:
    """Give (x, y) in metres east and north of the door."""
    return (place.lon - DOOR.lon) * _EAST_M, (place.lat - DOOR.lat) * _M_PER_DEGREE


def on_earth(x: float, y: float) -> Point:
    """Give the place at `x` metres east and `y` metres north of the door."""
    return Point(DOOR.lat + y / _M_PER_DEGREE, DOOR.lon + x / _EAST_M)


def read_streets(path: Path = STREETS) -> list[Street]:
    """Read the drawing (`bowei.roads.streets_geojson` says what it may hold)."""
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    return [
        Street(
            tuple(Point(lat, lon) for lon, lat in feature["geometry"]["coordinates"]),
            feature["properties"]["speed_kmh"],
            feature["properties"]["oneway"],
        )
        for feature in features
    ]


def plain_network(streets: Sequence[Street], lots: Sequence[TownLot] = LOTS) -> PlainNetwork:
    """Draw the streets, with a driveway for each lot, as nodes and edges in plain XML."""
    turnings: dict[str, Point] = {}
    for lot in lots:
        streets, turnings[lot.name] = _with_turning(streets, lot.place)
    names = _names(streets)
    lit = _with_lights(streets)
    nodes = [
        _node(name, on_plane(place), "traffic_light" if place in lit else "priority") for place, name in names.items()
    ]
    edges: list[str] = []
    starts: dict[str, list[str]] = {}
    for index, street in enumerate(streets):
        lanes = 2 if street.drawn_kmh >= _LANES_2_FROM_KMH else 1
        limit_kmh = next(limit for up_to, limit in _LEGAL_KMH if street.drawn_kmh <= up_to)
        for piece, (start, end) in enumerate(pairwise(street.places)):
            ways = [(start, end, "f")] if street.oneway else [(start, end, "f"), (end, start, "b")]
            for tail, head, way in ways:
                edge = f"s{index}_{piece}{way}"
                edges.append(_edge(edge, names[tail], names[head], lanes, limit_kmh, priority=int(street.drawn_kmh)))
                starts.setdefault(names[tail], []).append(edge)
    for lot in lots:
        turning = turnings[lot.name]
        nodes.append(_node(f"{lot.name}_end", _end_of_driveway(lot, turning, streets), "dead_end"))
        corner, back = names[turning], f"{lot.name}_end"
        edges.append(_edge(lot.driveway, corner, back, 1, 20.0, priority=1))
        edges.append(_edge(f"{lot.name}_out", back, corner, 1, 20.0, priority=1))
    return PlainNetwork(
        "<nodes>\n" + "\n".join(nodes) + "\n</nodes>\n",
        "<edges>\n" + "\n".join(edges) + "\n</edges>\n",
        {name: place for place, name in names.items()},
        starts,
    )


def parking_xml(lots: Sequence[TownLot] = LOTS, *, hospital_spaces: int | None = None, reservable: bool = False) -> str:
    """Give the car parks at the ends of the driveways. `reservable`: by the simulator's own reservation."""
    lines = ["<additional>"]
    for lot in lots:
        at_m = (HOSPITAL_DRIVEWAY_M if lot is HOSPITAL else DRIVEWAY_M) - 30.0
        spaces = hospital_spaces if lot is HOSPITAL and hospital_spaces is not None else lot.spaces
        native = ' reservable="true"' if reservable else ""
        lines.append(
            f'  <parkingArea id="{lot.name}" lane="{lot.name}_in_0" startPos="{at_m:.1f}" endPos="{at_m + 20:.1f}"'
            f' roadsideCapacity="{spaces}" friendlyPos="true"{native}/>'
        )
    return "\n".join([*lines, "</additional>", ""])


def _with_turning(streets: Sequence[Street], place: Point) -> tuple[list[Street], Point]:
    """Put a node into the street that is nearest to a place: there its driveway begins."""
    x, y = on_plane(place)
    _, index, piece, share = min(_distances(streets, x, y))
    street = streets[index]
    (ax, ay), (bx, by) = on_plane(street.places[piece]), on_plane(street.places[piece + 1])
    share = min(0.8, max(0.2, share))
    turning = on_earth(ax + (bx - ax) * share, ay + (by - ay) * share)
    places = (*street.places[: piece + 1], turning, *street.places[piece + 1 :])
    changed = list(streets)
    changed[index] = Street(places, street.drawn_kmh, street.oneway)
    return changed, turning


def _distances(streets: Sequence[Street], x: float, y: float) -> Iterator[tuple[float, int, int, float]]:
    for index, street in enumerate(streets):
        for piece, (start, end) in enumerate(pairwise(street.places)):
            (ax, ay), (bx, by) = on_plane(start), on_plane(end)
            length = (bx - ax) ** 2 + (by - ay) ** 2
            share = min(1.0, max(0.0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length))
            yield math.hypot(ax + (bx - ax) * share - x, ay + (by - ay) * share - y), index, piece, share


def _names(streets: Sequence[Street]) -> dict[Point, str]:
    names: dict[Point, str] = {}
    for street in streets:
        for place in street.places:
            names.setdefault(place, f"n{len(names)}")
    return names


def _with_lights(streets: Sequence[Street]) -> set[Point]:
    """Give the junctions with lights: at least two main streets meet, and at least three arms."""
    mains: Counter[Point] = Counter()
    arms: Counter[Point] = Counter()
    for street in streets:
        for place in street.places:
            mains[place] += street.drawn_kmh >= _LIGHTS_FROM_KMH
            arms[place] += 1 if place in (street.places[0], street.places[-1]) else 2
    return {place for place in arms if mains[place] >= 2 and arms[place] >= 3}


def _end_of_driveway(lot: TownLot, turning: Point, streets: Sequence[Street]) -> tuple[float, float]:
    """Lead the driveway away from its street at a right angle."""
    length = HOSPITAL_DRIVEWAY_M if lot.name == HOSPITAL.name else DRIVEWAY_M
    street = next(one for one in streets if turning in one.places)
    at = street.places.index(turning)
    (ax, ay), (bx, by) = on_plane(street.places[at - 1]), on_plane(street.places[at + 1])
    along = math.hypot(bx - ax, by - ay)
    x, y = on_plane(turning)
    return x + (by - ay) / along * length, y - (bx - ax) / along * length


def _node(name: str, at: tuple[float, float], kind: str) -> str:
    return f'  <node id={quoteattr(name)} x="{at[0]:.2f}" y="{at[1]:.2f}" type="{kind}"/>'


def _edge(name: str, tail: str, head: str, lanes: int, kmh: float, *, priority: int) -> str:
    return (
        f'  <edge id="{name}" from="{tail}" to="{head}" numLanes="{lanes}" speed="{kmh / 3.6:.2f}"'
        f' priority="{priority}"/>'
    )
