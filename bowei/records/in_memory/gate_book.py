"""The gate book's twin."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from typing_extensions import override

from bowei.domain.acts import Act
from bowei.domain.gate import GateWord
from bowei.domain.lots import HospitalId
from bowei.records.gate_book import GateBook
from bowei.records.in_memory.audit import InMemoryAuditTrail
from bowei.records.in_memory.world import InMemoryRecords
from bowei.records.registering import UnknownReference


class InMemoryGateBook(GateBook):
    """The gate book in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records
        self._audit = InMemoryAuditTrail(records)

    @override
    async def words(self) -> Sequence[GateWord]:
        current = [_as_of(word, self._records.now) for _, word in sorted(self._records.gate_words.items())]
        return [word for word in current if word != GateWord(word.hospital_id)]

    @override
    async def say_queue(self, hospital_id: HospitalId, vehicles: int, act: Act) -> datetime:
        now = self._records.now
        word = replace(self._word(hospital_id), queue_vehicles=vehicles, queue_said_at=now)
        await self._keep(word, act)
        return now

    @override
    async def pause(self, hospital_id: HospitalId, how_long: timedelta, act: Act) -> datetime:
        until = self._records.now + how_long
        await self._keep(replace(self._word(hospital_id), paused_until=until), act)
        return until

    @override
    async def resume(self, hospital_id: HospitalId, act: Act) -> None:
        await self._keep(replace(self._word(hospital_id), paused_until=None), act)

    def _word(self, hospital_id: HospitalId) -> GateWord:
        if hospital_id not in self._records.hospitals:
            raise UnknownReference("unknown_hospital")
        return self._records.gate_words.get(hospital_id, GateWord(hospital_id))

    async def _keep(self, word: GateWord, act: Act) -> None:
        self._records.gate_words[word.hospital_id] = word
        await self._audit.note(act)


def _as_of(word: GateWord, now: datetime) -> GateWord:
    if word.queue_at(now) is None:
        word = replace(word, queue_vehicles=None, queue_said_at=None)
    return word if word.pauses_at(now) else replace(word, paused_until=None)
