"""What the journal promises, kept by every store: the order of reports, passages, and what is learned from them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bowei.domain.dirt import ENDED_BY_COUNTING, Dirt, Doubt
from bowei.domain.freshness import learn_gap
from bowei.domain.lots import LotId, SpaceClass
from bowei.domain.observations import Bound, LotState, Observation, Outcome, PassageKind
from bowei.records.reporting import Judged
from tests.contract.block import MALL, OFFICE, SOURCE, Block, a_lot

SECOND = timedelta(seconds=1)
MINUTE = timedelta(seconds=60)


async def shown(block: Block, lot_id: LotId = MALL) -> int | None:
    """Give the free spaces of the lot's newest believed report."""
    return (await block.journal.reports())[lot_id].free


async def test_a_report_is_kept_as_it_was_said(block: Block) -> None:
    """Shows that everything a lot says is given back, with when it was received."""
    await block.pass_time(minutes=1)
    recorded = await block.report(
        MALL,
        at=block.now - SECOND,
        seq=7,
        capacity=48,
        open=30,
        free=12,
        state=LotState.FULL_AT_ENTRANCE,
        free_by_class={SpaceClass.EV: 2},
        queue_vehicles=4,
    )
    report = recorded.report
    assert (recorded.lot_id, recorded.outcome) == (MALL, Outcome.APPLIED)
    assert report is not None
    assert (report.observed_at, report.received_at, report.seq) == (block.now - SECOND, block.now, 7)
    assert (report.capacity, report.open, report.free, report.state) == (48, 30, 12, LotState.FULL_AT_ENTRANCE)
    assert (report.free_by_class, report.queue_vehicles) == ({SpaceClass.EV: 2}, 4)
    assert (await block.journal.reports())[MALL] == report


async def test_what_a_report_leaves_out_is_unknown(block: Block) -> None:
    """Shows that nothing is carried over from the report before: unknown is neither 0 nor the last value."""
    await block.report(MALL, seq=1, capacity=48, open=30, free=12, free_by_class={SpaceClass.EV: 2})
    report = (await block.report(MALL, seq=2)).report
    assert report is not None
    assert (report.capacity, report.open, report.free, dict(report.free_by_class)) == (None, None, None, {})


@pytest.mark.parametrize(
    ("off", "seq", "free", "outcome", "left"),
    [
        (SECOND, None, 10, "applied", 10),
        (-SECOND, None, 10, "stale", 20),
        (-SECOND, 99, 10, "stale", 20),
        (timedelta(), None, 10, "stale", 20),
        (timedelta(), 4, 10, "stale", 20),
        (timedelta(), 5, 20, "duplicate", 20),
        (timedelta(), 5, 10, "duplicate", 20),
        (timedelta(), 6, 10, "applied", 10),
    ],
)
async def test_a_report_is_newer_by_its_time_then_by_its_number(
    block: Block, off: timedelta, seq: int | None, free: int, outcome: str, left: int
) -> None:
    """Shows the order of a numbered report and another one: an older one is history, a repeat is nothing."""
    await block.report(MALL, seq=5, free=20)
    recorded = await block.report(MALL, at=block.now + off, seq=seq, free=free)
    assert recorded.outcome == outcome
    assert recorded.report is not None
    assert recorded.report.free == left == await shown(block)


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [
        ({"free": 50}, "duplicate"),
        ({"free": 50, "queue_vehicles": 3}, "duplicate"),
        ({"free": 49}, "applied"),
        ({"free": 50, "open": 5}, "applied"),
        ({"free": 50, "capacity": 50}, "applied"),
        ({"free": 50, "state": LotState.CLOSED}, "applied"),
        ({"free": 50, "free_by_class": {SpaceClass.EV: 1}}, "applied"),
        ({}, "applied"),
    ],
)
async def test_of_two_reports_without_number_in_one_second_the_later_received_wins(
    block: Block, counts: dict[str, Any], outcome: str
) -> None:
    """Shows that identical is duplicate, and that a difference in what is said counts as a correction."""
    recorded = await block.report(MALL, **counts)
    assert recorded.outcome == outcome
    assert recorded.report is not None
    assert recorded.report.free == counts.get("free")


async def test_a_report_that_is_not_believed_leaves_the_last_good_one(block: Block) -> None:
    """Shows that an impossible count is answered as quarantined, changes no count, and says why the last one stands."""
    await block.pass_time(minutes=1)
    before = (await block.journal.reports())[MALL]
    standing = replace(before, refused=Dirt.FREE_ABOVE_CAPACITY, revision=1)
    for _ in range(2):
        recorded = await block.report(MALL, free=99, code="free_above_capacity")
        assert (recorded.outcome, recorded.report) == (Outcome.QUARANTINED, standing)
    assert (await block.journal.reports())[MALL] == standing
    await block.pass_time(minutes=1)
    believed = (await block.report(MALL, free=9)).report
    assert believed is not None
    assert (believed.free, believed.refused, believed.revision) == (9, None, 1)


async def test_an_old_report_that_is_not_believed_says_nothing_of_the_last_good_one(block: Block) -> None:
    """Shows that what came late and was wrong is history only."""
    await block.pass_time(minutes=1)
    await block.report(MALL, free=20)
    before = (await block.journal.reports())[MALL]
    recorded = await block.report(MALL, free=99, at=block.now - SECOND, code="free_above_capacity")
    assert (recorded.outcome, recorded.report) == (Outcome.QUARANTINED, before)


async def test_many_reports_of_one_lot_are_recorded_in_the_order_given(block: Block) -> None:
    """Shows that a batch with several reports of one lot ends with the newest, one answer each."""
    frees = [(3, 30), (1, 10), (3, 30), (4, 40)]
    said = [
        Judged(Observation(lot_id, block.now + number * SECOND, SOURCE, free=free))
        for number, free in frees
        for lot_id in (MALL, OFFICE)
    ]
    recorded = await block.journal.record(said)
    assert [one.lot_id for one in recorded] == [MALL, OFFICE] * 4
    assert [one.outcome.value for one in recorded[::2]] == ["applied", "stale", "duplicate", "applied"]
    assert (await shown(block), await shown(block, OFFICE)) == (40, 40)


async def test_an_empty_batch_is_recorded(block: Block) -> None:
    """Shows that a sender with nothing to say is answered."""
    assert list(await block.journal.record([])) == []


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    gaps=st.lists(
        st.one_of(
            st.timedeltas(timedelta(microseconds=1), timedelta(days=2)),
            st.sampled_from([10 * SECOND, MINUTE, 4 * MINUTE, timedelta(hours=6), timedelta(hours=7)]),
        ),
        max_size=8,
    )
)
async def test_the_usual_gap_is_learned_as_the_domain_says(block: Block, gaps: list[timedelta]) -> None:
    """Shows that the ledger learns a lot's cadence by the domain's rule, so that both believe equally long."""
    number = (await block.register.directory_version()) + 1
    lot_id = LotId(f"silent-{number}")
    await block.register.put_lots([a_lot(lot_id, 50)])
    usual_gap = MINUTE
    await block.report(lot_id, free=1)
    for gap in gaps:
        await block.step_to(block.now + gap)
        usual_gap = learn_gap(usual_gap, gap)
        report = (await block.report(lot_id, free=1)).report
        assert report is not None
        assert report.usual_gap == usual_gap


async def test_a_correction_within_the_second_teaches_no_gap(block: Block) -> None:
    """Shows that two reports of one instant don't make a source look quick."""
    await block.report(MALL, free=49)
    report = (await block.report(MALL, free=48)).report
    assert report is not None
    assert report.usual_gap == MINUTE


@pytest.mark.parametrize(("kind", "free"), [(PassageKind.ENTER, 19), (PassageKind.EXIT, 21)])
async def test_a_passage_moves_the_count_by_one_and_once(block: Block, kind: PassageKind, free: int) -> None:
    """Shows that a repeat of a passage changes nothing, and that the direction is part of its id."""
    await block.report(MALL, seq=1, free=20)
    await block.pass_time(seconds=5)
    passed_at = block.now
    recorded = await block.passes(kind, passage_id="p", moves_count=True)
    assert recorded.outcome is Outcome.APPLIED
    assert recorded.report is not None
    assert (recorded.report.free, recorded.report.observed_at) == (free, passed_at)
    await block.pass_time(seconds=5)
    again = await block.passes(kind, passage_id="p", moves_count=True)
    assert (again.outcome, again.report) == (Outcome.DUPLICATE, recorded.report)
    other = PassageKind.EXIT if kind is PassageKind.ENTER else PassageKind.ENTER
    assert (await block.passes(other, passage_id="p", moves_count=True)).outcome is Outcome.APPLIED
    assert await shown(block) == 20


async def test_a_passage_moves_no_count_of_a_lot_that_counts_itself(block: Block) -> None:
    """Shows that a passage is recorded either way, and counted only where the count follows from passages."""
    await block.pass_time(seconds=5)
    recorded = await block.passes(PassageKind.ENTER)
    assert recorded.outcome is Outcome.APPLIED
    assert await shown(block) == 50


@pytest.mark.parametrize(
    ("off", "outcome", "free"), [(-SECOND, "stale", 20), (0 * SECOND, "stale", 20), (SECOND, "applied", 19)]
)
async def test_a_full_count_has_seen_every_passage_up_to_its_instant(
    block: Block, off: timedelta, outcome: str, free: int
) -> None:
    """Shows that a passage that comes late is history: the count that is newer has the car in it."""
    await block.pass_time(minutes=1)
    await block.report(MALL, free=20)
    recorded = await block.passes(PassageKind.ENTER, passed_at=block.now + off, moves_count=True)
    assert recorded.outcome == outcome
    assert await shown(block) == free


async def test_passages_between_two_counts_may_come_in_any_order(block: Block) -> None:
    """Shows that every passage later than the last full count moves it, also one that is older than the last."""
    await block.pass_time(minutes=1)
    for number, ago in enumerate((10, 30, 20)):
        await block.passes(
            PassageKind.ENTER, passage_id=str(number), passed_at=block.now - ago * SECOND, moves_count=True
        )
    report = (await block.journal.reports())[MALL]
    assert (report.free, report.observed_at) == (47, block.now - 10 * SECOND)


async def test_the_next_full_count_corrects_what_passages_made_of_the_last(block: Block) -> None:
    """Shows that a count later than the passages replaces them, and one from before them does not."""
    await block.pass_time(minutes=1)
    await block.passes(PassageKind.ENTER, moves_count=True)
    assert (await block.report(MALL, free=10, at=block.now - SECOND)).outcome is Outcome.STALE
    assert await shown(block) == 49
    assert (await block.report(MALL, free=11, at=block.now + SECOND)).outcome is Outcome.APPLIED
    assert await shown(block) == 11


@pytest.mark.parametrize(("kind", "free"), [(PassageKind.ENTER, 0), (PassageKind.EXIT, 50)])
async def test_passages_never_count_below_nothing_nor_above_the_lot(block: Block, kind: PassageKind, free: int) -> None:
    """Shows that missed passages don't lead to counts that can't be."""
    await block.report(MALL, seq=1, free=free)
    await block.pass_time(seconds=5)
    await block.passes(kind, moves_count=True)
    assert await shown(block) == free


async def test_a_lot_that_reports_its_capacity_is_counted_up_to_it(block: Block) -> None:
    """Shows that the lot's own word on its size goes before the registered one."""
    await block.report(MALL, seq=1, free=60, capacity=61)
    await block.pass_time(seconds=5)
    for number in range(2):
        await block.passes(PassageKind.EXIT, passage_id=str(number), moves_count=True)
    assert await shown(block) == 61


async def test_passages_of_a_day_are_found_by_lot_direction_and_time(block: Block) -> None:
    """Shows which ids of a span of time are recorded: its start is in it, its end is not, a repeat counts once."""
    start = block.now - MINUTE
    for passage_id, after in (
        ("early", -SECOND),
        ("b-first", 0 * SECOND),
        ("aa-last", 9 * SECOND),
        ("next", 10 * SECOND),
    ):
        await block.passes(PassageKind.ENTER, MALL, passage_id=passage_id, passed_at=start + after)
    await block.passes(PassageKind.ENTER, MALL, passage_id="a-first", passed_at=start)
    await block.passes(PassageKind.ENTER, MALL, passage_id="aa-last", passed_at=start + SECOND)
    await block.passes(PassageKind.EXIT, MALL, passage_id="out", passed_at=start)
    await block.passes(PassageKind.ENTER, OFFICE, passage_id="elsewhere", passed_at=start)

    async def found(most: int = 9) -> list[str]:
        return list(await block.journal.passage_ids(MALL, PassageKind.ENTER, start, start + 10 * SECOND, most=most))

    assert await found() == ["a-first", "b-first", "aa-last"]
    assert await found(most=2) == ["a-first", "b-first"]


async def test_a_passage_of_a_lot_without_count_is_recorded(block: Block) -> None:
    """Shows that a passage makes no count out of nothing."""
    await block.report(MALL, seq=1)
    await block.pass_time(seconds=5)
    assert (await block.passes(PassageKind.EXIT, moves_count=True)).outcome is Outcome.APPLIED
    assert await shown(block) is None
    lot_id = LotId("silent")
    await block.register.put_lots([a_lot(lot_id, 50)])
    recorded = await block.passes(PassageKind.EXIT, lot_id, moves_count=True)
    assert (recorded.outcome, recorded.report) == (Outcome.APPLIED, None)


async def test_what_is_believed_stands_beside_what_was_said(block: Block) -> None:
    """Shows that the newest report is the belief, with the source's own time, the dirt, and the bound."""
    await block.pass_time(minutes=1)
    said = Observation(MALL, block.now - timedelta(days=30), SOURCE, free=51, raw="51\0", bound=Bound.EXACT)
    belief = replace(
        said, observed_at=block.now, free=30, bound=Bound.AT_LEAST, dirt=frozenset({Dirt.FROZEN_CLOCK, Dirt.AT_LEAST})
    )
    (recorded,) = await block.journal.record([Judged(said, None, belief)])
    report = recorded.report
    assert report is not None
    assert (report.free, report.bound, report.dirt) == (30, Bound.AT_LEAST, belief.dirt)
    assert (report.observed_at, report.said_at) == (block.now, said.observed_at)
    assert (await block.journal.reports())[MALL] == report


async def test_a_report_that_differs_by_its_bound_alone_is_a_correction(block: Block) -> None:
    """Shows that "30" and "30 or more" are not the same to say."""
    assert (await block.report(MALL, free=30)).outcome is Outcome.APPLIED
    assert (await block.report(MALL, free=30, bound=Bound.AT_LEAST)).outcome is Outcome.APPLIED
    assert (await block.report(MALL, free=30, bound=Bound.AT_LEAST)).outcome is Outcome.DUPLICATE


async def test_a_doubt_stands_until_it_is_taken_back_or_the_lot_is_counted_by_hand(block: Block) -> None:
    """Shows that reports and passages leave a doubt alone, and that each change is a new revision."""
    doubted = await block.journal.set_doubt(MALL, Doubt.STUCK)
    assert doubted is not None
    assert (doubted.doubt, doubted.free, doubted.revision) == (Doubt.STUCK, 50, 1)
    assert await block.journal.set_doubt(MALL, Doubt.STUCK) == doubted
    await block.pass_time(minutes=1)
    await block.report(MALL, free=40)
    await block.passes(PassageKind.ENTER, moves_count=True, passed_at=block.now + SECOND)
    later = (await block.journal.reports())[MALL]
    assert (later.doubt, later.free, later.revision) == (Doubt.STUCK, 39, 1)
    cleared = await block.journal.set_doubt(MALL, None)
    assert cleared is not None
    assert (cleared.doubt, cleared.free, cleared.revision) == (None, 39, 2)


@pytest.mark.parametrize("doubt", Doubt)
async def test_a_count_by_hand_ends_the_doubts_that_it_puts_right(block: Block, doubt: Doubt) -> None:
    """Shows that every store ends just those that the domain names."""
    await block.journal.set_doubt(MALL, doubt)
    await block.pass_time(minutes=1)
    report = (await block.report(MALL, free=40, reset=True)).report
    assert report is not None
    ended = doubt in ENDED_BY_COUNTING
    assert (report.doubt, report.revision) == (None if ended else doubt, 2 if ended else 1)


async def test_a_lot_that_never_reported_has_nothing_to_doubt_but_its_first_report(block: Block) -> None:
    """Shows that a doubt known before the first report comes with it, and only with it."""
    lot_id = LotId("new")
    await block.register.put_lots([a_lot(lot_id, 50)])
    assert await block.journal.set_doubt(lot_id, Doubt.PROBATION) is None
    first = Judged(Observation(lot_id, block.now, SOURCE, free=1), doubt=Doubt.PROBATION)
    (recorded,) = await block.journal.record([first])
    assert recorded.report is not None
    assert (recorded.report.doubt, recorded.report.revision) == (Doubt.PROBATION, 1)
    await block.journal.set_doubt(lot_id, None)
    second = Judged(Observation(lot_id, block.now + SECOND, SOURCE, free=2), doubt=Doubt.PROBATION)
    (recorded,) = await block.journal.record([second])
    assert recorded.report is not None
    assert (recorded.report.doubt, recorded.report.revision) == (None, 2)


async def test_a_bound_moves_with_the_cars(block: Block) -> None:
    """Shows that "at least 30" is "at least 29" when a car has come in, and "at most 9" at most 10 when one left."""
    await block.report(MALL, seq=1, free=30, bound=Bound.AT_LEAST)
    await block.report(OFFICE, seq=1, free=9, bound=Bound.AT_MOST)
    await block.pass_time(seconds=5)
    entered = (await block.passes(PassageKind.ENTER, moves_count=True)).report
    left = (await block.passes(PassageKind.EXIT, OFFICE, moves_count=True)).report
    assert entered is not None
    assert left is not None
    assert (entered.free, entered.bound) == (29, Bound.AT_LEAST)
    assert (left.free, left.bound) == (10, Bound.AT_MOST)


async def test_who_leaves_a_lot_that_overflows_frees_no_space(block: Block) -> None:
    """Shows that the cars in the aisles take the space before anybody else can."""
    said = Observation(MALL, block.now, SOURCE, seq=1, free=0, dirt=frozenset({Dirt.OVERFLOW}))
    await block.journal.record([Judged(said)])
    await block.pass_time(seconds=5)
    await block.passes(PassageKind.EXIT, moves_count=True)
    assert await shown(block) == 0
