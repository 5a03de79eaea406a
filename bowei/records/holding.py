"""The port of the ledger: holds are placed, kept and ended here, and nowhere else."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from bowei.domain.agreements import AgreementId
from bowei.domain.holds import Hold, HoldState
from bowei.domain.lots import DriverId, HospitalId, LotId, SpaceClass
from bowei.domain.offering import LotPromise

Json = Mapping[str, Any]
"""A JSON object, as it is kept beside a hold."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One lot that would do, and how long a hold on it would last.

    `margin` spaces seen free are kept back from this driver; never fewer than the agreement states when the ledger
    decides. `gone_after`: when the car leaves again, from now; None where nobody asks when.
    """

    agreement_id: AgreementId
    space_class: SpaceClass
    lifetime: timedelta
    margin: int = 0
    gone_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """One driver's request: the caller's id, and the candidates, best first.

    `request_hash` (32 bytes) is of the request's meaning without the position; `answer` explains the ranking and is
    kept with the hold, so that a repeat gets the same answer.
    """

    diversion_id: str
    driver_id: DriverId
    request_hash: bytes
    hospital_id: HospitalId
    candidates: tuple[Candidate, ...]
    answer: Json = field(default_factory=dict)
    plate_hash: bytes | None = field(default=None, repr=False)


class Outcome(StrEnum):
    """What became of a request to the ledger."""

    GRANTED = "granted"
    NONE = "none"
    """No candidate had room."""
    REPEATED = "repeated"
    """The id was known, with the same body: the same hold again."""
    ID_REUSED = "id_reused"
    UNKNOWN_DIVERSION = "unknown_diversion"
    """No such id, or not this driver's."""
    DRIVER_HAS_HOLD = "driver_has_hold"
    GIVEN_UP = "given_up"
    RELEASED = "released"
    EXTENDED = "extended"
    ALREADY_EXTENDED = "already_extended"
    ARRIVED = "arrived"
    LEFT = "left"
    HOLD_OVER = "hold_over"


@dataclass(frozen=True, slots=True)
class Decision:
    """The ledger's answer, committed: what became of the request, and the hold it speaks of, if any."""

    outcome: Outcome
    hold: Hold | None = None
    answer: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiveHold:
    """As much of a held or arrived hold as is read of a whole city's; `find` gives the rest."""

    diversion_id: str
    ordinal: int
    driver_id: DriverId
    lot_id: LotId
    state: HoldState


@dataclass(frozen=True, slots=True)
class Swept:
    """How many holds and stays a sweep ended."""

    expired: int = 0
    settled: int = 0
    overlong: int = 0


@dataclass(frozen=True, slots=True)
class PromiseChanges:
    """Lots whose promises changed, and where to go on from."""

    promises: Mapping[LotId, LotPromise]
    cursor: int


@dataclass(frozen=True, slots=True)
class StepsCursor:
    """Where to go on from: everything from `since` on, but for the steps that were told already."""

    since: int
    told: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class HoldSteps:
    """Diversions whose holds took a step, each with the step's lot, and where to go on from."""

    taken: Sequence[tuple[str, LotId]]
    cursor: StepsCursor
    left_out: bool = False
    """There were more of them than are read at once: any hold may have taken one."""


class HoldBook(Protocol):
    """Places and ends holds. Every method answers after its commit; a repeat gives the same answer.

    Every method raises StoreAway (nothing was changed), OutcomeUnknown (repeat the same call) or Overloaded.
    """

    async def place(self, request: PlaceRequest) -> Decision:
        """Hold one space on the first candidate with room.

        Outcomes: granted, none, repeated, id_reused, unknown_diversion (the id is another driver's),
        driver_has_hold (with that hold), given_up. Requests in the queue are served in the order of arrival.
        """
        ...

    async def find(self, diversion_id: str, driver_id: DriverId | None) -> Decision:
        """Give the newest hold of a diversion as it stands now: repeated, given_up or unknown_diversion."""
        ...

    async def release(self, diversion_id: str, driver_id: DriverId) -> Decision:
        """Give the space up: released, hold_over, unknown_diversion; given_up where nothing was granted yet."""
        ...

    async def extend(self, diversion_id: str, driver_id: DriverId, longer: timedelta) -> Decision:
        """Keep the hold longer, once.

        Outcomes: extended (also when repeated with the same length), already_extended, hold_over, unknown_diversion.
        """
        ...

    async def arrive(self, diversion_id: str, driver_id: DriverId, of_ordinal: int | None = None) -> Decision:
        """Say that the car is in the lot: arrived (also when repeated), hold_over, unknown_diversion.

        By hold `of_ordinal` where that is said: hold_over too where another one is the newest.
        """
        ...

    async def leave(self, diversion_id: str, driver_id: DriverId) -> Decision:
        """Say that the car has left: left (also when repeated), hold_over, unknown_diversion."""
        ...

    async def replace(
        self,
        diversion_id: str,
        driver_id: DriverId,
        ordinal: int,
        *,
        ends_as: HoldState,
        reason: str,
        candidates: Sequence[Candidate],
        answer: Json,
    ) -> Decision:
        """End hold `ordinal` of a diversion and grant the next one, in one commit.

        Outcomes: granted (the new hold), none (the old hold, ended), repeated (it was already replaced),
        driver_has_hold (the old hold, ended: the driver holds a space under another id), hold_over, unknown_diversion.
        """
        ...

    async def move(
        self,
        diversion_id: str,
        driver_id: DriverId,
        ordinal: int,
        *,
        reason: str,
        candidates: Sequence[Candidate],
        answer: Json,
    ) -> Decision:
        """Revoke hold `ordinal` of a driver on the way and grant the next one, in one commit, or change nothing.

        Outcomes: granted (the new hold), none (the old hold stays), repeated (it was already replaced), hold_over (it
        has ended, or the car has arrived), unknown_diversion.
        """
        ...

    async def arrive_by_code(self, lot_id: LotId, code: str) -> Decision:
        """Say that the car whose code was shown is in the lot: arrived (also when repeated), unknown_diversion."""
        ...

    async def live_on(self, lot_ids: Collection[LotId]) -> Sequence[LiveHold]:
        """Give the holds for which some lots keep a space now, the last placed first; not those whose time has come."""
        ...

    async def barred_on(self, lot_ids: Collection[LotId]) -> Sequence[LiveHold]:
        """Give those of them that are held and barred."""
        ...

    async def steps(self, cursor: StepsCursor | None) -> HoldSteps:
        """Give the steps that holds took since `cursor` (None: none, only where to go on from); some come twice."""
        ...

    async def sweep(self) -> Swept:
        """Do what is due on lots that nobody asks about: expire, settle, end overlong stays."""
        ...

    async def promised(self, cursor: int | None) -> PromiseChanges:
        """Give the promises changed since `cursor` (None: all of them)."""
        ...

    async def ever_promised(self) -> Mapping[LotId, LotPromise]:
        """Give what is promised on lots that were ever promised anything on: of a large city those are few."""
        ...

    async def broken_promises(self) -> Sequence[tuple[str, str]]:
        """List (kind, subject) of every promise that the ledger shows to be broken: empty, always."""
        ...

    async def server_identity(self) -> str:
        """Name the ledger's server and history, so that a copy made from another one can be told."""
        ...

    async def now(self) -> datetime:
        """Ask the ledger's own clock."""
        ...
