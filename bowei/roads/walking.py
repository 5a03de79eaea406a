"""How far it is on foot, over the footways, steps and streets of the walk network.

A walk is the same in both directions, so one search from a hospital's door finds the walks from all entrances. The
result is kept: entrances and doors change a few times a day, and are asked about with every request.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from bowei.domain.places import EARTH_RADIUS_M, Point
from bowei.roads.pieces import Beside, Pieces
from bowei.roads.walk_network import PER_DEGREE, WalkNetwork

BESIDE_M_MAX = 150.0
"""Farther from any footway than this, the network says nothing about the walk."""

WALK_M_MAX = 5_000.0
"""Over an hour: nobody is sent farther on foot, so a longer walk is not looked for."""

_DOORS_KEPT = 1_000


class Footways:
    """Walks over a network, from one door to many places. One thread at a time."""

    def __init__(self, network: WalkNetwork) -> None:
        one, other = network.one_end, network.other_end
        lat, lon = network.lat_e7 / PER_DEGREE, network.lon_e7 / PER_DEGREE
        north = np.radians(lat[other] - lat[one])
        east = np.radians(lon[other] - lon[one]) * np.cos(np.radians((lat[one] + lat[other]) / 2))
        lengths = np.maximum(0.01, np.hypot(north, east) * EARTH_RADIUS_M)
        # scipy adds up repeated entries, so of parallel pieces only the shortest may enter.
        ends = np.sort(np.column_stack((one, other)), axis=1)
        order = np.lexsort((lengths, ends[:, 1], ends[:, 0]))
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = np.any(ends[order][1:] != ends[order][:-1], axis=1)
        kept = order[first]
        self._links = csr_array((lengths[kept], (ends[kept, 0], ends[kept, 1])), shape=(len(lat), len(lat)))
        _, label = connected_components(self._links, directed=False)
        main = np.flatnonzero((label == np.bincount(label).argmax())[one])
        self._one, self._other, self._length_m = one[main], other[main], lengths[main]
        self._pieces = Pieces(lat[self._one], lon[self._one], lat[self._other], lon[self._other])
        self._kept: dict[Point, dict[Point, float | None]] = {}

    def is_beside(self, place: Point) -> bool:
        """Say whether the network says anything about walks from or to a place."""
        return self._pieces.nearest(place, BESIDE_M_MAX) is not None

    def walks_m(self, places: Sequence[Point], door: Point) -> list[float | None]:
        """Give the metres between each place and the door; None where the network does not say."""
        known = self._kept.get(door, {})
        if not known.keys() >= set(places):
            if len(self._kept) >= _DOORS_KEPT:
                self._kept.clear()
            known = self._kept[door] = dict(zip(places, self._search(places, door), strict=True))
        return [known[place] for place in places]

    def _search(self, places: Sequence[Point], door: Point) -> list[float | None]:
        start = self._pieces.nearest(door, BESIDE_M_MAX)
        if start is None or not places:
            return [None] * len(places)
        ends = self._ends(start)
        reached_m = dijkstra(
            self._links, directed=False, indices=np.array([node for node, _ in ends]), limit=WALK_M_MAX
        ) + np.array([[before_m] for _, before_m in ends])
        nearest_m = reached_m.min(axis=0)
        return [self._walk_m(place, start, nearest_m) for place in places]

    def _walk_m(self, place: Point, start: Beside, nearest_m: NDArray[np.float64]) -> float | None:
        end = self._pieces.nearest(place, BESIDE_M_MAX)
        if end is None:
            return None
        metres = min(float(nearest_m[node]) + before_m for node, before_m in self._ends(end))
        if end.piece == start.piece:
            along_m = abs(end.share - start.share) * float(self._length_m[end.piece])
            metres = min(metres, start.away_m + along_m + end.away_m)
        return metres if np.isfinite(metres) else None

    def _ends(self, beside: Beside) -> list[tuple[int, float]]:
        """Give both ends of a piece, each with the metres from the place beside it to there."""
        length_m = float(self._length_m[beside.piece])
        return [
            (int(self._one[beside.piece]), beside.away_m + beside.share * length_m),
            (int(self._other[beside.piece]), beside.away_m + (1 - beside.share) * length_m),
        ]
