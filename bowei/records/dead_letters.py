"""The port of dead letters: what a known source said that could be read and not be meant, kept until it can be.

A lot that is registered tomorrow reports today. What it says is shown nowhere; it waits here, and is delivered again
once somebody has put right what was wrong (`bowei ingest redeliver`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bowei.domain.lots import SourceId

LARGEST_PAYLOAD_BYTES = 16 * 1024
MOST_OF_A_SOURCE = 1_000
"""One source can't push out what others wait for: of each, the newest are kept."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One letter: from whom, by which way, why it could not be meant (a code of ours), and what it said."""

    letter_id: int
    source_id: SourceId
    way: str
    reason: str
    lot_code: str | None
    received_at: datetime
    tries: int
    payload: bytes = field(repr=False)


class DeadLetters(Protocol):
    """Keeps letters. Every method answers after its commit; it raises StoreAway, OutcomeUnknown or Overloaded."""

    async def keep(self, source_id: SourceId, way: str, reason: str, payload: bytes, lot_code: str | None) -> int:
        """Keep what was said, for as long as the source sends no `MOST_OF_A_SOURCE` others; give how many went for it.

        The same again is the same letter. `payload` is what the way itself reads again, without the secrets that came
        with it: no key, no number plate. One larger than `LARGEST_PAYLOAD_BYTES` is not kept, and counts as gone.
        """
        ...

    async def waiting(
        self, *, source_id: SourceId | None = None, reason: str | None = None, after: int = 0, most: int = 100
    ) -> Sequence[DeadLetter]:
        """Give letters that were not redelivered, in the order in which they came, those after number `after`."""
        ...

    async def tried(self, letter_id: int, *, redelivered: bool) -> None:
        """Note that somebody tried to deliver a letter again, and whether it is delivered now."""
        ...

    async def forget(self, *, days: int) -> int:
        """Forget some of the letters that are older, delivered or not; give how many."""
        ...

    async def count(self) -> int:
        """Say how many wait."""
        ...


def digest_of(way: str, payload: bytes) -> bytes:
    """Give what is the same for the same letter."""
    return hashlib.sha256(way.encode() + b"\0" + payload).digest()
