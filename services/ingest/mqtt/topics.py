"""Topics of Bowei's own convention: whose message it is, and of what kind.

parking/{source}/{lot}/state        a full count, retained, QoS 1
parking/{source}/{lot}/event        cars that passed
parking/{source}/{lot}/heartbeat    the lot's equipment is there
parking/{source}/{lot}/online       1, and by the last will 0: the link
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a message is about."""

    STATE = "state"
    EVENT = "event"
    HEARTBEAT = "heartbeat"
    ONLINE = "online"


_KINDS = {str(kind): kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class NativeTopic:
    """A topic, read."""

    source: str
    lot_code: str
    kind: Kind


def read_topic(topic: str, prefix: str) -> NativeTopic | None:
    """Read a topic; None if it is none of the convention."""
    if not topic.startswith(f"{prefix}/"):
        return None
    levels = topic.removeprefix(f"{prefix}/").split("/")
    if len(levels) != 3 or levels[2] not in _KINDS:
        return None
    source, lot_code, kind = levels
    return NativeTopic(source, lot_code, _KINDS[kind])
