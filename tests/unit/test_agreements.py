"""What an agreement lends at an instant: windows, weekdays, midnight, first and last days."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bowei.domain.agreements import EVERY_DAY, Agreement, AgreementId, LendingWindow, QuotaStep
from bowei.domain.calendars import HOLIDAY, Calendar, LocalTime
from bowei.domain.lots import CalendarId, HospitalId, LotId, Name, SpaceClass

HANGZHOU, ZURICH = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Zurich")
STANDARD, EV = SpaceClass.STANDARD, SpaceClass.EV
MONDAY, TUESDAY, SUNDAY = 1, 2, 7
NEW_YEAR = Calendar(
    CalendarId("cn"),
    Name("春节", "Spring Festival"),
    {date(2026, 2, 14): MONDAY, date(2026, 2, 16): HOLIDAY, date(2026, 2, 17): HOLIDAY},
)
"""Saturday the 14th is worked as a Monday; Monday the 16th and Tuesday the 17th are holidays."""


def lent(
    local: str, *windows: LendingWindow, zone: ZoneInfo = HANGZHOU, calendar: Calendar | None = None, **terms: Any
) -> dict[SpaceClass, int]:
    """Give what is lent at a local wall-clock time; Monday is 2026-03-02."""
    agreement = Agreement(AgreementId("a"), LotId("l"), HospitalId("h"), windows, **terms)
    return dict(agreement.lent_at(datetime.fromisoformat(local).replace(tzinfo=zone), LocalTime(zone, calendar)))


@pytest.mark.parametrize(
    ("local", "spaces"),
    [
        ("2026-03-02T06:59:59.999999", None),
        ("2026-03-02T07:00:00", 5),
        ("2026-03-02T09:59:59.999999", 5),
        ("2026-03-02T10:00:00", None),
        ("2026-03-03T08:00:00", None),
    ],
)
def test_a_window_lends_from_its_start_to_before_its_end_on_its_days(local: str, spaces: int | None) -> None:
    """The start is within, the end is not, and other weekdays lend nothing."""
    window = LendingWindow(STANDARD, 5, frozenset({MONDAY}), time(7), time(10))
    assert lent(local, window).get(STANDARD) == spaces


@pytest.mark.parametrize(
    ("local", "spaces"),
    [
        ("2026-03-02T21:59:59", None),
        ("2026-03-02T22:00:00", 5),
        ("2026-03-03T00:00:00", 5),
        ("2026-03-03T05:59:59.999999", 5),
        ("2026-03-03T06:00:00", None),
        ("2026-03-03T22:00:00", None),
        ("2026-03-02T03:00:00", None),
    ],
)
def test_a_window_across_midnight_belongs_to_the_day_on_which_it_starts(local: str, spaces: int | None) -> None:
    """Monday's night runs into Tuesday's morning, and Sunday's night was not lent."""
    window = LendingWindow(STANDARD, 5, frozenset({MONDAY}), time(22), time(6))
    assert lent(local, window).get(STANDARD) == spaces


@pytest.mark.parametrize("hour", [time(0), time(8)])
def test_a_window_that_stops_when_it_starts_lasts_a_whole_day(hour: time) -> None:
    """00:00 to 00:00 is the day, 08:00 to 08:00 runs to the next morning."""
    window = LendingWindow(STANDARD, 5, frozenset({MONDAY}), hour, hour)
    start = datetime.combine(date(2026, 3, 2), hour)
    for off, spaces in ((timedelta(seconds=-1), None), (timedelta(), 5), (timedelta(hours=24, seconds=-1), 5)):
        assert lent((start + off).isoformat(), window).get(STANDARD) == spaces
    assert lent((start + timedelta(hours=24)).isoformat(), window) == {}


def test_overlapping_windows_lend_the_larger_number_not_the_sum() -> None:
    """Two windows on the same spaces don't make more of them; classes are apart."""
    windows = (LendingWindow(STANDARD, 3), LendingWindow(STANDARD, 8), LendingWindow(EV, 2))
    assert lent("2026-03-02T12:00:00", *windows) == {STANDARD: 8, EV: 2}


def test_an_agreement_holds_on_its_first_and_its_last_day_and_no_other() -> None:
    """Both dates are included, by the lot's own calendar."""
    terms: dict[str, Any] = {"valid_from": date(2026, 3, 2), "valid_to": date(2026, 3, 3)}
    days = ["2026-03-01T23:59:59", "2026-03-02T00:00:00", "2026-03-03T23:59:59", "2026-03-04T00:00:00"]
    assert [bool(lent(day, LendingWindow(STANDARD, 1), **terms)) for day in days] == [False, True, True, False]


def test_a_paused_agreement_lends_nothing() -> None:
    """A pause goes before every window."""
    assert lent("2026-03-02T12:00:00", LendingWindow(STANDARD, 5), paused=True) == {}


def test_the_lots_own_zone_decides_whatever_zone_the_question_is_in() -> None:
    """The same instant is asked for in two zones."""
    agreement = Agreement(
        AgreementId("a"), LotId("l"), HospitalId("h"), (LendingWindow(STANDARD, 5, EVERY_DAY, time(7), time(10)),)
    )
    at = datetime(2026, 3, 2, 8, tzinfo=HANGZHOU)
    here, there = LocalTime(HANGZHOU), LocalTime(ZURICH)
    assert agreement.lent_at(at, here) == agreement.lent_at(at.astimezone(ZURICH), here) == {STANDARD: 5}
    assert agreement.lent_at(at, there) == {}


@pytest.mark.parametrize(("fold", "day"), [(0, date(2026, 10, 25)), (1, date(2026, 10, 25)), (0, date(2026, 3, 29))])
def test_a_window_follows_the_wall_clock_on_the_day_the_clocks_change(fold: int, day: date) -> None:
    """An hour that happens twice is lent twice, and one that does not exist leaves no hole around it."""
    window = LendingWindow(STANDARD, 5, frozenset({SUNDAY}), time(1), time(4))
    agreement = Agreement(AgreementId("a"), LotId("l"), HospitalId("h"), (window,))
    at = datetime.combine(day, time(2, 30, fold=fold), ZURICH).astimezone(UTC)
    assert agreement.lent_at(at, LocalTime(ZURICH)) == {STANDARD: 5}


@pytest.mark.parametrize(
    ("local", "days", "lends"),
    [
        pytest.param("2026-02-16T08:00", {1, 2, 3, 4, 5}, False, id="a holiday on a Monday is no Monday"),
        pytest.param("2026-02-16T08:00", {6, 7, HOLIDAY}, True, id="and lends what is lent on holidays"),
        pytest.param("2026-02-16T08:00", EVERY_DAY, True, id="every day is every day"),
        pytest.param("2026-02-16T08:00", EVERY_DAY - {SUNDAY}, False, id="six weekdays are not every day"),
        pytest.param("2026-02-14T08:00", {MONDAY}, True, id="a Saturday that is worked counts as what it stands for"),
        pytest.param("2026-02-14T08:00", {6, 7, HOLIDAY}, False, id="and is no Saturday"),
        pytest.param("2026-02-18T08:00", {3}, True, id="a day of which nothing is said is the weekday that it is"),
    ],
)
def test_a_day_counts_as_the_lots_calendar_says(local: str, days: set[int], lends: bool) -> None:
    """Public holidays and made-up working days; nobody else's calendar matters."""
    window = LendingWindow(STANDARD, 5, frozenset(days), time(7), time(10))
    assert (lent(local, window, calendar=NEW_YEAR) == {STANDARD: 5}) is lends
    weekday = datetime.fromisoformat(local).isoweekday()
    assert (lent(local, window) == {STANDARD: 5}) is (weekday in days)


@pytest.mark.parametrize(
    ("local", "lends"),
    [("2026-02-15T23:00", True), ("2026-02-16T05:00", True), ("2026-02-16T23:00", False), ("2026-02-17T05:00", False)],
)
def test_a_night_before_a_holiday_belongs_to_the_day_on_which_it_starts(local: str, lends: bool) -> None:
    """Sunday's night runs into the holiday's morning; the holiday's own night is not lent."""
    window = LendingWindow(STANDARD, 5, frozenset({MONDAY, TUESDAY, SUNDAY}), time(22), time(6))
    assert (lent(local, window, calendar=NEW_YEAR) == {STANDARD: 5}) is lends


def test_a_taper_ends_before_a_holiday_too() -> None:
    """Who comes on Sunday evening must be out before the night's quota ends, as Monday lends nothing."""
    taper = LendingWindow(STANDARD, 5, frozenset({SUNDAY}), time(18), time(0), (QuotaStep(time(22), 2),))
    monday = LendingWindow(STANDARD, 5, frozenset({MONDAY}), time(0), time(0), (QuotaStep(time(12), 4),))
    agreement = Agreement(AgreementId("a"), LotId("l"), HospitalId("h"), (taper, monday))
    at = datetime(2026, 2, 15, 19, tzinfo=HANGZHOU)
    assert agreement.out_by(at, LocalTime(HANGZHOU, NEW_YEAR), STANDARD) == datetime(2026, 2, 16)  # noqa: DTZ001 (a wall clock)
    assert agreement.out_by(at, LocalTime(HANGZHOU), STANDARD) == datetime(2026, 2, 17)  # noqa: DTZ001 (a wall clock)
