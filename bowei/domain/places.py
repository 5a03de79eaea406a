"""Places on the earth: points, their datum, and distances between them.

Everything inside Bowei is WGS-84. Chinese maps publish GCJ-02 (and Baidu BD-09), which differ from WGS-84 by about
half a kilometre in Hangzhou: more than the distance from the hospital to the mall. So a coordinate pair enters only
with its datum said, and is converted once, here.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the earth (IUGG), metres."""

_KRASOVSKY_A_M = 6_378_245.0
_KRASOVSKY_E2 = 0.006_693_421_622_965_943_23
_BD09_TWIST = math.pi * 3000.0 / 180.0


class Datum(StrEnum):
    """The system a coordinate pair is given in."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


@dataclass(frozen=True, slots=True)
class Point:
    """A place in WGS-84 degrees."""

    lat: float
    lon: float


def to_wgs84(lat: float, lon: float, datum: Datum) -> Point:
    """Read a pair in its own datum as a WGS-84 point (round trips agree within 1 mm for GCJ-02, 0.1 m for BD-09)."""
    if datum is Datum.WGS84:
        return Point(lat, lon)
    if datum is Datum.BD09:
        lat, lon = _bd09_to_gcj02(lat, lon)
    return Point(*_gcj02_to_wgs84(lat, lon))


def to_gcj02(point: Point) -> tuple[float, float]:
    """Give (lat, lon) in GCJ-02, as the Chinese map apps want it."""
    return _wgs84_to_gcj02(point.lat, point.lon)


def distance_m(a: Point, b: Point) -> float:
    """Great-circle distance in metres."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    half_lat = (lat_b - lat_a) / 2
    half_lon = math.radians(b.lon - a.lon) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord)))


def in_mainland_box(lat: float, lon: float) -> bool:
    """Say whether GCJ-02 applies: the box that map makers use around mainland China."""
    return 72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271


def _gcj02_shift(lat: float, lon: float) -> tuple[float, float]:
    """Give the shift (dlat, dlon) in degrees that GCJ-02 adds at a WGS-84 point; polynomial as published."""
    x, y = lon - 105.0, lat - 35.0
    ripple = (20 * math.sin(6 * x * math.pi) + 20 * math.sin(2 * x * math.pi)) * 2 / 3
    north_m = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + ripple
    north_m += (20 * math.sin(y * math.pi) + 40 * math.sin(y / 3 * math.pi)) * 2 / 3
    north_m += (160 * math.sin(y / 12 * math.pi) + 320 * math.sin(y * math.pi / 30)) * 2 / 3
    east_m = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + ripple
    east_m += (20 * math.sin(x * math.pi) + 40 * math.sin(x / 3 * math.pi)) * 2 / 3
    east_m += (150 * math.sin(x / 12 * math.pi) + 300 * math.sin(x / 30 * math.pi)) * 2 / 3
    rad = math.radians(lat)
    squash = 1 - _KRASOVSKY_E2 * math.sin(rad) ** 2
    root = math.sqrt(squash)
    per_lat_m = _KRASOVSKY_A_M * (1 - _KRASOVSKY_E2) / (squash * root) * math.pi / 180
    per_lon_m = _KRASOVSKY_A_M / root * math.cos(rad) * math.pi / 180
    return north_m / per_lat_m, east_m / per_lon_m


def _wgs84_to_gcj02(lat: float, lon: float) -> tuple[float, float]:
    if not in_mainland_box(lat, lon):
        return lat, lon
    dlat, dlon = _gcj02_shift(lat, lon)
    return lat + dlat, lon + dlon


def _gcj02_to_wgs84(lat: float, lon: float) -> tuple[float, float]:
    if not in_mainland_box(lat, lon):
        return lat, lon
    guess_lat, guess_lon = lat, lon
    for _ in range(30):  # converges in 3 to 5 steps: the shift changes slowly from place to place
        there_lat, there_lon = _wgs84_to_gcj02(guess_lat, guess_lon)
        guess_lat -= there_lat - lat
        guess_lon -= there_lon - lon
        if abs(there_lat - lat) < 1e-10 and abs(there_lon - lon) < 1e-10:
            break
    return guess_lat, guess_lon


def _bd09_to_gcj02(lat: float, lon: float) -> tuple[float, float]:
    x, y = lon - 0.0065, lat - 0.006
    radius = math.hypot(x, y) - 0.000_02 * math.sin(y * _BD09_TWIST)
    angle = math.atan2(y, x) - 0.000_003 * math.cos(x * _BD09_TWIST)
    return radius * math.sin(angle), radius * math.cos(angle)
