"""What the twins remember together, and the rules that more than one of them needs."""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from bowei.domain.acts import Entry
from bowei.domain.agreement_versions import Version
from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.assessing import Finding
from bowei.domain.calendars import Calendar
from bowei.domain.clock import Clock
from bowei.domain.dirt import Doubt
from bowei.domain.gate import GateWord
from bowei.domain.holds import BARRIER_REFUSED, REFUSED_ON_ARRIVAL, SETTLE_LIMIT, Hold, HoldState
from bowei.domain.lots import CalendarId, DriverId, Hospital, HospitalId, Lot, LotId, SourceId
from bowei.domain.margins import ONE_DRIVERS_REFUSALS, can_have_arrived, refusal_rate_after
from bowei.domain.observations import Observation, Outcome, PassageKind
from bowei.domain.offering import LotPromise, PoolPromise, Report, pool_key
from bowei.domain.parties import Party, PartyId
from bowei.domain.places import Point
from bowei.domain.road_conditions import Closure
from bowei.domain.strangers import Stranger
from bowei.domain.trust import Trust
from bowei.records.holding import Json, Swept
from bowei.records.quality import Key, QualityEvent, Reconciliation
from bowei.records.registering import Source
from bowei.records.reporting import Judged

_REFUSALS = frozenset({REFUSED_ON_ARRIVAL, BARRIER_REFUSED})


@dataclass(slots=True)
class KeptHold:
    """A hold with what is kept beside it. `staying` says that a stay by it runs."""

    hold: Hold
    request_hash: bytes
    answer: Json
    plate_hash: bytes | None = field(default=None, repr=False)
    extended_by: timedelta | None = None
    staying: bool = False
    stay_ended_at: datetime | None = None

    @property
    def live(self) -> bool:
        """Say whether the hold still keeps a space."""
        return self.hold.state.live


@dataclass(frozen=True, slots=True)
class KeptStep:
    """One step of one hold; serials grow."""

    serial: int
    diversion_id: str
    ordinal: int
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class KeptReport:
    """An observation as it was said, what became of it, and when it was received."""

    observation: Observation
    outcome: Outcome
    received_at: datetime
    code: str | None = None
    """Why it is not believed."""
    said_at: datetime | None = None
    """The source's own time, where ours was taken."""


@dataclass(slots=True)
class KeptQuality:
    """What was found of a lot at its last look, and what follows from it."""

    assessed_at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    finding_doubt: str | None = None
    frozen_clock: bool = False
    binary_count: bool = False
    suggested_capacity: int | None = None
    doubt: str | None = None
    doubt_since: datetime | None = None


@dataclass(slots=True)
class KeptLink:
    """A link's newest sign of life, how many heartbeats it sent, and since when it is lost."""

    last_at: datetime
    times: int = 0
    lost_since: datetime | None = None


class InMemoryRecords:
    """The world that the twins share; it lives as long as the process."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.directory_version = 0
        self.lots: dict[LotId, Lot] = {}
        self.hospitals: dict[HospitalId, Hospital] = {}
        self.agreements: dict[AgreementId, Agreement] = {}
        self.calendars: dict[CalendarId, Calendar] = {}
        self.sources: dict[SourceId, Source] = {}
        self.reports: dict[LotId, Report] = {}
        self.counted_at: dict[LotId, datetime] = {}
        self.observations: list[tuple[Judged, Outcome]] = []
        self.history: list[KeptReport] = []
        """The observations again, with when they were received, until they are forgotten."""
        self.passages: dict[tuple[LotId, str, PassageKind], datetime] = {}
        """When each passed."""
        self.passages_received: dict[tuple[LotId, str, PassageKind], datetime] = {}
        self.diversions: dict[str, list[KeptHold]] = {}
        """The holds of each diversion, oldest first."""
        self.steps: list[KeptStep] = []
        """The steps of all holds, oldest first; the serial of each is its place, from 1 on."""
        self.barrier_answers: dict[int, bool] = {}
        """By the serial of the step: whether the barrier accepted it."""
        self.given_up: dict[str, DriverId] = {}
        self.given_up_at: dict[str, datetime] = {}
        self.trusts: dict[Key, Trust] = {}
        self.qualities: dict[LotId, KeptQuality] = {}
        self.quality_events: list[QualityEvent] = []
        self.links: dict[Key, KeptLink] = {}
        self.strangers: dict[tuple[SourceId, str], Stranger] = {}
        self.reconciliations: dict[tuple[LotId, date], Reconciliation] = {}
        self.way_speeds: dict[int, tuple[float, datetime]] = {}
        """Packed speed and last instant of each road by its number."""
        self.line_speeds: dict[tuple[Point, ...], tuple[float, datetime]] = {}
        self.closures: dict[str, Closure] = {}
        self.road_version = 0
        self.audit: list[Entry] = []
        self.promise_versions: dict[LotId, int] = {}
        self.refusal_rates: dict[LotId, float] = {}
        self.last_promise_version = 0
        self.gate_keys: dict[bytes, HospitalId] = {}
        self.agreement_versions: dict[AgreementId, list[Version]] = {}
        self.in_force: dict[AgreementId, int] = {}
        """Which version took the place of those before."""
        self.in_force_since: dict[AgreementId, dict[int, datetime]] = {}
        self.parties: dict[PartyId, Party] = {}
        self.first_code: tuple[bytes, datetime] | None = None
        self.gate_words: dict[HospitalId, GateWord] = {}

    @property
    def now(self) -> datetime:
        """The present instant."""
        return self.clock.now()

    def quality_of(self, lot_id: LotId) -> KeptQuality:
        """Give what is kept of a lot's quality."""
        return self.qualities.setdefault(lot_id, KeptQuality())

    def known_doubt(self, lot_id: LotId) -> Doubt | None:
        """Give what is known against a lot, whether or not it reported."""
        quality = self.qualities.get(lot_id)
        return None if quality is None or quality.doubt is None else Doubt(quality.doubt)

    def doubt(self, lot_id: LotId, doubt: Doubt | None) -> Report | None:
        """Doubt a lot's newest report, or (None) doubt it no more; give the report."""
        last = self.reports.get(lot_id)
        if last is not None and last.doubt is not doubt:
            last = dataclasses.replace(last, doubt=doubt, revision=last.revision + 1)
            self.reports[lot_id] = last
        return last

    def holds_on(self, lot_id: LotId) -> list[KeptHold]:
        """Give every hold that was ever placed on a lot, oldest first."""
        return [kept for kept in self.every_hold() if kept.hold.lot_id == lot_id]

    def every_hold(self) -> Iterator[KeptHold]:
        """Go through every hold there ever was."""
        for holds in self.diversions.values():
            yield from holds

    def newest(self, diversion_id: str, driver_id: DriverId | None) -> KeptHold | None:
        """Give a diversion's newest hold, if it is this driver's (None: whoever asks may)."""
        holds = self.diversions.get(diversion_id, [])
        return holds[-1] if holds and driver_id in (None, holds[-1].hold.driver_id) else None

    def held_of_driver(self, driver_id: DriverId) -> KeptHold | None:
        """Give the driver's one held hold; one who has arrived has none."""
        return next(
            (k for k in self.every_hold() if k.hold.driver_id == driver_id and k.hold.state is HoldState.HELD), None
        )

    def promise(self, lot_id: LotId) -> LotPromise:
        """Count what is promised on a lot."""
        held: Counter[str] = Counter()
        stays: Counter[str] = Counter()
        for kept in self.holds_on(lot_id):
            key = pool_key(kept.hold.agreement_id, kept.hold.space_class)
            held[key] += kept.live
            stays[key] += kept.staying
        return LotPromise(
            held=held.total(),
            stays=stays.total(),
            version=self.promise_versions[lot_id],
            pools={key: PoolPromise(held[key], stays[key]) for key in held},
            refusal_rate=self.refusal_rates.get(lot_id, 0.0),
        )

    def changed_promise(self, lot_id: LotId) -> None:
        """Give the lot's promise its next version."""
        self.last_promise_version += 1
        self.promise_versions[lot_id] = self.last_promise_version

    def end(self, kept: KeptHold, state: HoldState, reason: str) -> None:
        """End a live hold; a settled one begins a stay."""
        kept.hold = dataclasses.replace(kept.hold, state=state, ended_at=self.now, reason=reason)
        kept.staying = state is HoldState.SETTLED
        refused = state is HoldState.REVOKED and self._teaches(kept)
        if refused or state is HoldState.SETTLED:
            rate = self.refusal_rates.get(kept.hold.lot_id, 0.0)
            self.refusal_rates[kept.hold.lot_id] = refusal_rate_after(rate, refused=refused)
        self.changed_promise(kept.hold.lot_id)
        self.note_step(kept, str(state))

    def _teaches(self, revoked: KeptHold) -> bool:
        """Say whether a revoked hold counts as a refusal of its lot."""
        hold = revoked.hold
        if hold.reason not in _REFUSALS:
            return False
        since = self.now - ONE_DRIVERS_REFUSALS
        before = [kept.hold for kept in self.holds_on(hold.lot_id) if kept is not revoked]
        if any(
            one.driver_id == hold.driver_id and one.reason in _REFUSALS and one.ended_at and one.ended_at > since
            for one in before
        ):
            return False
        considered = revoked.answer.get("considered", ())
        drive_s = next((one.get("drive_s") for one in considered if one["lot_id"] == hold.lot_id), None)
        return hold.reason != REFUSED_ON_ARRIVAL or can_have_arrived(self.now - hold.placed_at, drive_s)

    def note_step(self, kept: KeptHold, state: str) -> None:
        """Remember a step of a hold."""
        hold = kept.hold
        self.steps.append(KeptStep(len(self.steps) + 1, hold.diversion_id, hold.ordinal, state, self.now))

    def hold_of(self, step: KeptStep) -> KeptHold:
        """Give the hold that took a step."""
        return self.diversions[step.diversion_id][step.ordinal - 1]

    def end_stay(self, kept: KeptHold) -> None:
        """End a running stay."""
        kept.staying = False
        kept.stay_ended_at = self.now
        self.changed_promise(kept.hold.lot_id)

    def do_due(self, lot_ids: Iterable[LotId]) -> Swept:
        """Expire and settle what is due on these lots: a hold is over at the very instant of its `expires_at`."""
        expired = settled = 0
        for kept in [kept for lot_id in set(lot_ids) for kept in self.holds_on(lot_id)]:
            if kept.hold.state is HoldState.HELD and kept.hold.expires_at <= self.now:
                self.end(kept, HoldState.EXPIRED, "not_arrived")
                expired += 1
            elif kept.hold.state is HoldState.ARRIVED and (reason := self._settled_by(kept.hold)):
                self.end(kept, HoldState.SETTLED, reason)
                settled += 1
        return Swept(expired=expired, settled=settled)

    def _settled_by(self, hold: Hold) -> str | None:
        assert hold.arrived_at is not None  # noqa: S101 (an arrived hold has the time of its arrival)
        counted_at = self.counted_at.get(hold.lot_id)
        if counted_at is not None and counted_at > hold.arrived_at:
            return "counted"
        return "settle_limit" if hold.arrived_at + SETTLE_LIMIT <= self.now else None

    def lots_of(self, agreement_ids: Collection[AgreementId]) -> set[LotId]:
        """Give the lots that these agreements lend from; unknown agreements have none."""
        return {self.agreements[one].lot_id for one in agreement_ids if one in self.agreements}
