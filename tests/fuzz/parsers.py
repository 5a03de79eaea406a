"""What reads bytes of strangers. Each takes any bytes, and may raise only the refusals that are its own."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from bowei.domain.problems import Refused
from bowei.observability.bodies import check_json
from bowei.observability.yaml_text import read_yaml
from services.ingest.citybrain.envelope import open_envelope, read_form, seal
from services.ingest.citybrain.keys import Client, Keys, Sealing
from services.ingest.citybrain.messages import read_upload
from services.ingest.citybrain.methods import Method
from services.ingest.citybrain.problems import CityBrainProblem
from services.ingest.citybrain.receiving import receive
from services.ingest.datex2.reading import read_status
from services.ingest.fieldmaps.field_map import SHIPPED, FieldMap
from services.ingest.fieldmaps.signing import SigningIn, places_of, signed_text
from services.ingest.lorawan.codecs import CODECS, PayloadUnread, read_decoded
from services.ingest.lorawan.uplinks import Uplink, read_uplink
from services.ingest.mqtt.native import read_message
from services.ingest.mqtt.topics import Kind, read_topic
from services.ingest.native.params import HeartbeatItem, ObservationItem, PassageItem
from services.ingest.native.reading import BatchReader
from services.ingest.parkapi.reading import read_item
from tests.unit.datex2_written import WHOLE

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_WRITTEN = "2026-03-02 09:00:00"
_KEY = generate_private_key(65537, 1024)  # noqa: S505 (the protocol's size)
_STATE = {
    "parkingCode": "1001",
    "totalBerthNum": 150,
    "openBerthNum": "130",
    "freeBerthNum": 10,
    "uploadTime": _WRITTEN,
}
_CAR = _STATE | {"uid": "stay-1", "plateNo": "浙A12345", "arriveTime": _WRITTEN, "endTime": _WRITTEN, "parkingType": 3}
_INFO = _STATE | {
    "parkingName": "示例",
    "bmapX": "120.176249",
    "bmapY": "30.253344",
    "gmapX": 120.169663,
    "gmapY": 30.247651,
}
_TALLY = {
    "checkDate": "2026-03-01",
    "accountDate": "2026-03-01",
    "type": 0,
    "arriveNum": 1,
    "leaveNum": 1,
    "payTotal": 0,
}


@dataclass(frozen=True, slots=True)
class Parser:
    """One reader, what it may raise, and inputs to start from."""

    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]

    def __call__(self, data: bytes) -> None:
        """Read; a refusal is an answer like another."""
        with suppress(*self.refusals):
            self.read(data)


def _batch(*items: object) -> bytes:
    return json.dumps({"items": items}, ensure_ascii=False).encode()


def _item(**more: object) -> dict[str, object]:
    return {"lot_id": "mall", "observed_at": "2026-03-02T00:59:57Z", "free": 118} | more


def _messages(data: bytes) -> None:
    """Read the object of a City Brain call; the first byte says which call."""
    if data:
        document = json.loads(data[1:])
        if isinstance(document, dict):
            read_upload(tuple(Method)[data[0] % len(Method)], document)


def _envelope(keys: Keys, data: bytes) -> None:
    open_envelope(read_form(data), keys)


def _receive(keys: Keys, data: bytes) -> None:
    receive("/api/v2/cp/uploadParkingState", data, keys, now=NOW)


def _keys() -> Keys:
    return Keys({"lot": Client("lot", _KEY.public_key(), Sealing.CLIENT_PRIVATE_KEY)}, None)


_MAPS = tuple(FieldMap.load(file) for file in sorted(SHIPPED.glob("*.yaml")))
_SUM = SigningIn.model_validate(
    {
        "scheme": "md5",
        "sign": "sign",
        "over": [{"sorted": {"leave_out": ["sign"]}}, {"secret": True}],
        "digest_of": "Data",
    }
)


def _maps(data: bytes) -> None:
    """Read a body by each map that ships; the first byte says which."""
    if data:
        _MAPS[data[0] % len(_MAPS)].read(data[1:], received_at=NOW, lot_code="lot")


def _signed(data: bytes) -> None:
    """Find the text that was signed in a push; the first byte says whether it is a form."""
    if data:
        signed_text(_SUM, places_of(data[1:], {}, form=data[0] % 2 == 1), data[1:], "secret")


def _parkapi(data: bytes) -> None:
    """Read one item of a ParkAPI push."""
    read_item(json.loads(data))


_FORM = seal(_STATE, access_id="lot", client_key=_KEY).to_form()
_PASSAGE = {
    "lot_id": "mall",
    "passage_id": "p-1",
    "kind": "enter",
    "passed_at": "2026-03-02T00:59:58Z",
    "plate": "浙A1",
}

_COUNTED = {"observed_at": "2026-03-02T00:59:57Z", "free": 118, "reset": True, "free_by_class": {"ev": 3}}
_EVENT = {name: value for name, value in _PASSAGE.items() if name != "lot_id"}
_UPLINK = json.dumps(
    {
        "end_device_ids": {"device_id": "tpl-1"},
        "received_at": "2026-03-02T00:59:57.123456789Z",
        "uplink_message": {"f_port": 2, "f_cnt": 7, "frm_payload": "ARU=", "decoded_payload": {"parkState": 1}},
    }
).encode()
_OLDER_UPLINK = json.dumps(
    {"dev_id": "53", "port": 1, "counter": 9, "payload_raw": "AQ==", "metadata": {"time": "2026-03-02T00:59:57Z"}}
).encode()


def _mqtt_message(data: bytes) -> None:
    """Read a message of a broker; the first byte says of which kind, and whether it waited."""
    if data:
        kinds = tuple(Kind)
        read_message(kinds[data[0] % len(kinds)], "mall", data[1:], waited=data[0] > 127, now=NOW)


def _topic(data: bytes) -> None:
    with suppress(UnicodeDecodeError):
        read_topic(data.decode(), "parking")


def _uplink(data: bytes) -> None:
    """Read an uplink, and what it carries by every codec."""
    uplink = read_uplink(data)
    if isinstance(uplink, Uplink):
        with suppress(PayloadUnread):
            read_decoded(uplink.decoded, "parkState")
        for codec in CODECS.values():
            with suppress(PayloadUnread):
                codec(uplink.f_port, uplink.payload)


PARSERS: Mapping[str, Parser] = MappingProxyType(
    {
        "native_observations": Parser(
            BatchReader(ObservationItem).read,
            (Refused,),
            (
                _batch(_item(capacity=300, open=280, seq=7)),
                _batch(_item(free_by_class={"ev": 3}, state="closed"), {}),
                _batch(_item(method="camera", queue_vehicles=4, free=-1)),
            ),
        ),
        "native_passages": Parser(BatchReader(PassageItem).read, (Refused,), (_batch(_PASSAGE), _batch(_PASSAGE, 7))),
        "native_heartbeats": Parser(BatchReader(HeartbeatItem).read, (Refused,), (_batch({}, {"sign": "comms_lost"}),)),
        "native_lines": Parser(
            BatchReader(ObservationItem).read_lines,
            (Refused,),
            (json.dumps(_item()).encode() + b"\n{}\n\n7\n", b'{"lot_id":"\\ud800"}\r\n'),
        ),
        "mqtt_messages": Parser(
            _mqtt_message,
            (),
            tuple(
                bytes([place]) + json.dumps(said, ensure_ascii=False).encode()
                for place, said in enumerate((_COUNTED, [_EVENT, 7], {"sent_at": "2026-03-02T00:59:57Z"}, 1))
            ),
        ),
        "mqtt_topics": Parser(_topic, (), (b"parking/east/mall-a/state", b"parking///online", b"a/b/c/d")),
        "lorawan_uplinks": Parser(_uplink, (), (_UPLINK, _OLDER_UPLINK)),
        "json_border": Parser(check_json, (Refused,), (b'{"a":[1,2.5e3,null,"\\u6d59"]}', b'{"a":1,"a":2}', b"NaN")),
        "yaml": Parser(
            read_yaml, (Refused,), (b"feeds:\n  - source: a\n    way: push\n", b"a: &x 1\nb: *x\n", b"- [1, {a: ~}]")
        ),
        "field_maps": Parser(
            _maps,
            (Refused,),
            tuple(
                bytes([place]) + json.dumps(said, ensure_ascii=False).encode()
                for place in range(len(_MAPS))
                for said in (
                    [{"parkId": "P-1", "surplusSpace": "開放中"}],
                    {"ParkKey": "1", "TimeStamp": "1772413200000", "Data": {"RemainingSpaces": "30+"}},
                    {"id": "a", "type": "OffStreetParking", "status": ["open"], "availableSpotNumber": {"value": -9}},
                    {"parkCode": "P1", "dataItems": [{"recordNo": "1", "enterTime": _WRITTEN, "remainParkNum": 4}]},
                )
            ),
        ),
        "push_signing": Parser(
            _signed, (Refused,), (b'\x00{"sign":"x","Data":{"a":[],"b":1}}', b"\x01sign=x&a=%ff&b=", b"\x00[1]")
        ),
        "parkapi_items": Parser(
            _parkapi,
            (ValueError, RecursionError),  # of JSON, which the border refuses before
            (
                b'{"uid":"a","realtime_data_updated_at":"2026-03-02T00:30:03Z","realtime_free_capacity":"7"}',
                b'{"uid":"a","name":"b","restrictions":[{"type":"DISABLED","realtime_free_capacity":1}]}',
            ),
        ),
        "datex2": Parser(
            read_status,
            (Refused,),
            (WHOLE, WHOLE.replace(b"numberOfVacantSpaces", b"parkingNumberOfVacantSpaces"), b"<!DOCTYPE a><a/>"),
        ),
        "citybrain_form": Parser(
            partial(_envelope, _keys()), (CityBrainProblem,), (_FORM, b"accessID=lot&cipher=AA%3D&sign=")
        ),
        "citybrain_upload": Parser(partial(_receive, _keys()), (CityBrainProblem,), (_FORM,)),
        "citybrain_messages": Parser(
            _messages,
            (CityBrainProblem, ValueError, RecursionError),  # of JSON, which the envelope refuses before
            tuple(
                bytes([place]) + json.dumps(_STATE | _CAR | _INFO | _TALLY, ensure_ascii=False).encode()
                for place in range(len(Method))
            ),
        ),
    }
)
