"""The rules of agreements that exist twice, in the domain and in the ledger's SQL: what is lent, and until when."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bowei.domain.agreements import EVERY_DAY, Agreement, LendingWindow, QuotaStep
from bowei.domain.calendars import HOLIDAY, Calendar, LocalTime
from bowei.domain.lots import CalendarId, Name, SpaceClass
from bowei.records.connecting import connect
from bowei.records.postgres_registering import PostgresRegister
from tests.contract.block import FIRST, MALL, MALL_FIRST, OWN, a_hospital, a_lot
from tests.contract.stores import empty

ZONES = ["Asia/Shanghai", "Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe", "UTC"]
CHANGES = [
    datetime.fromisoformat("2026-03-29T02:00"),  # Zürich's clocks go from 02:00 to 03:00
    datetime.fromisoformat("2026-10-25T02:00"),  # and from 03:00 back to 02:00
    datetime.fromisoformat("2026-04-05T01:30"),  # Lord Howe's go back by half an hour
    datetime.fromisoformat("2026-03-02T00:00"),
    datetime.fromisoformat("2026-03-02T22:00"),
    datetime.fromisoformat("2027-01-01T00:00"),
]
"""Wall-clock times at which something happens."""

wall_clocks = st.builds(
    lambda near, off: near + off,
    st.sampled_from(CHANGES),
    st.one_of(
        st.sampled_from([timedelta(microseconds=n) for n in (0, -1, 1)]),
        st.timedeltas(timedelta(days=-3), timedelta(days=3)),
    ),
)
hours = st.one_of(st.sampled_from([moment.time() for moment in CHANGES]), st.times())


@st.composite
def instants(draw: st.DrawFn, zone: str) -> datetime:
    """Give an instant on an edge of the zone's own wall clock, or of another zone's."""
    asked_in = draw(st.one_of(st.just(zone), st.sampled_from(ZONES)))
    wall_clock: datetime = draw(wall_clocks)
    return wall_clock.replace(tzinfo=ZoneInfo(asked_in), fold=draw(st.integers(0, 1))).astimezone(UTC)


zones_and_instants = st.sampled_from(ZONES).flatmap(lambda zone: st.tuples(st.just(zone), instants(zone)))
windows = st.builds(
    LendingWindow,
    st.sampled_from(SpaceClass),
    st.integers(0, 9),
    st.one_of(st.frozensets(st.integers(1, 8), min_size=1), st.just(EVERY_DAY)),
    hours,
    hours,
    st.lists(st.builds(QuotaStep, hours, st.sampled_from([0, 0, 3])), max_size=3).map(tuple),
)
CITY = CalendarId("city")
calendars = st.one_of(
    st.none(),
    st.builds(
        Calendar,
        st.just(CITY),
        st.just(Name("日历", "Calendar")),
        st.dictionaries(
            wall_clocks.map(lambda wall: wall.date()), st.one_of(st.just(HOLIDAY), st.integers(1, 7)), max_size=9
        ),
    ),
)
"""A lot's own; None: it names none."""
days = st.one_of(st.none(), st.sampled_from([moment.date() for moment in CHANGES]))
agreements = st.builds(
    Agreement,
    agreement_id=st.just(MALL_FIRST),
    lot_id=st.just(MALL),
    hospital_id=st.just(FIRST),
    windows=st.lists(windows, max_size=4).map(tuple),
    valid_from=days,
    valid_to=days,
    paused=st.sampled_from([False, False, False, True]),
    latest_leave=st.one_of(st.none(), hours),
)


def on_sundays(starts: time, stops: time) -> Agreement:
    """Give an agreement that lends five spaces on Sundays between two hours."""
    return Agreement(MALL_FIRST, MALL, FIRST, (LendingWindow(SpaceClass.STANDARD, 5, frozenset({7}), starts, stops),))


def a_holiday(day: date) -> Calendar:
    """Give a calendar with one public holiday."""
    return Calendar(CITY, Name("日历", "Calendar"), {day: HOLIDAY})


def zurich(local: str, *, fold: int = 0) -> tuple[str, datetime]:
    """Give an instant of Zürich's wall clock."""
    at = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Zurich"), fold=fold)
    return "Europe/Zurich", at.astimezone(UTC)


@pytest.fixture
async def pool(ledger_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Give connections to an emptied ledger with one lot and one hospital."""
    pool = await connect(ledger_url, most_connections=2, check_durable=False)
    await empty(pool)
    register = PostgresRegister(pool)
    await register.put_lots([a_lot(MALL, 50), a_lot(OWN, 5)])
    await register.put_hospitals([a_hospital(FIRST)])
    yield pool
    await pool.close()


async def put_lot(register: PostgresRegister, zone: str, calendar: Calendar | None) -> None:
    """Put the mall into a zone, with a calendar of its own or none."""
    if calendar is not None:
        await register.put_calendars([calendar])
    await register.put_lots([a_lot(MALL, 50, timezone=zone, calendar=None if calendar is None else CITY)])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(agreement=on_sundays(time(2, 30), time(2, 30)), zone_and_at=zurich("2026-03-29T02:30"), calendar=None)
@example(agreement=on_sundays(time(2, 30), time(4)), zone_and_at=zurich("2026-10-25T02:30"), calendar=None)
@example(agreement=on_sundays(time(2, 30), time(4)), zone_and_at=zurich("2026-10-25T02:30", fold=1), calendar=None)
@example(agreement=on_sundays(time(8), time(10)), zone_and_at=zurich("2026-03-29T10:00"), calendar=None)
@example(agreement=on_sundays(time(8), time(10)), zone_and_at=zurich("2026-03-29T08:00"), calendar=None)
@example(agreement=on_sundays(time(22), time(6)), zone_and_at=zurich("2026-03-30T06:00"), calendar=None)
@example(
    agreement=dataclasses.replace(on_sundays(time(0), time(0)), windows=(LendingWindow(SpaceClass.STANDARD, 5),)),
    zone_and_at=zurich("2026-03-29T12:00"),
    calendar=a_holiday(date(2026, 3, 29)),
)
@example(
    agreement=on_sundays(time(22), time(6)),
    zone_and_at=zurich("2026-03-30T05:00"),
    calendar=a_holiday(date(2026, 3, 29)),
)
@given(agreement=agreements, zone_and_at=zones_and_instants, calendar=calendars)
async def test_the_ledger_lends_what_the_domain_says(
    pool: asyncpg.Pool, agreement: Agreement, zone_and_at: tuple[str, datetime], calendar: Calendar | None
) -> None:
    """Shows that SQL and Python agree on windows, weekdays, holidays, last days and the days on which clocks change."""
    zone, at = zone_and_at
    register = PostgresRegister(pool)
    await put_lot(register, zone, calendar)
    await register.put_agreements([agreement])
    rows = await pool.fetch("SELECT * FROM bowei.lent_at($1, $2)", at, [MALL_FIRST])
    assert {row["space_class"]: row["spaces"] for row in rows} == agreement.lent_at(
        at, LocalTime(ZoneInfo(zone), calendar)
    )


TAPERS = dataclasses.replace(
    on_sundays(time(1), time(6)),
    windows=(
        LendingWindow(
            SpaceClass.STANDARD, 5, frozenset({7}), time(1), time(6), (QuotaStep(time(2), 0), QuotaStep(time(3), 2))
        ),
    ),
)
WEEKDAYS = dataclasses.replace(
    on_sundays(time(18), time(0)),
    windows=(
        LendingWindow(SpaceClass.STANDARD, 5, frozenset({7}), time(18), time(0), (QuotaStep(time(22), 2),)),
        LendingWindow(SpaceClass.STANDARD, 5, frozenset({1}), time(0), time(0), (QuotaStep(time(12), 4),)),
    ),
)
"""Sunday's evening goes on into Monday, unless Monday is a holiday."""
NIGHT = dataclasses.replace(
    on_sundays(time(22), time(6)),
    windows=(
        LendingWindow(SpaceClass.STANDARD, 5, frozenset({6}), time(22), time(6), (QuotaStep(time(1), 1),)),
        LendingWindow(SpaceClass.STANDARD, 2, frozenset({7}), time(5), time(9)),
    ),
    latest_leave=time(7, 30),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(agreement=TAPERS, zone_and_at=zurich("2026-03-29T01:30"), calendar=None)
@example(agreement=TAPERS, zone_and_at=zurich("2026-10-25T02:30", fold=1), calendar=None)
@example(agreement=NIGHT, zone_and_at=zurich("2026-03-28T23:30"), calendar=None)
@example(agreement=NIGHT, zone_and_at=zurich("2026-03-29T07:30"), calendar=None)
@example(agreement=WEEKDAYS, zone_and_at=zurich("2026-03-29T19:00"), calendar=a_holiday(date(2026, 3, 30)))
@given(agreement=agreements, zone_and_at=zones_and_instants, calendar=calendars)
async def test_the_ledger_says_when_a_car_must_be_out_as_the_domain_does(
    pool: asyncpg.Pool, agreement: Agreement, zone_and_at: tuple[str, datetime], calendar: Calendar | None
) -> None:
    """Shows that SQL and Python agree on tapers and on the hour of leaving, also when clocks change meanwhile."""
    zone, at = zone_and_at
    register = PostgresRegister(pool)
    await put_lot(register, zone, calendar)
    await register.put_agreements([agreement])
    for space_class in SpaceClass:
        out_by = agreement.out_by(at, LocalTime(ZoneInfo(zone), calendar), space_class)
        said = await pool.fetchval(
            "SELECT bowei.out_by($1, $2, $3 AT TIME ZONE $4)", MALL_FIRST, str(space_class), at, zone
        )
        assert (said is None, said) == (out_by is None, out_by)
        for stay in (timedelta(minutes=5), timedelta(hours=3)):
            lasts = await pool.fetchval(
                "SELECT bowei.lasts($1, $2, $3, $4)", MALL_FIRST, str(space_class), at, stay.total_seconds()
            )
            gone_at = (at + stay).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            assert lasts is (out_by is None or gone_at <= out_by)


async def test_a_paused_lot_lends_nothing_in_the_ledger(pool: asyncpg.Pool) -> None:
    """Shows the one thing that SQL knows beyond the agreement: the lot's own pause."""
    register = PostgresRegister(pool)
    agreement = on_sundays(time(2), time(4))
    await register.put_agreements([agreement])
    await register.pause_lot(MALL, paused=True)
    at = datetime(2026, 3, 1, 3, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert agreement.lent_at(at, LocalTime(ZoneInfo("Asia/Shanghai")))
    assert await pool.fetch("SELECT * FROM bowei.lent_at($1, $2)", at, [MALL_FIRST]) == []
