"""Letters: what a known source said about a lot that nobody registered yet, kept as a reading and never shown.

A reading is kept as it would be taken in: with the time at which it was observed or, where none was said, received.
Its number plate is not kept. Of a lot's counts one in a minute is enough.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from typing_extensions import override

from bowei.domain.dirt import Dirt
from bowei.domain.lots import SourceId
from bowei.records.dead_letters import DeadLetter, DeadLetters
from services.ingest.history_measures import HistoryMeasures
from services.ingest.measures import Way
from services.ingest.readings import CarReading, CountReading, Reading

_COUNT_EVERY_S = 60.0
_AT_ONCE = 100
_LOTS_REMEMBERED = 10_000


class ReadingLetter(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """How a reading is written into a letter: one of the two."""

    count: CountReading | None = None
    car: CarReading | None = None


_READER = msgspec.json.Decoder(ReadingLetter)


def write_reading(reading: CountReading | CarReading, received_at: datetime) -> bytes:
    """Write a reading into a letter."""
    if isinstance(reading, CarReading):
        return msgspec.json.encode(ReadingLetter(car=replace(reading, plate=None)))
    if reading.observed_at is None:
        reading = replace(reading, observed_at=received_at, dirt=reading.dirt | {Dirt.NO_TIME})
    return msgspec.json.encode(ReadingLetter(count=reading))


def read_reading(payload: bytes) -> Reading | None:
    """Give the reading in a letter; None where the letter is in a way's own words."""
    try:
        letter = _READER.decode(payload)
    except (ValueError, RecursionError):
        return None
    return letter.count or letter.car


class CountedLetters(DeadLetters):
    """The letters of the process, counted."""

    def __init__(
        self, letters: DeadLetters, measures: HistoryMeasures, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._letters = letters
        self._measures = measures
        self._monotonic = monotonic
        self._kept_at: dict[tuple[SourceId, str], float] = {}

    @override
    async def keep(self, source_id: SourceId, way: str, reason: str, payload: bytes, lot_code: str | None) -> int:
        dropped = await self._letters.keep(source_id, way, reason, payload, lot_code)
        self._measures.letter(way, reason)
        self._measures.letters_dropped("count", dropped)
        return dropped

    async def keep_readings(
        self, source_id: SourceId, way: Way, readings: Sequence[CountReading | CarReading], *, received_at: datetime
    ) -> None:
        """Keep readings about lots that nobody registered; of each lot's counts only the newest.

        Raises:
            StoreFailure: some were not kept; keeping all of them again is harmless.
        """
        newest: dict[str, CountReading] = {}
        cars: list[CarReading] = []
        for reading in readings:
            if isinstance(reading, CarReading):
                cars.append(reading)
                continue
            before = newest.get(reading.lot_code)
            if before is None or _order(reading, received_at) >= _order(before, received_at):
                newest[reading.lot_code] = reading
        due = [one for one in newest.values() if self._is_due(source_id, one.lot_code)]
        self._measures.letters_dropped("often", len(readings) - len(cars) - len(due))
        chosen: list[CountReading | CarReading] = [*due, *cars]
        for start in range(0, len(chosen), _AT_ONCE):
            await asyncio.gather(
                *(
                    self.keep(source_id, way, "unknown_lot", write_reading(one, received_at), one.lot_code)
                    for one in chosen[start : start + _AT_ONCE]
                )
            )
        now_s = self._monotonic()
        self._kept_at |= {(source_id, one.lot_code): now_s for one in due}

    def _is_due(self, source_id: SourceId, lot_code: str) -> bool:
        if len(self._kept_at) > _LOTS_REMEMBERED:
            self._kept_at.clear()
        return self._monotonic() - self._kept_at.get((source_id, lot_code), float("-inf")) >= _COUNT_EVERY_S

    @override
    async def waiting(
        self, *, source_id: SourceId | None = None, reason: str | None = None, after: int = 0, most: int = 100
    ) -> Sequence[DeadLetter]:
        return await self._letters.waiting(source_id=source_id, reason=reason, after=after, most=most)

    @override
    async def tried(self, letter_id: int, *, redelivered: bool) -> None:
        await self._letters.tried(letter_id, redelivered=redelivered)

    @override
    async def forget(self, *, days: int) -> int:
        return await self._letters.forget(days=days)

    @override
    async def count(self) -> int:
        return await self._letters.count()


def _order(reading: CountReading, received_at: datetime) -> tuple[datetime, int]:
    return (reading.observed_at or received_at, reading.seq or 0)
