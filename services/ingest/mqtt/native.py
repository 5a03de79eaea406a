"""Bowei's own messages, bytes in, readings out: the native protocol's items without what the topic says.

Whose time a message has decides what it can say. A live one without a time is believed as of now, like any report
without one. One that may have waited at the broker, retained or kept while we were away, is of no known age: without
its own time it says nothing about now, and is refused; a heartbeat is no sign of life then. What the broker itself
keeps up to date, `online`, is true as of now even so.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from bowei.domain.heartbeats import Sign
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import FUTURE_TOLERANCE, RAW_MOST, LotState, PassageKind
from bowei.domain.problems import Refused
from bowei.observability.bodies import check_json
from services.ingest.mqtt.topics import Kind
from services.ingest.native.params import ITEMS_MAX, Count, CountingMethod, Identifier, Instant, instant_of
from services.ingest.native.reading import explain
from services.ingest.readings import CarReading, CountReading, LifeReading, Reading, Unmeant

Said = TypeVar("Said")


class StateMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `…/state` says: see ObservationItem."""

    observed_at: Instant | UnsetType = UNSET
    seq: Annotated[int, Meta(ge=0, le=2**63 - 1)] | UnsetType = UNSET
    capacity: Count | UnsetType = UNSET
    open: Count | UnsetType = UNSET
    free: Count | UnsetType = UNSET
    state: LotState | UnsetType = UNSET
    method: CountingMethod | UnsetType = UNSET
    free_by_class: dict[SpaceClass, Count] | UnsetType = UNSET
    queue_vehicles: Count | UnsetType = UNSET
    reset: bool = False


class EventMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One car of `…/event`: see PassageItem."""

    passage_id: Identifier
    kind: PassageKind
    passed_at: Instant
    plate: Annotated[str, Meta(min_length=1, max_length=16)] | UnsetType = UNSET
    shared: bool = False


class BeatMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """What `…/heartbeat` may say; most say nothing."""

    sent_at: Instant | UnsetType = UNSET


_STATE = msgspec.json.Decoder(StateMessage)
_EVENT = msgspec.json.Decoder(EventMessage)
_EVENTS = msgspec.json.Decoder(Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=ITEMS_MAX)])
_BEAT = msgspec.json.Decoder(BeatMessage)
_ONLINE: Mapping[bytes, Sign] = MappingProxyType(
    {
        b"1": Sign.COMMS_RESTORED,
        b"true": Sign.COMMS_RESTORED,
        b"0": Sign.COMMS_LOST,
        b"false": Sign.COMMS_LOST,
    }
)


class _Wrong(Exception):
    def __init__(self, code: str, field: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.field = field


def read_message(kind: Kind, lot_code: str, payload: bytes, *, waited: bool, now: datetime) -> list[Reading]:
    """Read one message; what can't be meant is `Unmeant`, with a code of `bowei.domain.problems`.

    An empty message is none: that is how a retained one is taken back.
    """
    # A plate is kept only as a hash, so nothing is kept of an event that can't be read.
    raw = None if kind is Kind.EVENT else _text(payload)
    if kind is Kind.HEARTBEAT:
        return _read_beats(lot_code, payload, now, waited=waited)
    if not payload:
        return []
    if kind is Kind.ONLINE:
        return [_or_unmeant(lambda: _read_online(lot_code, payload), lot_code, raw)]
    if kind is Kind.STATE:
        return [_or_unmeant(lambda: _read_state(lot_code, payload, waited=waited), lot_code, raw)]
    try:
        events = _split(payload)
    except _Wrong as wrong:
        return [Unmeant(wrong.code, wrong.field, lot_code)]
    return [_or_unmeant(partial(_read_event, lot_code, event), lot_code, raw) for event in events]


def _or_unmeant(read: Callable[[], Reading], lot_code: str, raw: str | None) -> Reading:
    try:
        return read()
    except _Wrong as wrong:
        return Unmeant(wrong.code, wrong.field, lot_code, raw)


def _decode(decoder: msgspec.json.Decoder[Said], payload: bytes | msgspec.Raw) -> Said:
    try:
        check_json(bytes(payload))
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise _Wrong(*explain(str(error))) from None
    except (Refused, ValueError, RecursionError):
        raise _Wrong("malformed_json") from None


def _instant(stated: datetime, at_field: str) -> datetime:
    instant = instant_of(stated)
    if isinstance(instant, str):
        raise _Wrong(instant, at_field)
    return instant


def _read_online(lot_code: str, payload: bytes) -> Reading:
    sign = _ONLINE.get(payload.strip().lower())
    if sign is None:
        raise _Wrong("unknown_option", "online")
    return LifeReading(lot_code, sign)


def _read_state(lot_code: str, payload: bytes, *, waited: bool) -> Reading:
    said = _decode(_STATE, payload)
    if said.free is UNSET and said.state is UNSET:
        raise _Wrong("missing_field", "free")
    observed_at = None if said.observed_at is UNSET else _instant(said.observed_at, "observed_at")
    if observed_at is None and waited:
        raise _Wrong("waited_without_time", "observed_at")
    return CountReading(
        lot_code,
        observed_at,
        seq=_known(said.seq),
        capacity=_known(said.capacity),
        open=_known(said.open),
        free=_known(said.free),
        state=LotState.OPEN if said.state is UNSET else said.state,
        free_by_class={} if said.free_by_class is UNSET else said.free_by_class,
        queue_vehicles=_known(said.queue_vehicles),
        method=None if said.method is UNSET else str(said.method),
        reset=said.reset,
    )


def _split(payload: bytes) -> Sequence[msgspec.Raw]:
    if not payload.lstrip().startswith(b"["):
        return [msgspec.Raw(payload)]
    return _decode(_EVENTS, payload)


def _read_event(lot_code: str, event: msgspec.Raw) -> Reading:
    said = _decode(_EVENT, event)
    return CarReading(
        lot_code,
        said.passage_id,
        said.kind,
        _instant(said.passed_at, "passed_at"),
        plate=None if said.plate is UNSET else said.plate,
        shared=said.shared,
    )


def _read_beats(lot_code: str, payload: bytes, now: datetime, *, waited: bool) -> list[Reading]:
    try:
        beat = _read_beat(lot_code, payload, now)
    except _Wrong as wrong:
        return [Unmeant(wrong.code, wrong.field, lot_code, _text(payload))]
    return [] if waited and beat.at is None else [beat]


def _read_beat(lot_code: str, payload: bytes, now: datetime) -> LifeReading:
    if not payload.lstrip().startswith(b"{"):
        # Whatever equipment sends to say that it lives, nothing at all or a counter, says that.
        return LifeReading(lot_code, Sign.HEARTBEAT)
    said = _decode(_BEAT, payload)
    if said.sent_at is UNSET:
        return LifeReading(lot_code, Sign.HEARTBEAT)
    sent_at = _instant(said.sent_at, "sent_at")
    if sent_at > now + FUTURE_TOLERANCE:
        raise _Wrong("future_time", "sent_at")
    return LifeReading(lot_code, Sign.HEARTBEAT, sent_at)


def _known(value: int | UnsetType) -> int | None:
    return None if isinstance(value, UnsetType) else value


def _text(payload: bytes) -> str:
    return payload[:RAW_MOST].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
