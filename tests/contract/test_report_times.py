"""What the journal says of times ahead of its own clock, kept by every store: none hides what a lot says later."""

from datetime import timedelta

from bowei.domain.observations import FUTURE_TOLERANCE, Observation, Outcome
from bowei.records.reporting import Judged
from tests.contract.block import MALL, OFFICE, SOURCE, Block

SECOND = timedelta(seconds=1)


async def test_nothing_is_recorded_from_further_ahead_than_reports_may_be(block: Block) -> None:
    """Shows that a process whose clock is ahead hides no later report; the time that was said is kept beside."""
    said_at, latest = block.now + timedelta(days=1), block.now + FUTURE_TOLERANCE
    report = (await block.report(MALL, at=said_at, free=7)).report
    assert report is not None
    assert (report.observed_at, report.said_at, report.free) == (latest, said_at, 7)
    assert (await block.report(MALL, at=latest, seq=1, free=8)).outcome is Outcome.APPLIED
    await block.pass_time(seconds=31)
    assert (await block.report(MALL, free=9)).outcome is Outcome.APPLIED


async def test_of_a_round_only_what_is_too_far_ahead_is_moved(block: Block) -> None:
    """Shows that each lot's report keeps its own time, next to one that comes from the future."""
    await block.pass_time(minutes=1)
    times = (block.now + timedelta(hours=1), block.now - SECOND)
    recorded = await block.journal.record(
        [Judged(Observation(lot, at, SOURCE, free=3)) for lot, at in zip((MALL, OFFICE), times, strict=True)]
    )
    shown = [one.report.observed_at for one in recorded if one.report is not None]
    assert shown == [block.now + FUTURE_TOLERANCE, block.now - SECOND]
