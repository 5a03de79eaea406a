"""Heartbeats: signs of life that say nothing of spaces.

A lot that counts nothing new still shows that it is there, and its link that it is up. What is lost is a sign too: a
broker that sees a link break says so at once, long before a report is late.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bowei.domain.lots import LotId, SourceId

HEARTBEAT_GAP = timedelta(seconds=30)
"""How often lots' equipment shows life, by the habit of its makers."""
LOST_AFTER = 3 * HEARTBEAT_GAP
"""After three heartbeats that did not come, a link that used to send them is lost."""


class Sign(StrEnum):
    """What a sign of life, or of its end, says."""

    HEARTBEAT = "heartbeat"
    COMMS_LOST = "comms_lost"
    COMMS_RESTORED = "comms_restored"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One sign from a source, about one of its lots or, with `lot_id` None, about its whole link."""

    source_id: SourceId
    at: datetime
    lot_id: LotId | None = None
    sign: Sign = Sign.HEARTBEAT
    habit: bool = True
    """Whether it comes every HEARTBEAT_GAP: a link that showed life at other times is not lost by its silence."""
