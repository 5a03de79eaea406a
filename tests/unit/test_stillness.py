"""A stuck counter is found by what its lot usually does at each hour; what is usually still is not stuck."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.assessing import Finding, Hour
from bowei.domain.dirt import Dirt
from bowei.domain.stillness import find_stuck
from tests.unit.series_made import CAPACITY, MONDAY, hours, mall, office, series_of, stands

WEEK, DAY, HOUR = timedelta(days=7), timedelta(days=1), timedelta(hours=1)
TUESDAY_9H = MONDAY + 15 * DAY + 9 * HOUR


def stuck(made: list[Hour], now: datetime | None = None) -> Finding | None:
    """Look at a series when its last hour has ended."""
    found = list(find_stuck(series_of(made), now or made[-1].at + HOUR))
    assert len(found) <= 1
    return found[0] if found else None


def test_a_mall_that_stands_still_by_day_is_stuck() -> None:
    """The plain case: two weeks of life, then one count from morning to evening."""
    made = hours(mall, MONDAY, TUESDAY_9H) + stands(123, TUESDAY_9H, TUESDAY_9H + 9 * HOUR)
    found = stuck(made)
    assert found is not None
    assert (found.dirt, found.since) == (Dirt.STUCK, TUESDAY_9H)
    assert found.evidence["free"] == 123
    assert found.evidence["still_h"] == 9
    assert float(found.evidence["expected_moves"]) >= 8
    assert found.confidence > 0.9


def test_it_is_not_found_before_it_is_sure() -> None:
    """A quiet morning may be one: a few hours of stillness prove nothing."""
    made = hours(mall, MONDAY, TUESDAY_9H) + stands(123, TUESDAY_9H, TUESDAY_9H + 6 * HOUR)
    assert stuck(made) is None


def test_it_is_over_when_the_counter_moves() -> None:
    """A finding ends with what it found."""
    made = hours(mall, MONDAY, TUESDAY_9H) + stands(123, TUESDAY_9H, TUESDAY_9H + 12 * HOUR)
    assert stuck([*made, *hours(mall, TUESDAY_9H + DAY, TUESDAY_9H + DAY + 2 * HOUR)]) is None


@pytest.mark.parametrize("weeks", [1, 4])
def test_an_empty_night_that_is_usual_is_not_stuck(weeks: int) -> None:
    """Ten hours without a car, as on every night."""
    assert stuck(hours(mall, MONDAY, MONDAY + weeks * WEEK + 8 * HOUR)) is None


def test_a_weekend_that_is_usual_is_not_stuck() -> None:
    """An office is still from Friday evening to Monday morning, every week."""
    assert stuck(hours(office, MONDAY, MONDAY + 3 * WEEK + 7 * HOUR)) is None


def test_the_first_weekend_of_a_lot_is_not_stuck() -> None:
    """A lot of which only working days were seen: of weekends nothing is known, so nothing is said."""
    assert stuck(hours(office, MONDAY, MONDAY + WEEK)) is None


def test_an_unusual_first_weekend_is_not_stuck() -> None:
    """Cars of a feast fill half the office's lot until Monday: a count at which it never stood before."""
    friday = MONDAY + 4 * DAY + 20 * HOUR
    assert stuck(hours(office, MONDAY, friday) + stands(180, friday, MONDAY + WEEK)) is None


def test_days_and_nights_are_the_lot_s_own() -> None:
    """A depot moves day and night on working days; its first Saturday begins at its own midnight, not at UTC's."""

    def depot(at: datetime) -> tuple[int, int]:
        return 100 + at.hour, 130 + at.hour

    saturday = MONDAY + 5 * DAY
    before = hours(depot, MONDAY - 3 * WEEK, MONDAY - 3 * WEEK + 5 * DAY) + hours(depot, MONDAY, saturday)
    assert stuck(before + stands(150, saturday, saturday + 9 * HOUR)) is None


def test_a_week_of_holidays_is_not_stuck() -> None:
    """Spring Festival, nine days: the office rests at its night level, and is not doubted for it."""
    feast = MONDAY + 2 * WEEK
    made = hours(office, MONDAY, feast) + stands(280, feast, feast + 9 * DAY)
    assert stuck(made) is None


def test_rest_that_outlasts_every_holiday_is_stuck() -> None:
    """Night level or not: after twelve days nobody can be on holiday still."""
    feast = MONDAY + 2 * WEEK
    found = stuck(hours(office, MONDAY, feast) + stands(280, feast, feast + 13 * DAY))
    assert found is not None
    assert found.confidence < 0.9


@pytest.mark.parametrize("count", [0, 1, CAPACITY, CAPACITY - 2])
def test_a_full_or_empty_day_is_not_stuck(count: int) -> None:
    """A lot that is full from morning to night, for a feast or a fair, does not move, and says so truly."""
    made = hours(mall, MONDAY, TUESDAY_9H) + stands(count, TUESDAY_9H, TUESDAY_9H + 3 * DAY)
    assert stuck(made) is None


def test_a_counter_that_died_at_night_is_found_by_noon() -> None:
    """The night counts for nothing, the morning for much."""
    night = MONDAY + 14 * DAY + 23 * HOUR
    made = hours(mall, MONDAY, night) + stands(215, night, night + 10 * HOUR)
    assert stuck(made) is None
    found = stuck(made + stands(215, night + 10 * HOUR, night + 18 * HOUR))
    assert found is not None
    assert found.since == night


def test_a_lot_that_reports_seldom_is_given_longer() -> None:
    """With a report every third hour, what is missing is counted in hours that were seen."""
    made = hours(mall, MONDAY, TUESDAY_9H, step=3)
    day = [hour for hour in stands(123, TUESDAY_9H, TUESDAY_9H + 12 * HOUR) if hour.at.hour % 3 == 1]
    assert stuck(made + day) is None
    more = [hour for hour in stands(123, TUESDAY_9H, TUESDAY_9H + 2 * DAY) if hour.at.hour % 3 == 1]
    assert stuck(made + more) is not None


def test_a_lot_that_never_counted_is_stuck_without_a_habit() -> None:
    """The count that stands since the lot was registered: it has no better hours to be compared with."""
    assert stuck(stands(137, MONDAY, MONDAY + 3 * DAY)) is None
    found = stuck(stands(137, MONDAY, MONDAY + 5 * DAY))
    assert found is not None
    assert found.evidence["why"] == "hardly_ever_moves"


def test_a_full_or_empty_lot_that_never_counted_is_given_longer() -> None:
    """A lot under repair may truly be empty for days."""
    assert stuck(stands(CAPACITY, MONDAY, MONDAY + 13 * DAY)) is None
    assert stuck(stands(CAPACITY, MONDAY, MONDAY + 15 * DAY)) is not None


def test_a_fair_hall_that_moves_now_and_then_is_not_stuck() -> None:
    """A lot used for events: still for days, and alive on some."""
    fair = hours(mall, MONDAY, MONDAY + 2 * DAY)
    assert stuck(fair + stands(299, MONDAY + 2 * DAY, MONDAY + 9 * DAY)) is None


def test_nothing_is_said_of_nothing() -> None:
    """Hours without a count (closed, no data) neither move nor stand still."""
    blank = [Hour((MONDAY + n * HOUR).astimezone(MONDAY.tzinfo), 60) for n in range(200)]
    assert stuck(blank) is None
    assert list(find_stuck(series_of([]), MONDAY)) == []


@given(
    frees=st.lists(st.integers(0, CAPACITY), min_size=2, max_size=400),
    step=st.integers(1, 5),
)
def test_a_counter_that_just_moved_is_never_stuck(frees: list[int], step: int) -> None:
    """Whatever a lot did before: where its last two hours differ, it counts."""
    at = MONDAY
    made = [Hour(at + n * step * HOUR, 4, free, free, free, 1, CAPACITY) for n, free in enumerate(frees)]
    if frees[-1] != frees[-2]:
        assert stuck(made) is None


@given(gaps=st.lists(st.integers(1, 200), max_size=120), value=st.integers(0, CAPACITY))
def test_stillness_never_breaks_the_look(gaps: list[int], value: int) -> None:
    """Holes of any length, any value: at most one finding, with a confidence and a since that lies in the series."""
    made = hours(mall, MONDAY, MONDAY + WEEK)
    at = made[-1].at
    for gap in gaps:
        at += gap * HOUR
        made.append(Hour(at, 1, value, value, value, 1, CAPACITY))
    found = stuck(made)
    if found is not None:
        assert made[0].at <= found.since <= made[-1].at
        assert 0 < found.confidence <= 1
