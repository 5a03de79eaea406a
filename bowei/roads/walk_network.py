"""Where people walk: pieces of footway, path, steps and street, walked in both directions.

Places are kept in whole ten-millionths of a degree (1 cm), as OpenStreetMap has them, and lengths are not kept: eight
bytes a node and eight a piece.
"""

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bowei.domain.places import Point
from bowei.roads.errors import RoadGraphInvalid
from bowei.roads.pieces import STEP_M, in_between

PER_DEGREE = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class WalkNetwork:
    """A walk network as arrays; n nodes, p pieces.

    Raises:
        RoadGraphInvalid: lengths differ, a piece names no node, or a place is not on earth.
    """

    lat_e7: NDArray[np.int32]
    """Latitude of each node, WGS-84, in 1e-7 degrees; shape (n,)."""

    lon_e7: NDArray[np.int32]
    """Longitude of each node; shape (n,)."""

    one_end: NDArray[np.int32]
    """A node of each piece; shape (p,)."""

    other_end: NDArray[np.int32]
    """Its other node; shape (p,)."""

    def __post_init__(self) -> None:
        n, p = self.lat_e7.shape, self.one_end.shape
        if len(n) != 1 or len(p) != 1 or self.lon_e7.shape != n or self.other_end.shape != p or not (n[0] and p[0]):
            raise RoadGraphInvalid("the arrays of the walk network differ in length, or are empty")
        for end in (self.one_end, self.other_end):
            if end.min() < 0 or end.max() >= n[0]:
                raise RoadGraphInvalid("a piece of footway names a node that is not there")
        for e7, most in ((self.lat_e7, 90), (self.lon_e7, 180)):
            if np.abs(e7.astype(np.int64)).max() > most * PER_DEGREE:
                raise RoadGraphInvalid("a node of the walk network is not on earth")


class WalkDraft:
    """Collects lines, then gives the network. Lines that share a key meet there."""

    def __init__(self) -> None:
        self._node_by_key: dict[Hashable, int] = {}
        self._lat = array("i")
        self._lon = array("i")
        self._one_end = array("i")
        self._other_end = array("i")

    def add_line(self, line: Sequence[tuple[Hashable, Point]]) -> float:
        """Add a line of at least two (key, place) points; return its length in metres."""
        metres = 0.0
        for (key_a, a), (key_b, b) in pairwise(line):
            if key_a != key_b:
                between, step_m = in_between(a, b, STEP_M)
                chain = (self._node(key_a, a), *map(self._new_node, between), self._node(key_b, b))
                self._one_end.extend(chain[:-1])
                self._other_end.extend(chain[1:])
                metres += step_m * (len(chain) - 1)
        return metres

    def finish(self) -> WalkNetwork | None:
        """Give the network; None where nothing was added."""
        if not self._one_end:
            return None
        return WalkNetwork(
            *(np.array(column, dtype=np.int32) for column in (self._lat, self._lon, self._one_end, self._other_end))
        )

    def _node(self, key: Hashable, place: Point) -> int:
        node = self._node_by_key.get(key)
        if node is None:
            node = self._node_by_key[key] = self._new_node(place)
        return node

    def _new_node(self, place: Point) -> int:
        self._lat.append(round(place.lat * PER_DEGREE))
        self._lon.append(round(place.lon * PER_DEGREE))
        return len(self._lat) - 1
