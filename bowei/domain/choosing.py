"""The right lot: what each candidate costs the driver, or why it is no candidate.

Cost in seconds, lower is better (`costs`): drive to the entrance, walk to the hospital's door, the fee at the driver's
value of time, a fill penalty that spreads drivers before a lot is tight, and what a failed arrival would cost by its
chance. The order (`comparing`): lots where a space is sure before those where it is not, the class asked for before
another that would do, then by cost; lots that cost the same within `ChoiceRules.rotation_s` take turns by load.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from bowei.domain.agreements import AgreementId
from bowei.domain.forecasting import UNKNOWN_LOT, Foreseen
from bowei.domain.lots import Entrance, LotId, SpaceClass, Standing
from bowei.domain.made_often import made_often
from bowei.domain.observations import Bound
from bowei.domain.offering import NOTHING_PROMISED, LotPromise, Report
from bowei.domain.places import Point, distance_m

WALK_DETOUR = 1.3
WALK_SPEED_M_S = 1.2
"""Footways are 1.3 times as long as the crow flies, and a visitor walks 1.2 m/s: the values of the policy trials."""

MOST_CANDIDATES = 8
"""How many lots a request may name to the ledger, best first."""


class Exclusion(StrEnum):
    """Why a lot was not a candidate."""

    FULL = "full"
    HELD_OUT = "held_out"
    CLOSED = "closed"
    STALE_DATA = "stale_data"
    FAULT = "fault"
    TOO_HIGH = "too_high"
    NO_CLASS = "no_class"
    NOT_SHARED_NOW = "not_shared_now"
    STAY_TOO_LONG = "stay_too_long"
    TOO_FAR = "too_far"
    CLOSED_ROAD = "closed_road"
    OPERATOR_PAUSED = "operator_paused"
    GATE_PAUSED = "gate_paused"
    """The hospital sends no cars elsewhere for now."""


class Approach(NamedTuple):
    """The way to a lot by one of its entrances, and from there on foot to the hospital's door."""

    entrance: Entrance
    drive_s: float | None
    """None: no way by road."""
    walk_s: float
    walk_m: float
    estimated: bool
    """True where the drive is a guess by air, not a way over roads."""
    walk_estimated: bool = True
    """True where the walk is a guess by air, not a way over footways."""
    by: str = "air"
    """Who found the drive, and over which roads."""


@made_often
@dataclass(frozen=True, slots=True)
class LotNow:
    """What is known of one lot now; `report` is None where it never reported."""

    report: Report | None
    promise: LotPromise = NOTHING_PROMISED
    foreseen: Foreseen = UNKNOWN_LOT


@dataclass(frozen=True, slots=True)
class Need:
    """What the driver needs. `stay` None: not said."""

    space_class: SpaceClass = SpaceClass.STANDARD
    height_cm: int | None = None
    stay: timedelta | None = None
    slow_walker: bool = False
    standing: Standing = Standing.VISITOR

    @property
    def stands(self) -> Standing:
        """Where the driver stands: who needs a disabled space stands as a disabled driver."""
        return Standing.DISABLED if self.space_class is SpaceClass.DISABLED else self.standing

    @property
    def walks_slowly(self) -> bool:
        """Say whether each step weighs more."""
        return self.slow_walker or self.space_class is SpaceClass.DISABLED

    @property
    def also(self) -> SpaceClass | None:
        """Give the class that will do where the one asked for is not to be had.

        Of a disabled driver that is a standard space: a narrow one near the door is better than none. Who asks for a
        charger would not charge there, and may ask for a standard space.
        """
        return SpaceClass.STANDARD if self.space_class is SpaceClass.DISABLED else None


@dataclass(slots=True)
class Outlook:
    """What a lot promises to drivers of one kind who arrive at about the same time; the same for all of them."""

    lot_id: LotId
    agreement_id: AgreementId
    space_class: SpaceClass
    """What was looked for: the class asked for, or the one that will do."""
    excluded: Exclusion | None = None
    offered: int | None = None
    free: int | None = None
    bound: Bound = Bound.EXACT
    """What `free`, and with it `offered`, is a bound of."""
    margin: int = 0
    """Spaces that are kept back from these drivers: the agreement's margin, and what is protected for others."""
    chance: float = 1.0
    """That a space is there on arrival, in hundredths: nobody can tell finer."""
    unsure: bool = False
    """Less likely than it should be: only where nothing else is to be had."""
    fill_s: float = 0.0
    failure_s: float = 0.0
    load: float = 0.0
    """How much of the pool is taken or held."""
    told: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False, repr=False)
    """Room for whoever tells of the lot, as it stands, again and again: what they say to everybody, by entrance."""


class Fee(NamedTuple):
    """What a stay costs."""

    amount: Decimal
    text: str
    """The amount with its hundredths and its currency."""
    worth_s: float
    """In seconds of the driver's time."""


@dataclass(slots=True)
class Considered:
    """One lot that was looked at for one driver: its cost by part, or why it was left out."""

    outlook: Outlook
    excluded: Exclusion | None
    approach: Approach | None = None
    age_s: float | None = None
    """How old the lot's report is."""
    walking_s: float = 0.0
    fee: Fee | None = None
    """What the stay costs; None: never said."""
    out_by: datetime | None = None
    """When the car must be out again, on the lot's wall clock (naive); None: never said."""
    instead: bool = False
    """Of another class than was asked for."""
    shadow_s: float = 0.0

    @property
    def fee_s(self) -> float:
        """What the stay costs, in seconds of the driver's time."""
        return 0.0 if self.fee is None else self.fee.worth_s

    @property
    def lot_id(self) -> LotId:
        """Whose lot it is."""
        return self.outlook.lot_id

    @property
    def agreement_id(self) -> AgreementId:
        """Under which agreement."""
        return self.outlook.agreement_id

    @property
    def space_class(self) -> SpaceClass:
        """What was looked for."""
        return self.outlook.space_class

    @property
    def offered(self) -> int | None:
        """How many spaces may be promised; None where the lot was left out before that was asked."""
        return None if self.excluded in _NOT_COUNTED else self.outlook.offered

    @property
    def free(self) -> int | None:
        """How many spaces were seen free; None where no count is believed."""
        return self.outlook.free

    @property
    def bound(self) -> Bound:
        """What `free` is a bound of."""
        return self.outlook.bound

    @property
    def margin(self) -> int:
        """How many spaces are kept back from this driver."""
        return self.outlook.margin

    @property
    def chance(self) -> float:
        """That a space is there on arrival."""
        return self.outlook.chance

    @property
    def unsure(self) -> bool:
        """Say whether that is less than it should be."""
        return self.outlook.unsure

    @property
    def fill_s(self) -> float:
        """The fill penalty."""
        return self.outlook.fill_s

    @property
    def failure_s(self) -> float:
        """What a failed arrival would cost, by its chance."""
        return self.outlook.failure_s

    @property
    def load(self) -> float:
        """How much of the pool is taken or held."""
        return self.outlook.load

    @property
    def cost_s(self) -> float:
        """The whole cost in seconds; infinite for an excluded lot."""
        if self.excluded is not None or self.approach is None or self.approach.drive_s is None:
            return math.inf
        outlook = self.outlook
        return self.approach.drive_s + self.walking_s + self.fee_s + self.shadow_s + outlook.fill_s + outlook.failure_s

    def left_out(self, why: Exclusion) -> "Considered":
        """Give the same, left out."""
        return replace(self, excluded=why)


_NOT_COUNTED = frozenset(Exclusion) - {Exclusion.FULL, Exclusion.HELD_OUT}


def walk_m(start: Point, door: Point) -> float:
    """Give the length of the walk in metres."""
    return distance_m(start, door) * WALK_DETOUR


def candidates(considered: Iterable[Considered]) -> list[Considered]:
    """Give those that may be asked for, best first, at most `MOST_CANDIDATES`."""
    return [one for one in considered if one.excluded is None][:MOST_CANDIDATES]
