"""How the roads are now, by what the city says: speeds of some roads, and areas that are closed.

Both end by themselves: a speed that no feed renews is forgotten, and a closure has a last instant. What is not named
drives at its usual speed. Roads are named as a map numbers them, or by a line drawn along them.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from sys import byteorder

from bowei.domain.lots import Name
from bowei.domain.places import Point

LONGEST_SPEED = timedelta(hours=24)
"""A speed is an observation, not a plan: it may hold for a day at most, and usually for minutes."""

LONGEST_CLOSURE = timedelta(days=400)
"""A road that is closed for longer is no road any more: build the road file again."""

KMH_MIN, KMH_MAX = 1.0, 130.0
"""Slower is standing, and counted as this; a road without any way through is a closure's to say."""

SHARE_MIN, SHARE_MAX = 0.02, 3.0
"""Of the usual speed: least and most that a feed may say."""

Ring = tuple[Point, ...]
"""A closed line: its last point is its first."""

Area = tuple[tuple[Ring, ...], ...]
"""Polygons, each an outer ring and its holes."""


@dataclass(frozen=True, slots=True)
class RoadSpeed:
    """The speed of one road in one direction: in km/h, or as a share of its usual speed."""

    way: int | None = None
    """The road's number on the map; negative: against the direction in which it is drawn there."""
    line: tuple[Point, ...] = ()
    """Else: points along the road, in the direction of driving."""
    kmh: float | None = None
    share: float | None = None

    @property
    def packed(self) -> float:
        """Say the speed as one number: km/h above 0, or minus the share."""
        return self.kmh if self.kmh is not None else -(self.share or 1.0)


@dataclass(frozen=True, slots=True)
class WaySpeeds:
    """Speeds of roads by their number, packed: a city may have a hundred thousand, renewed every minute.

    Each field is one column of big-endian numbers, in ascending order of `ways`.
    """

    ways: bytes = b""
    """int64: as `RoadSpeed.way`."""
    speeds: bytes = b""
    """float32: as `RoadSpeed.packed`."""
    until: bytes = b""
    """float64: seconds since 1970, UTC."""

    @classmethod
    def of(cls, speeds: Iterable[tuple[int, float, datetime]]) -> "WaySpeeds":
        """Pack (way, packed speed, until)."""
        rows = sorted(speeds)
        columns = (
            array("q", (way for way, _, _ in rows)),
            array("f", (speed for _, speed, _ in rows)),
            array("d", (until.timestamp() for _, _, until in rows)),
        )
        return cls(*(_big_endian(column).tobytes() for column in columns))

    def __len__(self) -> int:
        """Count the roads."""
        return len(self.ways) // 8

    def each(self) -> Iterator[tuple[int, float, datetime]]:
        """Give (way, packed speed, until) of each road."""
        columns = [array(code) for code in "qfd"]
        for column, packed in zip(columns, (self.ways, self.speeds, self.until), strict=True):
            column.frombytes(packed)
        for way, speed, until in zip(*map(_big_endian, columns), strict=True):
            yield int(way), float(speed), datetime.fromtimestamp(until, UTC)


@dataclass(frozen=True, slots=True)
class LineSpeed:
    """The speed of the roads along a line."""

    line: tuple[Point, ...]
    speed: float
    """As `RoadSpeed.packed`."""
    until: datetime


@dataclass(frozen=True, slots=True)
class Closure:
    """An area whose roads are closed: every road that touches it, from one instant until another."""

    closure_id: str
    area: Area
    starts_at: datetime
    ends_at: datetime
    reason: Name
    by: str
    """Who closed it, for whoever asks why."""

    def in_force(self, now: datetime) -> bool:
        """Say whether it is closed now; at its last instant it no longer is."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class RoadConditions:
    """All that was said and is not over, or is yet to come. `version` grows with every change."""

    version: int
    ways: WaySpeeds = field(default_factory=WaySpeeds)
    lines: tuple[LineSpeed, ...] = ()
    closures: tuple[Closure, ...] = ()


FREE_ROADS = RoadConditions(0)
"""Nobody said anything."""


def _big_endian(column: "array[int] | array[float]") -> "array[int] | array[float]":
    if byteorder == "little":
        column.byteswap()
    return column
