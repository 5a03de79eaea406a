"""The audit's twin."""

from collections.abc import Sequence

from typing_extensions import override

from bowei.domain.acts import BEGINNING, Act, Entry, hash_of
from bowei.records.audit import MOST_AT_ONCE, AuditTrail
from bowei.records.in_memory.world import InMemoryRecords


class InMemoryAuditTrail(AuditTrail):
    """The chain in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records

    @override
    async def note(self, act: Act) -> Entry:
        kept = self._records.audit
        serial, at, before = len(kept) + 1, self._records.now, kept[-1].hash if kept else BEGINNING
        entry = Entry(serial, at, act, hash_of(serial, at, act, before))
        kept.append(entry)
        return entry

    @override
    async def entries(self, after: int, limit: int = MOST_AT_ONCE) -> Sequence[Entry]:
        return self._records.audit[after : after + min(limit, MOST_AT_ONCE)]

    @override
    async def newest(self) -> Entry | None:
        kept = self._records.audit
        return kept[-1] if kept else None
