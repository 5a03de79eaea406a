"""One picture of everything, from which every answer is cut.

It is taken when the mirror changed and at a slow tick (reports age, agreements begin and end), never more often than
the shortest gap and never for more than a share of the time, however much changes. Only what may show something else
is drawn anew: lots of which there is news and the gates that send cars there; at the tick also lots whose report turned
too old or that share, and every gate. Hysteresis lives here: each picture is drawn from the one before.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from bowei.domain.agreements import Agreement
from bowei.domain.clock import Clock
from bowei.domain.directory import Directory
from bowei.domain.forecasting import Foreseen
from bowei.domain.gate import GateState, GateWord
from bowei.domain.lots import HospitalId, LotId
from bowei.domain.problems import Refused
from bowei.livestate.mirror import LiveMirror
from bowei.roads.travel_times import TravelTimes
from services.availability.gates import GateStatus, WaysFromGates, describe_gate
from services.availability.lots import LotStatus, describe_lot

_MOST_OF_THE_TIME = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """How often pictures are taken and when a copy counts as stale, in real seconds."""

    tick_s: float = 1.0
    shortest_s: float = 0.05
    stale_after_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one instant. `number` grows when anything that is shown changed."""

    number: int
    at: datetime
    as_of: datetime
    """Until when the copy is known to be current; `at` itself while the live state answers."""
    stale: bool
    directory: Directory
    lots: Mapping[LotId, LotStatus]
    gates: Mapping[HospitalId, GateStatus]
    foreseen: Mapping[LotId, Foreseen]
    """It changes every five minutes and with the clock: nobody who follows a lot is told of that."""
    lot_changed_in: Mapping[LotId, int]
    gate_changed_in: Mapping[HospitalId, int]
    directory_changed_in: int


class Snapshots:
    """Takes the pictures. Run `run` as a task for as long as they are read."""

    def __init__(
        self,
        mirror: LiveMirror,
        clock: Clock,
        travel_times: TravelTimes,
        pace: Pace | None = None,
        *,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        """`started` is called when the first picture was taken."""
        self._started = started
        self._mirror = mirror
        self._clock = clock
        self._pace = pace or Pace()
        self._ways = WaysFromGates(travel_times)
        self._agreements: dict[LotId, list[Agreement]] = {}
        self._gates_of: dict[LotId, set[HospitalId]] = {}
        self._words: Mapping[HospitalId, GateWord] = {}
        self._latest: Snapshot | None = None
        self._loaded = False
        self._serial = -1
        self._turns: dict[LotId, datetime] = {}
        self._ticked_at_s = 0.0
        self._taken_at_s = 0.0
        self._took_s = 0.0
        self._changed = asyncio.Event()

    @property
    def loaded(self) -> bool:
        """Say whether there is anything to show yet."""
        return self._loaded

    @property
    def silent_s(self) -> float:
        """For how many real seconds the live state has been silent; 0 while it answers."""
        return 0.0 if self._mirror.is_current() else self._mirror.age_s or 0.0

    def latest(self) -> Snapshot:
        """Give the newest picture, at most a tick old.

        Raises:
            Refused: store_away, before anything was ever copied.
        """
        if not self._loaded:
            raise Refused("store_away")
        if self._latest is None or self._due():
            return self._take()
        return self._latest

    async def wait_newer(self, number: int, timeout_s: float) -> Snapshot | None:
        """Wait for a picture in which something changed after `number`; None where none came in time or on `wake`."""
        if self._latest is None or self._latest.number <= number:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
            except TimeoutError:
                return None
        return self._latest if self._latest is not None and self._latest.number > number else None

    def wake(self) -> None:
        """Let everyone who waits go on."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Take pictures until cancelled."""
        while not self._loaded:
            self._loaded = await self._mirror.wait_loaded(self._pace.tick_s)
        self.latest()
        self._started()
        while True:
            self.latest()
            await asyncio.sleep(self._gap_s())
            await self._mirror.wait_change(self._serial, self._pace.tick_s)

    def _gap_s(self) -> float:
        return max(self._pace.shortest_s, self._took_s / _MOST_OF_THE_TIME)

    def _due(self) -> bool:
        since_s = time.monotonic() - self._taken_at_s
        return since_s >= self._pace.tick_s or (self._mirror.serial != self._serial and since_s >= self._gap_s())

    def _take(self) -> Snapshot:
        began_s, busy_s = time.monotonic(), time.thread_time()
        since, self._serial = self._serial, self._mirror.serial
        before, directory, now = self._latest, self._mirror.directory, self._clock.now()
        due_lots: Collection[LotId] = directory.lots
        due_gates: Collection[HospitalId] = directory.hospitals
        lots: Mapping[LotId, LotStatus] = {}
        gates: Mapping[HospitalId, GateStatus] = {}
        if before is None or directory is not before.directory:
            self._agreements, self._gates_of = _by_lot(directory), _gates_by_lot(directory)
            self._turns.clear()
        else:
            lots, gates = before.lots, before.gates
            due_lots, due_gates = self._due_since(since, directory, began_s, now)
        drawn = self._draw(due_lots, directory, before, now)
        lots = {**lots, **drawn} if drawn else lots
        gates = {**gates, **self._gates(due_gates, directory, lots, before, now)}
        self._words = self._mirror.gate_words
        after = _following(
            before,
            at=now,
            as_of=now if before is None or self._mirror.is_current() else before.as_of,
            stale=(self._mirror.age_s or 0.0) >= self._pace.stale_after_s,
            directory=directory,
            lots=lots,
            drawn=drawn,
            gates=gates,
            foreseen=self._mirror.foreseen,
        )
        self._latest = after
        self._taken_at_s = time.monotonic()
        self._took_s = time.thread_time() - busy_s
        if before is None or before.number != after.number:
            self.wake()
        return after

    def _due_since(
        self, serial: int, directory: Directory, began_s: float, now: datetime
    ) -> tuple[set[LotId], Collection[HospitalId]]:
        """Give the lots and the gates that may show something else than in the picture before."""
        lots = self._mirror.changed_since(serial)
        every_gate = self._mirror.gate_words is not self._words
        if began_s - self._ticked_at_s >= self._pace.tick_s:
            # Reports grow old; what is lent, and where the next car goes, depends on the time of day.
            self._ticked_at_s, every_gate = began_s, True
            lots.update(lot_id for lot_id, turns_at in self._turns.items() if turns_at < now)
            lots.update(self._agreements)
        lots &= directory.lots.keys()
        gates = {gate for lot_id in lots for gate in self._gates_of.get(lot_id, ())}
        return lots, directory.hospitals if every_gate else gates

    def _draw(
        self, lot_ids: Collection[LotId], directory: Directory, before: Snapshot | None, now: datetime
    ) -> dict[LotId, LotStatus]:
        seen: Mapping[LotId, LotStatus] = {} if before is None else before.lots
        drawn = {}
        for lot_id in lot_ids:
            lot, lot_now = directory.lots[lot_id], self._mirror.lot(lot_id)
            level = seen[lot_id].level if lot_id in seen else None
            agreements = self._agreements.get(lot_id, [])
            drawn[lot_id] = describe_lot(lot, directory.local_time(lot), lot_now, agreements, level, now)
            turns_at = None if lot_now.report is None else lot_now.report.turns_at(now)
            if turns_at is None:
                self._turns.pop(lot_id, None)
            else:
                self._turns[lot_id] = turns_at
        return drawn

    def _gates(
        self,
        hospital_ids: Collection[HospitalId],
        directory: Directory,
        lots: Mapping[LotId, LotStatus],
        before: Snapshot | None,
        now: datetime,
    ) -> dict[HospitalId, GateStatus]:
        seen = {} if before is None else before.gates
        return {
            hospital_id: describe_gate(
                hospital,
                directory,
                lots.get(hospital.lot_id),
                self._mirror.lots,
                self._ways.of(hospital, directory),
                self._mirror.gate_words.get(hospital_id) or GateWord(hospital_id),
                seen[hospital_id].state if hospital_id in seen else GateState.UNKNOWN,
                now,
            )
            for hospital_id in hospital_ids
            for hospital in (directory.hospitals[hospital_id],)
        }


def _following(
    before: Snapshot | None,
    *,
    at: datetime,
    as_of: datetime,
    stale: bool,
    directory: Directory,
    lots: Mapping[LotId, LotStatus],
    drawn: Mapping[LotId, LotStatus],
    gates: Mapping[HospitalId, GateStatus],
    foreseen: Mapping[LotId, Foreseen],
) -> Snapshot:
    """Number a picture after the one before: what shows the same keeps the number of its last change.

    `drawn` are the lots that were looked at anew.
    """
    number = 1 if before is None else before.number + 1
    new_directory = before is None or directory is not before.directory
    lot_changed_in: Mapping[LotId, int] = {} if before is None else before.lot_changed_in
    gate_changed_in: Mapping[HospitalId, int] = {} if before is None else before.gate_changed_in
    changed_lots = {key: number for key, lot in drawn.items() if before is None or before.lots.get(key) != lot}
    changed_gates = {key: number for key, gate in gates.items() if before is None or before.gates.get(key) != gate}
    if before is not None and not (new_directory or changed_lots or changed_gates or stale != before.stale):
        number = before.number
    return Snapshot(
        number=number,
        at=at,
        as_of=as_of,
        stale=stale,
        directory=directory,
        lots=lots,
        gates=gates,
        foreseen=foreseen,
        lot_changed_in={**lot_changed_in, **changed_lots} if changed_lots else lot_changed_in,
        gate_changed_in={**gate_changed_in, **changed_gates} if changed_gates else gate_changed_in,
        directory_changed_in=number if new_directory or before is None else before.directory_changed_in,
    )


def _by_lot(directory: Directory) -> dict[LotId, list[Agreement]]:
    by_lot: dict[LotId, list[Agreement]] = {}
    for agreement in directory.agreements:
        by_lot.setdefault(agreement.lot_id, []).append(agreement)
    return by_lot


def _gates_by_lot(directory: Directory) -> dict[LotId, set[HospitalId]]:
    """Give the gates that show something of each lot: it is their hospital's own, or they may send cars there."""
    by_lot: dict[LotId, set[HospitalId]] = {}
    for hospital in directory.hospitals.values():
        by_lot.setdefault(hospital.lot_id, set()).add(hospital.hospital_id)
        for lot in directory.lots_for(hospital.hospital_id):
            by_lot.setdefault(lot.lot_id, set()).add(hospital.hospital_id)
    return by_lot
