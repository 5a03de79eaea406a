"""Sensors' payloads: each byte means what its maker says, and what is none of the sensor's is refused."""

import pytest

from services.ingest.lorawan.codecs import (
    CODECS,
    LONGEST_PAYLOAD,
    PayloadUnread,
    SpaceEvent,
    SpaceState,
    bosch_tpl110,
    nwave_nps405,
    read_decoded,
)


@pytest.mark.parametrize(
    ("port", "payload", "said"),
    [
        (1, "00", SpaceState(SpaceEvent.CHANGE, occupied=False)),
        (1, "01", SpaceState(SpaceEvent.CHANGE, occupied=True)),
        (1, "fe", SpaceState(SpaceEvent.CHANGE, occupied=False)),
        (2, "0115", SpaceState(SpaceEvent.HEARTBEAT, occupied=True, temperature_c=21)),
        (2, "007f", SpaceState(SpaceEvent.HEARTBEAT, occupied=False, temperature_c=127)),
        (2, "0080", SpaceState(SpaceEvent.HEARTBEAT, occupied=False, temperature_c=-128)),
        (2, "00ff", SpaceState(SpaceEvent.HEARTBEAT, occupied=False, temperature_c=-1)),
        (3, "", SpaceState(SpaceEvent.STARTUP, occupied=None)),
        (3, "00" * 17, SpaceState(SpaceEvent.STARTUP, occupied=None)),
        (1, "01" + "00" * (LONGEST_PAYLOAD - 1), SpaceState(SpaceEvent.CHANGE, occupied=True)),
    ],
)
def test_a_bosch_tpl110_is_read(port: int, payload: str, said: SpaceState) -> None:
    """A change, a heartbeat with its temperature below and above zero, a start; further bytes are left alone."""
    assert bosch_tpl110(port, bytes.fromhex(payload)) == said


@pytest.mark.parametrize(
    ("first", "occupied", "minutes"),
    [
        (0, False, 0),
        (1, True, 0),
        (89 << 1, False, 89),
        (90 << 1 | 1, True, 90),
        (91 << 1, False, 95),
        (119 << 1, False, 235),
        (120 << 1 | 1, True, 240),
        (126 << 1, False, 600),
        (127 << 1 | 1, True, None),
    ],
)
def test_an_nwave_nps405_is_read(first: int, occupied: bool, minutes: int | None) -> None:
    """How long the state before lasted grows coarser: by the minute, by five, by the hour, and then it is not said."""
    said = SpaceState(SpaceEvent.CHANGE, occupied, previous_state_minutes=minutes)
    assert nwave_nps405(1, bytes([first])) == said
    assert nwave_nps405(2, bytes([first])) == SpaceState(SpaceEvent.HEARTBEAT, occupied)


@pytest.mark.parametrize(
    ("codec", "port", "payload", "code", "field"),
    [
        ("bosch_tpl110", 0, "01", "unknown_option", "f_port"),
        ("bosch_tpl110", 4, "01", "unknown_option", "f_port"),
        ("bosch_tpl110", 1, "", "wrong_length", "frm_payload"),
        ("bosch_tpl110", 2, "01", "wrong_length", "frm_payload"),
        ("bosch_tpl110", 1, "01" * (LONGEST_PAYLOAD + 1), "wrong_length", "frm_payload"),
        ("nwave_nps405", 3, "01", "unknown_option", "f_port"),
        ("nwave_nps405", 1, "", "wrong_length", "frm_payload"),
        ("nwave_nps405", 2, "", "wrong_length", "frm_payload"),
        ("nwave_nps405", 1, "01" * (LONGEST_PAYLOAD + 1), "wrong_length", "frm_payload"),
    ],
)
def test_a_payload_of_another_sensor_is_refused(codec: str, port: int, payload: str, code: str, field: str) -> None:
    """A port that the sensor has not, and a payload that is empty, too short or longer than any."""
    with pytest.raises(PayloadUnread) as refused:
        CODECS[codec](port, bytes.fromhex(payload))
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize(
    ("decoded", "path", "occupied"),
    [
        ({"parkState": 1}, "parkState", True),
        ({"parkState": 0}, "parkState", False),
        ({"space": {"taken": True}}, "space.taken", True),
        ({"space": {"taken": False}}, "space.taken", False),
    ],
)
def test_what_the_network_server_decoded_is_taken(decoded: dict[str, object], path: str, occupied: bool) -> None:
    """A yes or no, or 1 or 0, at the path that the feeds file names."""
    assert read_decoded(decoded, path).occupied is occupied


@pytest.mark.parametrize(
    ("decoded", "code"),
    [
        ({}, "missing_field"),
        ({"parkState": {"a": 1}}, "wrong_type"),
        ({"parkState": "1"}, "wrong_type"),
        ({"parkState": 2}, "wrong_type"),
        ({"parkState": 1.0}, "wrong_type"),
        ({"parkState": None}, "wrong_type"),
    ],
)
def test_what_is_neither_yes_nor_no_is_refused(decoded: dict[str, object], code: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(PayloadUnread) as refused:
        read_decoded(decoded, "parkState")
    assert refused.value.code == code
