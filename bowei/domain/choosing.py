"""The right lot: what each candidate costs the driver, or why it is no candidate.

Cost in seconds, lower is better (`costs`): drive to the entrance, walk to the hospital's door, the fee at the driver's
value of time, a fill penalty that spreads drivers before a lot is tight, and what a failed arrival would cost by its
chance. The order (`comparing`): lots where a space is sure before those where it is not, the class asked for before
another that would do, then by cost; lots that cost the same within `ChoiceRules.rotation_s` take turns by load.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from bowei.domain.agreements import AgreementId
from bowei.domain.forecasting import UNKNOWN_LOT, Foreseen
from bowei.domain.lots import Entrance, LotId, SpaceClass, Standing
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


@dataclass(frozen=True, slots=True)
class Approach:
    """The way to a lot by one of its entrances, and from there on foot to the hospital's door."""

    entrance: Entrance
    drive_s: float | None
    """None: no way by road."""
    walk_s: float
    walk_m: float
    estimated: bool
    """True where the drive is a guess by air, not a way over roads."""


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
class Considered:
    """One lot that was looked at: its cost by part, or why it was left out."""

    lot_id: LotId
    agreement_id: AgreementId
    excluded: Exclusion | None
    approach: Approach | None = None
    space_class: SpaceClass = SpaceClass.STANDARD
    """What was looked for: the class asked for, or the one that will do."""
    offered: int | None = None
    free: int | None = None
    bound: Bound = Bound.EXACT
    """What `free`, and with it `offered`, is a bound of."""
    age_s: float | None = None
    margin: int = 0
    """Spaces that are kept back from this driver: the agreement's margin, and what is protected for others."""
    chance: float = 1.0
    """That a space is there on arrival."""
    unsure: bool = False
    """Less likely than it should be: only where nothing else is to be had."""
    instead: bool = False
    """Of another class than was asked for."""
    walking_s: float = 0.0
    fee_s: float = 0.0
    fill_s: float = 0.0
    failure_s: float = 0.0
    shadow_s: float = 0.0
    fee: Decimal | None = None
    """What the stay costs; None: free, or never said."""
    out_by: datetime | None = None
    """When the car must be out again, on the lot's wall clock (naive); None: never said."""
    load: float = 0.0
    """How much of the pool is taken or held."""

    @property
    def age(self) -> timedelta | None:
        """How old the lot's report is."""
        return None if self.age_s is None else timedelta(seconds=self.age_s)

    @property
    def cost_s(self) -> float:
        """The whole cost in seconds; infinite for an excluded lot."""
        if self.excluded is not None or self.approach is None or self.approach.drive_s is None:
            return math.inf
        extra_s = self.fee_s + self.fill_s + self.failure_s + self.shadow_s
        return self.approach.drive_s + self.walking_s + extra_s


def walk_m(start: Point, door: Point) -> float:
    """Give the length of the walk in metres."""
    return distance_m(start, door) * WALK_DETOUR


def candidates(considered: Iterable[Considered]) -> list[Considered]:
    """Give those that may be asked for, best first, at most `MOST_CANDIDATES`."""
    return [one for one in considered if one.excluded is None][:MOST_CANDIDATES]
