"""What may be sent of agreements: who lends what to whom, when, at what price, and with what kept back."""

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from bowei.domain.agreements import EVERY_DAY, Agreement, AgreementId, LendingWindow, MarginRule, QuotaStep
from bowei.domain.calendars import HOLIDAY
from bowei.domain.choice_rules import USUAL_RULES
from bowei.domain.lots import HospitalId, LotId, SpaceClass, Standing
from bowei.domain.tariffs import Tariff
from services.registry.params import (
    LONGEST_STAY_S,
    STRICT,
    ClockText,
    Count,
    Currency,
    DayText,
    Identifier,
    wrong,
)

Money = Annotated[Decimal, Field(strict=False, ge=0, le=100_000, decimal_places=2)]


class StepIn(BaseModel):
    """From a local hour on, so many spaces are lent."""

    model_config = STRICT
    at: ClockText
    spaces: Count


class WindowIn(BaseModel):
    """Hours of some days in which spaces of one class are lent, in the lot's local time."""

    model_config = STRICT
    space_class: Annotated[SpaceClass, Field(alias="class", strict=False)] = SpaceClass.STANDARD
    spaces: Count
    days: Annotated[list[int], Field(min_length=1, max_length=8)] = Field(
        default_factory=lambda: sorted(EVERY_DAY),
        description="What the day may count as: 1 (Monday) to 7, 8 a public holiday of the lot's calendar. All seven "
        "weekdays are every day, holidays too.",
    )
    starts: ClockText = "00:00"
    stops: ClockText = "00:00"
    steps: Annotated[list[StepIn], Field(max_length=48)] = Field(
        default_factory=list,
        description="The quota by the hour, within the window and in order. A window with steps tapers: who would "
        "still stand there when nothing is lent any more is not sent there.",
    )

    @field_validator("days")
    @classmethod
    def _check_days(cls, days: list[int]) -> list[int]:
        if not set(days) <= EVERY_DAY | {HOLIDAY} or len(set(days)) != len(days):
            raise wrong("bad_window")
        return days

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        if not self.window().steps_in_order:
            raise wrong("bad_window")
        return self

    def window(self) -> LendingWindow:
        """Give the domain's value."""
        return LendingWindow(
            space_class=self.space_class,
            spaces=self.spaces,
            days=frozenset(self.days),
            starts=time.fromisoformat(self.starts),
            stops=time.fromisoformat(self.stops),
            steps=tuple(QuotaStep(time.fromisoformat(step.at), step.spaces) for step in self.steps),
        )


class TariffIn(BaseModel):
    """What a driver pays: by started hours after some free minutes, at most so much a day."""

    model_config = STRICT
    per_hour: Money
    currency: Currency = USUAL_RULES.currency
    free_minutes: Annotated[int, Field(ge=0, le=1_440)] = 0
    day_cap: Money | None = None

    def tariff(self) -> Tariff:
        """Give the domain's value."""
        return Tariff(self.per_hour, self.currency, self.free_minutes, self.day_cap)


class AgreementIn(BaseModel):
    """One lot lends to one hospital."""

    model_config = STRICT
    lot_id: Identifier
    hospital_id: Identifier
    windows: Annotated[list[WindowIn], Field(min_length=1, max_length=50)]
    margin: Count = 0
    margin_rule: Annotated[MarginRule, Field(strict=False)] = Field(
        default=MarginRule.LAW,
        description="law: as many spaces are kept back as the margin law asks for, never fewer than `margin`; "
        "fixed: just `margin`.",
    )
    max_stay_s: Annotated[int, Field(ge=600, le=LONGEST_STAY_S)] = 43_200
    latest_leave: ClockText | None = Field(default=None, description="Local hour by which every car must be out.")
    tariff: TariffIn | None = Field(default=None, description="Absent: not known, and counted as free.")
    protects: dict[str, Count] = Field(
        default_factory=dict,
        description="Spaces kept for a standing (disabled, therapy, appointment) from all who stand after it.",
    )
    valid_from: DayText | None = Field(default=None, description="Local date, included.")
    valid_to: DayText | None = Field(default=None, description="Local date, included.")
    paused: bool | None = Field(default=None, description="Absent: stays as it is.")

    @field_validator("protects")
    @classmethod
    def _check_protects(cls, protects: Mapping[str, int]) -> Mapping[str, int]:
        if not set(protects) <= set(Standing) - {Standing.VISITOR}:
            raise wrong("unknown_option")
        return protects

    @field_validator("valid_to")
    @classmethod
    def _check_dates(cls, valid_to: str | None, info: ValidationInfo) -> str | None:
        valid_from = info.data.get("valid_from")
        if valid_to is not None and valid_from is not None and valid_to < valid_from:
            raise wrong("bad_dates")
        return valid_to

    def agreement(self, agreement_id: str, *, paused_now: bool) -> Agreement:
        """Give the domain's value; where the sender does not say, it stays paused or not as it is."""
        return Agreement(
            agreement_id=AgreementId(agreement_id),
            lot_id=LotId(self.lot_id),
            hospital_id=HospitalId(self.hospital_id),
            windows=tuple(window.window() for window in self.windows),
            margin=self.margin,
            margin_rule=self.margin_rule,
            max_stay=timedelta(seconds=self.max_stay_s),
            latest_leave=None if self.latest_leave is None else time.fromisoformat(self.latest_leave),
            tariff=None if self.tariff is None else self.tariff.tariff(),
            protects={Standing(name): count for name, count in self.protects.items()},
            valid_from=None if self.valid_from is None else date.fromisoformat(self.valid_from),
            valid_to=None if self.valid_to is None else date.fromisoformat(self.valid_to),
            paused=paused_now if self.paused is None else self.paused,
        )
