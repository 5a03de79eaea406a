"""Reading a ParkAPI push: each item to a reading, or to what is wrong with it.

uid, realtime_…         a site: its spaces now          realtime_status   a spot: a lot of one space
name, capacity, lat …   what the site is; Bowei has that from its register, so it is counted and not kept
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from bowei.domain.dirt import Dirt
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import LotState
from services.ingest.fieldmaps.counting import CountIn, WrittenIn
from services.ingest.fieldmaps.decoding import raw_of
from services.ingest.fieldmaps.fields import Said, TextIn
from services.ingest.fieldmaps.timing import TimeIn
from services.ingest.readings import CountReading, Unmeant

_PLAIN = WrittenIn()
_UID = TextIn.model_validate("uid")
_UPDATED_AT = TimeIn.model_validate("realtime_data_updated_at")
_CAPACITY = CountIn.model_validate("realtime_capacity")
_FREE = CountIn.model_validate("realtime_free_capacity")
_FREE_BY_CLASS = {
    SpaceClass.DISABLED: CountIn.model_validate("realtime_free_capacity_disabled"),
    SpaceClass.EV: CountIn.model_validate("realtime_free_capacity_charging"),
}
_CLASSES: Mapping[object, SpaceClass] = MappingProxyType({"DISABLED": SpaceClass.DISABLED, "CHARGING": SpaceClass.EV})
"""The audiences of theirs that are classes here; the others are not counted apart."""
_STATES: Mapping[object, LotState] = MappingProxyType(
    {"OPEN": LotState.OPEN, "CLOSED": LotState.CLOSED, "UNKNOWN": LotState.UNKNOWN}
)
_SPOTS: Mapping[object, int | None] = MappingProxyType({"AVAILABLE": 1, "TAKEN": 0, "UNKNOWN": None})
_STATIC = frozenset({"name", "static_data_updated_at", "lat", "lon", "capacity", "purpose", "type"})


@dataclass(frozen=True, slots=True)
class Item:
    """One item: a site or a spot; whether it says what it is; and what it says of now, if it does."""

    is_spot: bool
    has_static: bool
    realtime: CountReading | Unmeant | None


def read_item(item: object) -> Item:
    """Read one item; it never raises."""
    if not isinstance(item, Mapping):
        return Item(False, False, Unmeant("wrong_type", "items", raw=raw_of(item)))
    is_spot = "realtime_status" in item or ("parking_site_uid" in item and "capacity" not in item)
    has_static = not _STATIC.isdisjoint(item)
    has_realtime = any(isinstance(name, str) and name.startswith("realtime_") for name in item)
    try:
        if has_realtime or not has_static:
            return Item(is_spot, has_static, _realtime(item, is_spot=is_spot))
        _uid(item)
    except _Wrong as wrong:
        return Item(is_spot, has_static, Unmeant(wrong.code, wrong.field, wrong.uid, raw_of(item)))
    return Item(is_spot, has_static, None)


class _Wrong(Exception):
    """The item can't be meant: why, where, and of which lot."""

    def __init__(self, code: str, field: str, uid: str | None = None) -> None:
        super().__init__(code)
        self.code, self.field, self.uid = code, field, uid


def _uid(item: Mapping[str, object]) -> str:
    try:
        uid = _UID.read(Said(item, None))
    except ValueError:
        raise _Wrong("bad_id", "uid") from None
    if uid is None:
        raise _Wrong("missing_field", "uid")
    return uid


def _realtime(item: Mapping[str, object], *, is_spot: bool) -> CountReading:
    uid = _uid(item)
    # Their own receivers read a time without an offset as UTC, and so senders may mean it.
    timed = _UPDATED_AT.read(Said(item, None), "UTC")
    if timed.at is None:
        missing = item.get("realtime_data_updated_at") is None
        raise _Wrong("missing_field" if missing else "bad_time", "realtime_data_updated_at", uid)
    if is_spot:
        free = _option(item, "realtime_status", _SPOTS, uid)
        return CountReading(uid, timed.at, capacity=1, free=free, dirt=timed.dirt, raw=raw_of(item))
    capacity = _count(item, "realtime_capacity", _CAPACITY, uid)
    free = _count(item, "realtime_free_capacity", _FREE, uid)
    said_state = item.get("realtime_opening_status") is not None
    if free is None and not said_state:
        raise _Wrong("missing_field", "realtime_free_capacity", uid)
    return CountReading(
        uid,
        timed.at,
        capacity=capacity,
        free=free,
        state=_option(item, "realtime_opening_status", _STATES, uid) if said_state else LotState.OPEN,
        free_by_class=_by_class(item),
        dirt=timed.dirt,
        raw=raw_of(item),
    )


def _count(item: Mapping[str, object], name: str, field: CountIn, uid: str) -> int | None:
    counted = field.read(Said(item, None), _PLAIN)
    if counted.dirt:
        raise _Wrong("out_of_range" if Dirt.NEGATIVE_COUNT in counted.dirt else "wrong_type", name, uid)
    return counted.count


Meaning = TypeVar("Meaning")


def _option(item: Mapping[str, object], name: str, options: Mapping[object, Meaning], uid: str) -> Meaning:
    said = item.get(name)
    if not isinstance(said, str) or said not in options:
        raise _Wrong("unknown_option", name, uid)
    return options[said]


def _by_class(item: Mapping[str, object]) -> dict[SpaceClass, int]:
    """Give what is free of each class, by the item's own fields and by its restrictions; those of one class add up."""
    said = Said(item, None)
    counts = {space_class: field.read(said, _PLAIN).count for space_class, field in _FREE_BY_CLASS.items()}
    found = {space_class: count for space_class, count in counts.items() if count is not None}
    for space_class, count in _restricted(item.get("restrictions")):
        found[space_class] = found.get(space_class, 0) + count
    return found


def _restricted(restrictions: object) -> Sequence[tuple[SpaceClass, int]]:
    listed = restrictions if isinstance(restrictions, list) else []
    counts = [
        (_CLASSES.get(one["type"]), _FREE.read(Said(one, None), _PLAIN).count)
        for one in listed
        if isinstance(one, Mapping) and isinstance(one.get("type"), str)
    ]
    return [(space_class, count) for space_class, count in counts if space_class is not None and count is not None]
