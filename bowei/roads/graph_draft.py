"""From lines with a speed and a direction to a road graph; both importers draw on the same sheet.

Lines that share a key share a junction. Long pieces get points in between: a place's nearest piece is found quickly
among pieces that are all short.
"""

from array import array
from collections.abc import Hashable, Sequence
from enum import Enum
from itertools import pairwise

import numpy as np

from bowei.domain.places import Point
from bowei.roads.errors import NoRoadsFound, RoadFileTooLarge
from bowei.roads.graph import RoadGraph, TrafficSide
from bowei.roads.pieces import STEP_M, in_between

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
        self._way = array("q")
        self._kerb_only = array("b")
        self._ways = 0

    def add_line(
        self,
        line: Sequence[tuple[Hashable, Point]],
        speed_kmh: float,
        direction: Direction,
        *,
        way: int | None = None,
        kerb_only: bool = False,
    ) -> float:
        """Add a line of at least two (key, place) points; return its length in metres.

        `way` is its number, above 0, else the next; `kerb_only` says that no car crosses to its other side.

        Raises:
            RoadFileTooLarge: the draft grew beyond `NODES_MAX`.
        """
        if len(self._lat) > NODES_MAX:
            raise RoadFileTooLarge(f"more than {NODES_MAX} road nodes; cut a smaller extract")
        self._ways += 1
        number = self._ways if way is None else way
        metres = 0.0
        for (key_a, a), (key_b, b) in pairwise(line):
            if key_a == key_b:
                continue
            between, step_m = in_between(a, b, STEP_M)
            chain = (self._node(key_a, a), *map(self._new_node, between), self._node(key_b, b))
            step_s = max(_EDGE_S_MIN, step_m * _KMH_PER_MPS / speed_kmh)
            for i, j in pairwise(chain):
                if direction is not Direction.BACKWARD:
                    self._add_edge(i, j, step_s, step_m, number, kerb_only=kerb_only)
                if direction is not Direction.FORWARD:
                    self._add_edge(j, i, step_s, step_m, -number, kerb_only=kerb_only)
            metres += step_m * (len(chain) - 1)
        return metres

    def find_node(self, key: Hashable) -> int | None:
        """Give the node of a key, if a line has it."""
        return self._node_by_key.get(key)

    def finish(
        self, *, name: str, version: str, attribution: str, traffic_side: TrafficSide = TrafficSide.RIGHT
    ) -> RoadGraph:
        """Give the graph.

        Raises:
            NoRoadsFound: no line was added.
        """
        if not self._tail:
            raise NoRoadsFound(f"{name}: no road that a car may use")
        tail, head = np.array(self._tail, dtype=np.int32), np.array(self._head, dtype=np.int32)
        by_ends = np.lexsort((head, tail))
        return RoadGraph(
            name=name,
            version=version,
            attribution=attribution,
            node_lat=np.array(self._lat, dtype=np.float64),
            node_lon=np.array(self._lon, dtype=np.float64),
            tail=tail[by_ends],
            head=head[by_ends],
            travel_s=np.array(self._travel_s, dtype=np.float32)[by_ends],
            length_m=np.array(self._length_m, dtype=np.float32)[by_ends],
            way=np.array(self._way, dtype=np.int64)[by_ends],
            kerb_only=np.array(self._kerb_only, dtype=np.bool_)[by_ends],
            traffic_side=traffic_side,
        )

    def _node(self, key: Hashable, place: Point) -> int:
        node = self._node_by_key.get(key)
        if node is None:
            node = self._node_by_key[key] = self._new_node(place)
        return node

    def _new_node(self, place: Point) -> int:
        self._lat.append(place.lat)
        self._lon.append(place.lon)
        return len(self._lat) - 1

    def _add_edge(self, tail: int, head: int, travel_s: float, length_m: float, way: int, *, kerb_only: bool) -> None:
        self._tail.append(tail)
        self._head.append(head)
        self._travel_s.append(travel_s)
        self._length_m.append(length_m)
        self._way.append(way)
        self._kerb_only.append(kerb_only)
