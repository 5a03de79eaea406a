"""From a place to the road beside it.

The nearest node of the main component stands for the nearest place on a road (nodes are at most 50 m apart). The
drive between the two is a guess at car-park pace over the straight line; beyond the limit there is no guess.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bowei.domain.places import EARTH_RADIUS_M, Point
from bowei.roads.graph import RoadGraph

SNAP_M_MAX = 500.0
"""Farther from any road than this, roads say nothing about the drive."""

ACCESS_MPS = 4.0
"""Pace between a place and the road (ramps, yards, gates): 14 km/h."""


@dataclass(frozen=True, slots=True)
class Snap:
    """The road beside a place."""

    node: int

    access_s: float
    """Seconds between the place and the node, either way."""


class Snapper:
    """Finds the nearest node of the roads' main component. Any thread."""

    def __init__(self, graph: RoadGraph) -> None:
        self._nodes: NDArray[np.int64] = np.flatnonzero(graph.main_component())
        lat = np.radians(graph.node_lat[self._nodes])
        lon = np.radians(graph.node_lon[self._nodes])
        # Points in space, not degrees: the straight line orders places as the great circle does, anywhere on earth.
        self._tree = cKDTree(
            EARTH_RADIUS_M * np.column_stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))
        )

    def find(self, place: Point) -> Snap | None:
        """Give the nearest road within `SNAP_M_MAX`, or None."""
        away_m, index = self._tree.query(_in_space(place), distance_upper_bound=SNAP_M_MAX)
        if math.isinf(away_m):
            return None
        return Snap(int(self._nodes[index]), float(away_m) / ACCESS_MPS)

    def find_all(self, places: Sequence[Point]) -> list[Snap | None]:
        """Snap each place."""
        return [self.find(place) for place in places]


def _in_space(place: Point) -> tuple[float, float, float]:
    lat, lon = math.radians(place.lat), math.radians(place.lon)
    around = EARTH_RADIUS_M * math.cos(lat)
    return around * math.cos(lon), around * math.sin(lon), EARTH_RADIUS_M * math.sin(lat)
