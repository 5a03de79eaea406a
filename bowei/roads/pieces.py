"""Pieces of road or footway, and which of them lies beside a place.

The tree holds the middles of parts of pieces, none longer than `STEP_M`, so the nearest piece's middle is hardly
farther than the piece itself: a few middles are looked at, and more until none beyond can win.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bowei.domain.places import EARTH_RADIUS_M, Point, distance_m

STEP_M = 50.0
"""Longest part of a piece: what keeps the search for the nearest one short."""

_FIRST_LOOK = 8
_FURTHER_LOOK = 4
_LOOK_ALONG = 16
_METRES_PER_DEGREE = math.radians(EARTH_RADIUS_M)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Beside:
    """The piece nearest to a place."""

    piece: int

    share: float
    """How far along the piece, from its first end, is the nearest point: 0 to 1."""

    away_m: float
    """From the place to that point."""

    left_m: float
    """The same, positive where the place lies to the left of who goes from the first end to the second."""


class Pieces:
    """Straight pieces between two points each. Any thread."""

    def __init__(
        self,
        lat_a: NDArray[np.float64],
        lon_a: NDArray[np.float64],
        lat_b: NDArray[np.float64],
        lon_b: NDArray[np.float64],
    ) -> None:
        self._ends = np.column_stack((lat_a, lon_a, lat_b, lon_b))
        self._ends_of: list[tuple[float, float, float, float]] = list(map(tuple, self._ends.tolist()))
        north, east = lat_b - lat_a, (lon_b - lon_a) * np.cos(np.radians(lat_a))
        length_m = np.hypot(north, east) * _METRES_PER_DEGREE
        parts = np.maximum(1, np.ceil(length_m / STEP_M)).astype(np.int64)
        self._piece_of = np.repeat(np.arange(len(parts)), parts)
        part = np.arange(len(self._piece_of)) - np.repeat(parts.cumsum() - parts, parts)
        share = (part + 0.5) / parts[self._piece_of]
        lat = lat_a[self._piece_of] + share * north[self._piece_of]
        lon = lon_a[self._piece_of] + share * (lon_b - lon_a)[self._piece_of]
        self._tree = cKDTree(_in_space(lat, lon))
        self._half_m = float((length_m / parts).max()) / 2 + 1.0

    def nearest(self, place: Point, within_m: float, shut: NDArray[np.bool_] | None = None) -> Beside | None:
        """Give the nearest piece within `within_m`, or None; `shut` marks pieces that don't count."""
        count = len(self._piece_of)
        looked = 0
        look = min(_FIRST_LOOK, count)
        best = -1
        best_m = within_m
        here = _point_in_space(place)
        while True:
            far_m, found = self._tree.query(here, k=look, distance_upper_bound=within_m + self._half_m)
            far_m, found = np.atleast_1d(far_m), np.atleast_1d(found)
            near = found[looked:]
            near = near[near < count]  # what is not there has the number after the last
            for piece in self._piece_of[near].tolist():
                if shut is None or not shut[piece]:
                    away_m = self._away_m(place, piece)
                    if away_m < best_m or (best < 0 and away_m == best_m):
                        best, best_m = piece, away_m
            if look == count or far_m[-1] - self._half_m > best_m:
                return None if best < 0 else self._look(place, best)[0]
            looked, look = look, min(look * _FURTHER_LOOK, count)

    def nearest_along(self, places: Floats, headings: Floats, within_m: float, least_cos: float) -> NDArray[np.int64]:
        """Give for each place the nearest piece that lies along its heading, either way; a piece's number, or -1.

        `places` are (lat, lon), `headings` (east, north) of length 1, both of shape (n, 2). `least_cos` is the cosine
        of the greatest angle between the two. Of the `_LOOK_ALONG` nearest middles, so a place among more pieces than
        that may find none.
        """
        look = min(_LOOK_ALONG, len(self._piece_of))
        far_m, found = self._tree.query(
            _in_space(places[:, 0], places[:, 1]), k=[*range(1, look + 1)], distance_upper_bound=within_m + self._half_m
        )
        pieces = self._piece_of[np.where(np.isfinite(far_m), found, 0)]
        lat_a, lon_a, lat_b, lon_b = np.moveaxis(self._ends[pieces], -1, 0)
        lat, lon = places[:, :1], places[:, 1:]
        east = np.cos(np.radians(lat)) * _METRES_PER_DEGREE
        ax, ay = (lon_a - lon) * east, (lat_a - lat) * _METRES_PER_DEGREE
        dx, dy = (lon_b - lon_a) * east, (lat_b - lat_a) * _METRES_PER_DEGREE
        square = np.maximum(dx * dx + dy * dy, 1e-9)
        share = np.clip(-(ax * dx + ay * dy) / square, 0, 1)
        away_m = np.hypot(ax + share * dx, ay + share * dy)
        cos = np.abs(dx * headings[:, :1] + dy * headings[:, 1:]) / np.sqrt(square)
        away_m[~np.isfinite(far_m) | (cos < least_cos) | (away_m > within_m)] = np.inf
        best = away_m.argmin(axis=1)
        rows = np.arange(len(places))
        return np.where(np.isfinite(away_m[rows, best]), pieces[rows, best], -1)

    def directions(self, pieces: NDArray[np.int64]) -> Floats:
        """Give where each piece points, (east, north) in degrees as they lie there; shape (n, 2)."""
        lat_a, lon_a, lat_b, lon_b = self._ends[pieces].T
        return np.column_stack(((lon_b - lon_a) * np.cos(np.radians(lat_a)), lat_b - lat_a))

    def beside(self, place: Point, piece: int) -> tuple[Beside, tuple[float, float]]:
        """Say how a place lies to a piece, and where the piece points (east, north; of length 1)."""
        beside, dx, dy = self._look(place, piece)
        length = math.hypot(dx, dy) or 1.0
        return beside, (dx / length, dy / length)

    def _away_m(self, place: Point, piece: int) -> float:
        lat_a, lon_a, lat_b, lon_b = self._ends_of[piece]
        east = math.cos(math.radians(place.lat)) * _METRES_PER_DEGREE
        ax, ay = (lon_a - place.lon) * east, (lat_a - place.lat) * _METRES_PER_DEGREE
        dx, dy = (lon_b - lon_a) * east, (lat_b - lat_a) * _METRES_PER_DEGREE
        square = dx * dx + dy * dy
        share = 0.0 if square == 0 else min(1.0, max(0.0, -(ax * dx + ay * dy) / square))
        return math.hypot(ax + share * dx, ay + share * dy)

    def _look(self, place: Point, piece: int) -> tuple[Beside, float, float]:
        lat_a, lon_a, lat_b, lon_b = self._ends_of[piece]
        east = math.cos(math.radians(place.lat)) * _METRES_PER_DEGREE
        ax, ay = (lon_a - place.lon) * east, (lat_a - place.lat) * _METRES_PER_DEGREE
        dx, dy = (lon_b - lon_a) * east, (lat_b - lat_a) * _METRES_PER_DEGREE
        square = dx * dx + dy * dy
        share = 0.0 if square == 0 else min(1.0, max(0.0, -(ax * dx + ay * dy) / square))
        px, py = ax + share * dx, ay + share * dy
        away_m = math.hypot(px, py)
        return Beside(piece, share, away_m, math.copysign(away_m, dy * px - dx * py)), dx, dy


def in_between(a: Point, b: Point, step_m: float) -> tuple[list[Point], float]:
    """Give points between two, so that no step is longer than `step_m`, and the length of a step."""
    metres = distance_m(a, b)
    steps = max(1, math.ceil(metres / step_m))
    between = [Point(a.lat + (b.lat - a.lat) * i / steps, a.lon + (b.lon - a.lon) * i / steps) for i in range(1, steps)]
    return between, metres / steps


def _point_in_space(place: Point) -> tuple[float, float, float]:
    lat, lon = math.radians(place.lat), math.radians(place.lon)
    around = EARTH_RADIUS_M * math.cos(lat)
    return around * math.cos(lon), around * math.sin(lon), EARTH_RADIUS_M * math.sin(lat)


def _in_space(lat: Floats, lon: Floats) -> Floats:
    # Points in space, not degrees: the straight line orders places as the great circle does, anywhere on earth.
    lat, lon = np.radians(lat), np.radians(lon)
    around = EARTH_RADIUS_M * np.cos(lat)
    return np.stack((around * np.cos(lon), around * np.sin(lon), EARTH_RADIUS_M * np.sin(lat)), axis=-1)
