"""Uplinks: one message of one sensor, as The Things Stack (v3) hands it on, or its forerunner (v2) did.

Protobuf's JSON leaves out what is 0, so an absent `f_cnt` is the first message. Only what is needed is read, and all
that is not is left alone; but a simulated uplink is nobody's car.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bowei.domain.observations import RAW_MOST
from bowei.domain.problems import Refused
from bowei.observability.bodies import check_json
from services.ingest.native.params import Identifier, instant_of
from services.ingest.native.reading import explain
from services.ingest.readings import Unmeant

_Port = Annotated[int, Meta(ge=0, le=255)]
_Counter = Annotated[int, Meta(ge=0, le=2**32 - 1)]
_Decoded = dict[str, object]


@dataclass(frozen=True, slots=True)
class Uplink:
    """What one sensor sent, and when its network heard it."""

    device_id: str
    f_port: int
    f_cnt: int
    payload: bytes
    received_at: datetime
    decoded: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """What the network server's own formatter made of the payload, where it has one."""


class _DeviceIds(Struct):
    device_id: Identifier


class _Message(Struct):
    f_port: _Port = 0
    f_cnt: _Counter = 0
    frm_payload: str = ""
    decoded_payload: _Decoded | None = None


class _V3(Struct):
    end_device_ids: _DeviceIds
    received_at: datetime
    uplink_message: _Message
    simulated: bool = False


class _Metadata(Struct):
    time: datetime


class _V2(Struct):
    dev_id: Identifier
    metadata: _Metadata
    port: _Port = 0
    counter: _Counter = 0
    payload_raw: str = ""
    payload_fields: _Decoded | None = None


class _Shape(Struct):
    dev_id: object = None


_SHAPE = msgspec.json.Decoder(_Shape)
_READ_V2, _READ_V3 = msgspec.json.Decoder(_V2), msgspec.json.Decoder(_V3)


def read_uplink(body: bytes) -> Uplink | Unmeant:
    """Read one uplink, or say with a code of `bowei.domain.problems` why it is none."""
    try:
        check_json(body)
        said = _READ_V2.decode(body) if _SHAPE.decode(body).dev_id is not None else _READ_V3.decode(body)
    except msgspec.ValidationError as error:
        code, at_field = explain(str(error))
        return _unmeant(code, at_field, body)
    except (Refused, ValueError, RecursionError):
        return _unmeant("malformed_json", None, body)
    return _from_v2(said, body) if isinstance(said, _V2) else _from_v3(said, body)


def _from_v3(said: _V3, body: bytes) -> Uplink | Unmeant:
    if said.simulated:
        return _unmeant("bad_value", "simulated", body)
    message = said.uplink_message
    return _uplink(
        said.end_device_ids.device_id,
        (message.f_port, message.f_cnt),
        (message.frm_payload, message.decoded_payload),
        said.received_at,
        body,
    )


def _from_v2(said: _V2, body: bytes) -> Uplink | Unmeant:
    content = (said.payload_raw, said.payload_fields)
    return _uplink(said.dev_id, (said.port, said.counter), content, said.metadata.time, body)


def _uplink(
    device_id: str, numbers: tuple[int, int], content: tuple[str, _Decoded | None], stated: datetime, body: bytes
) -> Uplink | Unmeant:
    received_at = instant_of(stated)
    if isinstance(received_at, str):
        return _unmeant(received_at, "received_at", body)
    try:
        payload = base64.b64decode(content[0], validate=True)
    except (binascii.Error, ValueError):
        return _unmeant("bad_value", "frm_payload", body)
    f_port, f_cnt = numbers
    return Uplink(device_id, f_port, f_cnt, payload, received_at.astimezone(UTC), content[1] or {})


def _unmeant(code: str, at_field: str | None, body: bytes) -> Unmeant:
    return Unmeant(code, at_field, raw=as_text(body))


def as_text(body: bytes) -> str:
    """Give what was sent as text that can be kept, cut to its beginning."""
    return body[:RAW_MOST].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
