"""What lots send and what they are told: the bodies of the native addresses, and the domain's words for them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Generic, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from bowei.domain.heartbeats import Heartbeat, Sign
from bowei.domain.lots import ID_FORM, LARGEST_COUNT, LotId, SourceId, SpaceClass
from bowei.domain.observations import (
    FUTURE_TOLERANCE,
    Bound,
    LotState,
    Observation,
    Outcome,
    Passage,
    PassageKind,
    Verdict,
)
from bowei.domain.plates import PlateKeys
from services.ingest.readings import CarReading, CountReading

ITEMS_MAX = 500
_EARLIEST_YEAR, _LATEST_YEAR = 2020, 9000
"""No report is older than the first year, and no clock is in the second (years near 9999 overflow in UTC)."""

_OPEN = LotState.OPEN
_EXACT = Bound.EXACT

# `$` alone would let a line break pass at the end.
_ID_PATTERN = rf"^{ID_FORM}$(?!\n)"

Identifier = Annotated[str, Meta(pattern=_ID_PATTERN)]
Count = Annotated[int, Meta(ge=0, le=LARGEST_COUNT)]
Instant = Annotated[datetime, Meta(description="RFC 3339 with an offset: Z or such as +08:00.")]


class CountingMethod(StrEnum):
    """How the lot knows its counts."""

    BARRIER_COUNT = "barrier_count"
    SPACE_SENSOR = "space_sensor"
    CAMERA = "camera"
    MANUAL = "manual"
    MODEL = "model"


class ObservationItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One report about a lot. What is not known is left out: never 0, never null, never -1."""

    lot_id: Annotated[Identifier, Meta(description="The lot's id, or the source's own code for it.")]
    observed_at: Instant
    seq: Annotated[int, Meta(ge=0, le=2**63 - 1, description="Orders reports of the same instant.")] | UnsetType = UNSET
    capacity: Annotated[Count, Meta(description="Spaces usable now; left out, the registered ones.")] | UnsetType = (
        UNSET
    )
    open: Annotated[Count, Meta(description="Spaces open to the public now.")] | UnsetType = UNSET
    free: (
        Annotated[Count, Meta(description="Spaces observed empty. Needed unless `occupied` or `state` is said.")]
        | UnsetType
    ) = UNSET
    free_bound: (
        Annotated[Bound, Meta(description="What `free` says: the count, or how many there are at least or at most.")]
        | UnsetType
    ) = UNSET
    occupied: Annotated[Count, Meta(description="Cars in the lot, where those are counted.")] | UnsetType = UNSET
    state: LotState | UnsetType = UNSET
    method: CountingMethod | UnsetType = UNSET
    free_by_class: dict[SpaceClass, Count] | UnsetType = UNSET
    queue_vehicles: Annotated[Count, Meta(description="Cars waiting at the entrance.")] | UnsetType = UNSET
    reset: Annotated[bool, Meta(description="Counted by hand: the counter goes on from here.")] | UnsetType = UNSET


class HeartbeatItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sign of life, or of its end."""

    lot_id: Annotated[Identifier, Meta(description="Left out: the source's whole link.")] | UnsetType = UNSET
    sent_at: Annotated[Instant, Meta(description="Left out: now.")] | UnsetType = UNSET
    sign: Annotated[Sign, Meta(description="Left out: `heartbeat`.")] | UnsetType = UNSET


class PassageItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One car in or out."""

    lot_id: Annotated[Identifier, Meta(description="The lot's id, or the source's own code for it.")]
    passage_id: Annotated[Identifier, Meta(description="The source's own; makes a repeat harmless.")]
    kind: PassageKind
    passed_at: Instant
    plate: Annotated[str, Meta(min_length=1, max_length=16, description="Kept only as a keyed hash.")] | UnsetType = (
        UNSET
    )
    shared: Annotated[bool, Meta(description="The car parks as a shared one.")] | UnsetType = UNSET

    def __repr__(self) -> str:
        """Show all but the plate."""
        return f"PassageItem({self.lot_id}, {self.passage_id}, {self.kind}, {self.passed_at.isoformat()})"


Item = TypeVar("Item")


class Batch(Struct, Generic[Item], frozen=True, forbid_unknown_fields=True):
    """What is posted: 1 to 500 items."""

    items: Annotated[list[Item], Meta(min_length=1, max_length=ITEMS_MAX)]


class ItemResult(Struct, frozen=True, omit_defaults=True):
    """What became of one item, in the order sent; `code` says why it was not believed, `field` which part was wrong."""

    result: Outcome
    lot_id: str | UnsetType = UNSET
    passage_id: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    field: str | UnsetType = UNSET


class BatchResult(Struct, frozen=True):
    """The answer: how many items are now part of the record (applied, stale or duplicate), and each one's result."""

    accepted: int
    results: list[ItemResult]


@dataclass(frozen=True, slots=True)
class Unread:
    """An item that could not be read, or can't be meant: why, and where."""

    code: str
    field: str | None = None
    lot_id: str | None = None
    passage_id: str | None = None

    def to_result(self) -> ItemResult:
        """Say so to the sender."""
        return ItemResult(
            result=Outcome.REJECTED,
            code=self.code,
            field=self.field or UNSET,
            lot_id=self.lot_id or UNSET,
            passage_id=self.passage_id or UNSET,
        )


def to_observation(item: ObservationItem, lot_id: LotId, source_id: SourceId) -> Observation | Unread:
    """Turn an item into the domain's word for it, or say what can't be meant."""
    if item.free is UNSET and item.occupied is UNSET and item.state is UNSET:
        return unread("missing_field", "free", item)
    observed_at = instant_of(item.observed_at)
    if isinstance(observed_at, str):
        return unread(observed_at, "observed_at", item)
    return Observation(
        lot_id=lot_id,
        observed_at=observed_at,
        source_id=source_id,
        # Written out: a call for each would be a tenth of what a report costs.
        seq=None if item.seq is UNSET else item.seq,
        capacity=None if item.capacity is UNSET else item.capacity,
        open=None if item.open is UNSET else item.open,
        free=None if item.free is UNSET else item.free,
        occupied=None if item.occupied is UNSET else item.occupied,
        bound=_EXACT if item.free_bound is UNSET else item.free_bound,
        reset=item.reset is True,
        state=_OPEN if item.state is UNSET else item.state,
        free_by_class={} if item.free_by_class is UNSET else item.free_by_class,
        queue_vehicles=None if item.queue_vehicles is UNSET else item.queue_vehicles,
        method=None if item.method is UNSET else item.method,
    )


def to_passage(item: PassageItem, lot_id: LotId, source_id: SourceId, plate_keys: PlateKeys | None) -> Passage | Unread:
    """Turn an item into the domain's word for it, or say what can't be meant. Without a key the plate is dropped."""
    passed_at = instant_of(item.passed_at)
    if isinstance(passed_at, str):
        return unread(passed_at, "passed_at", item)
    hashes: tuple[bytes, ...] = ()
    if item.plate is not UNSET and plate_keys is not None:
        try:
            hashes = plate_keys.hashes(item.plate)
        except ValueError:
            return unread("bad_text", "plate", item)
    return Passage(
        lot_id=lot_id,
        passage_id=item.passage_id,
        kind=item.kind,
        passed_at=passed_at,
        source_id=source_id,
        plate_hashes=hashes,
        shared=item.shared is True,
    )


def to_heartbeat(item: HeartbeatItem, lot_id: LotId | None, source_id: SourceId, now: datetime) -> Heartbeat | Unread:
    """Turn an item into the domain's word for it, or say what can't be meant."""
    sent_at = now if item.sent_at is UNSET else instant_of(item.sent_at)
    if isinstance(sent_at, datetime) and sent_at > now + FUTURE_TOLERANCE:
        sent_at = "future_time"
    if isinstance(sent_at, str):
        return unread(sent_at, "sent_at", item)
    return Heartbeat(source_id, sent_at, lot_id, Sign.HEARTBEAT if item.sign is UNSET else item.sign)


NamedItem = ObservationItem | PassageItem | HeartbeatItem


def to_reading(item: ObservationItem | PassageItem) -> CountReading | CarReading | None:
    """Turn an item into a reading, for a letter; None where it can't be meant whatever its lot is."""
    nobody, nowhere = SourceId(""), LotId("")
    if isinstance(item, PassageItem):
        passage = to_passage(item, nowhere, nobody, None)
        if isinstance(passage, Unread):
            return None
        return CarReading(item.lot_id, item.passage_id, item.kind, passage.passed_at, shared=passage.shared)
    meant = to_observation(item, nowhere, nobody)
    if isinstance(meant, Unread):
        return None
    return CountReading(
        item.lot_id,
        meant.observed_at,
        seq=meant.seq,
        capacity=meant.capacity,
        open=meant.open,
        free=meant.free,
        occupied=meant.occupied,
        bound=meant.bound,
        reset=meant.reset,
        state=meant.state,
        free_by_class=meant.free_by_class,
        queue_vehicles=meant.queue_vehicles,
        method=meant.method,
    )


def unread(code: str, field: str, item: NamedItem) -> Unread:
    """Say why an item that could be read can't be meant."""
    return Unread(code, field, _known(item.lot_id), item.passage_id if isinstance(item, PassageItem) else None)


def item_result(item: NamedItem | Unread, verdict: Verdict) -> ItemResult:
    """Say what became of an item that was taken in."""
    if isinstance(item, Unread):
        return item.to_result()
    return ItemResult(
        result=verdict.outcome,
        lot_id=item.lot_id,
        passage_id=item.passage_id if isinstance(item, PassageItem) else UNSET,
        code=verdict.code or UNSET,
    )


Value = TypeVar("Value")


def _known(value: Value | UnsetType) -> Value | None:
    return None if isinstance(value, UnsetType) else value


def instant_of(stated: datetime) -> datetime | str:
    """Give the instant in UTC, or the code of what is wrong with it."""
    if stated.tzinfo is None:
        return "naive_time"
    if stated.year < _EARLIEST_YEAR:
        return "out_of_range"
    if stated.year > _LATEST_YEAR:
        return "future_time"
    return stated if stated.tzinfo is UTC else stated.astimezone(UTC)
