"""Intake: readings of a feed are given their lots, judged, recorded and shown, whatever way they came in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bowei.domain.clock import Clock
from bowei.domain.dirt import Dirt
from bowei.domain.heartbeats import Heartbeat
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import BELIEVED, Observation, Outcome, Passage, Verdict
from bowei.domain.plates import PlateKeys, hashes_if_read
from services.ingest.letters import CountedLetters
from services.ingest.measures import Measures, Way
from services.ingest.noting import Notes
from services.ingest.readings import CarReading, CountReading, LifeReading, Reading, Unmeant
from services.ingest.receiving import Receiving
from services.ingest.sources import Registered, Reporter, Sources

_UNKNOWN_SOURCE = "unknown_source"
_SUSPENDED = "not_allowed"
_UNKNOWN_LOT = "unknown_lot"


@dataclass(frozen=True, slots=True)
class _Found:
    """A reading with its lot."""

    place: int
    reading: CountReading | CarReading | LifeReading
    lot_id: LotId | None


class Intake:
    """Takes in the readings of feeds. Repeating a call is harmless.

    What is about a lot that nobody registered is kept in `letters`; without them it is only answered.
    """

    def __init__(
        self,
        receiving: Receiving,
        sources: Sources,
        clock: Clock,
        measures: Measures,
        plate_keys: PlateKeys | None,
        letters: CountedLetters | None = None,
        notes: Notes | None = None,
    ) -> None:
        self._receiving = receiving
        self._sources = sources
        self._clock = clock
        self._measures = measures
        self._plate_keys = plate_keys
        self._letters = letters
        self._notes = notes

    async def take(self, source_id: SourceId, readings: Sequence[Reading], *, way: Way) -> list[Verdict]:
        """Take in what a source says; one verdict each, in the order given. Cars are recorded before counts.

        A source that is not registered, or is suspended, is rejected whole (`unknown_source`, `not_allowed`).

        Raises:
            StoreFailure: nothing was acknowledged; all of it may be taken in again.
        """
        registered = await self._sources.registered()
        reporter = registered.by_id.get(source_id)
        if reporter is None:
            registered = await self._sources.registered(missed=True)
            reporter = registered.by_id.get(source_id)
        if reporter is None or reporter.source.suspended:
            refused = Verdict(Outcome.REJECTED, _UNKNOWN_SOURCE if reporter is None else _SUSPENDED)
            self._count(way, readings, [refused] * len(readings))
            return [refused] * len(readings)
        self._measures.heard(source_id, self._clock.now())
        codes = {code for reading in readings if (code := reading.lot_code) is not None}
        registered, reporter = await self._sources.with_lots(registered, reporter, codes)
        return await self._take_known(registered, reporter, readings, way)

    async def _take_known(
        self, registered: Registered, reporter: Reporter, readings: Sequence[Reading], way: Way
    ) -> list[Verdict]:
        # Asked for only where it dates what came without a time: an own clock that is ahead would hide what comes next.
        timeless = any(isinstance(one, CountReading) and one.observed_at is None for one in readings)
        received_at = await self._receiving.present() if timeless else self._clock.now()
        verdicts = [BELIEVED] * len(readings)
        found: list[_Found] = []
        for place, reading in enumerate(readings):
            if isinstance(reading, Unmeant):
                verdicts[place] = Verdict(Outcome.REJECTED, reading.code)
                continue
            lot_id = None if reading.lot_code is None else registered.find_lot(reporter, reading.lot_code)
            if reading.lot_code is not None and lot_id is None:
                verdicts[place] = Verdict(Outcome.REJECTED, registered.why_not(reading.lot_code))
                if self._notes is not None and verdicts[place].code == _UNKNOWN_LOT:
                    self._notes.stranger(reporter.source.source_id, reading.lot_code)
                continue
            found.append(_Found(place, reading, lot_id))
        self._count(way, readings, verdicts)
        source_id = reporter.source.source_id
        for moves_count in (True, False):
            await self._take_cars(source_id, found, verdicts, way, moves_count=moves_count)
        counts = [
            (one.place, self._observation(one.reading, one.lot_id, source_id, received_at))
            for one in found
            if isinstance(one.reading, CountReading) and one.lot_id is not None
        ]
        if counts:
            became = await self._receiving.observations(
                [observation for _, observation in counts], capacity_of=registered.capacity_of, way=way
            )
            for (place, _), verdict in zip(counts, became, strict=True):
                verdicts[place] = verdict
        await self._receiving.heartbeats(
            [
                Heartbeat(source_id, life.at or self._clock.now(), one.lot_id, life.sign, life.habit)
                for one in found
                if isinstance(life := one.reading, LifeReading)
            ]
        )
        await self._keep_unknown(source_id, readings, verdicts, way, received_at)
        return verdicts

    async def _keep_unknown(
        self,
        source_id: SourceId,
        readings: Sequence[Reading],
        verdicts: Sequence[Verdict],
        way: Way,
        received_at: datetime,
    ) -> None:
        if self._letters is None:
            return
        unknown = [
            reading
            for reading, verdict in zip(readings, verdicts, strict=True)
            if verdict.code == _UNKNOWN_LOT and isinstance(reading, CountReading | CarReading)
        ]
        if unknown:
            await self._letters.keep_readings(source_id, way, unknown, received_at=received_at)

    async def _take_cars(
        self, source_id: SourceId, found: Sequence[_Found], verdicts: list[Verdict], way: Way, *, moves_count: bool
    ) -> None:
        cars = [
            (one.place, self._passage(one.reading, one.lot_id, source_id))
            for one in found
            if isinstance(one.reading, CarReading) and one.lot_id is not None and one.reading.moves_count is moves_count
        ]
        if not cars:
            return
        became = await self._receiving.passages([car for _, car in cars], moves_count=moves_count, way=way)
        for (place, _), verdict in zip(cars, became, strict=True):
            verdicts[place] = verdict

    def _observation(
        self, reading: CountReading, lot_id: LotId, source_id: SourceId, received_at: datetime
    ) -> Observation:
        dirt = reading.dirt if reading.observed_at is not None else reading.dirt | {Dirt.NO_TIME}
        return Observation(
            lot_id=lot_id,
            observed_at=reading.observed_at or received_at,
            source_id=source_id,
            seq=reading.seq,
            capacity=reading.capacity,
            open=reading.open,
            free=reading.free,
            occupied=reading.occupied,
            state=reading.state,
            free_by_class=reading.free_by_class,
            queue_vehicles=reading.queue_vehicles,
            method=reading.method,
            bound=reading.bound,
            reset=reading.reset,
            dirt=dirt,
            raw=reading.raw,
        )

    def _passage(self, reading: CarReading, lot_id: LotId, source_id: SourceId) -> Passage:
        return Passage(
            lot_id=lot_id,
            passage_id=reading.passage_id,
            kind=reading.kind,
            passed_at=reading.passed_at,
            source_id=source_id,
            plate_hashes=hashes_if_read(reading.plate, self._plate_keys),
            shared=reading.shared,
        )

    def _count(self, way: Way, readings: Sequence[Reading], verdicts: Sequence[Verdict]) -> None:
        """Count what goes no further than here."""
        now = self._clock.now()
        for reading, verdict in zip(readings, verdicts, strict=True):
            if verdict.believed or isinstance(reading, LifeReading):
                continue
            if isinstance(reading, CarReading):
                self._measures.passed(way, verdict)
            else:
                self._measures.observed(way, verdict, None, now)
