"""The port of the audit: every act of a person, in the order in which it was noted, never changed, never removed."""

from collections.abc import Sequence
from typing import Protocol

from bowei.domain.acts import Act, Entry

MOST_AT_ONCE = 1_000


class AuditTrail(Protocol):
    """Keeps acts, chained. Every method raises StoreAway or OutcomeUnknown (then it may have been noted)."""

    async def note(self, act: Act) -> Entry:
        """Append an act, and give it as it is kept."""
        ...

    async def entries(self, after: int, limit: int = MOST_AT_ONCE) -> Sequence[Entry]:
        """List the entries after a serial, oldest first, `MOST_AT_ONCE` at most."""
        ...

    async def newest(self) -> Entry | None:
        """Give the newest entry, to be noted elsewhere."""
        ...
