"""The use case: the hospital is full, so choose the right lot, hold a space on it, and keep the promise."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from bowei.domain.choosing import Approach, Considered, Exclusion, Need, candidates, consider
from bowei.domain.clock import Clock
from bowei.domain.directory import Directory
from bowei.domain.holds import LONGEST_EXTENSION, HoldState, lifetime
from bowei.domain.lots import DriverId, Hospital, HospitalId, LotId
from bowei.domain.places import Point
from bowei.domain.problems import Refused
from bowei.records.failures import StoreAway
from bowei.records.holding import Candidate, Decision, HoldBook, Json, Outcome, PlaceRequest
from bowei.roads.approaches import Approaches
from bowei.roads.travel_times import TravelTimes
from services.routing.hints import Hints, Known
from services.routing.measures import Measures

_KEPT_STEP_S = 10
"""Drives are kept with a hold only to 10 s: many exact ones together would tell where the driver set out."""

_PROBLEMS: Mapping[Outcome, str] = {
    Outcome.ID_REUSED: "id_reused",
    Outcome.UNKNOWN_DIVERSION: "unknown_diversion",
    Outcome.DRIVER_HAS_HOLD: "driver_has_hold",
    Outcome.GIVEN_UP: "given_up",
    Outcome.HOLD_OVER: "hold_over",
    Outcome.ALREADY_EXTENDED: "already_extended",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """What a driver asks for. `position` None: the car is at the hospital's gate."""

    diversion_id: str
    hospital_id: HospitalId
    need: Need
    position: Point | None = None
    plate_hash: bytes | None = None

    @property
    def meaning_hash(self) -> bytes:
        """Hash what must be equal in a repeat: everything but the position, which changes between retries."""
        meaning = [self.hospital_id, self.need.space_class, self.need.height_cm, (self.plate_hash or b"").hex()]
        return hashlib.sha256(msgspec.json.encode(meaning)).digest()


@dataclass(frozen=True, slots=True)
class Diversion:
    """One answer: the decision, or guidance without a hold where the ledger is away."""

    diversion_id: str
    hospital_id: HospitalId
    decision: Decision
    known: Known
    guided_to: Considered | None = None
    answer: Json | None = None

    @property
    def fresh(self) -> bool:
        """Say whether this answer granted a hold that was not there before."""
        return self.decision.outcome is Outcome.GRANTED


class Diverting:
    """Chooses, holds, and follows each hold to its end."""

    def __init__(
        self, book: HoldBook, hints: Hints, travel_times: TravelTimes, clock: Clock, measures: Measures
    ) -> None:
        self._book = book
        self._hints = hints
        self._travel_times = travel_times
        self._clock = clock
        self._measures = measures
        self._approaches: dict[HospitalId, tuple[Directory, Approaches]] = {}

    async def divert(self, ask: Ask, driver_id: DriverId) -> Diversion:
        """Hold a space on the best lot with room, for this id; a repeat gives the same hold.

        Raises:
            Refused: unknown_hospital, id_reused, driver_has_hold, given_up, unknown_diversion.
            OutcomeUnknown, Overloaded: repeat the same id.
        """
        known = await self._hints.known()
        hospital = known.directory.hospitals.get(ask.hospital_id)
        if hospital is None:
            raise Refused("unknown_hospital")
        now = self._clock.now()
        ranked = self._rank(known, hospital, ask.position or hospital.gate, ask.need, now)
        chosen = candidates(ranked)
        answer = self._explain(ranked, now)
        request = PlaceRequest(
            diversion_id=ask.diversion_id,
            driver_id=driver_id,
            request_hash=ask.meaning_hash,
            hospital_id=hospital.hospital_id,
            candidates=_as_candidates(chosen, ask.need),
            answer=answer,
            plate_hash=ask.plate_hash,
        )
        try:
            decision = await self._book.place(request)
        except StoreAway:
            self._measures.diversions.labels("guided").inc()
            guided_to = chosen[0] if chosen else None
            return Diversion(ask.diversion_id, hospital.hospital_id, Decision(Outcome.NONE), known, guided_to, answer)
        self._measures.diversions.labels(str(decision.outcome)).inc()
        self._refuse(decision)
        return Diversion(ask.diversion_id, hospital.hospital_id, decision, known, answer=answer)

    async def find(self, diversion_id: str, driver_id: DriverId) -> Diversion:
        """Give a diversion as it stands now.

        Raises:
            Refused: unknown_diversion, given_up.
        """
        return await self._about(diversion_id, await self._book.find(diversion_id, driver_id))

    async def give_up(self, diversion_id: str, driver_id: DriverId) -> None:
        """Give the space up; of an unknown id, make sure that a late attempt grants nothing.

        Raises:
            Refused: unknown_diversion (another driver's), hold_over (the car has arrived and stays).
        """
        decision = await self._book.release(diversion_id, driver_id)
        self._count("release", decision)
        settled = decision.hold is not None and decision.hold.state is HoldState.SETTLED
        if decision.outcome is Outcome.UNKNOWN_DIVERSION or settled:
            self._refuse(decision)

    async def extend(self, diversion_id: str, driver_id: DriverId, longer: timedelta) -> Diversion:
        """Keep the space longer, once, by 15 minutes at most.

        Raises:
            Refused: extension_too_long, already_extended, hold_over, unknown_diversion.
        """
        if longer > LONGEST_EXTENSION:
            raise Refused("extension_too_long")
        decision = await self._book.extend(diversion_id, driver_id, longer)
        return await self._step("extend", diversion_id, decision)

    async def arrive(self, diversion_id: str, driver_id: DriverId) -> Diversion:
        """Note that the car is in the lot.

        Raises:
            Refused: hold_over, unknown_diversion.
        """
        return await self._step("arrive", diversion_id, await self._book.arrive(diversion_id, driver_id))

    async def leave(self, diversion_id: str, driver_id: DriverId) -> Diversion:
        """Note that the car has left the lot.

        Raises:
            Refused: hold_over, unknown_diversion.
        """
        return await self._step("leave", diversion_id, await self._book.leave(diversion_id, driver_id))

    async def refused(self, diversion_id: str, driver_id: DriverId, ordinal: int) -> Diversion:
        """Take note that the promise failed on arrival, and hold a space on the next best lot in the same commit.

        Raises:
            Refused: hold_over, unknown_diversion, driver_has_hold.
        """
        found = await self._book.find(diversion_id, driver_id)
        if found.hold is None:
            raise Refused("unknown_diversion")
        known = await self._hints.known()
        hospital = known.directory.hospitals.get(found.hold.hospital_id)
        failed = known.directory.lots.get(found.hold.lot_id)
        if hospital is None or failed is None:
            raise Refused("unknown_hospital")
        need = Need(found.hold.space_class, found.answer.get("height_cm"))
        now = self._clock.now()
        ranked = [
            one
            for one in self._rank(known, hospital, failed.entrances[0].point, need, now)
            if one.lot_id != failed.lot_id
        ]
        decision = await self._book.replace(
            diversion_id,
            driver_id,
            ordinal,
            ends_as=HoldState.REVOKED,
            reason="refused_on_arrival",
            candidates=_as_candidates(candidates(ranked), need),
            answer=self._explain(ranked, now),
        )
        return await self._step("refused", diversion_id, decision, known)

    async def _step(self, step: str, diversion_id: str, decision: Decision, known: Known | None = None) -> Diversion:
        self._count(step, decision)
        return await self._about(diversion_id, decision, known)

    async def _about(self, diversion_id: str, decision: Decision, known: Known | None = None) -> Diversion:
        self._refuse(decision)
        if decision.hold is None:
            raise Refused("unknown_diversion")
        return Diversion(diversion_id, decision.hold.hospital_id, decision, known or await self._hints.known())

    def _refuse(self, decision: Decision) -> None:
        code = _PROBLEMS.get(decision.outcome)
        if code is not None:
            details = {}
            if decision.outcome is Outcome.DRIVER_HAS_HOLD and decision.hold is not None:
                details = {"diversion_id": decision.hold.diversion_id}
            raise Refused(code, details=details)

    def _count(self, step: str, decision: Decision) -> None:
        self._measures.hold_ends.labels(step, str(decision.outcome)).inc()

    def _rank(self, known: Known, hospital: Hospital, origin: Point, need: Need, now: datetime) -> list[Considered]:
        started = time.perf_counter()
        approaches = self._approaches_for(known.directory, hospital).from_origin(origin)
        ranked = consider(hospital, known.directory, known.lots, approaches, need, now)
        self._measures.ranking.observe(time.perf_counter() - started)
        self._measures.hints.labels(known.source).inc()
        return ranked

    def _approaches_for(self, directory: Directory, hospital: Hospital) -> Approaches:
        made_for, approaches = self._approaches.get(hospital.hospital_id, (None, None))
        if approaches is None or made_for is not directory:
            lot_ids = {agreement.lot_id for agreement in directory.agreements_for(hospital.hospital_id)}
            lots = [directory.lots[lot_id] for lot_id in sorted(lot_ids) if lot_id in directory.lots]
            approaches = Approaches(hospital, lots, self._travel_times)
            self._approaches[hospital.hospital_id] = (directory, approaches)
        return approaches

    def _explain(self, ranked: Sequence[Considered], now: datetime) -> Json:
        """Say how the lots were looked at, in the form that is kept with the hold."""
        return {
            "asked_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "by": self._travel_times.name,
            "considered": [_considered(one) for one in ranked],
        }


def _as_candidates(chosen: Sequence[Considered], need: Need) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(one.agreement_id, need.space_class, lifetime(timedelta(seconds=one.approach.drive_s)))
        for one in chosen
        if one.approach is not None and one.approach.drive_s is not None
    )


def _considered(one: Considered) -> dict[str, object]:
    kept: dict[str, object] = {"lot_id": one.lot_id, "agreement_id": one.agreement_id}
    if one.excluded is not None:
        kept["excluded"] = str(one.excluded)
    if one.free is not None and one.excluded is not Exclusion.STALE_DATA:
        kept["free"] = one.free
    if one.offered is not None:
        kept["offered"] = one.offered
    if one.age is not None:
        kept["age_s"] = max(0, round(one.age.total_seconds()))
    if one.approach is not None:
        kept |= _way(one.approach)
        if one.excluded is None:
            kept["fill_s"] = round(one.fill_s)
            kept["cost_s"] = round(one.cost_s)
    return kept


def _way(approach: Approach) -> dict[str, object]:
    way: dict[str, object] = {
        "entrance_id": approach.entrance.entrance_id,
        "walk_s": round(approach.walk_s),
        "walk_m": round(approach.walk_m),
        "estimated": approach.estimated,
    }
    if approach.drive_s is not None:
        way["drive_s"] = _KEPT_STEP_S * round(approach.drive_s / _KEPT_STEP_S)
    return way


def considered_lot(answer: Json, lot_id: LotId) -> Mapping[str, object]:
    """Find what an explanation says of one lot."""
    found: Mapping[str, object] = next((one for one in answer.get("considered", ()) if one["lot_id"] == lot_id), {})
    return found
