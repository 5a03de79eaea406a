"""What sensors' payloads mean, bytes in, values out; after their makers' published codecs.

bosch_tpl110   Bosch Parking Lot Sensor: port 1 a change, 2 a heartbeat with the temperature, 3 a start
nwave_nps405   Nwave NPS 405: port 1 a change with how long the state before it lasted, 2 a heartbeat

Bytes after those that are read are left alone: newer firmware may append some. `decoded` takes what the network
server's own formatter made of the payload.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

LONGEST_PAYLOAD = 242
"""Bytes of application payload that LoRaWAN allows in any region."""


class SpaceEvent(StrEnum):
    """Why a sensor speaks."""

    CHANGE = "change"
    HEARTBEAT = "heartbeat"
    STARTUP = "startup"


@dataclass(frozen=True, slots=True)
class SpaceState:
    """What a sensor says of its space; `occupied` None: it does not know yet."""

    event: SpaceEvent
    occupied: bool | None
    temperature_c: int | None = None
    previous_state_minutes: int | None = None
    """How long the state before this one lasted; None where the sensor gives none, or it was too long to say."""


class PayloadUnread(Exception):
    """The payload is none of this sensor's; `code` is of `bowei.domain.problems`, `field` where it stands."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(code)
        self.code = code
        self.field = field


Codec = Callable[[int, bytes], SpaceState]
"""Reads (port, payload); raises PayloadUnread."""


def bosch_tpl110(port: int, payload: bytes) -> SpaceState:
    """Read a payload of a Bosch TPL110."""
    if port == 3:
        return SpaceState(SpaceEvent.STARTUP, None)
    if port not in {1, 2}:
        raise PayloadUnread("unknown_option", "f_port")
    _check_length(payload, port)
    occupied = bool(payload[0] & 1)
    if port == 1:
        return SpaceState(SpaceEvent.CHANGE, occupied)
    return SpaceState(SpaceEvent.HEARTBEAT, occupied, int.from_bytes(payload[1:2], "big", signed=True))


def nwave_nps405(port: int, payload: bytes) -> SpaceState:
    """Read a payload of an Nwave NPS 405."""
    if port not in {1, 2}:
        raise PayloadUnread("unknown_option", "f_port")
    _check_length(payload, 1)
    occupied = bool(payload[0] & 1)
    if port == 2:
        return SpaceState(SpaceEvent.HEARTBEAT, occupied)
    return SpaceState(SpaceEvent.CHANGE, occupied, previous_state_minutes=_nwave_minutes(payload[0] >> 1))


def read_decoded(decoded: Mapping[str, object], occupied_at: str) -> SpaceState:
    """Read what the network server decoded: `occupied_at` is the path of a yes or no (or 1 or 0), dots between names.

    Raises:
        PayloadUnread: `missing_field`, or `wrong_type` where it is neither.
    """
    value: object = decoded
    for name in occupied_at.split("."):
        if not isinstance(value, Mapping) or name not in value:
            raise PayloadUnread("missing_field", "decoded_payload")
        value = value[name]
    if value not in (0, 1) or not isinstance(value, bool | int):
        raise PayloadUnread("wrong_type", "decoded_payload")
    return SpaceState(SpaceEvent.CHANGE, bool(value))


CODECS: Mapping[str, Codec] = MappingProxyType({"bosch_tpl110": bosch_tpl110, "nwave_nps405": nwave_nps405})
"""By the name that the feeds file gives them."""


def _check_length(payload: bytes, least: int) -> None:
    if not least <= len(payload) <= LONGEST_PAYLOAD:
        raise PayloadUnread("wrong_length", "frm_payload")


def _nwave_minutes(steps: int) -> int | None:
    """Give the minutes of seven bits that grow coarser: by the minute, by five, by the hour; the last says no more."""
    if steps < 90:
        return steps
    if steps < 120:
        return 90 + (steps - 90) * 5
    return 240 + (steps - 120) * 60 if steps < 127 else None
