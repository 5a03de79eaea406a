"""What is known, and the ranking that follows from it: all lots of a hospital, candidates first, cheapest first."""

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bowei.domain.choice_rules import ChoiceRules
from bowei.domain.choosing import Considered, Exclusion, Need
from bowei.domain.comparing import Comparing
from bowei.domain.directory import Directory
from bowei.domain.holds import lifetime
from bowei.domain.lots import Hospital, HospitalId, LotId
from bowei.domain.places import Point
from bowei.domain.problems import Refused
from bowei.records.failures import StoreAway
from bowei.records.holding import Candidate
from bowei.roads.approaches import Approaches
from bowei.roads.by_air import air_drive_s
from bowei.roads.travel_times import Targets, TravelTimes
from services.routing.hints import Hints, Known
from services.routing.measures import Measures

_log = logging.getLogger(__name__)


class Ranking:
    """Looks at the lots of a hospital for one driver."""

    def __init__(self, hints: Hints, travel_times: TravelTimes, measures: Measures) -> None:
        self._hints = hints
        self._travel_times = travel_times
        self._measures = measures
        self._ready: dict[HospitalId, _Ready] = {}
        self._gates: dict[HospitalId, tuple[Point, Targets]] = {}

    @property
    def by(self) -> str:
        """Who says how long drives take."""
        return self._travel_times.name

    async def known(self) -> Known:
        """Give the best snapshot there is of what is known now."""
        return await self._hints.known()

    def rank(self, known: Known, hospital: Hospital, origin: Point, need: Need, now: datetime) -> list[Considered]:
        """Look at every lot of the hospital for a driver at `origin`: candidates first, cheapest first."""
        started = time.perf_counter()
        ready = self._ready_for(known.directory, hospital)
        ranked = ready.comparing.consider(known.lots, ready.approaches.from_origin(origin), need, now)
        self._measures.ranking.observe(time.perf_counter() - started)
        self._measures.hints.labels(known.source).inc()
        return ranked

    def cut_off(self, directory: Directory) -> frozenset[LotId]:
        """Give the lots to which no road leads now from the gate of any hospital that they lend to."""
        reached: set[LotId] = set()
        known: set[LotId] = set()
        directory = self._hints.as_answered(directory)
        for hospital in directory.hospitals.values():
            ways = self._ready_for(directory, hospital).approaches.from_origin(hospital.gate)
            known.update(ways)
            reached.update(lot_id for lot_id, way in ways.items() if way.drive_s is not None)
        return frozenset(known - reached)

    def time_to_gate(self, hospital: Hospital, origin: Point) -> timedelta:
        """Give how long the drive from `origin` to the hospital's gate takes; by a closed road, as long as by air."""
        made_for, targets = self._gates.get(hospital.hospital_id, (None, None))
        if targets is None or made_for != hospital.gate:
            targets = self._travel_times.targets([hospital.gate])
            self._gates[hospital.hospital_id] = (hospital.gate, targets)
        (drive_s,) = self._travel_times.drive(origin, targets).seconds
        if drive_s is None:
            drive_s = air_drive_s(origin, hospital.gate)
        return timedelta(seconds=drive_s)

    def _ready_for(self, directory: Directory, hospital: Hospital) -> "_Ready":
        ready = self._ready.get(hospital.hospital_id)
        if ready is None or ready.directory is not directory:
            approaches = Approaches(hospital, directory.lots_for(hospital.hospital_id), self._travel_times)
            ready = _Ready(directory, approaches, Comparing(hospital, directory))
            self._ready[hospital.hospital_id] = ready
            self._tell_off_road(hospital.hospital_id, approaches)
        return ready

    def _tell_off_road(self, hospital_id: HospitalId, approaches: Approaches) -> None:
        off_road = approaches.off_road
        self._measures.roads.off_road.labels(hospital_id).set(len(off_road))
        for lot_id, entrance in off_road:
            _log.warning("entrance_off_road", extra={"lot_id": lot_id, "entrance_id": entrance.entrance_id})


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is made ready once for all drivers of a hospital, while the directory stays the same."""

    directory: Directory
    approaches: Approaches
    comparing: Comparing


def hospital_of(known: Known, hospital_id: HospitalId) -> Hospital:
    """Give the hospital of an id.

    Raises:
        Refused: unknown_hospital.
        StoreAway: nothing is known yet.
    """
    hospital = known.directory.hospitals.get(hospital_id)
    if hospital is None and known.source == "nothing":
        raise StoreAway("nothing is known yet")
    if hospital is None:
        raise Refused("unknown_hospital")
    return hospital


def entrance_of(known: Known, lot_id: LotId) -> Point | None:
    """Give where a lot's first entrance is; None: not registered."""
    lot = known.directory.lots.get(lot_id)
    return lot.entrances[0].point if lot is not None and lot.entrances else None


def without(lot_ids: Collection[LotId], ranked: Sequence[Considered]) -> list[Considered]:
    """Exclude lots that had no space on arrival, whatever they report; candidates stay first."""
    marked = [one.left_out(Exclusion.FULL) if one.lot_id in lot_ids else one for one in ranked]
    return sorted(marked, key=lambda one: one.excluded is not None)


def as_candidates(chosen: Sequence[Considered], need: Need, rules: ChoiceRules) -> tuple[Candidate, ...]:
    """Give what the ledger is asked for, best first."""
    stay = rules.stay_of(need.stay)
    return tuple(
        Candidate(
            one.agreement_id,
            one.space_class,
            lifetime(drive := timedelta(seconds=one.approach.drive_s)),
            margin=one.margin,
            gone_after=None if one.out_by is None else drive + stay,
        )
        for one in chosen
        if one.approach is not None and one.approach.drive_s is not None
    )
