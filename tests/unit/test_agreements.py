"""What an agreement lends at an instant: windows, weekdays, midnight, first and last days."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bowei.domain.agreements import EVERY_DAY, Agreement, AgreementId, LendingWindow
from bowei.domain.lots import HospitalId, LotId, SpaceClass

HANGZHOU, ZURICH = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Zurich")
STANDARD, EV = SpaceClass.STANDARD, SpaceClass.EV
MONDAY, TUESDAY, SUNDAY = 1, 2, 7


def lent(local: str, *windows: LendingWindow, zone: ZoneInfo = HANGZHOU, **terms: Any) -> dict[SpaceClass, int]:
    """Give what is lent at a local wall-clock time; Monday is 2026-03-02."""
    agreement = Agreement(AgreementId("a"), LotId("l"), HospitalId("h"), windows, **terms)
    return dict(agreement.lent_at(datetime.fromisoformat(local).replace(tzinfo=zone), zone))


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
    assert agreement.lent_at(at, HANGZHOU) == agreement.lent_at(at.astimezone(ZURICH), HANGZHOU) == {STANDARD: 5}
    assert agreement.lent_at(at, ZURICH) == {}


@pytest.mark.parametrize(("fold", "day"), [(0, date(2026, 10, 25)), (1, date(2026, 10, 25)), (0, date(2026, 3, 29))])
def test_a_window_follows_the_wall_clock_on_the_day_the_clocks_change(fold: int, day: date) -> None:
    """An hour that happens twice is lent twice, and one that does not exist leaves no hole around it."""
    window = LendingWindow(STANDARD, 5, frozenset({SUNDAY}), time(1), time(4))
    agreement = Agreement(AgreementId("a"), LotId("l"), HospitalId("h"), (window,))
    at = datetime.combine(day, time(2, 30, fold=fold), ZURICH).astimezone(UTC)
    assert agreement.lent_at(at, ZURICH) == {STANDARD: 5}
