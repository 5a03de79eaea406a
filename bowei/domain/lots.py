"""Lots, their entrances, and the hospitals that need them: what the parties registered, not what is measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType
from zoneinfo import ZoneInfo

from bowei.domain.choice_rules import USUAL_RULES, ChoiceRules
from bowei.domain.places import Point

LotId = NewType("LotId", str)
HospitalId = NewType("HospitalId", str)
SourceId = NewType("SourceId", str)
DriverId = NewType("DriverId", str)
CalendarId = NewType("CalendarId", str)

ID_FORM = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
"""How an id is spelled, whatever it names. Without anchors: engines of regular expressions differ in them."""

LARGEST_COUNT = 100_000
"""More spaces than any lot has: a larger count is the sender's mistake."""


class LotKind(StrEnum):
    """What a lot belongs to."""

    HOSPITAL = "hospital"
    MALL = "mall"
    OFFICE = "office"
    PUBLIC = "public"


class SpaceClass(StrEnum):
    """A kind of space, and of the need that it serves."""

    STANDARD = "standard"
    DISABLED = "disabled"
    EV = "ev"


class Standing(StrEnum):
    """Who goes before whom where an agreement protects spaces, the first first. A lot's own customers stand before all.

    It says nothing of emergencies: those are never sent to another lot.
    """

    DISABLED = "disabled"
    THERAPY = "therapy"
    """Comes again and again and can't wait, as to dialysis."""
    APPOINTMENT = "appointment"
    VISITOR = "visitor"

    def before(self, other: "Standing") -> bool:
        """Say whether spaces may be protected for this one from the other."""
        return _ORDER[self] < _ORDER[other]


_ORDER = {standing: place for place, standing in enumerate(Standing)}


@dataclass(frozen=True, slots=True)
class Name:
    """A name in the two languages that Bowei speaks."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where a car enters a lot: what navigation points at."""

    entrance_id: str
    name: Name
    point: Point


@dataclass(frozen=True, slots=True)
class Lot:
    """A car park run as one.

    `barrier_link` says that the lot's barrier is told of holds and keeps their spaces; without it a driver is guided,
    not guaranteed. `classes` counts spaces of other classes than standard, within `capacity`. `calendar` says which
    days are public holidays for its agreements; without one every day is the weekday that it is.
    """

    lot_id: LotId
    kind: LotKind
    name: Name
    timezone: str
    capacity: int
    location: Point
    entrances: tuple[Entrance, ...]
    block: str = ""
    barrier_link: bool = False
    max_height_cm: int | None = None
    classes: Mapping[SpaceClass, int] = field(default_factory=dict)
    paused: bool = False
    synthetic: bool = False
    calendar: CalendarId | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The lot's time zone."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True)
class GateThresholds:
    """At how many free spaces the gate's state changes; `leave` values are higher, so that a sign does not flicker."""

    filling_at: int = 12
    full_at: int = 0
    leave_full_at: int = 3
    leave_filling_at: int = 18


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital: its own lot, its door, its gate, and how far its drivers may be sent."""

    hospital_id: HospitalId
    name: Name
    lot_id: LotId
    door: Point
    gate: Point
    block: str = ""
    radius_m: int = 2_000
    thresholds: GateThresholds = field(default_factory=GateThresholds)
    rules: ChoiceRules = USUAL_RULES
    """What the choice of a lot is weighed with."""
