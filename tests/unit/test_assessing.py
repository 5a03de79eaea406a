"""What a series shows besides stillness: yes-or-no counts, clocks, capacities, spills, silence, drift."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowei.domain.assessing import (
    ClockReading,
    Day,
    Finding,
    Hour,
    Series,
    find_binary,
    find_capacity,
    find_frozen_clock,
    find_gap,
    find_spill,
)
from bowei.domain.dirt import Dirt
from bowei.domain.drifting import find_drift, residual
from bowei.domain.findings import find_all
from tests.unit.series_made import CAPACITY, MONDAY, hours, mall, series_of

NOW = datetime(2026, 3, 20, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def one(found: object) -> Finding | None:
    """Give the one finding, if there is one."""
    (finding,) = list(found) or [None]  # type: ignore[call-overload]
    return finding  # type: ignore[no-any-return]


def counts(*values: int, every: timedelta = HOUR) -> list[Hour]:
    """Let a lot say one count an hour."""
    return [Hour(NOW + n * every, 1, value, value, value, 1, CAPACITY) for n, value in enumerate(values)]


def test_a_yes_or_no_is_not_a_count() -> None:
    """0 and 1, back and forth for days."""
    found = one(find_binary(series_of(counts(*[1, 1, 0, 1, 0, 0] * 14))))
    assert found is not None
    assert (found.evidence["low"], found.evidence["high"], found.evidence["days"]) == (0, 1, 4)


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("a third value", [1, 0] * 40 + [2]),
        ("one day only", [1, 0] * 6),
        ("hardly ever exchanged", [1] * 50 + [0] * 50),
        ("one value", [1] * 100),
        ("nothing", []),
    ],
)
def test_what_only_looks_like_a_yes_or_no(what: str, values: list[int]) -> None:
    """A small lot, a young one, or a stuck one is none."""
    assert one(find_binary(series_of(counts(*values)))) is None, what


def test_hours_with_values_between_are_counts() -> None:
    """An hour from 0 to 1 over other values would say so."""
    made = [dataclasses.replace(hour, low=0, high=9, values=7) for hour in counts(*[0, 9] * 40)]
    assert one(find_binary(series_of(made))) is None


def clock(reports: int, values: int, minutes: float) -> Finding | None:
    """Look at reports of one and the same time."""
    reading = ClockReading(reports, values, NOW, NOW + timedelta(minutes=minutes))
    return one(find_frozen_clock(Series(CAPACITY, "UTC", clock=reading)))


def test_a_clock_that_stands_still_while_counts_move_is_frozen() -> None:
    """As one city's did for five days."""
    found = clock(reports=4, values=3, minutes=45)
    assert found is not None
    assert (found.since, found.evidence["counts"]) == (NOW, 3)


@pytest.mark.parametrize(("reports", "values", "minutes"), [(9, 1, 300), (2, 2, 60), (5, 3, 9)])
def test_repeats_and_bursts_are_no_frozen_clock(reports: int, values: int, minutes: float) -> None:
    """The same report sent again, two corrections of one second, or a burst that was buffered."""
    assert clock(reports, values, minutes) is None


def capacities(*said: int | None) -> list[Finding]:
    """Let a lot say its capacity once an hour."""
    made = [Hour(NOW + n * HOUR, 1, 5, 5, 5, 1, capacity) for n, capacity in enumerate(said)]
    return list(find_capacity(series_of(made)))


def test_a_capacity_that_moves_and_stays_is_found_with_what_was_usual() -> None:
    """A floor is closed: 300 became 200."""
    (found,) = capacities(*[300] * 9, *[200] * 3)
    assert (found.dirt, found.since) == (Dirt.CAPACITY_MOVED, NOW + 9 * HOUR)
    assert (found.evidence["now"], found.evidence["usual"], found.evidence["registered"]) == (200, 300, 300)


def test_a_capacity_that_became_0_is_found() -> None:
    """0 spaces is no lot, whatever it was before."""
    (found,) = capacities(*[300] * 9, 0)
    assert (found.dirt, found.since) == (Dirt.CAPACITY_ZERO, NOW + 9 * HOUR)


@pytest.mark.parametrize(
    "said", [[300] * 12, [300] * 9 + [296] * 9, [300] * 9 + [200] * 2, [None] * 9, [200, 200], [300, 200] * 9]
)
def test_capacities_that_hardly_move_or_don_t_stay_are_not_found(said: list[int | None]) -> None:
    """A few spaces coned off, one garbled report, or a lot that does not say."""
    assert capacities(*said) == []


def test_a_lot_that_never_said_what_is_registered_is_found() -> None:
    """The parties agreed on 300, and it has said 120 from the start."""
    (found,) = capacities(*[120] * 5)
    assert (found.dirt, found.evidence["usual"]) == (Dirt.CAPACITY_MOVED, 300)


def spills(*at_hours: int, most: int = 320) -> Finding | None:
    """Let a lot say more than it has in some hours before now."""
    made = [Hour(NOW - ago * HOUR, 0, spilled=2, spilled_to=most) for ago in sorted(at_hours, reverse=True)]
    return one(find_spill(series_of(made), NOW))


def test_too_many_free_again_and_again_is_a_wrong_register() -> None:
    """Every night the lot empties to more than it is registered with."""
    found = spills(*range(1, 5), *range(25, 29), *range(49, 53))
    assert found is not None
    assert found.dirt is Dirt.FREE_ABOVE_CAPACITY
    assert found.evidence["suggests_capacity"] == 320


def test_too_many_free_for_a_day_is_a_wrong_register() -> None:
    """From some hour on it always says more: somebody rebuilt it."""
    found = spills(*range(1, 26))
    assert found is not None
    assert found.dirt is Dirt.FREE_ABOVE_CAPACITY


def test_too_many_free_once_is_a_spike() -> None:
    """One bad evening is no reason to change the register."""
    found = spills(2, 3, 4, most=8_259)
    assert found is not None
    assert (found.dirt, found.confidence < 0.65) == (Dirt.OVERFLOW, True)


def test_what_spilled_long_ago_is_over() -> None:
    """A register that was mended four days ago is right."""
    assert spills(*range(97, 140)) is None


def test_silence_is_judged_by_the_lot_s_own_habit() -> None:
    """Ten minutes are long for a lot of every minute, and nothing for one of every half hour."""
    for usual, silent, found in ((60, 659, True), (60, 599, False), (1_800, 10_000, False), (1_800, 10_801, True)):
        series = Series(CAPACITY, "UTC", last_at=NOW - timedelta(seconds=silent), usual_gap=timedelta(seconds=usual))
        assert (one(find_gap(series, NOW)) is not None) is found
    assert one(find_gap(Series(CAPACITY, "UTC"), NOW)) is None


def a_day(ago: int, **known: int) -> Day:
    """Give a day on which 200 cars came and 200 left, and the count agrees, unless `known` says otherwise."""
    usual = {"enters": 200, "exits": 200, "free_first": 290, "free_last": 290, "day_enters": 200, "day_exits": 200}
    return Day(day=(NOW - ago * DAY).date(), **(usual | known))


def drift(*days: Day, capacity: int = CAPACITY) -> list[Finding]:
    """Look at days, the oldest first."""
    return list(find_drift(Series(capacity, "UTC", days=days)))


def test_a_counter_that_loses_cars_day_after_day_drifts() -> None:
    """30 of 400 cars a day are not seen: 7.5 %."""
    (found,) = drift(a_day(3), a_day(2, free_last=320), a_day(1, free_last=321))
    assert (found.evidence["against"], found.evidence["lost"], found.evidence["cars"]) == ("passages", 61, 800)
    assert found.since.date() == (NOW - 2 * DAY).date()


@pytest.mark.parametrize(
    "days",
    [
        [a_day(3), a_day(2), a_day(1)],
        [a_day(3), a_day(2), a_day(1, free_last=330)],
        [a_day(2, free_last=310), a_day(1, free_last=310)],
        [a_day(2, free_last=330, enters=20, exits=20), a_day(1, free_last=330, enters=20, exits=20)],
        [a_day(2, enters=260, free_last=230), a_day(1, enters=260, free_last=230)],
        [Day((NOW - DAY).date())],
        [],
    ],
    ids=["agrees", "one day only", "below 7 %", "few cars", "cars that stayed", "nothing known", "no days"],
)
def test_what_is_no_drift(days: list[Day]) -> None:
    """Counts that agree with their cars, that err a little, or of which too little is known."""
    assert drift(*days) == []


def test_a_few_lost_cars_of_a_large_lot_are_no_drift() -> None:
    """What is small beside the capacity misleads nobody."""
    days = [a_day(n, free_last=330) for n in (2, 1)]
    assert drift(*days) != []
    assert drift(*days, capacity=3_000) == []


def test_a_lot_whose_passages_do_not_add_up_to_its_own_day_drifts() -> None:
    """It says that 250 came and 250 left, and we heard of 200 each."""
    (found,) = drift(*(a_day(n, arrived=250, left=250) for n in (2, 1)))
    assert (found.evidence["against"], found.evidence["lost"], found.evidence["cars"]) == ("reconciliation", 200, 1_000)


def test_a_lot_that_sends_no_passages_is_not_held_to_its_day() -> None:
    """A lot of counts alone may reconcile all the same."""
    days = [a_day(n, arrived=250, left=250, day_enters=0, day_exits=0, enters=0, exits=0) for n in (2, 1)]
    assert drift(*days) == []


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), st.integers(0, 290), st.integers(100, 300))
def test_what_the_count_gains_is_what_left_more_than_came(lost: list[int], first: int, cars: int) -> None:
    """For any day, the residual is exactly the cars that the counter missed."""
    for missed in lost:
        day = a_day(1, enters=cars, exits=cars, free_first=first, free_last=first + missed)
        assert residual(day) == missed


def test_a_healthy_lot_has_no_finding() -> None:
    """Four weeks of a mall, its clock, its capacity and its days: nothing is wrong."""
    made = hours(mall, MONDAY, MONDAY + 28 * DAY)
    now = made[-1].at + HOUR
    series = dataclasses.replace(series_of(made), last_at=now, days=[a_day(n) for n in (3, 2, 1)])
    assert find_all(series, now) == ()


_counts = st.one_of(st.none(), st.integers(0, 500))


@given(
    st.lists(st.tuples(st.integers(1, 50), _counts, _counts, st.integers(0, 3), _counts), max_size=60),
    st.integers(0, 400),
)
def test_any_series_can_be_looked_at(
    rows: list[tuple[int, int | None, int | None, int, int | None]], capacity: int
) -> None:
    """Whatever lots say: no error, at most one finding of a kind, all of it fit for JSON."""
    at, made = NOW, []
    for gap, first, second, spilled, said in rows:
        at += gap * HOUR
        low, high = (None, None) if first is None or second is None else sorted((first, second))
        values = 0 if low is None or high is None else min(2, high - low + 1)
        made.append(Hour(at, 2, low, high, high, values, said, spilled, 900 if spilled else None))
    found = find_all(Series(capacity, "Asia/Shanghai", made, last_at=at), at + HOUR)
    assert len({finding.dirt for finding in found}) == len(found)
    for finding in found:
        json.dumps(dict(finding.evidence), allow_nan=False)
        assert 0 < finding.confidence <= 1
