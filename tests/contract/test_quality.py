"""What quality promises, kept by every store: trust is earned and taken, findings are kept, and lots are doubted."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from bowei.domain.assessing import Finding
from bowei.domain.dirt import Dirt
from bowei.domain.heartbeats import Heartbeat, Sign
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation, PassageKind
from bowei.domain.trust import TrustState
from bowei.records.quality import (
    Assessment,
    EventKind,
    LotFlags,
    LotQuality,
    QualityEvent,
    Reconciliation,
)
from bowei.records.registering import Source, SourceKind, UnknownReference
from bowei.records.reporting import Judged
from tests.contract.block import MALL, MONDAY_9H, OFFICE, SOURCE, Block

NEW = SourceId("new")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
STUCK = Finding(Dirt.STUCK, MONDAY_9H - HOUR, 0.95, {"free": 7, "still_h": 12})


async def enrol(
    block: Block, *lots: LotId, source_id: SourceId = SOURCE, trusted: bool = True, suspended: bool = False
) -> None:
    """Register a source that may report lots by their ids."""
    codes = tuple((str(lot_id), lot_id) for lot_id in lots)
    await block.register.put_sources(
        [Source(source_id, SourceKind.NATIVE, lots=codes, trusted=trusted, suspended=suspended)]
    )


async def lot_of(block: Block, lot_id: LotId = MALL) -> LotQuality:
    """Give how a lot stands."""
    (found,) = [one for one in (await block.stores.quality.city()).lots if one.lot_id == lot_id]
    return found


async def state_of(block: Block, source_id: SourceId, lot_id: LotId | None = None) -> TrustState:
    """Give where a source, or a lot of it, stands."""
    return (await block.stores.quality.city()).trusts[source_id, lot_id].state


async def find(
    block: Block, *findings: Finding, doubt: str | None = None, lot_id: LotId = MALL
) -> dict[LotId, str | None]:
    """Keep what was found of a lot."""
    return dict(await block.stores.quality.assess([Assessment(lot_id, findings, doubt)]))


async def events_of(block: Block, kind: EventKind) -> list[QualityEvent]:
    """Give what changed, the oldest first."""
    return [one for one in reversed(await block.stores.quality.events()) if one.kind is kind]


async def test_a_trusted_source_is_believed_at_once(block: Block) -> None:
    """Shows that an operator's word at registration is enough, and is on record as theirs."""
    await enrol(block, MALL, OFFICE)
    assert await state_of(block, SOURCE) is TrustState.LIVE
    assert await state_of(block, SOURCE, OFFICE) is TrustState.LIVE
    assert (await lot_of(block)).doubt is None
    event = (await events_of(block, EventKind.TRUST))[0]
    assert (event.source_id, event.was, event.became, event.said_by) == (SOURCE, None, "live", "registry")


async def test_a_source_begins_on_probation_and_its_lots_are_doubted(block: Block) -> None:
    """Shows that nothing of an unknown source is offered, from before its first report on."""
    await enrol(block, MALL, source_id=NEW, trusted=False)
    assert await state_of(block, NEW) is await state_of(block, NEW, MALL) is TrustState.PROBATION
    assert (await lot_of(block)).doubt == "probation"
    assert await block.stores.quality.flags() == {MALL: LotFlags(doubt="probation")}
    assert [one.trusted for one in await block.register.sources()] == [False]
    await enrol(block, MALL, source_id=NEW, trusted=True)
    assert await state_of(block, NEW) is await state_of(block, NEW, MALL) is TrustState.LIVE
    assert (await lot_of(block)).doubt is None


async def test_putting_a_source_again_changes_no_trust(block: Block) -> None:
    """Shows that a repeat of a registration, or one that adds a lot, puts nobody back on probation."""
    await enrol(block, MALL)
    before = await events_of(block, EventKind.TRUST)
    await enrol(block, MALL, trusted=False)
    assert await events_of(block, EventKind.TRUST) == before
    await enrol(block, MALL, OFFICE, trusted=False)
    assert await state_of(block, SOURCE, MALL) is TrustState.LIVE
    assert await state_of(block, SOURCE, OFFICE) is TrustState.PROBATION
    assert ((await lot_of(block)).doubt, (await lot_of(block, OFFICE)).doubt) == (None, "probation")


async def test_a_lot_that_leaves_its_source_is_trusted_no_more(block: Block) -> None:
    """Shows that trust is of a source and a lot together."""
    await enrol(block, MALL, OFFICE)
    await enrol(block, MALL)
    assert set((await block.stores.quality.city()).trusts) == {(SOURCE, None), (SOURCE, MALL)}


async def test_a_person_suspends_and_releases_one_lot(block: Block) -> None:
    """Shows that the act works at once, says who and why, and leaves the source's other lots alone."""
    await enrol(block, MALL, OFFICE)
    await block.stores.quality.suspend(SOURCE, MALL, said_by="li", reason="loop is broken")
    assert ((await lot_of(block)).doubt, (await lot_of(block, OFFICE)).doubt) == ("suspended", None)
    assert (await lot_of(block)).doubt_since == MONDAY_9H
    await block.stores.quality.release(SOURCE, MALL, said_by="wang", reason="mended", pinned=False)
    assert (await lot_of(block)).doubt is None
    assert [
        (one.lot_id, one.became, one.said_by, one.reason) for one in (await events_of(block, EventKind.TRUST))[-2:]
    ] == [
        (MALL, "suspended", "li", "loop is broken"),
        (MALL, "live", "wang", "mended"),
    ]


async def test_a_suspended_source_is_refused_and_the_register_says_so(block: Block) -> None:
    """Shows that suspending a source and registering it as suspended are the same, either way round."""
    await enrol(block, MALL)
    version = await block.register.directory_version()
    await block.stores.quality.suspend(SOURCE, None, said_by="li", reason="lies")
    assert [one.suspended for one in await block.register.sources()] == [True]
    assert await block.register.directory_version() > version
    assert (await lot_of(block)).doubt == "suspended"
    await enrol(block, MALL, suspended=False)
    assert await state_of(block, SOURCE) is TrustState.LIVE
    assert (await lot_of(block)).doubt is None
    await enrol(block, MALL, suspended=True)
    assert await state_of(block, SOURCE) is TrustState.SUSPENDED
    await block.stores.quality.release(SOURCE, None, said_by="li", reason="sorry", pinned=False)
    assert [one.suspended for one in await block.register.sources()] == [False]


async def test_a_refused_source_does_not_spoil_a_lot_that_another_reports(block: Block) -> None:
    """Shows that suspending one of two feeds of a lot leaves the other believed."""
    await enrol(block, MALL)
    await enrol(block, MALL, source_id=NEW)
    await block.stores.quality.suspend(NEW, None, said_by="li", reason="lies")
    assert (await lot_of(block)).doubt is None


@pytest.mark.parametrize(
    ("source_id", "lot_id", "code"),
    [("x", None, "unknown_source"), ("x", MALL, "unknown_source"), (SOURCE, OFFICE, "unknown_lot")],
)
async def test_acts_on_what_is_not_registered_are_refused(
    block: Block, source_id: SourceId, lot_id: LotId | None, code: str
) -> None:
    """Shows that a slip of the pen changes nothing."""
    await enrol(block, MALL)
    with pytest.raises(UnknownReference, match=code):
        await block.stores.quality.suspend(source_id, lot_id, said_by="li", reason="?")
    with pytest.raises(UnknownReference, match=code):
        await block.stores.quality.release(source_id, lot_id, said_by="li", reason="?", pinned=True)


async def test_findings_are_kept_and_doubt_a_lot_until_they_are_over(block: Block) -> None:
    """Shows what a look leaves behind: the findings, the doubt, and an event for each change, once."""
    await enrol(block, MALL)
    assert await find(block, STUCK, doubt="stuck") == {MALL: "stuck"}
    assert await find(block, STUCK, doubt="stuck") == {}
    found = await lot_of(block)
    assert (found.findings, found.doubt, found.assessed_at) == ((STUCK,), "stuck", MONDAY_9H)
    assert await find(block) == {MALL: None}
    assert (await lot_of(block)).findings == ()
    changes = [(one.was, one.became) for one in await events_of(block, EventKind.FINDING)]
    assert changes == [(None, "stuck"), ("stuck", None)]
    assert [(one.was, one.became) for one in await events_of(block, EventKind.DOUBT)] == [
        (None, "stuck"),
        ("stuck", None),
    ]


async def test_a_finding_keeps_the_instant_since_which_it_stands(block: Block) -> None:
    """Shows that a lot stuck for months is said to be so since then, though only weeks are looked at."""
    await find(block, STUCK)
    later = Finding(Dirt.STUCK, MONDAY_9H, 0.9, {"free": 7})
    await find(block, later)
    (kept,) = (await lot_of(block)).findings
    assert (kept.since, kept.evidence) == (STUCK.since, {"free": 7})


async def test_findings_make_flags_for_judging(block: Block) -> None:
    """Shows that a frozen clock, a yes-or-no count and a wrong register are remembered for the judging of reports."""
    await find(block, Finding(Dirt.FROZEN_CLOCK, MONDAY_9H, 0.95), Finding(Dirt.BINARY_COUNT, MONDAY_9H, 0.9))
    spill = Finding(Dirt.FREE_ABOVE_CAPACITY, MONDAY_9H, 0.9, {"suggests_capacity": 64})
    await find(block, spill, doubt="registry_wrong", lot_id=OFFICE)
    flags = {MALL: LotFlags(frozen_clock=True, binary_count=True), OFFICE: LotFlags(doubt="registry_wrong")}
    assert await block.stores.quality.flags() == flags
    assert (await lot_of(block, OFFICE)).suggested_capacity == 64


async def test_a_lot_that_somebody_vouches_for_is_believed_whatever_is_found(block: Block) -> None:
    """Shows that a person's word wins over a rule, until it is taken back."""
    await enrol(block, MALL)
    await find(block, STUCK, doubt="stuck")
    await block.stores.quality.release(SOURCE, MALL, said_by="li", reason="it is a fair hall", pinned=True)
    assert (await lot_of(block)).doubt is None
    await block.stores.quality.release(SOURCE, MALL, said_by="li", reason="no longer sure", pinned=False)
    assert (await lot_of(block)).doubt == "stuck"


async def test_what_the_rules_made_of_a_trust_does_not_undo_a_person_s_word(block: Block) -> None:
    """Shows that a look that began before somebody suspended a lot leaves it suspended."""
    await enrol(block, MALL)
    watched = (await block.stores.quality.watch([MALL]))[MALL]
    await block.pass_time(seconds=1)
    await block.stores.quality.suspend(SOURCE, MALL, said_by="li", reason="lies")
    await block.stores.quality.assess([Assessment(MALL, trusts=watched.trusts)])
    assert await state_of(block, SOURCE, MALL) is TrustState.SUSPENDED


async def test_no_space_of_a_doubted_lot_is_promised(block: Block) -> None:
    """Shows that the ledger itself refuses, from the commit of the doubt on, whatever copies say; and grants again."""
    await enrol(block, MALL, trusted=False)
    assert await block.granted_to(["a"]) == []
    await block.stores.quality.release(SOURCE, None, said_by="li", reason="known", pinned=False)
    assert await block.granted_to(["b"]) == []
    await block.stores.quality.release(SOURCE, MALL, said_by="li", reason="known", pinned=False)
    assert await block.granted_to(["c"]) == ["c"]
    await find(block, STUCK, doubt="stuck")
    assert await block.granted_to(["d"]) == []
    await block.pass_time(minutes=1)
    await block.report(MALL, free=44)
    assert await block.granted_to(["e"]) == []
    await find(block)
    assert await block.granted_to(["f"]) == ["f"]


async def test_looks_words_reports_and_registrations_do_not_stand_in_each_other_s_way(block: Block) -> None:
    """Shows that all of them may happen at once, again and again: nobody waits in a ring and is turned away."""
    quality = block.stores.quality
    await enrol(block, MALL, OFFICE)
    for number in range(12):
        watched = await quality.watch([MALL, OFFICE])
        stuck = number % 2 == 0
        look = [
            Assessment(lot_id, (STUCK,) if stuck else (), "stuck" if stuck else None, one.trusts)
            for lot_id, one in watched.items()
        ]
        await block.pass_time(seconds=1)
        both = [Judged(Observation(lot_id, block.now, SOURCE, free=number % 9)) for lot_id in (OFFICE, MALL)]
        await asyncio.gather(
            quality.assess(look),
            quality.suspend(SOURCE, None, said_by="li", reason="lies"),
            block.journal.record(both),
            enrol(block, MALL, OFFICE, suspended=not stuck),
            quality.release(SOURCE, OFFICE, said_by="li", reason="mended", pinned=False),
            quality.note_signs([Heartbeat(SOURCE, block.now, None, Sign.COMMS_LOST)]),
            quality.watch_links(),
            quality.city(),
        )
    trusts = (await quality.city()).trusts
    assert set(trusts) == {(SOURCE, None), (SOURCE, MALL), (SOURCE, OFFICE)}


async def test_lots_are_looked_at_when_they_are_due_the_longest_waiting_first(block: Block) -> None:
    """Shows that every lot gets its turn, and none twice in an hour."""
    quality = block.stores.quality
    assert len(await quality.due(every=HOUR, most=2)) == 2
    await quality.assess([Assessment(lot_id) for lot_id in await quality.due(every=HOUR, most=9)])
    assert await quality.due(every=HOUR, most=9) == []
    await block.pass_time(minutes=59)
    await find(block)
    await block.pass_time(minutes=1)
    assert await quality.due(every=HOUR, most=9) == [OFFICE, LotId("own")]
    await block.pass_time(hours=2)
    assert (await quality.due(every=HOUR, most=9))[-1] == MALL


async def test_a_look_sees_the_lot_s_hours(block: Block) -> None:
    """Shows what there is to look at: each hour's counts, capacity, and what was too much to be believed."""
    for minutes, free in ((0, 40), (20, 38), (70, 30), (80, 30)):
        await block.step_to(MONDAY_9H + minutes * MINUTE)
        await block.report(MALL, free=free, capacity=50)
    await block.report(MALL, free=77, capacity=50, code="free_above_capacity")
    series = (await block.stores.quality.watch([MALL]))[MALL].series
    assert (series.capacity, series.timezone, series.last_at) == (50, "Asia/Shanghai", block.now)
    first, second = series.hours
    # At 9:00 the block said 50 as it settled in, and 40 then won.
    assert (first.at, first.reports, first.low, first.high, first.last, first.values) == (MONDAY_9H, 3, 38, 50, 38, 3)
    assert (second.low, second.high, second.last, second.capacity) == (30, 30, 30, 50)
    assert (second.reports, second.spilled, second.spilled_to) == (2, 1, 77)


async def test_hours_that_were_summed_up_are_looked_at_too(block: Block) -> None:
    """Shows that weeks are seen, though the reports themselves are not read again."""
    await block.report(MALL, free=41)
    for days in range(1, 5):
        await block.step_to(MONDAY_9H + timedelta(days=days))
        await block.report(MALL, free=40 - days)
        for _ in range(3):
            await block.stores.history.note_hours()
        while await block.stores.history.roll_up():
            pass
    series = (await block.stores.quality.watch([MALL]))[MALL].series
    assert [hour.last for hour in series.hours] == [41, 39, 38, 37, 36]


async def test_a_look_sees_what_each_source_said_since_the_last(block: Block) -> None:
    """Shows what trust is counted from: believed and doubted reports, by source, each once."""
    await enrol(block, MALL)
    await find(block)
    await block.pass_time(minutes=1)
    await block.report(MALL, free=40)
    await block.report(MALL, free=99, code="free_above_capacity")
    other = Observation(MALL, block.now + timedelta(seconds=1), NEW, free=39)
    await block.journal.record([Judged(other)])
    assert (await block.stores.quality.watch([MALL]))[MALL].heard == {SOURCE: (1, 1), NEW: (1, 0)}
    await find(block)
    assert (await block.stores.quality.watch([MALL]))[MALL].heard == {}


async def test_a_look_sees_a_clock_that_stands_still(block: Block) -> None:
    """Shows the reports that say the same time, with how many counts and for how long."""
    then = MONDAY_9H + MINUTE
    for minutes, free in ((30, 40), (50, 39), (60, 38)):
        await block.step_to(MONDAY_9H + minutes * MINUTE)
        await block.report(MALL, at=then, free=free)
    clock = (await block.stores.quality.watch([MALL]))[MALL].series.clock
    assert clock is not None
    assert (clock.reports, clock.values) == (3, 3)
    assert clock.last_received_at - clock.first_received_at == 30 * MINUTE
    await block.report(MALL, free=37)
    assert (await block.stores.quality.watch([MALL]))[MALL].series.clock is None


async def test_a_look_sees_days_with_their_cars_and_their_reconciliation(block: Block) -> None:
    """Shows that a local day's counts, the cars between them, and the lot's own sums stand side by side."""
    day = date(2026, 3, 3)
    midnight = datetime(2026, 3, 2, 16, tzinfo=UTC)
    for hours, free in ((1, 50), (12, 47)):
        await block.step_to(midnight + hours * HOUR)
        await block.report(MALL, free=free)
    for number, kind in enumerate((PassageKind.ENTER, PassageKind.ENTER, PassageKind.EXIT)):
        await block.passes(kind, passage_id=f"p{number}", passed_at=midnight + (2 + number) * HOUR)
    await block.passes(PassageKind.EXIT, passage_id="late", passed_at=midnight + 13 * HOUR)
    await block.stores.quality.reconcile(Reconciliation(MALL, SOURCE, day, arrived=9, departed=9))
    await block.stores.quality.reconcile(Reconciliation(MALL, SOURCE, day, arrived=2, departed=3))
    await block.stores.quality.reconcile(Reconciliation(LotId("nowhere"), SOURCE, day, arrived=2, departed=3))
    await block.step_to(midnight + 30 * HOUR)
    seen = (await block.stores.quality.watch([MALL]))[MALL].series.days[-1]
    assert (seen.day, seen.free_first, seen.free_last, seen.enters, seen.exits) == (day, 50, 47, 2, 1)
    assert (seen.day_enters, seen.day_exits, seen.arrived, seen.left) == (2, 2, 2, 3)


async def test_a_lot_that_is_not_registered_is_not_looked_at(block: Block) -> None:
    """Shows that a lot removed meanwhile disturbs no look."""
    assert await block.stores.quality.watch([LotId("nowhere")]) == {}
    assert await find(block, lot_id=LotId("nowhere")) == {}


async def test_sources_are_judged_as_a_whole(block: Block) -> None:
    """Shows when a source was last heard by any of its lots, and that its state doubts all of them."""
    await enrol(block, MALL, OFFICE)
    await block.pass_time(minutes=3)
    await block.report(OFFICE, free=3)
    trust, heard_at = (await block.stores.quality.source_trusts())[SOURCE]
    assert (trust.state, heard_at) == (TrustState.LIVE, block.now)
    fallen = type(trust)(TrustState.SUSPENDED, block.now, block.now, reason="bad_reports")
    assert await block.stores.quality.judge_sources({SOURCE: fallen}) == {MALL: "suspended", OFFICE: "suspended"}
    assert [one.suspended for one in await block.register.sources()] == [False]


async def test_old_events_of_rules_are_forgotten_and_those_of_people_are_not(block: Block) -> None:
    """Shows that the record of changes does not grow for ever, and that who did what stays."""
    await enrol(block, MALL)
    await block.stores.quality.suspend(SOURCE, MALL, said_by="li", reason="lies")
    await find(block, STUCK)
    await find(block, Finding(Dirt.GAP, MONDAY_9H, 1.0))
    await block.pass_time(days=2)
    await find(block, STUCK)
    assert await block.stores.quality.forget(days=1, most=1) == 1
    assert await block.stores.quality.forget(days=1, most=99) == 2
    kept = [(one.kind.value, one.became, one.said_by) for one in reversed(await block.stores.quality.events())]
    assert kept == [
        ("trust", "live", "registry"),
        ("trust", "live", "registry"),
        ("trust", "suspended", "li"),
        ("finding", "stuck", None),
    ]


async def test_events_are_read_the_newest_first_and_by_their_subject(block: Block) -> None:
    """Shows that the city can ask what happened to one source or lot, and never gets too much at once."""
    await enrol(block, MALL, OFFICE)
    await find(block, STUCK)
    quality = block.stores.quality
    assert {one.lot_id for one in await quality.events(lot_id=OFFICE)} == {OFFICE}
    assert {one.source_id for one in await quality.events(source_id=SOURCE)} == {SOURCE}
    newest = (await quality.events(most=1))[0]
    assert (newest.kind, newest.became, newest.evidence) == (EventKind.FINDING, "stuck", STUCK.evidence)
