"""Uplinks as network servers hand them on: what is read of them, and why one is refused."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.ingest.lorawan.feed import SensorGroup
from services.ingest.lorawan.sensors import Sensors, state_of
from services.ingest.lorawan.uplinks import Uplink, read_uplink
from services.ingest.readings import Unmeant

AT = datetime(2026, 3, 2, 0, 30, 3, 120_000, tzinfo=UTC)


def v3(**changes: object) -> dict[str, Any]:
    """Write an uplink as The Things Stack does, with what it adds and nobody needs; a change to None leaves it out."""
    uplink = {
        "end_device_ids": {
            "device_id": "tpl110-017",
            "application_ids": {"application_id": "parking"},
            "dev_eui": "0004A30B001C0530",
        },
        "correlation_ids": ["as:up:01"],
        "received_at": "2026-03-02T00:30:03.120000000Z",
        "uplink_message": {
            "session_key_id": "AYQ=",
            "f_port": 1,
            "f_cnt": 812,
            "frm_payload": "AQ==",
            "rx_metadata": [{"gateway_ids": {"gateway_id": "roof"}, "rssi": -101}],
            "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 9}}},
        },
    }
    return {name: value for name, value in (uplink | changes).items() if value is not None}


def message(**changes: object) -> dict[str, Any]:
    """Change the message within an uplink; a change to None leaves the field out."""
    said = v3()["uplink_message"] | changes
    return v3(uplink_message={name: value for name, value in said.items() if value is not None})


def read(uplink: object) -> Uplink | Unmeant:
    """Read an uplink that is written as JSON."""
    return read_uplink(json.dumps(uplink).encode())


def test_an_uplink_of_the_things_stack_is_read() -> None:
    """Who spoke, when its network heard it, and what it sent; the rest is left alone."""
    assert read(v3()) == Uplink("tpl110-017", 1, 812, b"\x01", AT)


def test_what_protobuf_leaves_out_is_zero() -> None:
    """The first message of a session has no f_cnt, and an empty payload none at all."""
    assert read(message(f_cnt=None, frm_payload=None)) == Uplink("tpl110-017", 1, 0, b"", AT)


def test_an_uplink_of_the_older_server_is_read() -> None:
    """The same under other names."""
    older = {
        "app_id": "parking",
        "dev_id": "space-9",
        "port": 2,
        "counter": 3,
        "payload_raw": "AA==",
        "payload_fields": {"parkState": 0},
        "metadata": {"time": "2026-03-02T00:30:03.12Z", "frequency": 914.9},
    }
    assert read(older) == Uplink("space-9", 2, 3, b"\x00", AT, {"parkState": 0})


@pytest.mark.parametrize(
    ("uplink", "code", "field"),
    [
        (v3(end_device_ids=None), "missing_field", "end_device_ids"),
        (v3(end_device_ids={"device_id": "ü"}), "bad_id", "end_device_ids"),
        (v3(received_at=None), "missing_field", "received_at"),
        (v3(received_at="2026-03-02T00:30:03"), "naive_time", "received_at"),
        (v3(received_at="yesterday"), "bad_time", "received_at"),
        (v3(received_at="1999-03-02T00:30:03Z"), "out_of_range", "received_at"),
        (v3(uplink_message=None), "missing_field", "uplink_message"),
        (v3(uplink_message=None, join_accept={"session_key_id": "AYQ="}), "missing_field", "uplink_message"),
        (v3(simulated=True), "bad_value", "simulated"),
        (message(f_port=256), "out_of_range", "uplink_message"),
        (message(f_port="1"), "wrong_type", "uplink_message"),
        (message(f_cnt=-1), "out_of_range", "uplink_message"),
        (message(f_cnt=2**32), "out_of_range", "uplink_message"),
        (message(frm_payload="%%%"), "bad_value", "frm_payload"),
        (message(frm_payload="AQ"), "bad_value", "frm_payload"),
        (message(frm_payload="号"), "bad_value", "frm_payload"),
        ([], "wrong_type", None),
        ({}, "missing_field", "end_device_ids"),
    ],
)
def test_what_is_no_uplink_is_refused_with_its_code(uplink: object, code: str, field: str | None) -> None:
    """Each fault has a name, and a simulated uplink is nobody's car."""
    unmeant = read(uplink)
    assert isinstance(unmeant, Unmeant)
    assert (unmeant.code, unmeant.at_field) == (code, field)


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[" * 60_000, b'{"a":1,"a":2}', b'{"a":NaN}'])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """Also what would break a careless parser; what was sent is kept as text that can be stored."""
    unmeant = read_uplink(body)
    assert isinstance(unmeant, Unmeant)
    assert unmeant.code == "malformed_json"
    assert unmeant.raw is not None
    assert len(unmeant.raw) <= 2_048


def test_the_group_of_a_sensor_is_found_by_its_id_then_by_the_longest_prefix() -> None:
    """A sensor that stands elsewhere than its neighbours is named by itself."""
    sensors = Sensors(
        [
            SensorGroup(lot="north", codec="bosch_tpl110", prefix="tpl-"),
            SensorGroup(lot="south", codec="nwave_nps405", prefix="tpl-s-"),
            SensorGroup(lot="east", codec="nwave_nps405", devices=["tpl-s-7", "other"]),
        ]
    )
    found = {name: group.lot if (group := sensors.find(name)) else None for name in
             ("tpl-1", "tpl-s-1", "tpl-s-7", "other", "oth", "tpl")}  # fmt: skip
    assert found == {
        "tpl-1": "north", "tpl-s-1": "south", "tpl-s-7": "east", "other": "east", "oth": None, "tpl": None
    }  # fmt: skip
    assert (sensors.named_in("east"), sensors.named_in("north")) == (2, 0)


_RECORDED = "payloads-vendors-mqtt"


@pytest.mark.parametrize(
    ("name", "code", "field"),
    [
        ("mqtt_ttn_v2_parkstate.json", None, None),
        ("mqtt_aws_carpark_sensor.json", "missing_field", "end_device_ids"),
        ("mqtt_aws_shadow.json", "missing_field", "end_device_ids"),
        ("mqtt_lorademo_topic.txt", "malformed_json", None),
    ],
)
def test_recorded_messages_are_read_or_refused(name: str, code: str | None, field: str | None) -> None:
    """What others' sensors published: the uplink is read, what is none of an uplink's shape is refused by its name."""
    recordings = os.environ.get("BOWEI_RECORDINGS")
    if recordings is None:
        pytest.skip("BOWEI_RECORDINGS names no folder of recordings")
    read = read_uplink((Path(recordings) / _RECORDED / name).read_bytes())
    if isinstance(read, Unmeant):
        assert (read.code, read.at_field) == (code, field)
        return
    assert code is None
    assert (read.device_id, read.f_port, read.f_cnt, read.payload) == ("53", 1, 9, b"\x01")
    assert read.received_at == datetime(2020, 3, 3, 23, 9, 10, 982_884, tzinfo=UTC)
    by_server = SensorGroup(lot="slap", codec="decoded", occupied_at="parkState", devices=["53"])
    by_maker = SensorGroup(lot="slap", codec="bosch_tpl110", devices=["53"])
    assert state_of(read, by_server).occupied is state_of(read, by_maker).occupied is True
