"""What may be sent to the registry, alone or inside a scene, and how it becomes the domain's values.

Here a field is checked by itself; what needs a second lot, hospital or agreement to be judged is in `plausible`.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Annotated, Self
from zoneinfo import available_timezones

from fastapi import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from bowei.domain.calendars import HOLIDAY, Calendar
from bowei.domain.choice_rules import USUAL_RULES, ChoiceRules
from bowei.domain.lots import (
    ID_FORM,
    LARGEST_COUNT,
    CalendarId,
    Entrance,
    GateThresholds,
    Hospital,
    HospitalId,
    Lot,
    LotId,
    LotKind,
    Name,
    SpaceClass,
)
from bowei.domain.places import Datum, Point, to_wgs84
from bowei.domain.plausible_places import fault_of_pair, fault_of_readings
from bowei.records.registering import SourceKind

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
ID_PATTERN = f"^{ID_FORM}$"
_NO_CONTROLS = r"^[^\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+$"
"""No control characters, and none that turn the direction of writing, which can make one name look like another."""
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")

Identifier = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
IdInPath = Annotated[str, Path(pattern=ID_PATTERN, description="1 to 64 of A-Z a-z 0-9 . _ : -")]
"""An id in an address; whose it is, an alias says."""
Words = Annotated[str, StringConstraints(pattern=_NO_CONTROLS, min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Weight = Annotated[float, Field(ge=0, le=10)]
Chance = Annotated[float, Field(ge=0.5, le=0.999)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
LONGEST_STAY_S = 604_800
_MOST_DAYS = 2_000
"""Of a calendar: twenty years of one that has a hundred such days a year."""


def wrong(code: str) -> PydanticCustomError:
    """Give the error by which a validator says one of `bowei.domain.field_kinds.FIELD_KINDS`."""
    return PydanticCustomError(code, "see bowei.domain.problems")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(name: str) -> str:
    if name not in _zones():
        raise wrong("bad_timezone")
    return name


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise wrong("bad_window")
    return text


def _day(text: str) -> str:
    try:
        known = date.fromisoformat(text).isoformat()
    except ValueError:
        known = None
    if known != text:  # fromisoformat also reads 20260101 and 2026-W01-4
        raise wrong("bad_time")
    return text


Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
ClockText = Annotated[str, AfterValidator(_clock)]
DayText = Annotated[str, AfterValidator(_day)]


class NameIn(BaseModel):
    """A name in both languages."""

    model_config = STRICT
    zh: Words
    en: Words

    def name(self) -> Name:
        """Give the domain's value."""
        return Name(zh=self.zh, en=self.en)


class Reading(BaseModel):
    """A pair of degrees, with its datum."""

    model_config = STRICT
    lat: float
    lon: float
    datum: Annotated[Datum, Field(strict=False)]

    @model_validator(mode="after")
    def _check_axes(self) -> Self:
        if code := fault_of_pair(self.lat, self.lon, self.datum):
            raise wrong(code)
        return self

    def point(self) -> Point:
        """Give the place in WGS-84."""
        return to_wgs84(self.lat, self.lon, self.datum)


class PositionIn(Reading):
    """A place; a second reading of it in another datum guards against a wrong label."""

    also: Reading | None = None

    @model_validator(mode="after")
    def _check_readings_agree(self) -> Self:
        if self.also is not None and (code := fault_of_readings(self.point(), self.also.point())):
            raise wrong(code)
        return self


class EntranceIn(BaseModel):
    """Where a car enters a lot."""

    model_config = STRICT
    entrance_id: Identifier
    name: NameIn
    location: PositionIn

    def entrance(self) -> Entrance:
        """Give the domain's value."""
        return Entrance(self.entrance_id, self.name.name(), self.location.point())


class CalendarIn(BaseModel):
    """The days that are not what the week says."""

    model_config = STRICT
    name: NameIn
    days: Annotated[dict[DayText, Annotated[int, Field(ge=1, le=HOLIDAY)]], Field(max_length=_MOST_DAYS)] = Field(
        description="What a local date counts as: 1 (Monday) to 7, as a Saturday on which work is made up for counts "
        "as the day it stands for; 8: a public holiday.",
        examples=[{"2026-02-14": 1, "2026-02-16": 8, "2026-02-17": 8}],
    )

    def calendar(self, calendar_id: str) -> Calendar:
        """Give the domain's value."""
        days = {date.fromisoformat(day): counts_as for day, counts_as in self.days.items()}
        return Calendar(CalendarId(calendar_id), self.name.name(), days)


class LotFields(BaseModel):
    """A car park run as one, but for its id and time zone, which a scene says otherwise."""

    model_config = STRICT
    kind: Annotated[LotKind, Field(strict=False)]
    name: NameIn
    capacity: Count
    location: PositionIn
    entrances: Annotated[list[EntranceIn], Field(min_length=1, max_length=50)]
    block: Identifier | None = None
    barrier_link: bool = False
    max_height_cm: Annotated[int, Field(ge=100, le=600)] | None = None
    classes: dict[str, Count] = Field(default_factory=dict, description="Spaces of class disabled and ev.")
    paused: bool | None = Field(default=None, description="Absent: stays as it is.")
    synthetic: bool = False
    calendar: Identifier | None = Field(
        default=None, description="The calendar of its public holidays; absent: every day is the weekday that it is."
    )

    @field_validator("classes")
    @classmethod
    def _check_classes(cls, classes: Mapping[str, int]) -> Mapping[str, int]:
        if not set(classes) <= {SpaceClass.DISABLED, SpaceClass.EV}:
            raise wrong("unknown_option")
        return classes

    def lot(self, lot_id: str, timezone: str, *, paused_now: bool) -> Lot:
        """Give the domain's value; where the sender does not say, it stays paused or not as it is."""
        return Lot(
            lot_id=LotId(lot_id),
            kind=self.kind,
            name=self.name.name(),
            timezone=timezone,
            capacity=self.capacity,
            location=self.location.point(),
            entrances=tuple(entrance.entrance() for entrance in self.entrances),
            block=self.block or "",
            barrier_link=self.barrier_link,
            max_height_cm=self.max_height_cm,
            classes={SpaceClass(name): count for name, count in self.classes.items()},
            paused=paused_now if self.paused is None else self.paused,
            synthetic=self.synthetic,
            calendar=None if self.calendar is None else CalendarId(self.calendar),
        )


class LotIn(LotFields):
    """A car park run as one."""

    timezone: Zone


class ThresholdsIn(BaseModel):
    """At how many free spaces the gate's state changes."""

    model_config = STRICT
    filling_at: Count = 12
    full_at: Count = 0
    leave_full_at: Count = 3
    leave_filling_at: Count = 18

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        rising = self.full_at < self.leave_full_at and self.filling_at < self.leave_filling_at
        if not rising or self.full_at > self.filling_at:
            raise wrong("bad_thresholds")
        return self


class RulesIn(BaseModel):
    """What the choice of a lot is weighed with, where it is not as usual: docs/choice.md."""

    model_config = STRICT
    fill_penalty_s: Annotated[float, Field(ge=0, le=3_600)] = USUAL_RULES.fill_penalty_s
    failed_arrival_s: Annotated[float, Field(ge=0, le=7_200)] = USUAL_RULES.failed_arrival_s
    walk_weight: Weight = USUAL_RULES.walk_weight
    slow_walk_weight: Weight = USUAL_RULES.slow_walk_weight
    value_of_time: Annotated[float, Field(ge=0.01, le=1_000_000)] = USUAL_RULES.value_of_time
    currency: Currency = USUAL_RULES.currency
    least_chance: Chance = USUAL_RULES.least_chance
    least_chance_priority: Chance = USUAL_RULES.least_chance_priority
    margin_chance: Chance = USUAL_RULES.margin_chance
    rotation_s: Annotated[float, Field(ge=0, le=600)] = USUAL_RULES.rotation_s
    usual_stay_s: Annotated[float, Field(ge=600, le=LONGEST_STAY_S)] = USUAL_RULES.usual_stay_s

    def rules(self) -> ChoiceRules:
        """Give the domain's value."""
        return ChoiceRules(**self.model_dump())


class HospitalIn(BaseModel):
    """A hospital, its own lot, its door and its gate."""

    model_config = STRICT
    name: NameIn
    lot_id: Identifier
    door: PositionIn
    gate: PositionIn
    block: Identifier | None = None
    radius_m: Annotated[int, Field(ge=100, le=20_000)] = 2_000
    thresholds: ThresholdsIn = Field(default_factory=ThresholdsIn)
    rules: RulesIn = Field(default_factory=RulesIn)

    def hospital(self, hospital_id: str) -> Hospital:
        """Give the domain's value."""
        return Hospital(
            hospital_id=HospitalId(hospital_id),
            name=self.name.name(),
            lot_id=LotId(self.lot_id),
            door=self.door.point(),
            gate=self.gate.point(),
            block=self.block or "",
            radius_m=self.radius_m,
            thresholds=GateThresholds(**self.thresholds.model_dump()),
            rules=self.rules.rules(),
        )


class SourceIn(BaseModel):
    """A feed that reports. `new_key` makes a native source's key anew; the old one ends at once."""

    model_config = STRICT
    kind: Annotated[SourceKind, Field(strict=False)]
    public_key: Annotated[str, StringConstraints(max_length=8_192)] | None = Field(
        default=None, description="Of a citybrain source: its RSA public key, PEM."
    )
    suspended: bool | None = Field(default=None, description="Absent: stays as it is.")
    trusted: bool = Field(
        default=False,
        description="Believe it and its lots at once. Else first it reports well for a day, and nothing is offered.",
    )
    lots: Annotated[dict[Words, Identifier], Field(max_length=2_000)] = Field(
        default_factory=dict, description="The source's own code of a lot, and the lot."
    )
    new_key: bool = False
