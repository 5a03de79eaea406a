"""Nothing of a doubted lot is offered, whoever reported first and however its report came in."""

import pytest

from bowei.domain.agreements import AgreementId
from bowei.domain.dirt import Doubt
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation
from bowei.domain.trust import TrustState
from bowei.records.quality import Assessment
from bowei.records.reporting import Judged
from tests.contract.block import FIRST, MALL, MALL_FIRST, OFFICE, SOURCE, Block, a_lot, lending, on
from tests.contract.test_quality import enrol, lot_of, state_of

NEW_LOT, NEW = LotId("new"), SourceId("new")
NEW_FIRST = AgreementId("new-first")
LOOK = [Assessment(NEW_LOT)]


async def register_new(block: Block) -> None:
    """Register a lot that lends ten spaces, and whose source must earn trust first."""
    await block.register.put_lots([a_lot(NEW_LOT, 50)])
    await block.register.put_agreements([lending(NEW_FIRST, NEW_LOT, FIRST, 10)])
    await enrol(block, NEW_LOT, source_id=NEW, trusted=False)


async def test_a_first_report_is_doubted_though_nobody_said_so_with_it(block: Block) -> None:
    """Shows that the ledger itself knows: what recorded the report may have read what was learned too early."""
    await register_new(block)
    first = (await block.report(NEW_LOT, free=30)).report
    assert first is not None
    assert (first.doubt, first.revision) == (Doubt.PROBATION, 1)
    assert await block.granted_to(["one"], on(NEW_FIRST)) == []
    assert await block.granted_to(["two"], on(MALL_FIRST)) == ["two"]


async def test_a_first_report_s_doubt_is_no_doubt_of_those_recorded_with_it(block: Block) -> None:
    """Shows that what the ledger knows of one lot of a batch says nothing of the others."""
    await register_new(block)
    await block.pass_time(minutes=1)
    lots = (NEW_LOT, OFFICE, MALL)
    recorded = await block.journal.record([Judged(Observation(lot_id, block.now, SOURCE, free=4)) for lot_id in lots])
    reports = [one.report for one in recorded]
    assert [report and report.doubt for report in reports] == [Doubt.PROBATION, None, None]
    assert [(await block.journal.reports())[lot_id] for lot_id in lots] == reports


async def test_a_report_that_was_recorded_without_its_doubt_is_doubted_at_the_next_look(block: Block) -> None:
    """Shows that a lot is not offered for good because two commits passed each other."""
    await register_new(block)
    await block.report(NEW_LOT, free=30)
    await block.journal.set_doubt(NEW_LOT, None)
    assert await block.stores.quality.assess(LOOK) == {}
    assert (await block.journal.reports())[NEW_LOT].doubt is Doubt.PROBATION
    assert await block.granted_to(["one"], on(NEW_FIRST)) == []


@pytest.mark.parametrize("over", [Doubt.PROBATION, Doubt.SUSPENDED, Doubt.COMMS_LOST])
async def test_a_report_that_was_recorded_with_a_doubt_that_is_over_is_believed_at_the_next_look(
    block: Block, over: Doubt
) -> None:
    """Shows the other way round, so that no lot stays closed."""
    await enrol(block, MALL)
    await block.journal.set_doubt(MALL, over)
    assert await block.stores.quality.assess([Assessment(MALL)]) == {}
    assert (await block.journal.reports())[MALL].doubt is None


async def test_a_source_that_is_put_as_it_is_given_leaves_its_lots_on_probation(block: Block) -> None:
    """Shows that to read the register and write it back is no word of trust for a lot that was added since."""
    await enrol(block, MALL)
    assert [one.trusted for one in await block.register.sources()] == [True]
    await enrol(block, MALL, OFFICE, trusted=False)
    given = await block.register.sources()
    assert [one.trusted for one in given] == [False]
    await block.register.put_sources(given)
    assert (await state_of(block, SOURCE), await state_of(block, SOURCE, OFFICE)) == (
        TrustState.LIVE,
        TrustState.PROBATION,
    )
    assert (await lot_of(block, OFFICE)).doubt == "probation"
    await enrol(block, MALL, OFFICE)
    assert [one.trusted for one in await block.register.sources()] == [True]


async def test_a_finding_that_was_put_right_by_hand_is_not_brought_back_by_a_look(block: Block) -> None:
    """Shows that a count by hand stands until the rules have seen what came after it."""
    await enrol(block, MALL)
    await block.stores.quality.assess([Assessment(MALL, (), "stuck")])
    await block.pass_time(minutes=1)
    await block.report(MALL, free=40, reset=True)
    assert await block.stores.quality.assess([Assessment(MALL, (), "stuck")]) == {}
    assert (await block.journal.reports())[MALL].doubt is None
