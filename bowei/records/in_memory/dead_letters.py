"""The twin of dead letters."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

from typing_extensions import override

from bowei.domain.lots import SourceId
from bowei.records.dead_letters import LARGEST_PAYLOAD_BYTES, MOST_OF_A_SOURCE, DeadLetter, DeadLetters
from bowei.records.in_memory.world import InMemoryRecords


class InMemoryDeadLetters(DeadLetters):
    """The letters in memory, at most `most` of a source."""

    def __init__(self, records: InMemoryRecords, *, most: int = MOST_OF_A_SOURCE) -> None:
        self._records = records
        self._most = most
        self._letters: dict[int, DeadLetter] = {}
        self._redelivered: set[int] = set()
        self._last_id = 0

    @override
    async def keep(self, source_id: SourceId, way: str, reason: str, payload: bytes, lot_code: str | None) -> int:
        if len(payload) > LARGEST_PAYLOAD_BYTES:
            return 1
        of_source = [one for one in self._letters.values() if one.source_id == source_id]
        if any((one.way, one.payload) == (way, payload) for one in of_source):
            return 0
        self._last_id += 1
        self._letters[self._last_id] = DeadLetter(
            self._last_id, source_id, way, reason, lot_code, self._records.now, tries=0, payload=payload
        )
        too_many = of_source[: max(0, len(of_source) + 1 - self._most)]
        for one in too_many:
            del self._letters[one.letter_id]
        return len(too_many)

    @override
    async def waiting(
        self, *, source_id: SourceId | None = None, reason: str | None = None, after: int = 0, most: int = 100
    ) -> Sequence[DeadLetter]:
        return [
            one
            for one in self._letters.values()
            if one.letter_id not in self._redelivered
            and one.letter_id > after
            and source_id in (None, one.source_id)
            and reason in (None, one.reason)
        ][:most]

    @override
    async def tried(self, letter_id: int, *, redelivered: bool) -> None:
        letter = self._letters.get(letter_id)
        if letter is None:
            return
        self._letters[letter_id] = dataclasses.replace(letter, tries=letter.tries + 1)
        if redelivered:
            self._redelivered.add(letter_id)

    @override
    async def forget(self, *, days: int) -> int:
        kept_from = self._records.now - timedelta(days=days)
        old = [letter_id for letter_id, one in self._letters.items() if one.received_at < kept_from]
        for letter_id in old:
            del self._letters[letter_id]
        return len(old)

    @override
    async def count(self) -> int:
        return len(self._letters.keys() - self._redelivered)
