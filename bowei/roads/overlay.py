"""What is said of the roads now, laid over what they usually take.

Speeds by number are looked up in the graph; a line is laid along the roads below it, in its direction; an area closes
every road that touches it, bridges and tunnels among them. Where several speak of a road, the line wins over the
number, and a closure over both. What a line or an area covers depends on the graph alone, so it is kept for as long
as it is said.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from bowei.domain.places import Point, distance_m
from bowei.domain.road_conditions import KMH_MAX, KMH_MIN, Area, RoadConditions
from bowei.roads.graph import EDGE_S_MAX, RoadGraph
from bowei.roads.snapping import Snapper

LINE_WITHIN_M = 20.0
"""A line drawn on another map lies this near to the road that is meant: half of a wide carriageway and its error."""

_LINE_STEP_M = 10.0
_LINE_COVERS = 0.5
"""Of a piece of road, at least this share lies along the line: else it only begins where the line ends."""
_LINE_HEADING_COS = math.cos(math.radians(45))
_KMH_PER_MPS = 3.6

Edges = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Laid:
    """The roads as they are at one instant."""

    travel_s: NDArray[np.float32]
    """Seconds per edge; infinite where closed. Shape (m,)."""

    closed: NDArray[np.bool_] | None
    """Which edges are closed; None: none is."""

    turns_at: datetime | None
    """When the next of what was said begins or ends; None: nothing does."""

    slowed: int
    """Of how many roads a speed is said, whatever it is."""


class Overlay:
    """Lays conditions over the usual times of a graph. One thread at a time."""

    def __init__(self, graph: RoadGraph, snapper: Snapper) -> None:
        self._graph = graph
        self._snapper = snapper
        self._usual_s = graph.travel_s
        self._along: dict[tuple[Point, ...], Edges] = {}
        self._within: dict[Area, Edges] = {}

    def laid(self, conditions: RoadConditions, now: datetime) -> Laid:
        """Work out what each edge takes at `now`."""
        roads = self._graph.road_count
        travel_s = self._usual_s[:roads].copy()
        begins_or_ends: list[datetime] = []
        along: dict[tuple[Point, ...], Edges] = {}
        within: dict[Area, Edges] = {}
        said = np.zeros(roads, dtype=np.bool_)
        self._lay_ways(travel_s, said, conditions, now, begins_or_ends)
        for line in conditions.lines:
            if line.until > now:
                begins_or_ends.append(line.until)
                known = self._along.get(line.line)
                along[line.line] = edges = self._find_along(line.line) if known is None else known
                said[edges] = True
                travel_s[edges] = self._seconds(edges, np.full(len(edges), line.speed, dtype=np.float32))
        closed = np.zeros(roads, dtype=np.bool_)
        for closure in conditions.closures:
            begins_or_ends += [at for at in (closure.starts_at, closure.ends_at) if at > now]
            if closure.ends_at > now:
                known = self._within.get(closure.area)
                within[closure.area] = self._find_within(closure.area) if known is None else known
            if closure.in_force(now):
                closed[within[closure.area]] = True
        travel_s[closed] = np.inf
        self._along, self._within = along, within
        return Laid(
            travel_s=np.concatenate((travel_s, travel_s[self._graph.copy_of])),
            closed=closed if closed.any() else None,
            turns_at=min(begins_or_ends, default=None),
            slowed=int(said.sum()),
        )

    def _lay_ways(
        self,
        travel_s: NDArray[np.float32],
        said_of: NDArray[np.bool_],
        conditions: RoadConditions,
        now: datetime,
        ends: list[datetime],
    ) -> None:
        said = conditions.ways
        until = np.frombuffer(said.until, dtype=">f8").astype(np.float64)
        holds = until > now.timestamp()
        if not holds.any():
            return
        ends.append(datetime.fromtimestamp(float(until[holds].min()), UTC))
        ways = np.frombuffer(said.ways, dtype=">i8").astype(np.int64)[holds]
        speeds = np.frombuffer(said.speeds, dtype=">f4").astype(np.float32)[holds]
        place = np.searchsorted(ways, self._graph.way[: len(travel_s)])
        place[place == len(ways)] = 0
        edges = np.flatnonzero(ways[place] == self._graph.way[: len(travel_s)])
        said_of[edges] = True
        travel_s[edges] = self._seconds(edges, speeds[place[edges]])

    def _seconds(self, edges: Edges, speeds: NDArray[np.float32]) -> NDArray[np.float32]:
        kmh = np.clip(speeds, KMH_MIN, KMH_MAX)
        by_speed = self._graph.length_m[edges] * _KMH_PER_MPS / kmh
        by_share = self._usual_s[edges] / np.where(speeds < 0, -speeds, 1)
        return np.clip(np.where(speeds < 0, by_share, by_speed), 0.001, EDGE_S_MAX).astype(np.float32)

    def _find_along(self, line: tuple[Point, ...]) -> Edges:
        """Find the edges below a line: of those in its direction the nearest to each step, if most of it is so."""
        places, headings, metres = [], [], []
        for a, b in pairwise(line):
            heading = _heading(a, b)
            steps = max(1, math.ceil(distance_m(a, b) / _LINE_STEP_M))
            for step in range(steps):
                share = (step + 0.5) / steps  # the middle of each step, so that none reaches beyond the line
                places.append((a.lat + (b.lat - a.lat) * share, a.lon + (b.lon - a.lon) * share))
            headings += [heading] * steps
            metres += [distance_m(a, b) / steps] * steps
        found = self._snapper.nearest_in_direction(
            np.array(places), np.array(headings), LINE_WITHIN_M, _LINE_HEADING_COS
        )
        hit = found >= 0
        edges, which = np.unique(found[hit], return_inverse=True)
        covered_m = np.bincount(which, weights=np.array(metres)[hit], minlength=len(edges))
        return edges[covered_m >= _LINE_COVERS * self._graph.length_m[edges]]

    def _find_within(self, area: Area) -> Edges:
        polygons = [
            shapely.Polygon([_lon_lat(p) for p in rings[0]], [[_lon_lat(p) for p in ring] for ring in rings[1:]])
            for rings in area
        ]
        shape = shapely.MultiPolygon(polygons)
        west, south, east, north = shape.bounds
        graph, roads = self._graph, self._graph.road_count
        lon = (graph.node_lon[graph.tail[:roads]], graph.node_lon[graph.head[:roads]])
        lat = (graph.node_lat[graph.tail[:roads]], graph.node_lat[graph.head[:roads]])
        near = np.flatnonzero(
            (np.maximum(*lon) >= west)
            & (np.minimum(*lon) <= east)
            & (np.maximum(*lat) >= south)
            & (np.minimum(*lat) <= north)
        )
        ends = np.stack(
            (np.column_stack((lon[0][near], lat[0][near])), np.column_stack((lon[1][near], lat[1][near]))), axis=1
        )
        shapely.prepare(shape)
        return near[shapely.intersects(shape, shapely.linestrings(ends))]


def _heading(a: Point, b: Point) -> tuple[float, float]:
    east, north = (b.lon - a.lon) * math.cos(math.radians(a.lat)), b.lat - a.lat
    length = math.hypot(east, north)
    return (0.0, 0.0) if length == 0 else (east / length, north / length)


def _lon_lat(point: Point) -> tuple[float, float]:
    return point.lon, point.lat
