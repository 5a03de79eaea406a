"""The use case: the hospital is full, so choose the right lot, hold a space on it, and keep the promise."""

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bowei.domain.agreements import AgreementId
from bowei.domain.choosing import MOST_CANDIDATES, Approach, Considered, Exclusion, Need, candidates, consider
from bowei.domain.clock import Clock
from bowei.domain.directory import Directory
from bowei.domain.holds import LONGEST_EXTENSION, HoldState, lifetime
from bowei.domain.lots import DriverId, Hospital, HospitalId, LotId
from bowei.domain.observations import Bound
from bowei.domain.places import Point
from bowei.domain.problems import Refused
from bowei.observability.instants import rfc3339
from bowei.records.failures import StoreAway
from bowei.records.holding import Candidate, Decision, HoldBook, Json, Outcome, PlaceRequest
from bowei.roads.approaches import Approaches
from bowei.roads.travel_times import TravelTimes
from services.routing.hints import Hints, Known
from services.routing.measures import Measures

_KEPT_STEP_S = 10
"""Drives are kept with a hold only to 10 s: many exact ones together would tell where the driver set out."""

_OF_CANDIDATES = frozenset({"cost_s", "fill_s", "offered"})

_MOST_ROUNDS = 4
"""How many times the ledger is asked for one driver, for the next lots each time: others were quicker at the best."""

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

    @property
    def explanation(self) -> Json:
        """How the lots were looked at: as kept with the hold, or as of now where nothing was granted."""
        granted = self.decision.hold is not None and self.decision.outcome is not Outcome.NONE
        return self.decision.answer if granted or self.answer is None else self.answer

    @property
    def chosen(self) -> AgreementId | None:
        """The agreement under which a lot was chosen; None: no lot would do, or no longer does."""
        hold = self.decision.hold
        if hold is None:
            return self.guided_to.agreement_id if self.guided_to else None
        # A revoked hold that was replaced is not the newest one: this one was not.
        return None if hold.state is HoldState.REVOKED else hold.agreement_id


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
            StoreAway: the ledger is away, and there is no lot to guide to.
        """
        known = await self._hints.known()
        hospital = _hospital_of(known, ask.hospital_id)
        now = self._clock.now()
        ranked = self._rank(known, hospital, ask.position or hospital.gate, ask.need, now)
        answer = self._explain(ranked, ask.need, now)
        try:
            decision = await self._place(ask, driver_id, ranked, answer)
        except StoreAway:
            guided_to = next(iter(candidates(ranked)), None)
            if guided_to is None:
                # "No lot has room" is the ledger's to say: this driver may hold a space already.
                raise
            self._measures.diversions.labels("guided").inc()
            return Diversion(ask.diversion_id, hospital.hospital_id, Decision(Outcome.NONE), known, guided_to, answer)
        self._measures.diversions.labels(str(decision.outcome)).inc()
        self._refuse(decision)
        return Diversion(ask.diversion_id, hospital.hospital_id, decision, known, answer=answer)

    async def _place(self, ask: Ask, driver_id: DriverId, ranked: Sequence[Considered], answer: Json) -> Decision:
        decision = Decision(Outcome.NONE)
        for best in range(0, _MOST_ROUNDS * MOST_CANDIDATES, MOST_CANDIDATES):
            chosen = candidates(ranked[best:])
            if best and not chosen:
                break
            decision = await self._book.place(
                PlaceRequest(
                    diversion_id=ask.diversion_id,
                    driver_id=driver_id,
                    request_hash=ask.meaning_hash,
                    hospital_id=ask.hospital_id,
                    candidates=_as_candidates(chosen, ask.need),
                    answer=answer,
                    plate_hash=ask.plate_hash,
                )
            )
            if decision.outcome is not Outcome.NONE:
                break
        return decision

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
            Refused: hold_over, unknown_diversion.
        """
        found = await self._book.find(diversion_id, driver_id)
        if found.hold is None:
            raise Refused("unknown_diversion")
        known = await self._hints.known()
        hospital = _hospital_of(known, found.hold.hospital_id)
        need = Need(found.hold.space_class, found.answer.get("height_cm"))
        now = self._clock.now()
        refused_lots = [*found.answer.get("refused_lots", ()), found.hold.lot_id]
        here = _entrance_of(known, found.hold.lot_id) or hospital.gate
        ranked = _without(refused_lots, self._rank(known, hospital, here, need, now))
        answer = {**self._explain(ranked, need, now), "refused_lots": refused_lots}
        decision = await self._book.replace(
            diversion_id,
            driver_id,
            ordinal,
            ends_as=HoldState.REVOKED,
            reason="refused_on_arrival",
            candidates=_as_candidates(candidates(ranked), need),
            answer=answer,
        )
        self._count("refused", decision)
        if decision.outcome is Outcome.DRIVER_HAS_HOLD:
            # The refusal was taken, and the driver has a space under another id: nothing more is granted.
            decision = replace(decision, outcome=Outcome.NONE)
        diversion = await self._about(diversion_id, decision, known)
        return replace(diversion, answer=answer) if decision.outcome is Outcome.NONE else diversion

    async def _step(self, step: str, diversion_id: str, decision: Decision) -> Diversion:
        self._count(step, decision)
        return await self._about(diversion_id, decision)

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
            approaches = Approaches(hospital, directory.lots_for(hospital.hospital_id), self._travel_times)
            self._approaches[hospital.hospital_id] = (directory, approaches)
        return approaches

    def _explain(self, ranked: Sequence[Considered], need: Need, now: datetime) -> Json:
        """Say how the lots were looked at, in the form that is kept with the hold."""
        kept: dict[str, Any] = {
            "asked_at": rfc3339(now),
            "by": self._travel_times.name,
            "considered": [_considered(one) for one in ranked],
        }
        # A replacement must do for the same car.
        return kept if need.height_cm is None else kept | {"height_cm": need.height_cm}


def _hospital_of(known: Known, hospital_id: HospitalId) -> Hospital:
    hospital = known.directory.hospitals.get(hospital_id)
    if hospital is None and known.source == "nothing":
        raise StoreAway("nothing is known yet")
    if hospital is None:
        raise Refused("unknown_hospital")
    return hospital


def _entrance_of(known: Known, lot_id: LotId) -> Point | None:
    lot = known.directory.lots.get(lot_id)
    return lot.entrances[0].point if lot is not None and lot.entrances else None


def _without(lot_ids: Collection[LotId], ranked: Sequence[Considered]) -> list[Considered]:
    """Exclude lots that had no space on arrival, whatever they report; candidates stay first."""
    marked = [replace(one, excluded=Exclusion.FULL, offered=None) if one.lot_id in lot_ids else one for one in ranked]
    return sorted(marked, key=lambda one: one.excluded is not None)


def _as_candidates(chosen: Sequence[Considered], need: Need) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(one.agreement_id, need.space_class, lifetime(timedelta(seconds=one.approach.drive_s)))
        for one in chosen
        if one.approach is not None and one.approach.drive_s is not None
    )


def _considered(one: Considered) -> dict[str, Any]:
    kept: dict[str, Any] = {"lot_id": one.lot_id, "agreement_id": one.agreement_id}
    if one.excluded is not None:
        kept["excluded"] = str(one.excluded)
    if one.free is not None and one.excluded is not Exclusion.STALE_DATA:
        kept["free"] = one.free
        if one.bound is not Bound.EXACT:
            kept["free_bound"] = str(one.bound)
    if one.offered is not None:
        kept["offered"] = one.offered
    if one.age is not None:
        kept["age_s"] = max(0, round(one.age.total_seconds()))
    if one.approach is not None:
        kept |= _way(one.approach)
        if one.excluded is None:
            kept["fill_s"] = round(one.fill_s)
            # The sum of what is shown: the exact cost would give the exact drive away.
            kept["cost_s"] = kept["drive_s"] + kept["walk_s"] + kept["fill_s"]
    return kept


def _way(approach: Approach) -> dict[str, Any]:
    way: dict[str, Any] = {
        "entrance_id": approach.entrance.entrance_id,
        "walk_s": round(approach.walk_s),
        "walk_m": round(approach.walk_m),
        "estimated": approach.estimated,
    }
    if approach.drive_s is not None:
        way["drive_s"] = _KEPT_STEP_S * round(approach.drive_s / _KEPT_STEP_S)
    return way


def considered_lots(answer: Json, chosen: AgreementId | None) -> list[dict[str, Any]]:
    """List what was looked at. A candidate cheaper than the chosen one had been taken when the ledger decided."""
    shown: list[dict[str, Any]] = []
    passed_over = True
    for one in answer.get("considered", ()):
        passed_over = passed_over and one["agreement_id"] != chosen
        if passed_over and "excluded" not in one:
            kept = {name: value for name, value in one.items() if name not in _OF_CANDIDATES}
            shown.append(kept | {"excluded": str(Exclusion.HELD_OUT)})
        else:
            shown.append(dict(one))
    return shown


def considered_lot(answer: Json, lot_id: LotId) -> Mapping[str, Any]:
    """Find what an explanation says of one lot."""
    found: Mapping[str, Any] = next((one for one in answer.get("considered", ()) if one["lot_id"] == lot_id), {})
    return found
