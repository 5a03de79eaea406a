"""What the journal answers is what it recorded, whatever shares the commit and whatever stood before."""

from dataclasses import replace
from datetime import timedelta

from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import Bound, LotState, Observation, Outcome
from bowei.records.reporting import Judged
from tests.contract.block import MALL, OFFICE, OWN, SOURCE, Block

SECOND = timedelta(seconds=1)


async def test_each_of_a_batch_is_recorded_as_it_alone_would_be(block: Block) -> None:
    """Shows that what one report says, or leaves out, or is taken for, says nothing of the others of its commit."""
    plain = Observation(MALL, block.now, SOURCE, free=30)
    full = Observation(
        OFFICE,
        block.now - SECOND,
        SOURCE,
        seq=3,
        capacity=40,
        open=35,
        free=20,
        state=LotState.FULL_AT_ENTRANCE,
        free_by_class={SpaceClass.EV: 2},
        queue_vehicles=4,
        bound=Bound.AT_MOST,
        reset=True,
    )
    belief = replace(full, observed_at=block.now, free=18, queue_vehicles=None, dirt=frozenset({Dirt.AT_MOST}))
    recorded = await block.journal.record([Judged(plain), Judged(full, None, belief)])
    assert [one.lot_id for one in recorded] == [MALL, OFFICE]
    of_plain, of_full = (one.report for one in recorded)
    assert of_plain is not None
    assert (of_plain.free, of_plain.capacity, of_plain.bound, of_plain.state, of_plain.dirt, of_plain.said_at) == (
        30,
        None,
        Bound.EXACT,
        LotState.OPEN,
        frozenset(),
        None,
    )
    assert of_full is not None
    assert (of_full.free, of_full.bound, of_full.queue_vehicles, of_full.dirt) == (18, Bound.AT_MOST, None, belief.dirt)
    assert (of_full.state, of_full.free_by_class, of_full.said_at) == (full.state, full.free_by_class, full.observed_at)
    reports = await block.journal.reports()
    assert (reports[MALL], reports[OFFICE]) == (of_plain, of_full)


async def test_the_report_after_an_applied_one_is_the_one_on_record(block: Block) -> None:
    """Shows that a doubt that stands, its end, and what was learned of the lot's gap come back with the answer."""
    await block.report(MALL, free=30)
    for doubt, reset in ((Doubt.STUCK, False), (Doubt.STUCK, True), (Doubt.REGISTRY_WRONG, True)):
        await block.journal.set_doubt(MALL, doubt)
        await block.pass_time(minutes=7)
        report = (await block.report(MALL, free=29, reset=reset)).report
        assert report is not None
        assert report.received_at == block.now
        assert (await block.journal.reports())[MALL] == report


async def test_what_became_of_each_of_a_batch_is_answered_in_its_place(block: Block) -> None:
    """Shows that what is new, known, late and not believed may come together, and each has its own lot's report."""
    before = {lot_id: (await block.report(lot_id, free=9, seq=5)).report for lot_id in (MALL, OFFICE, OWN)}
    await block.pass_time(minutes=1)
    known = before[OFFICE]
    assert known is not None
    said = [
        Judged(Observation(OFFICE, known.observed_at, SOURCE, seq=5, free=9)),
        Judged(Observation(MALL, block.now, SOURCE, seq=6, free=8)),
        Judged(Observation(OWN, block.now, SOURCE, seq=7, free=999), "free_above_capacity"),
    ]
    recorded = await block.journal.record(said)
    assert [(one.lot_id, one.outcome) for one in recorded] == [
        (OFFICE, Outcome.DUPLICATE),
        (MALL, Outcome.APPLIED),
        (OWN, Outcome.QUARANTINED),
    ]
    reports = await block.journal.reports()
    assert [one.report for one in recorded] == [reports[OFFICE], reports[MALL], reports[OWN]]
    assert [reports[lot_id].free for lot_id in (OFFICE, MALL, OWN)] == [9, 8, 9]
    assert reports[OWN].refused is Dirt.FREE_ABOVE_CAPACITY
    late = await block.journal.record([Judged(Observation(OFFICE, known.observed_at - SECOND, SOURCE, free=3))])
    assert [(one.outcome, one.report) for one in late] == [(Outcome.STALE, reports[OFFICE])]
