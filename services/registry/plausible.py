"""What can't be true of lots, hospitals and agreements: rules that need more than one field to be judged.

Each function yields the errors of one value, with paths inside it; `under` puts them in their place in a scene.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from shapely.geometry import Point as Pin
from shapely.geometry.base import BaseGeometry

from bowei.domain.agreements import Agreement, LendingWindow
from bowei.domain.lots import CalendarId, Hospital, HospitalId, Lot, LotId, LotKind, SpaceClass
from bowei.domain.places import Point, distance_m
from bowei.domain.problems import FieldError
from bowei.roads.verdicts import RoadPlaces

ENTRANCE_WITHIN_M = 1_000.0
DOOR_WITHIN_M = 2_000.0
_FORGIVEN_DEGREES = 0.0002
"""About 20 m: blocks are drawn by hand, and lots stand at their edge."""


def under(path: str, errors: Iterable[FieldError]) -> Iterator[FieldError]:
    """Put errors under a path."""
    for error in errors:
        yield dataclasses.replace(error, field=f"{path}.{error.field}" if error.field else path)


def of_lot(lot: Lot, area: BaseGeometry | None = None) -> Iterator[FieldError]:
    """Yield what can't be true of a lot; `area` is its block's, in (lon, lat) degrees WGS-84."""
    if sum(lot.classes.values()) > lot.capacity:
        yield FieldError("classes", "classes_above_capacity")
    for index in repeated(entrance.entrance_id for entrance in lot.entrances):
        yield FieldError(f"entrances[{index}].entrance_id", "duplicate_id")
    for index, entrance in enumerate(lot.entrances):
        yield from _near(f"entrances[{index}].location", entrance.point, lot.location, ENTRANCE_WITHIN_M)
    if area is not None and not area.covers(Pin(lot.location.lon, lot.location.lat)):
        swapped = area.covers(Pin(lot.location.lat, lot.location.lon))
        if swapped or area.distance(Pin(lot.location.lon, lot.location.lat)) > _FORGIVEN_DEGREES:
            yield FieldError("location", "swapped_axes" if swapped else "outside_block")


def of_lots_calendar(lot: Lot, calendars: Collection[CalendarId]) -> Iterator[FieldError]:
    """Yield what can't be true of a lot, given the calendars there are."""
    if lot.calendar is not None and lot.calendar not in calendars:
        yield FieldError("calendar", "unknown_calendar")


def of_hospital(hospital: Hospital, lots: Mapping[LotId, Lot]) -> Iterator[FieldError]:
    """Yield what can't be true of a hospital, given the lots there are."""
    own = lots.get(hospital.lot_id)
    if own is None:
        yield FieldError("lot_id", "unknown_lot")
        return
    if own.kind is not LotKind.HOSPITAL:
        yield FieldError("lot_id", "not_a_hospital_lot")
    yield from _near("door", hospital.door, own.location, DOOR_WITHIN_M)
    yield from _near("gate", hospital.gate, own.location, DOOR_WITHIN_M)


def of_own_lot(lot: Lot, hospitals: Iterable[Hospital]) -> Iterator[FieldError]:
    """Yield what would no longer be true of the registered hospitals whose own lot this is."""
    for hospital in hospitals:
        if hospital.lot_id == lot.lot_id:
            for fault in of_hospital(hospital, {lot.lot_id: lot}):
                yield FieldError("kind" if fault.field == "lot_id" else "location", fault.code)


def of_agreement(
    agreement: Agreement, lots: Mapping[LotId, Lot], hospitals: Mapping[HospitalId, Hospital]
) -> Iterator[FieldError]:
    """Yield what can't be true of an agreement, given the lots and hospitals there are."""
    lot, hospital = lots.get(agreement.lot_id), hospitals.get(agreement.hospital_id)
    if hospital is None:
        yield FieldError("hospital_id", "unknown_hospital")
    elif hospital.lot_id == agreement.lot_id:
        yield FieldError("lot_id", "lends_to_itself")
    if lot is None:
        yield FieldError("lot_id", "unknown_lot")
    else:
        for index, window in enumerate(agreement.windows):
            if window.spaces > _spaces_of(lot, window):
                yield FieldError(f"windows[{index}].spaces", "lent_above_capacity")
            for number, step in enumerate(window.steps):
                if step.spaces > _spaces_of(lot, window):
                    yield FieldError(f"windows[{index}].steps[{number}].spaces", "lent_above_capacity")
    yield from _of_terms(agreement, hospital)


def _of_terms(agreement: Agreement, hospital: Hospital | None) -> Iterator[FieldError]:
    most_lent = max(spaces for window in agreement.windows for spaces in window.quotas)
    if agreement.margin > most_lent:
        yield FieldError("margin", "margin_above_lent")
    if agreement.margin + sum(agreement.protects.values()) > most_lent >= agreement.margin:
        yield FieldError("protects", "margin_above_lent")
    tariff = agreement.tariff
    if hospital is not None and tariff is not None and tariff.currency != hospital.rules.currency:
        yield FieldError("tariff.currency", "wrong_currency")


def off_road_of_lot(lot: Lot, roads: RoadPlaces | None) -> Iterator[FieldError]:
    """Yield the entrances to which drives and walks can only be guessed: no fault of the sender's, but worth a look."""
    if roads is not None:
        for index, entrance in enumerate(lot.entrances):
            path = f"entrances[{index}].location"
            if roads.is_off_road(entrance.point):
                yield FieldError(path, "far_from_road")
            if roads.is_off_footways(entrance.point):
                yield FieldError(path, "far_from_footway")


def off_road_of_hospital(hospital: Hospital, roads: RoadPlaces | None) -> Iterator[FieldError]:
    """Yield the same of a hospital's gate, from which is driven, and its door, to which is walked."""
    if roads is not None and roads.is_off_road(hospital.gate):
        yield FieldError("gate", "far_from_road")
    if roads is not None and roads.is_off_footways(hospital.door):
        yield FieldError("door", "far_from_footway")


def repeated(names: Iterable[str]) -> Iterator[int]:
    """Yield the index of each name that occurred before."""
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        if seen[name]:
            yield index
        seen[name] += 1


def _near(path: str, place: Point, lot: Point, within_m: float) -> Iterator[FieldError]:
    if distance_m(place, lot) > within_m:
        swapped = distance_m(Point(place.lon, place.lat), lot) <= within_m if abs(place.lon) <= 90 else False
        yield FieldError(path, "swapped_axes" if swapped else "too_far_from_lot")


def _spaces_of(lot: Lot, window: LendingWindow) -> int:
    if window.space_class is SpaceClass.STANDARD:
        return lot.capacity - sum(lot.classes.values())
    return lot.classes.get(window.space_class, 0)
