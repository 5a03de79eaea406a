"""Sensing: what sensors say is noted space by space, and each lot's count goes through Intake.

note the spaces (one commit) ──▶ each lot's count, ordered by (newest sign, version) ──▶ Intake (judge, record, show)

What was noted and not counted, because the process died in between, is counted when it is sent again: repeats give
the count that stands. A sensor that is not named in the feeds file is named in the log and in the answer, and no space.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bowei.domain.dirt import Dirt
from bowei.domain.heartbeats import Sign
from bowei.domain.lots import SourceId
from bowei.domain.observations import Bound, LotState, Outcome, Verdict
from bowei.records.sensing import SpaceBook, SpaceCount, SpaceSign
from services.ingest.intake import Intake
from services.ingest.lorawan.codecs import PayloadUnread, SpaceEvent
from services.ingest.lorawan.feed import SensorFields, SensorGroup
from services.ingest.lorawan.sensors import Sensors, state_of
from services.ingest.lorawan.uplinks import Uplink
from services.ingest.measures import Way
from services.ingest.readings import CountReading, LifeReading, Reading, Unmeant
from services.ingest.sources import Registered, Reporter, Sources

_MOST_UNKNOWN = 1_000
"""Unknown sensors of one source that are named in the log, each once."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sensed:
    """An uplink that was understood."""

    place: int
    group: SensorGroup
    event: SpaceEvent
    sign: SpaceSign


class Sensing:
    """Takes in the uplinks of one source's sensors. Repeating a call is harmless."""

    def __init__(
        self, source_id: SourceId, said: SensorFields, book: SpaceBook, intake: Intake, sources: Sources
    ) -> None:
        self._source_id = source_id
        self._sensors = Sensors(said.sensors)
        self._silent_after: timedelta = said.silent_after
        self._gap_share = said.gap_share
        self._book = book
        self._intake = intake
        self._sources = sources
        self._unknown: set[str] = set()

    async def take(self, uplinks: Sequence[Uplink | Unmeant]) -> list[Verdict]:
        """Take in uplinks; one verdict each, in the order given.

        Raises:
            StoreFailure: nothing was acknowledged; all of it may be taken in again.
        """
        registered, reporter = await self._reporter(uplinks)
        if reporter is None or reporter.source.suspended:
            return await self._intake.take(self._source_id, [_refused(one) for one in uplinks], way=Way.LORAWAN)
        sensed: list[_Sensed] = []
        unmeant: list[tuple[int, Unmeant]] = []
        for place, uplink in enumerate(uplinks):
            meant = uplink if isinstance(uplink, Unmeant) else self._mean(place, uplink, registered, reporter)
            if isinstance(meant, Unmeant):
                unmeant.append((place, meant))
            else:
                sensed.append(meant)
        noted = await self._book.note([one.sign for one in sensed], silent_after=self._silent_after)
        unmeant += [
            (one.place, Unmeant("future_time", "received_at", one.group.lot, one.sign.device_id))
            for one, outcome in zip(sensed, noted.outcomes, strict=True)
            if outcome is Outcome.REJECTED
        ]
        codes = {one.sign.lot_id: one.group.lot for one in sensed}
        counts: list[Reading] = [self._count(codes[lot_id], count) for lot_id, count in noted.counts.items()]
        beats = [
            LifeReading(one.group.lot, Sign.HEARTBEAT, one.sign.said_at, habit=False)
            for one, outcome in zip(sensed, noted.outcomes, strict=True)
            if one.event is SpaceEvent.HEARTBEAT and outcome is Outcome.APPLIED
        ]
        became = await self._intake.take(
            self._source_id, [*(one for _, one in unmeant), *counts, *beats], way=Way.LORAWAN
        )
        verdicts = [Verdict(Outcome.APPLIED)] * len(uplinks)
        for (place, _), verdict in zip(unmeant, became[: len(unmeant)], strict=True):
            verdicts[place] = verdict
        of_lots = dict(zip(noted.counts, became[len(unmeant) :], strict=False))
        for one, outcome in zip(sensed, noted.outcomes, strict=True):
            if outcome is Outcome.REJECTED:
                continue
            doubted = of_lots[one.sign.lot_id]
            verdicts[one.place] = doubted if doubted.code is not None else Verdict(outcome)
        return verdicts

    async def _reporter(self, uplinks: Sequence[Uplink | Unmeant]) -> tuple[Registered, Reporter | None]:
        registered = await self._sources.registered()
        reporter = registered.by_id.get(self._source_id)
        if reporter is None:
            registered = await self._sources.registered(missed=True)
            return registered, registered.by_id.get(self._source_id)
        groups = [self._sensors.find(one.device_id) for one in uplinks if isinstance(one, Uplink)]
        return await self._sources.with_lots(registered, reporter, {group.lot for group in groups if group})

    def _mean(self, place: int, uplink: Uplink, registered: Registered, reporter: Reporter) -> _Sensed | Unmeant:
        said = f"{uplink.device_id} port {uplink.f_port} f_cnt {uplink.f_cnt}: {uplink.payload.hex()}"
        group = self._sensors.find(uplink.device_id)
        if group is None:
            self._name_unknown(uplink.device_id)
            return Unmeant("unknown_device", "device_id", raw=said)
        lot_id = registered.find_lot(reporter, group.lot)
        if lot_id is None:
            return Unmeant(registered.why_not(group.lot), "lot", group.lot, said)
        try:
            state = state_of(uplink, group)
        except PayloadUnread as unread:
            return Unmeant(unread.code, unread.field, group.lot, said)
        sign = SpaceSign(self._source_id, uplink.device_id, lot_id, state.occupied, uplink.f_cnt, uplink.received_at)
        return _Sensed(place, group, state.event, sign)

    def _name_unknown(self, device_id: str) -> None:
        if device_id in self._unknown or len(self._unknown) >= _MOST_UNKNOWN:
            return
        self._unknown.add(device_id)
        _log.warning("sensor_unknown", extra={"source_id": self._source_id, "device_id": device_id})

    def _count(self, lot_code: str, count: SpaceCount) -> CountReading:
        spaces = max(count.spaces, self._sensors.named_in(lot_code))
        unknown = spaces - count.known
        return CountReading(
            lot_code,
            count.counted_at,
            seq=count.version,
            free=count.free if count.known else None,
            state=LotState.OPEN if count.known else LotState.UNKNOWN,
            bound=Bound.AT_LEAST if unknown and count.known else Bound.EXACT,
            method="space_sensor",
            dirt=frozenset({Dirt.GAP}) if unknown > self._gap_share * spaces else frozenset(),
            raw=f"{count.free} free of {count.known} known of {spaces} spaces",
        )


def _refused(one: Uplink | Unmeant) -> Unmeant:
    return one if isinstance(one, Unmeant) else Unmeant("not_allowed", raw=one.device_id)
