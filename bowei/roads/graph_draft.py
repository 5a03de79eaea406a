"""From lines with a speed and a direction to a road graph; both importers draw on the same sheet.

Lines that share a key share a junction. Long pieces get points in between, so that snapping to the nearest node is
snapping to the nearest place on a road, within half a step.
"""

import math
from array import array
from collections.abc import Hashable, Sequence
from enum import Enum
from itertools import pairwise

import numpy as np

from bowei.domain.places import Point, distance_m
from bowei.roads.errors import NoRoadsFound, RoadFileTooLarge
from bowei.roads.graph import RoadGraph

STEP_M = 50.0
"""Longest piece of road without a node: nobody is snapped more than 25 m along a road (about 5 s of driving)."""

NODES_MAX = 20_000_000
"""A country of middle size; more would not fit the memory of a small machine."""

_EDGE_S_MIN = 0.001
_KMH_PER_MPS = 3.6


class Direction(Enum):
    """Which way along its points a line may be driven."""

    BOTH = "both"
    FORWARD = "forward"
    BACKWARD = "backward"


class RoadGraphDraft:
    """Collects lines, then gives the graph."""

    def __init__(self) -> None:
        self._node_by_key: dict[Hashable, int] = {}
        self._lat = array("d")
        self._lon = array("d")
        self._tail = array("i")
        self._head = array("i")
        self._travel_s = array("d")
        self._length_m = array("d")

    def add_line(self, line: Sequence[tuple[Hashable, Point]], speed_kmh: float, direction: Direction) -> float:
        """Add a line of at least two (key, place) points; return its length in metres.

        Raises:
            RoadFileTooLarge: the draft grew beyond `NODES_MAX`.
        """
        if len(self._lat) > NODES_MAX:
            raise RoadFileTooLarge(f"more than {NODES_MAX} road nodes; cut a smaller extract")
        metres = 0.0
        for (key_a, a), (key_b, b) in pairwise(line):
            if key_a != key_b:
                metres += self._add_piece(self._node(key_a, a), self._node(key_b, b), speed_kmh, direction)
        return metres

    def finish(self, *, name: str, version: str, attribution: str) -> RoadGraph:
        """Give the graph; of several edges between the same two nodes the quickest stays.

        Raises:
            NoRoadsFound: no line was added.
        """
        if not self._tail:
            raise NoRoadsFound(f"{name}: no road that a car may use")
        tail, head = np.array(self._tail, dtype=np.int32), np.array(self._head, dtype=np.int32)
        travel_s = np.array(self._travel_s, dtype=np.float32)
        by_ends_then_time = np.lexsort((travel_s, head, tail))
        tail, head = tail[by_ends_then_time], head[by_ends_then_time]
        first = np.ones(len(tail), dtype=np.bool_)
        first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
        kept = by_ends_then_time[first]
        return RoadGraph(
            name=name,
            version=version,
            attribution=attribution,
            node_lat=np.array(self._lat, dtype=np.float64),
            node_lon=np.array(self._lon, dtype=np.float64),
            tail=tail[first],
            head=head[first],
            travel_s=travel_s[kept],
            length_m=np.array(self._length_m, dtype=np.float32)[kept],
        )

    def _node(self, key: Hashable, place: Point) -> int:
        node = self._node_by_key.get(key)
        if node is None:
            node = self._node_by_key[key] = self._new_node(place.lat, place.lon)
        return node

    def _new_node(self, lat: float, lon: float) -> int:
        self._lat.append(lat)
        self._lon.append(lon)
        return len(self._lat) - 1

    def _add_piece(self, a: int, b: int, speed_kmh: float, direction: Direction) -> float:
        lat_a, lon_a, lat_b, lon_b = self._lat[a], self._lon[a], self._lat[b], self._lon[b]
        metres = distance_m(Point(lat_a, lon_a), Point(lat_b, lon_b))
        steps = max(1, math.ceil(metres / STEP_M))
        between = (
            self._new_node(lat_a + (lat_b - lat_a) * i / steps, lon_a + (lon_b - lon_a) * i / steps)
            for i in range(1, steps)
        )
        chain = (a, *between, b)
        step_m = metres / steps
        step_s = max(_EDGE_S_MIN, step_m * _KMH_PER_MPS / speed_kmh)
        for i, j in pairwise(chain):
            if direction is not Direction.BACKWARD:
                self._add_edge(i, j, step_s, step_m)
            if direction is not Direction.FORWARD:
                self._add_edge(j, i, step_s, step_m)
        return metres

    def _add_edge(self, tail: int, head: int, travel_s: float, length_m: float) -> None:
        self._tail.append(tail)
        self._head.append(head)
        self._travel_s.append(travel_s)
        self._length_m.append(length_m)
