"""Which way a lot lies, seen by a driver who looks at the board.

A bearing is by air, and streets are not: whoever hangs the board may say for each lot what its arrow is. Without a
facing and without that word there is no arrow, because a wrong one is worse than none.
"""

import math
from enum import StrEnum

from bowei.domain.places import Point


class Arrow(StrEnum):
    """A direction, from ahead on clockwise."""

    AHEAD = "ahead"
    AHEAD_RIGHT = "ahead_right"
    RIGHT = "right"
    BACK_RIGHT = "back_right"
    BACK = "back"
    BACK_LEFT = "back_left"
    LEFT = "left"
    AHEAD_LEFT = "ahead_left"


_ROUND = tuple(Arrow)


def arrow_to(board: Point, facing_deg: float, there: Point) -> Arrow:
    """Give the arrow from a board to a place, for drivers who look in the direction `facing_deg` (north 0, east 90)."""
    turn_deg = (_bearing_deg(board, there) - facing_deg) % 360
    return _ROUND[round(turn_deg / 45) % 8]


def _bearing_deg(start: Point, there: Point) -> float:
    lat_a, lat_b = math.radians(start.lat), math.radians(there.lat)
    turn = math.radians(there.lon - start.lon)
    east = math.sin(turn) * math.cos(lat_b)
    north = math.cos(lat_a) * math.sin(lat_b) - math.sin(lat_a) * math.cos(lat_b) * math.cos(turn)
    return math.degrees(math.atan2(east, north)) % 360
