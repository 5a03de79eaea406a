"""Which lots were asked for, in which order, and a page of them.

Pages go on from a cursor, not from a count: a lot that appears or vanishes between two pages moves no other.
"""

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bowei.domain.lots import HospitalId, Lot, LotId, LotKind
from bowei.domain.places import Datum, Point, distance_m, to_wgs84
from bowei.domain.problems import FieldError, Refused
from services.availability.lots import LotStatus
from services.availability.snapshots import Snapshot

LARGEST_RADIUS_M = 20_000


@dataclass(frozen=True, slots=True)
class Box:
    """An area between two meridians and two parallels, WGS-84 degrees; it does not cross the 180th meridian."""

    west: float
    south: float
    east: float
    north: float

    def contains(self, point: Point) -> bool:
        """Say whether a point lies within; the edges do."""
        return self.west <= point.lon <= self.east and self.south <= point.lat <= self.north


@dataclass(frozen=True, slots=True)
class Near:
    """An area around a point."""

    point: Point
    radius_m: float


@dataclass(frozen=True, slots=True)
class Filter:
    """What was asked for; each part that is given must fit."""

    box: Box | None = None
    near: Near | None = None
    kind: LotKind | None = None
    block: str | None = None
    hospital_id: HospitalId | None = None
    lot_ids: frozenset[LotId] | None = None

    def fits(self, lot: Lot, of_hospital: frozenset[LotId] | None) -> bool:
        """Say whether a lot was asked for; `of_hospital` are the lots of the hospital asked for, if one was."""
        return (
            (self.lot_ids is None or lot.lot_id in self.lot_ids)
            and (of_hospital is None or lot.lot_id in of_hospital)
            and (self.kind is None or lot.kind is self.kind)
            and (self.block is None or lot.block == self.block)
            and (self.box is None or self.box.contains(lot.location))
            and (self.near is None or distance_m(self.near.point, lot.location) <= self.near.radius_m)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was found, how many there are in all, and where the next page begins."""

    lots: Sequence[LotStatus]
    total: int
    next_cursor: str | None


def select(snapshot: Snapshot, asked: Filter) -> list[LotStatus]:
    """Give the lots that were asked for: nearest first where a place was given, else by id.

    Raises:
        Refused: unknown_hospital.
    """
    of_hospital = None if asked.hospital_id is None else lots_of_hospital(snapshot, asked.hospital_id)
    found = [status for status in snapshot.lots.values() if asked.fits(status.lot, of_hospital)]
    return sorted(found, key=lambda status: _place(status, asked.near))


def lots_of_hospital(snapshot: Snapshot, hospital_id: HospitalId) -> frozenset[LotId]:
    """Give a hospital's own lot and those that share with it.

    Raises:
        Refused: unknown_hospital.
    """
    hospital = snapshot.directory.hospitals.get(hospital_id)
    if hospital is None:
        raise Refused("unknown_hospital")
    sharing = (agreement.lot_id for agreement in snapshot.directory.agreements_for(hospital_id))
    return frozenset((hospital.lot_id, *sharing))


def page_of(found: Sequence[LotStatus], near: Near | None, *, limit: int, cursor: str | None) -> Page:
    """Cut one page of at most `limit` out of what `select` found.

    Raises:
        Refused: invalid_request, where the cursor is none of ours.
    """
    after = None if cursor is None else _read_cursor(cursor)
    rest = found if after is None else [status for status in found if _place(status, near) > after]
    page = rest[:limit]
    return Page(page, len(found), _cursor(_place(page[-1], near)) if len(rest) > limit else None)


def read_box(text: str) -> Box:
    """Read `west,south,east,north`.

    Raises:
        Refused: invalid_request; the field's code is bad_value, out_of_range or swapped_axes.
    """
    west, south, east, north = _numbers("bbox", text, 4, "west,south,east,north")
    _check_point("bbox", south, west)
    _check_point("bbox", north, east)
    if west > east or south > north:
        raise _wrong("bbox", "bad_value", "(west <= east, south <= north)")
    return Box(west, south, east, north)


def read_near(text: str, radius_m: float, datum: Datum, *, field: str = "near") -> Near:
    """Read `lat,lon` in its datum; `field` is what the caller knows it by.

    Raises:
        Refused: invalid_request; the field's code is bad_value, out_of_range or swapped_axes.
    """
    lat, lon = _numbers(field, text, 2, "lat,lon")
    _check_point(field, lat, lon)
    return Near(to_wgs84(lat, lon, datum), radius_m)


def _numbers(field: str, text: str, count: int, form: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise _wrong(field, "bad_value", f"({form})")
    return numbers


def _check_point(field: str, lat: float, lon: float) -> None:
    if abs(lat) <= 90 and abs(lon) <= 180:
        return
    raise _wrong(field, "swapped_axes" if abs(lat) <= 180 and abs(lon) <= 90 else "out_of_range")


def _wrong(field: str, code: str, message: str = "") -> Refused:
    return Refused("invalid_request", errors=(FieldError(field, code, message),))


def _place(status: LotStatus, near: Near | None) -> tuple[int, str]:
    away_mm = 0 if near is None else round(distance_m(near.point, status.lot.location) * 1000)
    return (away_mm, status.lot.lot_id)


def _cursor(place: tuple[int, str]) -> str:
    return base64.urlsafe_b64encode(f"{place[0]} {place[1]}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        away_mm, _, lot_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition(" ")
        return (int(away_mm), lot_id)
    except (ValueError, binascii.Error) as error:
        raise _wrong("cursor", "bad_value") from error
