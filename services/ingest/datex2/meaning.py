"""Meaning: what the status of one lot says, in our words.

The elements of v2 are those of v3 with `parking` before them, and until 2.2 they stand in the record itself: they are
read alike. A count that is missing, faulty or graded stays unknown; what is a forecast is none of now.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

from defusedxml.ElementTree import tostring

from bowei.domain.dirt import Dirt
from bowei.domain.lots import LARGEST_COUNT
from bowei.domain.observations import RAW_MOST, Bound, LotState
from services.ingest.datex2.elements import child, is_true, text, texts, xsi_type
from services.ingest.readings import CountReading, Unmeant

LONGEST_CODE = 256
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(?:\.0*)?")
_FRACTION = re.compile(r"[+-]?[0-9]*\.[0-9]+")

_CAPACITY = ("numberOfSpacesOverride", "parkingNumberOfSpacesOverride", "totalParkingCapacityOverride")
_VACANT = ("numberOfVacantSpaces", "parkingNumberOfVacantSpaces", "totalNumberOfVacantParkingSpaces")
_OCCUPIED = ("numberOfOccupiedSpaces", "parkingNumberOfOccupiedSpaces", "totalNumberOfOccupiedParkingSpaces")

_OPENING: Mapping[str, LotState] = MappingProxyType(
    {
        "open": LotState.OPEN,
        "openWithServiceLimitation": LotState.OPEN,
        "openingTimesInForce": LotState.OPEN,
        "closed": LotState.CLOSED,
        "closedAbnormal": LotState.CLOSED,
        "closedOnHoliday": LotState.CLOSED,
        "closedOnMaintenance": LotState.CLOSED,
        "temporarilyClosed": LotState.CLOSED,
    }
)
"""An opening status that is unknown, other or of a later model stands for unknown."""
_FULL = frozenset({"full", "fullAtEntrance", "allParkingsFull", "allParkingSitesFull", "noMoreParkingSpacesAvailable"})
_ROOM = frozenset({"spacesAvailable", "almostFull", "enoughSpacesAvailable", "multiStoreyParkingsFull"})
_COUNT_FAULTS = frozenset({"communicationsFailure", "erroneousOccupancyInformation", "noParkingInformationAvailable"})
"""With one of these a count that is written all the same is not meant."""
_ENTRY_FAULTS = frozenset({"barrierMalfunction", "entranceExitObstructed"})
_NO_LOTS = frozenset({"SpaceStatus", "ParkingSpaceStatus", "AccessStatus"})
"""Of one space, or one entrance."""
_GRADES: Mapping[str, int] = MappingProxyType(
    {"noParkingSpacesAvailable": 0} | {f"lessThan{tens}0SpacesAvailable": tens * 10 - 1 for tens in range(1, 6)}
)
"""The most that a grade leaves possible."""


class _Free(NamedTuple):
    """Free spaces as they were said."""

    spaces: int | None
    bound: Bound = Bound.EXACT


_UNKNOWN = _Free(None)


def read_record(record: Element, *, published: str | None, zone: ZoneInfo | None) -> CountReading | Unmeant | None:
    """Give what one status record says; None where it says nothing of a lot now: a forecast, one space, an entrance.

    `published` is the time of the publication, for records without their own; `zone` is that of times without offset.
    """
    if xsi_type(record) in _NO_LOTS or _is_forecast(record):
        return None
    raw = _raw(record)
    reference = child(record, "reference", "parkingRecordReference", "parkingFacilityReference")
    code = ("" if reference is None else reference.get("id", "")).strip()
    if not code:
        return Unmeant("missing_field", "reference", raw=raw)
    if len(code) > LONGEST_CODE:
        return Unmeant("wrong_length", "reference", raw=raw)
    written = text(record, "lastUpdated", "parkingStatusOriginTime", "parkingFacilityStatusTime") or published
    dirt: set[Dirt] = set()
    observed_at = _read_time(written)
    if observed_at is not None and observed_at.tzinfo is None:
        if zone is None:
            return Unmeant("naive_time", "lastUpdated", code, raw)
        observed_at = observed_at.replace(tzinfo=zone)
        dirt.add(Dirt.NAIVE_TIME)
    faults = texts(record, "parkingFault")
    occupancy = child(record, "occupancy", "parkingOccupancy")
    capacity, free = _read_counts(record if occupancy is None else occupancy, dirt)
    state = _state(record, faults, free)
    if faults & _COUNT_FAULTS or (state is LotState.UNKNOWN and free.spaces == 0):
        # Nought of a lot of which nothing is known stands for no data, and not for a full lot.
        if free.spaces == 0:
            dirt.add(Dirt.NO_DATA_AS_ZERO)
        free = _UNKNOWN
    if "communicationsFailure" in faults:
        dirt.add(Dirt.COMMS_LOST)
    return CountReading(
        lot_code=code,
        observed_at=None if observed_at is None else _to_utc(observed_at),
        capacity=capacity,
        free=free.spaces,
        state=state,
        bound=free.bound,
        dirt=frozenset(dirt),
        raw=raw,
    )


def _is_forecast(record: Element) -> bool:
    validity = child(record, "statusValidity", "parkingStatusValidity")
    if validity is None:
        return False
    offset = text(validity, "statusTimeOffsetToOrigin")
    return offset is None or offset.strip("0") != ""


def _state(record: Element, faults: frozenset[str], free: _Free) -> LotState:
    status = texts(record, "status") | texts(record, "parkingSiteStatus") | texts(record, "parkingFacilityStatus")
    written = text(record, "openingStatus", "parkingSiteOpeningStatus")
    if written is None:
        written = next((word for word in ("closed", "statusUnknown", "open") if word in status), None)
    if written is not None:
        opening = _OPENING.get(written, LotState.UNKNOWN)
    else:
        opening = LotState.OPEN if free.spaces is not None or status & (_ROOM | _FULL) else LotState.UNKNOWN
    if opening is LotState.CLOSED or is_true(child(record, "occupancy", "parkingOccupancy"), "parkingNotAllowed"):
        return LotState.CLOSED
    if faults & _ENTRY_FAULTS:
        return LotState.OUT_OF_ORDER
    if opening is LotState.OPEN and ("fullAtEntrance" in status or (status & _FULL and free.spaces is None)):
        # "Full" without a number is no count, but nobody is to be sent there.
        return LotState.FULL_AT_ENTRANCE
    return opening


def _read_counts(occupancy: Element | None, dirt: set[Dirt]) -> tuple[int | None, _Free]:
    capacity = _count(occupancy, dirt, *_CAPACITY)
    free = _count(occupancy, dirt, *_VACANT)
    occupied = _count(occupancy, dirt, *_OCCUPIED)
    if free is not None:
        if None not in {capacity, occupied} and free + (occupied or 0) != capacity:
            dirt.add(Dirt.COUNTS_DISAGREE)
        return capacity, _Free(free)
    at_least = _count(occupancy, dirt, "numberOfVacantSpacesHigherThan", "parkingNumberOfVacantSpacesHigherThan")
    if at_least is not None:
        dirt.add(Dirt.AT_LEAST)
        return capacity, _Free(at_least + 1, Bound.AT_LEAST)
    below = _count(occupancy, dirt, "numberOfVacantSpacesLowerThan", "parkingNumberOfVacantSpacesLowerThan")
    at_most = below - 1 if below else _GRADES.get(text(occupancy, "numberOfVacantSpacesGraded") or "")
    if at_most is not None:
        dirt.add(Dirt.AT_MOST)
        return capacity, _Free(at_most, Bound.AT_MOST)
    if capacity is not None and occupied is not None and _may_be_taken_off(occupancy):
        if occupied > capacity:
            dirt.add(Dirt.OVERFLOW)
            return capacity, _UNKNOWN
        return capacity, _Free(capacity - occupied)
    return capacity, _UNKNOWN


def _may_be_taken_off(occupancy: Element | None) -> bool:
    """Say whether what is free may be taken from what is occupied: nothing was said of it, not even wrongly."""
    return text(occupancy, *_VACANT) is None


def _count(occupancy: Element | None, dirt: set[Dirt], *names: str) -> int | None:
    written = text(occupancy, *names)
    if written is None:
        return None
    if not _WHOLE.fullmatch(written):
        dirt.add(Dirt.FRACTION if _FRACTION.fullmatch(written) else Dirt.NOT_A_NUMBER)
        return None
    number = int(written.partition(".")[0])
    if number in {-1, -9} or number > LARGEST_COUNT:
        dirt.add(Dirt.SENTINEL)
        return None
    if number < 0:
        dirt.add(Dirt.NEGATIVE_COUNT)
        return None
    return number


def _read_time(written: str | None) -> datetime | None:
    if written is None or "T" not in written:
        return None
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return None


def _to_utc(at: datetime) -> datetime | None:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # the first or last day that there is
        return None


def _raw(record: Element) -> str:
    written: str = tostring(record, encoding="unicode")
    return written.strip()[:RAW_MOST]
