"""What history promises, kept by every store: hours summed up once they ended, late reports in them, days forgotten."""

from datetime import timedelta
from typing import Any

import pytest

from bowei.domain.observations import Outcome, PassageKind
from bowei.records.history import Hour
from tests.contract.block import MALL, MONDAY_9H, OFFICE, Block

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
YEARS = 5 * 365


async def keep(block: Block) -> None:
    """Do what the keeper does, until nothing is left to do."""
    history = block.stores.history
    await history.make_days()
    for _ in range(2):  # a look, and the note of what was settled by then
        await history.note_hours()
    while await history.roll_up():
        pass


async def catch_up(block: Block) -> None:
    """Keep for as long as it is behind."""
    for _ in range(60):
        await keep(block)
        state = await block.stores.history.state()
        if state.hours_behind == state.hours_due == 0:
            return
    raise AssertionError("the keeper never catches up")


async def hours(block: Block) -> list[Hour]:
    """Give all hours of the mall."""
    return list(await block.stores.history.hours(MALL, MONDAY_9H - 30 * DAY, MONDAY_9H + 500 * DAY))


async def say(block: Block, *reports: tuple[float, dict[str, Any]]) -> None:
    """Let the mall report at minutes after nine; each report is received when it was observed."""
    for minutes, counts in reports:
        await block.step_to(MONDAY_9H + minutes * MINUTE)
        code = counts.pop("code", None)
        await block.report(MALL, code=code, **counts)


async def test_an_hour_is_summed_up_once_it_has_ended(block: Block) -> None:
    """Shows every figure of an hour, on reports that are believed, doubted and silent on their count."""
    await say(
        block,
        (5, {"free": 40, "capacity": 48}),
        (10, {"free": 40}),
        (30, {"free": 10, "capacity": 47}),
        (40, {}),
        (50, {"free": 99, "code": "free_above_capacity"}),
        (59, {"free": 20}),
    )
    await keep(block)
    assert await hours(block) == []
    await block.step_to(MONDAY_9H + HOUR)
    await keep(block)
    [hour] = await hours(block)
    assert hour == Hour(
        lot_id=MALL,
        hour=MONDAY_9H,
        reports=7,  # the block's own first one, of a full lot of 50, is among them
        believed=6,
        quarantined=1,
        counted=5,
        free_min=10,
        free_mean=(50 + 40 + 40 + 10 + 20) / 5,
        free_max=50,
        free_last=20,
        free_values=4,
        free_changes=3,
        capacity_last=47,
        first_observed_at=MONDAY_9H,
        last_observed_at=MONDAY_9H + 59 * MINUTE,
        longest_gap=20 * MINUTE,
    )


async def test_the_hour_that_runs_is_not_summed_up(block: Block) -> None:
    """Shows that an hour which looks finished too early would be wrong for ever: its last minute counts."""
    await block.step_to(MONDAY_9H + HOUR - timedelta(microseconds=1))
    await keep(block)
    assert await hours(block) == []


async def test_a_late_report_is_in_its_hour(block: Block) -> None:
    """Shows that what comes hours late is summed up where it belongs, also when that hour was summed up before."""
    await block.step_to(MONDAY_9H + 3 * HOUR)
    await catch_up(block)
    [before] = await hours(block)
    recorded = await block.report(MALL, at=MONDAY_9H + 30 * MINUTE, free=7)
    assert recorded.outcome is Outcome.APPLIED
    recorded = await block.report(MALL, at=MONDAY_9H + 20 * MINUTE, free=3)
    assert recorded.outcome is Outcome.STALE
    assert await hours(block) == [before]
    await block.step_to(MONDAY_9H + 4 * HOUR)
    await catch_up(block)
    [after] = await hours(block)
    assert (after.reports, after.free_min, after.free_last, after.longest_gap) == (3, 3, 7, 20 * MINUTE)


async def test_a_clock_that_runs_ahead_is_counted_in_the_hour_that_it_says(block: Block) -> None:
    """Shows that a report which is received before its hour begins is in that hour all the same."""
    await block.step_to(MONDAY_9H + HOUR - timedelta(seconds=10))
    await block.report(MALL, at=MONDAY_9H + HOUR + timedelta(seconds=10), free=5)
    await block.step_to(MONDAY_9H + 2 * HOUR)
    await catch_up(block)
    assert [(hour.hour, hour.free_last) for hour in await hours(block)] == [(MONDAY_9H, 50), (MONDAY_9H + HOUR, 5)]


async def test_summing_up_again_changes_nothing(block: Block) -> None:
    """Shows that a keeper which was stopped in the middle, or runs twice, counts nothing twice."""
    await say(block, (30, {"free": 10}))
    await block.step_to(MONDAY_9H + HOUR)
    await keep(block)
    before = await hours(block)
    await keep(block)
    await keep(block)
    assert await hours(block) == before
    assert (await block.stores.history.state()).hours_due == 0


async def test_each_lot_has_its_own_hours(block: Block) -> None:
    """Shows that lots are not mixed, and that an hour without a report is not there."""
    await block.step_to(MONDAY_9H + HOUR + MINUTE)
    await block.report(OFFICE, free=4)
    await block.step_to(MONDAY_9H + 2 * HOUR)
    await catch_up(block)
    assert len(await hours(block)) == 1
    of_office = await block.stores.history.hours(OFFICE, MONDAY_9H, MONDAY_9H + DAY)
    assert [(one.hour, one.free_last) for one in of_office] == [(MONDAY_9H, 10), (MONDAY_9H + HOUR, 4)]
    assert list(await block.stores.history.hours(OFFICE, MONDAY_9H + HOUR, MONDAY_9H + HOUR)) == []


async def test_an_hour_of_all_lots_is_by_lot(block: Block) -> None:
    """Shows that a day can be given out hour by hour, with every lot that reported and no other."""
    await block.step_to(MONDAY_9H + HOUR + MINUTE)
    await block.report(OFFICE, free=4)
    await block.step_to(MONDAY_9H + 2 * HOUR)
    await catch_up(block)
    history = block.stores.history
    both = await history.hours_of_all(MONDAY_9H)
    assert [one.lot_id for one in both] == sorted(one.lot_id for one in both)
    assert {MALL, OFFICE} <= {one.lot_id for one in both}
    assert [(one.lot_id, one.free_last) for one in await history.hours_of_all(MONDAY_9H + HOUR)] == [(OFFICE, 4)]
    assert list(await history.hours_of_all(MONDAY_9H - HOUR)) == []


async def test_until_when_all_is_summed_up_never_counts_an_hour_that_waits(block: Block) -> None:
    """Shows that a day is over for readers only when every hour of it is summed up, late ones too."""
    history = block.stores.history
    assert await history.summed_up_to() is None
    await block.step_to(MONDAY_9H + 3 * HOUR)
    await catch_up(block)
    assert await history.summed_up_to() == MONDAY_9H + 3 * HOUR
    await block.report(MALL, at=MONDAY_9H + 30 * MINUTE, free=7)
    await block.step_to(MONDAY_9H + 4 * HOUR)
    await history.note_hours()
    await history.note_hours()
    assert await history.summed_up_to() == MONDAY_9H
    await catch_up(block)
    assert await history.summed_up_to() == MONDAY_9H + 4 * HOUR


async def test_the_state_says_how_far_behind_the_keeping_is(block: Block) -> None:
    """Shows what an operator is warned by."""
    await keep(block)
    await block.step_to(MONDAY_9H + 5 * HOUR)
    assert (await block.stores.history.state()).hours_behind == 5
    await catch_up(block)
    assert (await block.stores.history.state()).hours_behind == 0


async def test_a_report_of_a_day_that_nobody_made_is_kept_and_gets_its_day(block: Block) -> None:
    """Shows that a keeper which was away for long costs no report, and that the state says so meanwhile."""
    await keep(block)
    assert (await block.stores.history.state()).undated == 0
    await block.step_to(MONDAY_9H + 30 * DAY)
    assert (await block.report(MALL, free=31)).outcome is Outcome.APPLIED
    assert (await block.stores.history.state()).undated == 1
    assert await block.stores.history.make_days() > 0
    assert (await block.stores.history.state()).undated == 0
    assert await block.stores.history.make_days() == 0
    await block.step_to(MONDAY_9H + 30 * DAY + HOUR)
    await catch_up(block)
    assert [hour.free_last for hour in await hours(block)] == [50, 31]


async def test_days_beyond_retention_are_forgotten_and_their_hours_stay(block: Block) -> None:
    """Shows that old reports go a day at a time, and what was summed up of them is kept longer."""
    history = block.stores.history
    await keep(block)
    await block.step_to(MONDAY_9H + 10 * DAY)
    await block.report(MALL, free=9)
    await catch_up(block)
    assert not (await history.forget(days=11, hourly_days=YEARS)).anything
    gone = 0
    while (forgotten := await history.forget(days=9, hourly_days=YEARS)).anything:
        gone += forgotten.days
    assert gone == 1
    assert [hour.free_last for hour in await hours(block)] == [50]
    await block.step_to(MONDAY_9H + 10 * DAY + HOUR)
    await catch_up(block)
    assert [hour.free_last for hour in await hours(block)] == [50, 9]


async def test_a_day_is_not_forgotten_before_it_is_summed_up(block: Block) -> None:
    """Shows that retention waits for a keeper that is behind: nothing is lost unsummed."""
    await keep(block)
    await block.step_to(MONDAY_9H + 10 * DAY)
    assert not (await block.stores.history.forget(days=1, hourly_days=YEARS)).anything
    await catch_up(block)
    assert (await block.stores.history.forget(days=1, hourly_days=YEARS)).days == 1


async def test_a_report_later_than_retention_leaves_what_was_summed_up(block: Block) -> None:
    """Shows that an hour whose other reports are forgotten is not made smaller by a very late one."""
    await say(block, (30, {"free": 10}))
    await block.step_to(MONDAY_9H + 10 * DAY)
    await catch_up(block)
    [before] = await hours(block)
    while (await block.stores.history.forget(days=2, hourly_days=YEARS)).anything:
        pass
    await block.report(MALL, at=MONDAY_9H + 40 * MINUTE, free=1)
    await block.report(MALL, at=MONDAY_9H - 2 * HOUR, free=2)
    await block.step_to(MONDAY_9H + 10 * DAY + HOUR)
    await catch_up(block)
    assert [(hour.hour, hour.free_last) for hour in await hours(block)] == [(MONDAY_9H - 2 * HOUR, 2), (MONDAY_9H, 10)]
    assert before in await hours(block)


async def test_hours_are_forgotten_too(block: Block) -> None:
    """Shows that sums do not grow for ever."""
    await block.step_to(MONDAY_9H + 10 * DAY)
    await catch_up(block)
    assert (await block.stores.history.forget(days=400, hourly_days=10)).hours == 0
    await block.step_to(MONDAY_9H + 10 * DAY + MINUTE)
    assert (await block.stores.history.forget(days=400, hourly_days=10)).hours == 2
    assert await hours(block) == []


@pytest.mark.parametrize(("days", "outcome"), [(3, Outcome.DUPLICATE), (2, Outcome.STALE)])
async def test_a_passage_is_known_for_as_long_as_it_is_kept(block: Block, days: int, outcome: Outcome) -> None:
    """Shows that a repeat is harmless before and after the passage was forgotten: it moves no count."""
    await block.pass_time(minutes=1)
    passed_at = block.now
    await block.passes(PassageKind.ENTER, passage_id="p", passed_at=passed_at, moves_count=True)
    await block.step_to(MONDAY_9H + 2 * DAY + HOUR)
    await block.report(MALL, free=20)
    gone = (await block.stores.history.forget(days=days, hourly_days=YEARS)).passages
    assert gone == (outcome is Outcome.STALE)
    again = await block.passes(PassageKind.ENTER, passage_id="p", passed_at=passed_at, moves_count=True)
    assert again.outcome is outcome
    assert (await block.journal.reports())[MALL].free == 20
