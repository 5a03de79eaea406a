"""The use case: the hospital is full, so choose the right lot, hold a space on it, and keep the promise."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from bowei.domain.agreements import AgreementId
from bowei.domain.announcing import Expectation, expect
from bowei.domain.choice_rules import ChoiceRules
from bowei.domain.choosing import MOST_CANDIDATES, Considered, Exclusion, LotNow, Need, candidates
from bowei.domain.clock import Clock
from bowei.domain.dangers import Danger
from bowei.domain.holds import LONGEST_EXTENSION, REFUSED_ON_ARRIVAL, Hold, HoldState
from bowei.domain.lots import DriverId, HospitalId
from bowei.domain.places import Point, distance_m
from bowei.domain.problems import Refused
from bowei.records.failures import StoreAway
from bowei.records.holding import Decision, HoldBook, Json, Outcome, PlaceRequest
from services.routing.explaining import explain, need_of
from services.routing.hints import Known
from services.routing.measures import Measures
from services.routing.ranking import Ranking, as_candidates, entrance_of, hospital_of, without

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
    plate_hashes: tuple[bytes, ...] = ()
    """By the key of plates, and by the one before it."""
    announced: bool = False
    """The driver is on the way to the hospital and would rather go there, if it has room by then."""

    @property
    def plate_hash(self) -> bytes | None:
        """The plate as it is kept."""
        return self.plate_hashes[0] if self.plate_hashes else None

    @property
    def meaning_hash(self) -> bytes:
        """Hash what must be equal in a repeat. Where the driver is, and whether it is announced, may change."""
        return self._meaning_with(self.plate_hash)

    @property
    def meaning_hash_before(self) -> bytes | None:
        """Hash the same by the key of plates before, with which it may have been asked first; None: there is none."""
        return self._meaning_with(self.plate_hashes[1]) if len(self.plate_hashes) > 1 else None

    def _meaning_with(self, plate_hash: bytes | None) -> bytes:
        meaning = [self.hospital_id, self.need, (plate_hash or b"").hex()]
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
    danger: Danger | None = None
    """Why the space can hardly be kept, as it looks now."""
    expected: Expectation | None = None
    """Of an announced driver for whom nothing is held: what the hospital's own lot will be like."""

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


@dataclass(frozen=True, slots=True)
class Announced:
    """What an announced driver was told, said again by whoever goes on waiting: it is kept nowhere."""

    hospital_id: HospitalId
    arrives_at: datetime


def _none_seen(_: Hold) -> Danger | None:
    return None


class Diverting:
    """Chooses, holds, and follows each hold to its end."""

    def __init__(
        self,
        book: HoldBook,
        ranking: Ranking,
        clock: Clock,
        measures: Measures,
        danger_to: Callable[[Hold], Danger | None] = _none_seen,
    ) -> None:
        self._book = book
        self._ranking = ranking
        self._clock = clock
        self._measures = measures
        self._danger_to = danger_to

    async def divert(self, ask: Ask, driver_id: DriverId) -> Diversion:
        """Hold a space on the best lot with room, for this id; a repeat gives the same hold.

        Who is announced and will find room at the hospital is told to proceed, and nothing is held.

        Raises:
            Refused: unknown_hospital, id_reused, driver_has_hold, given_up, unknown_diversion.
            OutcomeUnknown, Overloaded: repeat the same id.
            StoreAway: the ledger is away, and there is no lot to guide to.
        """
        known = await self._ranking.known()
        hospital = hospital_of(known, ask.hospital_id)
        now = self._clock.now()
        if ask.announced:
            eta = self._ranking.time_to_gate(hospital, ask.position or hospital.gate)
            expected = self._expected(known, Announced(hospital.hospital_id, now + eta), now)
            if not expected.full and (proceeding := await self._proceeding(ask, driver_id, known, expected)):
                return proceeding
        ranked = self._ranking.rank(known, hospital, ask.position or hospital.gate, ask.need, now)
        if (word := known.words.get(hospital.hospital_id)) is not None and word.pauses_at(now):
            # Who has a space keeps it: the ledger is asked all the same.
            ranked = [one.left_out(Exclusion.GATE_PAUSED) for one in ranked]
        answer = explain(ranked, ask.need, now, by=self._ranking.by)
        try:
            decision = await self._place(ask, driver_id, ranked, hospital.rules, answer)
        except StoreAway:
            guided_to = next(iter(candidates(ranked)), None)
            if guided_to is None:
                # "No lot has room" is the ledger's to say: this driver may hold a space already.
                raise
            self._measures.diversions.labels("guided").inc()
            return Diversion(ask.diversion_id, hospital.hospital_id, Decision(Outcome.NONE), known, guided_to, answer)
        self._measures.diversions.labels(str(decision.outcome)).inc()
        self._refuse(decision)
        return self._in_view(Diversion(ask.diversion_id, hospital.hospital_id, decision, known, answer=answer))

    async def _proceeding(self, ask: Ask, driver_id: DriverId, known: Known, expected: Expectation) -> Diversion | None:
        """Let an announced driver go on to the hospital, unless this id has its hold, or was given up, already.

        With the ledger away nobody can tell; a hold that there may be stays, and the same id asked again gives it.
        """
        try:
            found = await self._book.find(ask.diversion_id, driver_id)
        except StoreAway:
            found = Decision(Outcome.UNKNOWN_DIVERSION)
        if found.outcome is not Outcome.UNKNOWN_DIVERSION:
            return None
        self._measures.diversions.labels("proceed").inc()
        return Diversion(ask.diversion_id, ask.hospital_id, Decision(Outcome.NONE), known, expected=expected)

    def _expected(self, known: Known, announced: Announced, now: datetime) -> Expectation:
        hospital = hospital_of(known, announced.hospital_id)
        return expect(known.lots.get(hospital.lot_id, LotNow(None)), announced.arrives_at, now)

    async def _place(
        self, ask: Ask, driver_id: DriverId, ranked: Sequence[Considered], rules: ChoiceRules, answer: Json
    ) -> Decision:
        decision = Decision(Outcome.NONE)
        for best in range(0, _MOST_ROUNDS * MOST_CANDIDATES, MOST_CANDIDATES):
            chosen = candidates(ranked[best:])
            if best and not chosen:
                break
            request = PlaceRequest(
                diversion_id=ask.diversion_id,
                driver_id=driver_id,
                request_hash=ask.meaning_hash,
                hospital_id=ask.hospital_id,
                candidates=as_candidates(chosen, ask.need, rules),
                answer=answer,
                plate_hash=ask.plate_hash,
            )
            decision = await self._book.place(request)
            if decision.outcome is Outcome.ID_REUSED and ask.meaning_hash_before is not None:
                decision = await self._book.place(replace(request, request_hash=ask.meaning_hash_before))
            if decision.outcome is not Outcome.NONE:
                break
        return decision

    async def find(self, diversion_id: str, driver_id: DriverId, announced: Announced | None = None) -> Diversion:
        """Give a diversion as it stands now; of one that holds nothing, what an `announced` driver may expect.

        Raises:
            Refused: unknown_diversion, given_up; unknown_hospital.
        """
        found = await self._book.find(diversion_id, driver_id)
        if announced is None or found.outcome is not Outcome.UNKNOWN_DIVERSION:
            return await self._about(diversion_id, found)
        known = await self._ranking.known()
        expected = self._expected(known, announced, self._clock.now())
        return Diversion(diversion_id, announced.hospital_id, Decision(Outcome.NONE), known, expected=expected)

    async def look_again(self, diversion: Diversion) -> Diversion:
        """Give a diversion as the live state shows it now; the ledger is not asked."""
        known = await self._ranking.known()
        expected = diversion.expected
        if expected is not None:
            announced = Announced(diversion.hospital_id, expected.arrives_at)
            expected = self._expected(known, announced, self._clock.now())
        return self._in_view(replace(diversion, known=known, expected=expected))

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

    async def arrive(self, diversion_id: str, driver_id: DriverId, ordinal: int | None = None) -> Diversion:
        """Note that the car is in the lot of its newest hold, which must be hold `ordinal` where that is said.

        Raises:
            Refused: hold_over, unknown_diversion.
        """
        return await self._step("arrive", diversion_id, await self._book.arrive(diversion_id, driver_id, ordinal))

    async def near(
        self, diversion_id: str, driver_id: DriverId, position: Point, geofence_m: int
    ) -> tuple[float, Diversion]:
        """Give how many metres it is to the nearest entrance; the position is forgotten.

        Within the geofence of a lot whose barrier tells us nothing, the car has arrived.

        Raises:
            Refused: hold_over, unknown_diversion.
        """
        diversion = await self.find(diversion_id, driver_id)
        hold = diversion.decision.hold
        lot = None if hold is None else diversion.known.directory.lots.get(hold.lot_id)
        if hold is None or lot is None or not hold.state.live:
            raise Refused("hold_over")
        away_m = min(distance_m(position, entrance.point) for entrance in lot.entrances)
        if hold.state is HoldState.HELD and not lot.barrier_link and away_m <= geofence_m:
            diversion = await self.arrive(diversion_id, driver_id, hold.ordinal)
        return away_m, diversion

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
        known = await self._ranking.known()
        hospital = hospital_of(known, found.hold.hospital_id)
        need = need_of(found.hold, found.answer)
        now = self._clock.now()
        refused_lots = [*found.answer.get("refused_lots", ()), found.hold.lot_id]
        here = entrance_of(known, found.hold.lot_id) or hospital.gate
        left_lots = found.answer.get("left_lots", ())
        ranked = without([*left_lots, *refused_lots], self._ranking.rank(known, hospital, here, need, now))
        answer = {**explain(ranked, need, now, by=self._ranking.by), "refused_lots": refused_lots}
        if left_lots:
            answer["left_lots"] = list(left_lots)
        decision = await self._book.replace(
            diversion_id,
            driver_id,
            ordinal,
            ends_as=HoldState.REVOKED,
            reason=REFUSED_ON_ARRIVAL,
            candidates=as_candidates(candidates(ranked), need, hospital.rules),
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
        return self._in_view(
            Diversion(diversion_id, decision.hold.hospital_id, decision, known or await self._ranking.known())
        )

    def _in_view(self, diversion: Diversion) -> Diversion:
        """Add what endangers its hold."""
        hold = diversion.decision.hold
        return replace(diversion, danger=None if hold is None else self._danger_to(hold))

    def _refuse(self, decision: Decision) -> None:
        code = _PROBLEMS.get(decision.outcome)
        if code is not None:
            details = {}
            if decision.outcome is Outcome.DRIVER_HAS_HOLD and decision.hold is not None:
                details = {"diversion_id": decision.hold.diversion_id}
            raise Refused(code, details=details)

    def _count(self, step: str, decision: Decision) -> None:
        self._measures.hold_ends.labels(step, str(decision.outcome)).inc()
