"""What the counts of a city teach, and what is foreseen from it."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowei.domain.forecasting import KNOTS, UNKNOWN_LOT, Foreseen
from bowei.domain.foreseeing import HORIZONS, CityForecast
from bowei.domain.lots import LotId
from tests.unit.counted_made import DAY_S, MONDAY_S, STEP_S, counted, lived

A, B = LotId("a"), LotId("b")


def by_the_clock(at_s: int) -> float:
    """Fill from 8 to 10 and empty from 16 to 18, UTC, on every day: 80 free by night, 20 by day."""
    hour = at_s % DAY_S / 3600
    return 80 - 30 * (min(max(hour - 8, 0), 2) - min(max(hour - 16, 0), 2))


def at(at_s: float) -> datetime:
    """Give an instant."""
    return datetime.fromtimestamp(at_s, UTC)


def test_a_restless_lot_is_less_sure_than_a_calm_one() -> None:
    """One that changes by four spaces every five minutes, and one that changes by one."""
    city = CityForecast()
    lived(city, (0, 0.5), lambda at_s: (50 + 2 * (-1) ** (at_s // STEP_S), 50 + 0.5 * (-1) ** (at_s // STEP_S)))
    foreseen = city.foreseen().by_lot()

    assert foreseen[A].volatility == pytest.approx(4.0, abs=0.05)
    assert foreseen[B].volatility == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("gap_s", [STEP_S, 1_800])
def test_rare_reports_are_no_more_restless_for_being_rare(gap_s: int) -> None:
    """The variance of five minutes is told from what changed in the gap: six times as much in half an hour."""
    city, step = CityForecast(), 2.0 * math.sqrt(gap_s / STEP_S)
    lived(city, (0, 1), lambda at_s: [50 + step / 2 * (-1) ** (at_s // gap_s)], gap_s=gap_s)

    assert city.foreseen().by_lot()[A].volatility == pytest.approx(2.0, abs=0.1)


def test_a_lot_that_nobody_watched_is_taken_for_an_unknown_one() -> None:
    """A first count teaches nothing yet: the volatility of an unknown lot, no course, the law's own chances."""
    city = CityForecast()
    city.step(MONDAY_S, counted([10], MONDAY_S))
    foreseen = city.foreseen().by_lot()[A]

    assert foreseen.volatility == UNKNOWN_LOT.volatility
    assert foreseen.course == ()
    assert foreseen.mean(10, timedelta(hours=1), 100) == 10
    assert foreseen.chance(3, timedelta(minutes=15)) == pytest.approx(
        UNKNOWN_LOT.chance(3, timedelta(minutes=15)), abs=0.02
    )


@pytest.mark.parametrize(("days", "off"), [(1.39, 4.0), (7.39, 1.0)])
def test_what_is_usual_is_foreseen_after_a_day_and_better_after_a_week(days: float, off: float) -> None:
    """At half past nine the lot still fills, by fifteen spaces in half an hour and then no more."""
    city = CityForecast()
    lived(city, (0.3, 0.5), lambda at_s: [by_the_clock(at_s)])
    lived(city, (int(days) + 0.3, days), lambda at_s: [by_the_clock(at_s)])
    now_s = MONDAY_S + int(days) * DAY_S + int(9.5 * 3600)
    city.step(now_s, counted([by_the_clock(now_s)], now_s))
    foreseen = city.foreseen().by_lot()[A]

    assert foreseen.mean(35, timedelta(minutes=30), 100, at(now_s)) == pytest.approx(20, abs=off)
    assert foreseen.mean(35, timedelta(minutes=60), 100, at(now_s)) == pytest.approx(20, abs=off)


def test_a_saturday_is_not_taken_for_a_friday() -> None:
    """Mornings of a lot that fills on working days only: on Saturday nothing is expected to change."""

    def working_days(at_s: int) -> Sequence[float]:
        return [by_the_clock(at_s) if datetime.fromtimestamp(at_s, UTC).weekday() < 5 else 80]

    city = CityForecast()
    for day in (3, 4, 5, 10, 11):
        lived(city, (day + 0.3, day + 0.5), working_days)
    lived(city, (12.3, 12 + 8 / 24), working_days)
    saturday = MONDAY_S + 12 * DAY_S + 8 * 3600
    city.step(saturday, counted([80], saturday))
    foreseen = city.foreseen().by_lot()[A]

    assert foreseen.mean(80, timedelta(minutes=60), 100, at(saturday)) == pytest.approx(80, abs=1)


def test_the_week_is_the_lot_s_own_through_the_change_of_the_clocks() -> None:
    """London: the lot goes on to fill from 8 to 10 of its own time when clocks go forward on 29 March 2026."""
    london = ZoneInfo("Europe/London")

    def by_local_clock(at_s: int) -> Sequence[float]:
        local = datetime.fromtimestamp(at_s, london)
        return [by_the_clock(local.hour * 3600 + local.minute * 60)]

    city = CityForecast()
    for day in (70, 77):
        lived(city, (day + 0.3, day + 0.5), by_local_clock, zone="Europe/London")
    lived(city, (84.2, 84 + 7 / 24), by_local_clock, zone="Europe/London")
    eight = MONDAY_S + 84 * DAY_S + 7 * 3600
    city.step(eight, counted([80], eight, zone="Europe/London"))

    assert datetime.fromtimestamp(eight, london).hour == 8
    mean = city.foreseen().by_lot()[A].mean(80, timedelta(minutes=60), 100, at(eight))
    assert mean == pytest.approx(50, abs=3)


def test_an_old_count_is_carried_on_from_when_it_was_counted() -> None:
    """Counted at nine, foreseen at half past nine for ten: what usually changes in the whole hour."""
    city = CityForecast()
    lived(city, (0.3, 0.5), lambda at_s: [by_the_clock(at_s)])
    lived(city, (7.3, 7 + 9.5 / 24), lambda at_s: [by_the_clock(at_s)])
    nine = MONDAY_S + 7 * DAY_S + 9 * 3600

    mean = city.foreseen().by_lot()[A].mean(50, timedelta(minutes=60), 100, at(nine))
    assert mean == pytest.approx(20, abs=2)


def test_a_count_that_is_not_believed_teaches_nothing() -> None:
    """A day of it leaves all that was known as it was, and nothing is scored."""
    city = CityForecast()
    lived(city, (0, 1), lambda at_s: [by_the_clock(at_s)])
    before = city.kept_lots(np.array([0]))
    outcomes = lived(city, (1 + 1.1 / 24, 2), lambda _: [None])

    assert outcomes == []
    known, knew = (CityForecast() for _ in range(2))
    known.seat((A,), ("UTC",), city.kept_lots(np.array([0])))
    knew.seat((A,), ("UTC",), before)
    assert known.foreseen().volatility == knew.foreseen().volatility


def test_a_long_silence_is_no_change_of_five_minutes() -> None:
    """From 10 free to 90 over a night: neither restless for it, nor is it usual that the lot empties in the morning."""
    city = CityForecast()
    lived(city, (0, 0.5), lambda _: [10])
    calm = city.foreseen().volatility[0]
    city.step(MONDAY_S + DAY_S, counted([90], MONDAY_S + DAY_S))

    assert city.foreseen().volatility[0] == calm
    assert city.foreseen().by_lot()[A].change(timedelta(hours=1)) == 0


def test_a_lot_that_is_full_is_expected_to_stay_full() -> None:
    """At four its spaces usually come free, but today it is full: queues fill what comes free."""
    city = CityForecast()
    lived(city, (0.6, 0.8), lambda at_s: [by_the_clock(at_s)])
    lived(city, (7.6, 7 + 16 / 24), lambda at_s: [by_the_clock(at_s)])
    four = MONDAY_S + 7 * DAY_S + 16 * 3600
    city.step(four, counted([0], four))
    foreseen = city.foreseen().by_lot()[A]

    assert foreseen.mean(0, timedelta(hours=1), 100, at(four)) == 0
    assert foreseen.mean(5, timedelta(hours=1), 100, at(four)) == 15
    assert foreseen.mean(30, timedelta(hours=1), 100, at(four)) > 55


def test_chances_follow_what_came_of_them() -> None:
    """A lot that is full for hours: the law alone says nearly one half, what was learned says never."""
    city = CityForecast()
    lived(city, (0, 1), lambda at_s: [0 if at_s % DAY_S < 64_800 else 10 + 10 * (at_s // STEP_S % 2)])
    foreseen = city.foreseen().by_lot()[A]
    law = Foreseen(foreseen.volatility)

    assert law.chance(0, timedelta(hours=1)) > 0.4
    assert foreseen.chance(0, timedelta(hours=1)) < 0.15


def test_a_new_lot_takes_its_chances_from_all_lots() -> None:
    """What was learned of the others is what is assumed of one that came today."""
    city = CityForecast()
    lived(city, (0, 1), lambda at_s: [0 if at_s % DAY_S < 64_800 else 10 + 10 * (at_s // STEP_S % 2)])
    city.step(MONDAY_S + DAY_S, counted([0, 0], MONDAY_S + DAY_S))
    foreseen = city.foreseen().by_lot()

    assert foreseen[B].chance(0, timedelta(hours=1)) < UNKNOWN_LOT.chance(0, timedelta(hours=1)) - 0.1


def test_what_is_kept_is_known_again() -> None:
    """After a restart the same is foreseen as would have been without it, but for what the last hour's were worth."""
    city = CityForecast()
    lived(city, (0, 1), lambda at_s: [by_the_clock(at_s), 3 + at_s // STEP_S % 3])
    again = CityForecast(city.kept_city())
    again.seat(city.lot_ids, ("UTC", "UTC"), city.kept_lots(np.array([0, 1])))
    now_s = MONDAY_S + DAY_S
    now = counted([by_the_clock(now_s), 3], now_s)
    city.step(now_s, now)
    again.step(now_s, now)

    assert again.foreseen().volatility == pytest.approx(city.foreseen().volatility)
    assert again.foreseen().course == pytest.approx(city.foreseen().course)
    assert again.foreseen().rates == pytest.approx(city.foreseen().rates, abs=0.01)


def test_what_another_form_of_memory_kept_is_learned_anew() -> None:
    """Neither read as something else nor a reason to fail."""
    city = CityForecast(b"of another release")
    city.seat((A,), ("UTC",), {A: b"of another release"})
    city.step(MONDAY_S, counted([1], MONDAY_S))

    assert city.foreseen().by_lot()[A].volatility == UNKNOWN_LOT.volatility


def test_a_clock_that_was_set_back_stops_nobody_from_learning() -> None:
    """What was counted at a later time than now is no reason to wait for it."""
    city = CityForecast()
    lived(city, (1, 1.2), lambda _: [10])
    lived(city, (0, 0.2), lambda at_s: [50 + 2 * (-1) ** (at_s // STEP_S)])

    assert city.foreseen().volatility[0] == pytest.approx(4.0, abs=0.1)


def test_a_lot_keeps_what_is_known_of_it_when_others_come_and_go() -> None:
    """Rows move; what was learned moves along."""
    city = CityForecast()
    lived(city, (0, 0.5), lambda at_s: (50, 50 + 2 * (-1) ** (at_s // STEP_S)))
    city.seat((B,), ("UTC",))

    assert city.foreseen().volatility[0] == pytest.approx(4.0, abs=0.05)


def test_forecasts_are_scored_when_their_time_comes() -> None:
    """One for five minutes ahead was made at nine; at five past, a count shows what came true, and nothing before."""
    city = CityForecast()
    for step, free in enumerate([3, 2, 0]):
        outcomes = city.step(MONDAY_S + step * STEP_S, counted([free], MONDAY_S + step * STEP_S))

    assert [(one.issued_s - MONDAY_S, one.horizon, one.truth.tolist()) for one in outcomes] == [(STEP_S, 0, [0.0])]
    assert outcomes[0].free_then.tolist() == [2.0]


def test_hours_of_history_teach_what_is_usual_before_the_first_report() -> None:
    """The means of a week's hours, as the record keeps them: at ten, halfway between those of nine and of ten."""
    city = CityForecast()
    city.seat((A,), ("UTC",))
    for hour in range(8 * 24 + 9):
        middle_s = MONDAY_S + hour * 3600 + 1_800
        city.learn_hours([A], middle_s, np.array([by_the_clock(middle_s)]))
    nine = MONDAY_S + 8 * DAY_S + 9 * 3600
    city.step(nine, counted([50], nine))

    mean = city.foreseen().by_lot()[A].mean(50, timedelta(minutes=60), 100, at(nine))
    assert mean == pytest.approx(27.5, abs=2)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 40)), min_size=4, max_size=60),
    st.sampled_from([STEP_S, 900, 1_800, 7_500]),
)
def test_whatever_was_counted_chances_are_chances_and_rise_with_what_is_free(
    counts: list[int | None], gap_s: int
) -> None:
    """In 0..1, never not a number, monotone in free, for every turn; means lie within the lot; one way is the other."""
    city = CityForecast()
    now_s = MONDAY_S
    for step, count in enumerate(counts):
        now_s = MONDAY_S + step * gap_s // STEP_S * STEP_S
        observed_s = float(now_s - 40)
        outcomes = city.step(now_s, counted([count, None, 5], observed_s))
        for outcome in outcomes:
            assert np.isfinite(outcome.chance).all()
            assert np.isfinite(outcome.mean).all()
            assert 1 not in outcome.rows, "of a lot without a count nothing is forecast"
    for foreseen in city.foreseen().by_lot().values():
        for rates in foreseen.rates:
            assert list(rates) == sorted(rates)
            assert all(0 < rate < 1 for rate in rates)
        for ahead in HORIZONS:
            chances = [foreseen.chance(free, ahead, at(now_s - 40)) for free in range(-2, 60)]
            assert chances == sorted(chances)
            assert all(0 < chance < 1 for chance in chances)
            assert all(0 <= foreseen.mean(free, ahead, 50, at(now_s - 40)) <= 50 for free in (0, 7, 50, 60))


def test_all_lots_at_once_are_told_the_same_as_one() -> None:
    """The step's arrays and `Foreseen` are two writings of one law: what was scored is what was published."""
    city = CityForecast()
    lived(city, (0.5, 1.67), lambda at_s: (by_the_clock(at_s), at_s // STEP_S % 4, max(0, by_the_clock(at_s) - 20)))
    now_s, counts = MONDAY_S + int(1.67 * DAY_S) // STEP_S * STEP_S, (21.0, 2.0, 0.0)
    city.step(now_s, counted(counts, now_s - 90))
    published = city.foreseen().by_lot()
    told = {}
    for ahead in range(1, 14):
        later_s = now_s + ahead * STEP_S
        for one in city.step(later_s, counted([30.0, 1.0, 4.0], later_s - 90)):
            if one.issued_s == now_s:
                told[one.horizon] = one

    assert sorted(told) == [0, 1, 2, 3]
    assert told[3].mean[0] > 40, "it empties"
    counted_at = at(now_s - 90)
    for place, horizon in enumerate(HORIZONS):
        since_count = horizon + timedelta(seconds=90)
        for row, (foreseen, free) in enumerate(zip(published.values(), counts, strict=True)):
            assert foreseen.chance(free, since_count, counted_at) == pytest.approx(told[place].chance[row], abs=1e-6)
            assert foreseen.mean(int(free), since_count, 100, counted_at) == pytest.approx(
                told[place].mean[row], abs=1e-4
            )
    assert len(KNOTS) == len(published[A].rates[0])
