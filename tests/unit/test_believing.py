"""What we take a report for, one rule after the other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bowei.domain.believing import FROZEN_AFTER, Claim, Known, LotFacts, claimed, judge
from bowei.domain.dirt import Dirt
from bowei.domain.lots import LotId, SourceId, SpaceClass
from bowei.domain.observations import FUTURE_TOLERANCE, Bound, LotState, Observation, Outcome, Verdict
from bowei.domain.offering import Report
from bowei.domain.problems import KINDS

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BINARY = LotFacts(binary=True)


def only(*dirt: Dirt) -> frozenset[Dirt]:
    """Give a set of dirt."""
    return frozenset(dirt)


def said(**what: Any) -> Observation:
    """Give what a lot says at noon."""
    return Observation(LotId("mall"), what.pop("at", NOON), SourceId("counter"), **what)


def known(**what: Any) -> Known:
    """Give what is known at noon of a lot registered with 300 spaces."""
    return Known(what.pop("registered", 300), what.pop("now", NOON), **what)


def a_report(at: datetime = NOON - MINUTE, **what: Any) -> Report:
    """Give the report before."""
    return Report(observed_at=at, received_at=at, **what)


def believed(observation: Observation, **what: Any) -> Observation:
    """Judge, and give what is believed of what was said."""
    verdict = judge(observation, known(**what))
    assert (verdict.outcome, verdict.code) == (Outcome.APPLIED, None), verdict
    assert verdict.belief is not None
    return verdict.belief


def refusal(observation: Observation, **what: Any) -> str | None:
    """Judge, and give why it is not believed."""
    verdict = judge(observation, known(**what))
    assert not verdict.believed
    assert verdict.code in KINDS
    return verdict.code


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"free": 0},
        {"free": 300, "open": 300},
        {"free": 280, "capacity": 290, "open": 290},
        {"free_by_class": {SpaceClass.EV: 300}},
        {"free": 118, "occupied": 182},
        {"free": 7, "state": LotState.CLOSED},
        {"free": 1, "at": NOON - timedelta(days=3)},
        {"free": 1, "at": NOON + FUTURE_TOLERANCE},
    ],
)
def test_a_report_that_can_be_true_is_believed_as_it_was_said(what: dict[str, Any]) -> None:
    """Nothing is noted but a capacity that is not the registered one."""
    belief = believed(said(**what))
    assert replace(belief, dirt=frozenset()) == said(**what)
    assert belief.dirt <= {Dirt.CAPACITY_MOVED}


def test_a_time_too_far_ahead_is_refused_before_anything_else() -> None:
    """A clock that is wrong makes every count of the report worthless; nothing of it is taken."""
    verdict = judge(said(free=999, at=NOON + FUTURE_TOLERANCE + timedelta(microseconds=1)), known())
    assert verdict == Verdict(Outcome.REJECTED, "future_time")
    assert verdict.belief is None


def test_where_a_clock_is_known_to_be_wrong_the_time_of_receipt_is_used_and_said() -> None:
    """Be it behind or ahead."""
    for off in (timedelta(days=-30), timedelta(days=30)):
        belief = believed(said(free=5, at=NOON + off), facts=LotFacts(frozen_clock=True))
        assert (belief.observed_at, belief.dirt) == (NOON, only(Dirt.FROZEN_CLOCK))


class TestFrozenClock:
    """A time that stands still while the counts move."""

    STOPPED = NOON - timedelta(days=30)

    def test_counts_that_move_at_a_time_that_does_not_are_of_now(self) -> None:
        """The same time and another count, a month later: the count is believed, the time is not."""
        belief = believed(said(free=5, at=self.STOPPED), last=a_report(self.STOPPED, free=9))
        assert (belief.free, belief.observed_at, belief.dirt) == (5, NOON, only(Dirt.FROZEN_CLOCK))

    def test_once_found_it_stays_found_until_the_time_moves(self) -> None:
        """A count that rests for a while is still of now, and a new time is believed again."""
        last = a_report(NOON - MINUTE, free=5, said_at=self.STOPPED, dirt=only(Dirt.FROZEN_CLOCK))
        assert believed(said(free=5, at=self.STOPPED), last=last).observed_at == NOON
        moved = believed(said(free=5, at=NOON - timedelta(seconds=1)), last=last)
        assert (moved.observed_at, moved.dirt) == (NOON - timedelta(seconds=1), frozenset())

    def test_a_time_that_moves_again_is_used_once_it_has_come_past_the_last_receipt(self) -> None:
        """A clock that was set half right would make new counts older than the last one."""
        last = a_report(NOON - MINUTE, free=5, said_at=self.STOPPED, dirt=only(Dirt.FROZEN_CLOCK))
        behind = believed(said(free=4, at=NOON - 10 * MINUTE), last=last)
        assert (behind.observed_at, behind.dirt) == (NOON, only(Dirt.FROZEN_CLOCK))
        older = believed(said(free=4, at=self.STOPPED - MINUTE), last=last)
        assert (older.observed_at, older.dirt) == (self.STOPPED - MINUTE, only())

    @pytest.mark.parametrize(
        ("at", "last"),
        [
            (STOPPED, None),
            (STOPPED, a_report(STOPPED, free=5)),
            (STOPPED, a_report(STOPPED - MINUTE, free=9)),
            (STOPPED, a_report(NOON - MINUTE, free=9, said_at=STOPPED)),
            (NOON - FROZEN_AFTER, a_report(NOON - FROZEN_AFTER, free=9)),
        ],
        ids=["the first", "a repeat", "another time", "passages moved the count", "not for long enough"],
    )
    def test_an_old_report_is_not_taken_for_a_stopped_clock(self, at: datetime, last: Report | None) -> None:
        """What came late or twice keeps its time."""
        belief = believed(said(free=5, at=at), last=last)
        assert (belief.observed_at, belief.dirt) == (at, frozenset())


@pytest.mark.parametrize("dirt", [Dirt.SENTINEL, Dirt.NOT_A_NUMBER, Dirt.FRACTION, Dirt.NO_DATA_AS_ZERO])
def test_a_count_that_stands_for_nothing_stays_unknown(dirt: Dirt) -> None:
    """Never 0, never full; and the dirt is kept."""
    belief = believed(said(dirt=only(dirt)))
    assert (belief.free, belief.state, belief.dirt) == (None, LotState.OPEN, only(dirt))


@pytest.mark.parametrize(("free", "dirt"), [(0, only(Dirt.NO_DATA_AS_ZERO)), (7, only()), (None, only())])
def test_a_lot_that_knows_nothing_counts_nothing(free: int | None, dirt: frozenset[Dirt]) -> None:
    """A source that has no data says 0, as most do, or an old number."""
    belief = believed(said(free=free, state=LotState.UNKNOWN, open=5, free_by_class={SpaceClass.EV: 1}))
    assert (belief.free, belief.open, dict(belief.free_by_class), belief.state) == (None, None, {}, LotState.UNKNOWN)
    assert belief.dirt == dirt


@pytest.mark.parametrize(
    "what",
    [
        {"free": -1},
        {"open": -1},
        {"capacity": -300},
        {"free": 1, "free_by_class": {SpaceClass.EV: -1}},
        {"occupied": -4},
        {"dirt": only(Dirt.NEGATIVE_COUNT)},
    ],
)
def test_a_negative_count_is_no_count(what: dict[str, Any]) -> None:
    """Nobody said what it stands for, so the last good report stands."""
    assert refusal(said(**what)) == "negative_count"


def test_a_barrier_that_let_out_a_few_cars_too_many_counts_an_empty_lot() -> None:
    """Three cars below none, of three hundred spaces, are none."""
    belief = believed(said(occupied=-3))
    assert (belief.free, belief.dirt) == (300, only(Dirt.NEGATIVE_COUNT))


def test_a_negative_queue_is_left_out() -> None:
    """Nobody is sent by it."""
    belief = believed(said(free=5, queue_vehicles=-1))
    assert (belief.free, belief.queue_vehicles, belief.dirt) == (5, None, only(Dirt.NEGATIVE_COUNT))


@pytest.mark.parametrize(
    ("free", "as_free", "bound"), [(1, 1, Bound.AT_LEAST), (349, 1, Bound.AT_LEAST), (0, 0, Bound.EXACT)]
)
def test_a_yes_that_looks_like_a_count_is_at_least_one_space(free: int, as_free: int, bound: Bound) -> None:
    """And a no is full, exactly."""
    belief = believed(said(free=free, capacity=1), facts=BINARY)
    assert (belief.free, belief.bound, belief.dirt) == (as_free, bound, only(Dirt.BINARY_COUNT))
    assert believed(said(), facts=BINARY).free is None


@pytest.mark.parametrize("what", [{"free": 23}, {"occupied": 5}])
def test_spaces_of_a_lot_without_any_are_not_believed(what: dict[str, Any]) -> None:
    """23 free of 0: one of the two is wrong, and nobody knows which."""
    assert refusal(said(capacity=0, **what)) == "capacity_zero"


def test_a_lot_without_spaces_is_closed_and_not_full() -> None:
    """That is how a source says it."""
    belief = believed(said(capacity=0, free=0))
    assert (belief.state, belief.capacity, belief.dirt) == (LotState.CLOSED, None, only(Dirt.CAPACITY_ZERO))
    assert believed(said(capacity=0, free=0, state=LotState.UNKNOWN)).state is LotState.UNKNOWN


def test_where_the_capacity_was_found_out_a_zero_is_not_said() -> None:
    """The count is held against what was found."""
    belief = believed(said(capacity=0, free=23), facts=LotFacts(capacity=80))
    assert (belief.free, belief.capacity, belief.dirt) == (23, None, only(Dirt.CAPACITY_ZERO))
    assert refusal(said(capacity=0, free=90), facts=LotFacts(capacity=80)) == "free_above_capacity"


class TestMovedCapacity:
    """A capacity that is not the one before."""

    @pytest.mark.parametrize(("capacity", "as_capacity"), [(297, 297), (270, 270), (330, 300)])
    def test_a_small_step_is_believed_and_noted_but_never_more_than_is_registered(
        self, capacity: int, as_capacity: int
    ) -> None:
        """Some spaces coned off; and a lot that claims more than its register is not trusted by itself."""
        belief = believed(said(capacity=capacity, free=20))
        assert (belief.capacity, belief.free, belief.dirt) == (as_capacity, 20, only(Dirt.CAPACITY_MOVED))

    @pytest.mark.parametrize("capacity", [269, 331, 30, 3000])
    def test_a_leap_is_not_believed_until_another_report_repeats_it(self, capacity: int) -> None:
        """A floor that was closed says so again; a garbled report does not. The same report sent twice is one."""
        leap = said(capacity=capacity, free=20)
        assert refusal(leap) == "capacity_moved"
        assert refusal(leap, claim=Claim(NOON, NOON - 9 * MINUTE, capacity)) == "capacity_moved"
        assert refusal(leap, claim=Claim(NOON - MINUTE, NOON, capacity + 1)) == "capacity_moved"
        assert believed(leap, claim=Claim(NOON, NOON - 10 * MINUTE, capacity)).free == 20, "its time stands still"
        belief = believed(leap, claim=Claim(NOON - MINUTE, NOON, capacity))
        assert (belief.capacity, belief.dirt) == (min(capacity, 300), only(Dirt.CAPACITY_MOVED))

    def test_a_repeat_does_not_make_a_claim_younger(self) -> None:
        """Nor does a report that says no capacity end it."""
        first = claimed(said(capacity=200), None, NOON)
        assert first == Claim(NOON, NOON, 200)
        assert claimed(said(capacity=200), first, NOON + MINUTE) is first
        assert claimed(said(free=5), first, NOON + MINUTE) is first
        assert claimed(said(capacity=201), first, NOON + MINUTE) == Claim(NOON, NOON + MINUTE, 201)

    def test_what_was_believed_before_is_no_step(self) -> None:
        """A lot with a floor closed goes on without a note, and its way back is a leap again."""
        last = a_report(free=5, capacity=200)
        assert believed(said(capacity=200, free=5), last=last).dirt == frozenset()
        assert believed(said(capacity=300, free=5), last=last).dirt == frozenset()
        assert refusal(said(capacity=250, free=5), last=last) == "capacity_moved"


class TestCars:
    """Sources that count cars."""

    def test_spaces_are_what_the_cars_leave(self) -> None:
        """Of the capacity that is said, or else of the registered one."""
        assert believed(said(occupied=100)).free == 200
        assert believed(said(occupied=100, capacity=280)).free == 180

    @pytest.mark.parametrize("occupied", [301, 316, 1464])
    def test_more_cars_than_spaces_are_a_full_lot(self, occupied: int) -> None:
        """They stand in the aisles, or the register is wrong: either way nobody is sent there."""
        belief = believed(said(occupied=occupied))
        assert (belief.free, belief.dirt) == (0, only(Dirt.OVERFLOW))
        assert believed(said(occupied=occupied, free=0)).dirt == only(Dirt.OVERFLOW)

    @pytest.mark.parametrize(
        ("free", "occupied", "as_free"), [(50, 200, 50), (103, 200, 100), (99, 200, 99), (3, 310, 0)]
    )
    def test_where_free_and_cars_disagree_the_smaller_count_stands(
        self, free: int, occupied: int, as_free: int
    ) -> None:
        """Fewer than all are spaces out of use; a few too many are a barrier's slip."""
        belief = believed(said(free=free, occupied=occupied))
        assert (belief.free, Dirt.COUNTS_DISAGREE in belief.dirt) == (as_free, True)

    def test_far_too_many_of_both_are_not_believed(self) -> None:
        """One of the two is another number."""
        assert refusal(said(free=104, occupied=200)) == "counts_disagree"
        assert refusal(said(free=104, occupied=400)) == "counts_disagree"


class TestBounds:
    """Counts such as "30 or more" and "fewer than 10"."""

    @pytest.mark.parametrize(("bound", "dirt"), [(Bound.AT_LEAST, Dirt.AT_LEAST), (Bound.AT_MOST, Dirt.AT_MOST)])
    def test_a_bound_stays_a_bound(self, bound: Bound, dirt: Dirt) -> None:
        """And is noted."""
        belief = believed(said(free=30, bound=bound))
        assert (belief.free, belief.bound, belief.dirt) == (30, bound, only(dirt))

    def test_none_at_most_is_full_and_none_at_least_is_nothing_said(self) -> None:
        """The one is exact, the other unknown."""
        full, nothing = (believed(said(free=0, bound=bound)) for bound in (Bound.AT_MOST, Bound.AT_LEAST))
        assert (full.free, full.bound) == (0, Bound.EXACT)
        assert (nothing.free, nothing.bound) == (None, Bound.EXACT)

    def test_more_at_least_than_there_are_is_not_believed_and_more_at_most_is_all(self) -> None:
        """Fewer than 400 is true of 300 spaces; 400 or more is not."""
        assert refusal(said(free=400, bound=Bound.AT_LEAST)) == "free_above_capacity"
        belief = believed(said(free=400, bound=Bound.AT_MOST))
        assert (belief.free, belief.dirt) == (300, only(Dirt.AT_MOST))


@pytest.mark.parametrize(
    ("registered", "most"), [(300, 303), (1500, 1503), (150, 153), (90, 91), (50, 51), (49, 49), (0, 0)]
)
def test_a_few_more_than_all_are_all_and_more_are_not_believed(registered: int, most: int) -> None:
    """At most 3 spaces and 2 % of the lot: what a barrier miscounts, and no more."""
    belief = believed(said(free=most), registered=registered)
    assert (belief.free, belief.dirt) == (registered, only(Dirt.FREE_ABOVE_CAPACITY) if most > registered else only())
    assert refusal(said(free=most + 1), registered=registered) == "free_above_capacity"
    assert refusal(said(free_by_class={SpaceClass.EV: most + 1}), registered=registered) == "free_above_capacity"


def test_free_is_held_against_the_capacity_that_the_report_says() -> None:
    """A lot of 300 with 20 spaces coned off can't have 290 free."""
    assert refusal(said(capacity=280, free=290)) == "free_above_capacity"


def test_a_capacity_that_was_found_out_bounds_the_count_and_the_register_what_is_shown() -> None:
    """As long as the register is not mended, nobody is told of more spaces than it has."""
    belief = believed(said(free=320), facts=LotFacts(capacity=330))
    assert (belief.free, belief.dirt) == (300, only(Dirt.FREE_ABOVE_CAPACITY))
    assert refusal(said(free=320), facts=LotFacts(capacity=310)) == "free_above_capacity"
    assert refusal(said(free=320)) == "free_above_capacity"


@pytest.mark.parametrize("what", [{"open": 301}, {"open": 290, "capacity": 289}])
def test_more_open_spaces_than_there_are_are_not_believed(what: dict[str, Any]) -> None:
    """Nobody counts those by a barrier: there is no slip to forgive."""
    assert refusal(said(**what)) == "open_above_capacity"


def test_what_is_not_believed_is_kept_with_its_name_beside_its_other_dirt() -> None:
    """The record says all that was found, not only the last."""
    verdict = judge(said(free=999, dirt=only(Dirt.NAIVE_TIME)), known())
    assert verdict == Verdict(Outcome.QUARANTINED, "free_above_capacity")
    assert verdict.belief is not None
    assert verdict.belief.dirt == only(Dirt.NAIVE_TIME, Dirt.FREE_ABOVE_CAPACITY)
