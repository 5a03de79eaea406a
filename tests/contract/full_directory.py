"""A directory in which every field says something, so that a copy that loses one is seen."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow, MarginRule, QuotaStep
from bowei.domain.calendars import HOLIDAY, Calendar
from bowei.domain.choice_rules import ChoiceRules
from bowei.domain.directory import Directory
from bowei.domain.lots import (
    CalendarId,
    Entrance,
    Hospital,
    HospitalId,
    Lot,
    LotId,
    LotKind,
    Name,
    SpaceClass,
    Standing,
)
from bowei.domain.places import Point
from bowei.domain.tariffs import Tariff

NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MALL = LotId("mall")
HERE = Point(30.2552, 120.1582)
STEPS = (QuotaStep(time(11), 9),)


def directory(version: int = 1, **changes: object) -> Directory:
    """Give a directory in which every field says something."""
    entrance = Entrance("north", Name("北口", "North"), HERE)
    lot = Lot(
        lot_id=MALL,
        kind=LotKind.MALL,
        name=Name("商场", "Mall"),
        timezone="Asia/Shanghai",
        capacity=300,
        location=HERE,
        entrances=(entrance,),
        block="hubin",
        barrier_link=True,
        max_height_cm=210,
        classes={SpaceClass.DISABLED: 6},
        synthetic=True,
        calendar=CalendarId("cn"),
    )
    hospital = Hospital(
        HospitalId("first"), Name("医院", "First"), MALL, HERE, HERE, "hubin", 1_500, rules=ChoiceRules(rotation_s=10.0)
    )
    calendar = Calendar(CalendarId("cn"), Name("节假日", "Holidays"), {NINE.date(): HOLIDAY})
    windows = (LendingWindow(SpaceClass.STANDARD, 40, frozenset({1, 5}), NINE.time(), NINE.time(), STEPS),)
    agreement = Agreement(
        AgreementId("mall-first"),
        MALL,
        HospitalId("first"),
        windows,
        3,
        timedelta(hours=6),
        NINE.date(),
        NINE.date(),
        margin_rule=MarginRule.FIXED,
        latest_leave=NINE.time(),
        tariff=Tariff(Decimal("7.50"), "HKD", 15, Decimal(60)),
        protects={Standing.THERAPY: 2},
    )
    return Directory.of(version, [replace(lot, **changes)], [hospital], [agreement], [calendar])  # type: ignore[arg-type]
