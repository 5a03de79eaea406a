"""From a place to the road beside it: which edges pass it, how far along each, and on which side.

A one-way road is passed in one direction only. A two-way road is passed in both, but where nobody crosses its middle
(`RoadGraph.kerb_only`) a place off to one side is reached only by the lane of its own side. The drive between place
and road is a guess at car-park pace over the straight line; beyond the limit there is no guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bowei.domain.places import Point
from bowei.roads.graph import RoadGraph, TrafficSide
from bowei.roads.pieces import Beside, Floats, Pieces

SNAP_M_MAX = 500.0
"""Farther from any road than this, roads say nothing about the drive."""

OUT_OF_CLOSURE_M_MAX = 3_000.0
"""Who stands within a closed area is let out of it to an open road, at most this far."""

ACCESS_MPS = 4.0
"""Pace between a place and the road (ramps, yards, gates): 14 km/h."""

SIDE_KNOWN_M = 3.0
"""Nearer to the middle of a road than this, nobody knows on which side a place lies."""

_NO_EDGE = -1


@dataclass(frozen=True, slots=True)
class Snap:
    """The road beside a place."""

    along: tuple[tuple[int, float], ...]
    """Each edge that passes the place, and which share of it lies before the place."""

    access_s: float
    """Seconds between the place and the road, either way."""

    away_m: float
    """Metres between the place and the road."""


class Snapper:
    """Finds the nearest road within the main component. Any thread."""

    def __init__(self, graph: RoadGraph) -> None:
        ends: NDArray[np.int64] = np.column_stack(
            (graph.tail[: graph.road_count].astype(np.int64), _places_ahead(graph))
        )
        main = graph.main_component()
        main[graph.node_copy_of[main[graph.place_count :]]] = True  # one can get there, if not from everywhere
        roads = np.flatnonzero(main[ends[:, 0]] & main[ends[:, 1]])
        self._with_it, self._against = _two_directions(graph.way[roads], ends[roads], roads)
        first = np.where(self._with_it == _NO_EDGE, self._against, self._with_it)
        from_end = self._with_it == _NO_EDGE
        a = np.where(from_end, graph.head[first], graph.tail[first])
        b = np.where(from_end, graph.tail[first], graph.head[first])
        self._pieces = Pieces(graph.node_lat[a], graph.node_lon[a], graph.node_lat[b], graph.node_lon[b])
        self._kerb_only = graph.kerb_only[first]
        self._right = graph.traffic_side is TrafficSide.RIGHT

    def find(self, place: Point, shut: NDArray[np.bool_] | None = None, *, within_m: float = SNAP_M_MAX) -> Snap | None:
        """Give the nearest road, whichever its side, or None; `shut` (see there) marks what is passed over."""
        beside = self._pieces.nearest(place, within_m, shut)
        return None if beside is None else self._snap(beside, self._directions(beside.piece))

    def shut(self, closed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mark what is closed in all its directions, where `closed` marks edges."""
        # closed[_NO_EDGE] would be the last edge's.
        return np.asarray(
            ((self._with_it == _NO_EDGE) | closed[self._with_it])
            & ((self._against == _NO_EDGE) | closed[self._against])
        )

    def find_entrance(self, place: Point) -> Snap | None:
        """Give the nearest road within `SNAP_M_MAX`, in the directions from which a car can turn in; or None."""
        beside = self._pieces.nearest(place, SNAP_M_MAX)
        if beside is None:
            return None
        ways = self._directions(beside.piece)
        if len(ways) == 2 and self._kerb_only[beside.piece] and beside.away_m >= SIDE_KNOWN_M:
            lies_left = beside.left_m > 0
            # Who drives on the right has the right kerb beside him: the place is on his right hand.
            ways = ways[1:] if lies_left is self._right else ways[:1]
        return self._snap(beside, ways)

    def nearest_in_direction(
        self, places: Floats, headings: Floats, within_m: float, least_cos: float
    ) -> NDArray[np.int64]:
        """Give for each place the nearest edge that leads along its heading; -1 where none does.

        Arguments are those of `Pieces.nearest_along`.
        """
        pieces = self._pieces.nearest_along(places, headings, within_m, least_cos)
        found = pieces >= 0
        with_it = (self._pieces.directions(pieces) * headings).sum(axis=1) > 0
        edges = np.where(with_it, self._with_it[pieces], self._against[pieces])
        return np.where(found, edges, _NO_EDGE)

    def _directions(self, piece: int) -> list[tuple[int, bool]]:
        both = ((int(self._with_it[piece]), False), (int(self._against[piece]), True))
        return [(edge, reverse) for edge, reverse in both if edge != _NO_EDGE]

    def _snap(self, beside: Beside, ways: Sequence[tuple[int, bool]]) -> Snap:
        along = tuple((edge, 1 - beside.share if reverse else beside.share) for edge, reverse in ways)
        return Snap(along, beside.away_m / ACCESS_MPS, beside.away_m)


def _places_ahead(graph: RoadGraph) -> NDArray[np.int64]:
    """Give for each road the place where it ends, whether or not its end is a copy of that."""
    place_of = np.arange(graph.node_count, dtype=np.int64)
    place_of[graph.place_count :] = graph.node_copy_of
    return np.asarray(place_of[graph.head[: graph.road_count]], dtype=np.int64)


def _two_directions(
    way: NDArray[np.int64], ends: NDArray[np.int64], roads: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put the two edges of a two-way piece together; -1 where there is only one."""
    key = np.column_stack((np.abs(way), ends.min(axis=1), ends.max(axis=1)))
    pieces, piece_of = np.unique(key, axis=0, return_inverse=True)
    piece_of = piece_of.reshape(-1)
    upwards = ends[:, 0] <= ends[:, 1]
    found = []
    for mine in (upwards, ~upwards):
        edges = np.full(len(pieces), _NO_EDGE, dtype=np.int64)
        edges[piece_of[mine]] = roads[mine]
        found.append(edges)
    return found[0], found[1]
