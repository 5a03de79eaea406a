"""Redelivering: letters go the way of every reading again, once somebody has put right what was wrong.

A letter that is taken in (applied, stale, duplicate, doubted: recorded, whatever is believed) is delivered; one that is
rejected again waits on. Doing it twice, or being stopped in the middle, records nothing twice.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bowei.domain.lots import SourceId
from bowei.domain.observations import Outcome
from bowei.records.dead_letters import DeadLetter, DeadLetters
from services.ingest.intake import Intake
from services.ingest.letters import read_reading
from services.ingest.measures import Way
from services.ingest.readings import Reading, Unmeant
from services.ingest.sources import Sources

ReadsLetter = Callable[[SourceId, bytes], Sequence[Reading]]
"""Reads a letter that a way keeps in its own words, as it would read it now."""

_UNREADABLE = "unreadable"


@dataclass(slots=True)
class Redelivered:
    """What became of the letters: how many are delivered, and of the others how many by code."""

    delivered: int = 0
    waiting: Counter[str] = field(default_factory=Counter)

    @property
    def all_delivered(self) -> bool:
        """Say whether none waits on."""
        return not self.waiting


class Redelivering:
    """Delivers letters again. `readers` are of the ways that keep letters in their own words."""

    def __init__(
        self, letters: DeadLetters, intake: Intake, sources: Sources, readers: Mapping[Way, ReadsLetter]
    ) -> None:
        self._letters = letters
        self._intake = intake
        self._sources = sources
        self._readers = readers

    async def run(
        self,
        *,
        source_id: SourceId | None = None,
        reason: str | None = None,
        dry_run: bool = False,
        shown: Callable[[], bool] = lambda: True,
    ) -> Redelivered:
        """Try every letter of a source, or of all, that waits for a reason, or for any, in the order they came.

        `dry_run` only says which could be tried with success as far as the register knows. While `shown` says that
        what was recorded can't be shown, letters wait on: tried again, they are shown.

        Raises:
            StoreFailure: those so far are done.
        """
        done = Redelivered()
        after = 0
        while letters := await self._letters.waiting(source_id=source_id, reason=reason, after=after):
            for letter in letters:
                code = await (self._foresee(letter) if dry_run else self._try(letter, shown))
                if code is None:
                    done.delivered += 1
                else:
                    done.waiting[code] += 1
            after = letters[-1].letter_id
        return done

    async def _try(self, letter: DeadLetter, shown: Callable[[], bool]) -> str | None:
        """Take one letter in; give why it waits on, or None."""
        readings = self._read(letter)
        code: str | None = _UNREADABLE
        if readings:
            verdicts = await self._intake.take(letter.source_id, readings, way=Way(letter.way))
            rejected = [verdict.code for verdict in verdicts if verdict.outcome is Outcome.REJECTED]
            code = rejected[0] if rejected else None if shown() else "not shown"
        await self._letters.tried(letter.letter_id, redelivered=code is None)
        return code

    async def _foresee(self, letter: DeadLetter) -> str | None:
        readings = self._read(letter)
        if not readings:
            return _UNREADABLE
        registered = await self._sources.registered()
        reporter = registered.by_id.get(letter.source_id)
        if reporter is None:
            return "unknown_source"
        for reading in readings:
            if isinstance(reading, Unmeant):
                return reading.code
            if reading.lot_code is not None and registered.find_lot(reporter, reading.lot_code) is None:
                return registered.why_not(reading.lot_code)
        return None

    def _read(self, letter: DeadLetter) -> Sequence[Reading]:
        reading = read_reading(letter.payload)
        if reading is not None:
            return [reading] if letter.way in set(Way) else []
        reader = self._readers.get(Way(letter.way)) if letter.way in set(Way) else None
        return reader(letter.source_id, letter.payload) if reader is not None else []
