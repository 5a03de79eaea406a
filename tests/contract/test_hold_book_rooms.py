"""How many spaces the ledger promises, kept by every store: what each limit allows and not one more."""

import asyncio
import dataclasses
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bowei.domain.agreements import AgreementId, LendingWindow
from bowei.domain.calendars import HOLIDAY, Calendar
from bowei.domain.dirt import Doubt
from bowei.domain.lots import CalendarId, LotId, Name, SpaceClass
from bowei.domain.observations import Bound, LotState, PassageKind
from bowei.records.holding import Outcome
from tests.contract.block import (
    CLOSED_STATES,
    FIRST,
    MALL,
    MALL_FIRST,
    MALL_SECOND,
    OFFICE_FIRST,
    TEN_MINUTES,
    Block,
    a_lot,
    drivers,
    lending,
    on,
)

INSTANT = timedelta(microseconds=1)
EV = SpaceClass.EV


async def test_a_lot_that_never_reported_offers_nothing(block: Block) -> None:
    """Shows that an agreement alone promises no space."""
    new = LotId("new")
    await block.register.put_lots([a_lot(new, 50)])
    await block.register.put_agreements([lending(AgreementId("new-first"), new, FIRST, 40)])
    assert (await block.ask("ann", on(AgreementId("new-first")))).outcome is Outcome.NONE


@pytest.mark.parametrize("state", CLOSED_STATES)
async def test_only_an_open_lot_offers(block: Block, state: LotState) -> None:
    """Shows that closed, broken and unknown lots get no new holds, whatever their count."""
    await block.report(MALL, free=50, state=state, seq=1)
    assert (await block.ask("ann")).outcome is Outcome.NONE


async def test_a_holiday_lends_what_is_lent_on_holidays(block: Block) -> None:
    """Shows that a hold is decided by the lot's calendar, from the commit that changes it on."""
    today = (await block.book.now()).astimezone(ZoneInfo("Asia/Shanghai")).date()
    weekday = LendingWindow(SpaceClass.STANDARD, 40, frozenset({today.isoweekday()}))
    await block.register.put_agreements([lending(MALL_FIRST, MALL, FIRST, 40, windows=(weekday,))])
    assert (await block.ask("ann")).outcome is Outcome.GRANTED
    calendar = Calendar(CalendarId("cn"), Name("节假日", "Holidays"), {today: HOLIDAY})
    await block.register.put_calendars([calendar])
    await block.register.put_lots([a_lot(MALL, 50, calendar=calendar.calendar_id)])
    assert (await block.ask("bob")).outcome is Outcome.NONE
    await block.register.put_calendars([dataclasses.replace(calendar, days={})])
    assert (await block.ask("cat")).outcome is Outcome.GRANTED


async def test_a_lot_that_does_not_know_its_count_offers_nothing(block: Block) -> None:
    """Shows that unknown is not the last count."""
    await block.report(MALL, open=40, seq=1)
    assert (await block.ask("ann")).outcome is Outcome.NONE


async def test_a_doubted_report_offers_nothing_until_it_is_doubted_no_more(block: Block) -> None:
    """Shows that a doubt holds at the very next request, also for a report that came after it."""
    await block.journal.set_doubt(MALL, Doubt.STUCK)
    assert (await block.ask("ann")).outcome is Outcome.NONE
    await block.report(MALL, free=50, seq=1)
    assert (await block.ask("ann")).outcome is Outcome.NONE
    await block.journal.set_doubt(MALL, None)
    assert (await block.ask("ann")).outcome is Outcome.GRANTED


@pytest.mark.parametrize(("bound", "granted"), [(Bound.AT_LEAST, 2), (Bound.AT_MOST, 0)])
async def test_as_many_are_offered_as_there_are_at_least(block: Block, bound: Bound, granted: int) -> None:
    """Shows that "2 or more" is good for two holds, and "2 at most" for none."""
    await block.report(MALL, free=2, bound=bound, seq=1)
    assert len(await block.granted_to(["ann", "ben", "cid"])) == granted


@pytest.mark.parametrize(("late", "granted"), [(timedelta(), True), (INSTANT, False)])
async def test_a_report_is_believed_for_ten_minutes_at_least_and_no_instant_longer(
    block: Block, late: timedelta, *, granted: bool
) -> None:
    """Shows that a silent lot offers nothing, at the edge of belief."""
    await block.step_to(block.now + TEN_MINUTES + late)
    assert ((await block.ask("ann")).outcome is Outcome.GRANTED) is granted


@pytest.mark.parametrize(("late", "granted"), [(timedelta(), True), (INSTANT, False)])
async def test_a_lot_that_reports_rarely_is_believed_longer(block: Block, late: timedelta, *, granted: bool) -> None:
    """Shows that belief follows the lot's own cadence: six times its usual gap."""
    for _ in range(5):
        await block.pass_time(minutes=4)
        recorded = await block.report(MALL, free=50)
    assert recorded.report is not None
    assert recorded.report.usual_gap > timedelta(minutes=2)
    await block.step_to(block.now + 6 * recorded.report.usual_gap + late)
    assert ((await block.ask("ann")).outcome is Outcome.GRANTED) is granted


async def test_the_margin_is_kept_back(block: Block) -> None:
    """Shows that what an agreement keeps back for walk-ins is never promised."""
    await block.lend(MALL_FIRST, 40, margin=3)
    await block.report(MALL, free=5, seq=1)
    assert len(await block.granted_to(drivers(4))) == 2


async def test_the_open_spaces_limit_only_a_lot_that_reports_them(block: Block) -> None:
    """Shows that the open term counts held and staying cars, and is left out where the lot is silent about it."""
    await block.report(MALL, free=50, open=3, seq=1)
    assert len(await block.granted_to(drivers(5))) == 3
    await block.report(MALL, free=50, seq=2)
    assert len(await block.granted_to([f"later-{driver}" for driver in drivers(5)])) == 5


LIMITS: dict[str, tuple[dict[str, Any], int]] = {
    "free": ({"free": 3}, 40),
    "open": ({"free": 50, "open": 3}, 40),
    "of the class": ({"free": 50, "free_by_class": {SpaceClass.STANDARD: 3}}, 40),
    "lent": ({"free": 50}, 3),
}


@pytest.mark.parametrize("limit", LIMITS)
async def test_each_limit_is_kept_by_those_who_share_a_commit(block: Block, limit: str) -> None:
    """Shows that what the first of a batch takes is gone for the others, whichever limit is the tightest."""
    counts, lent = LIMITS[limit]
    await block.lend(MALL_FIRST, lent)
    await block.report(MALL, seq=1, **counts)
    decisions = await asyncio.gather(*[block.ask(driver) for driver in drivers(6)])
    assert [decision.outcome for decision in decisions] == [Outcome.GRANTED] * 3 + [Outcome.NONE] * 3


async def test_a_stay_takes_one_of_the_open_and_of_the_lent_spaces(block: Block) -> None:
    """Shows that a car that was diverted uses up what is lent until it leaves, though `free` no longer counts it."""
    await block.lend(MALL_FIRST, 1)
    await block.ask("ann")
    await block.arrive("ann")
    await block.pass_time(minutes=1)
    await block.report(MALL, free=49, open=50)
    assert (await block.ask("bob")).outcome is Outcome.NONE
    await block.leave("ann")
    assert (await block.ask("bob")).outcome is Outcome.GRANTED
    await block.report(MALL, free=49, open=1, seq=1)
    assert (await block.ask("cid", on(MALL_SECOND))).outcome is Outcome.NONE


async def test_what_is_lent_limits_each_agreement_by_itself(block: Block) -> None:
    """Shows that one hospital's holds don't use up what is lent to the other."""
    await block.lend(MALL_FIRST, 2)
    await block.lend(MALL_SECOND, 3)
    assert len(await block.granted_to(drivers(4), on(MALL_FIRST))) == 2
    assert len(await block.granted_to([f"second-{driver}" for driver in drivers(4)], on(MALL_SECOND))) == 3


async def test_two_hospitals_on_one_lot_never_get_more_than_is_free(block: Block) -> None:
    """Shows that what is seen free is shared by all agreements of the lot."""
    await block.report(MALL, free=5, seq=1)
    first = await block.granted_to(drivers(3), on(MALL_FIRST))
    second = await block.granted_to([f"second-{driver}" for driver in drivers(4)], on(MALL_SECOND))
    assert (len(first), len(second)) == (3, 2)


async def test_two_hospitals_never_get_more_of_a_class_than_is_free_of_it(block: Block) -> None:
    """Shows that the free spaces of a class are shared by all agreements, also within one commit."""
    for agreement_id in (MALL_FIRST, MALL_SECOND):
        await block.lend(agreement_id, 9, windows=(LendingWindow(EV, 9), LendingWindow(SpaceClass.STANDARD, 9)))
    await block.report(MALL, free=50, free_by_class={EV: 3}, seq=1)
    agreements = (MALL_FIRST, MALL_SECOND, MALL_FIRST, MALL_SECOND, MALL_SECOND)
    decisions = await asyncio.gather(
        *[block.ask(driver, on(agreement_id, EV)) for driver, agreement_id in zip(drivers(5), agreements, strict=True)]
    )
    assert [decision.outcome for decision in decisions] == [Outcome.GRANTED] * 3 + [Outcome.NONE] * 2
    assert (await block.ask("late", on(MALL_SECOND, EV))).outcome is Outcome.NONE
    assert (await block.ask("ann", on(MALL_SECOND))).outcome is Outcome.GRANTED


async def test_a_class_that_is_not_lent_is_not_promised(block: Block) -> None:
    """Shows that classes are pools of their own."""
    assert (await block.ask("ann", on(MALL_FIRST, EV))).outcome is Outcome.NONE
    await block.lend(MALL_FIRST, 0, windows=(LendingWindow(EV, 1),))
    assert (await block.ask("ann", on(MALL_FIRST))).outcome is Outcome.NONE
    assert (await block.ask("ann", on(MALL_FIRST, EV))).outcome is Outcome.GRANTED
    assert (await block.ask("bob", on(MALL_FIRST, EV))).outcome is Outcome.NONE


async def test_lowering_what_is_lent_below_what_is_held_only_stops_new_holds(block: Block) -> None:
    """Shows that drivers on their way keep their spaces, and that the new number applies as they leave."""
    await block.granted_to(drivers(3))
    await block.lend(MALL_FIRST, 1)
    assert await block.held() == 3
    assert (await block.ask("ann")).outcome is Outcome.NONE
    await block.release("driver-0")
    await block.release("driver-1")
    assert (await block.ask("ann")).outcome is Outcome.NONE
    await block.release("driver-2")
    assert (await block.ask("ann")).outcome is Outcome.GRANTED


async def test_no_more_is_held_than_the_lot_is_registered_for(block: Block) -> None:
    """Shows that a count from before the lot was made smaller promises no space that is gone."""
    await block.register.put_lots([a_lot(MALL, 2)])
    assert len(await block.granted_to(drivers(3))) == 2


async def test_a_paused_lot_gets_no_new_holds_at_once(block: Block) -> None:
    """Shows that an operator's pause needs no copy to catch up, and keeps what is held."""
    await block.ask("ann")
    await block.register.pause_lot(MALL, paused=True)
    assert (await block.ask("bob")).outcome is Outcome.NONE
    assert await block.held() == 1
    await block.register.pause_lot(MALL, paused=False)
    assert (await block.ask("bob")).outcome is Outcome.GRANTED


async def test_a_paused_agreement_gets_no_new_holds_at_once(block: Block) -> None:
    """Shows that a pause of one agreement leaves the lot's others alone."""
    await block.lend(MALL_FIRST, 40, paused=True)
    assert (await block.ask("ann", on(MALL_FIRST))).outcome is Outcome.NONE
    assert (await block.ask("ann", on(MALL_SECOND))).outcome is Outcome.GRANTED


async def test_an_agreement_that_was_removed_is_passed_over(block: Block) -> None:
    """Shows that a ranking from an older directory still finds its other candidates."""
    await block.register.remove_agreement(OFFICE_FIRST)
    await block.report(MALL, free=1, seq=1)
    decision = await block.ask("ann", on(OFFICE_FIRST), on(MALL_FIRST))
    assert decision.hold is not None
    assert decision.hold.agreement_id == MALL_FIRST
    assert (await block.ask("bob", on(OFFICE_FIRST))).outcome is Outcome.NONE


NIGHT = LendingWindow(SpaceClass.STANDARD, 5, frozenset({1}), time(22), time(6))


@pytest.mark.parametrize(
    ("local", "granted"),
    [
        ("2026-03-02T21:59:59.999999", False),
        ("2026-03-02T22:00:00", True),
        ("2026-03-03T00:00:00", True),
        ("2026-03-03T05:59:59.999999", True),
        ("2026-03-03T06:00:00", False),
        ("2026-03-03T22:00:00", False),
    ],
)
async def test_a_window_across_midnight_lends_from_its_first_instant_to_before_its_last(
    block: Block, local: str, *, granted: bool
) -> None:
    """Shows the edges of Monday 22:00 to Tuesday 06:00 in Hangzhou."""
    await block.lend(MALL_FIRST, 0, windows=(NIGHT,))
    await block.step_to(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Asia/Shanghai")))
    await block.report(MALL, free=5)
    assert ((await block.ask("ann")).outcome is Outcome.GRANTED) is granted


@pytest.mark.parametrize(
    ("local", "granted"),
    [
        ("2026-03-28T23:59:59", False),
        ("2026-03-29T00:00:00", True),
        ("2026-03-30T23:59:59.999999", True),
        ("2026-03-31T00:00:00", False),
    ],
)
async def test_an_agreement_holds_on_its_first_and_on_its_last_day_by_the_lots_own_calendar(
    block: Block, local: str, *, granted: bool
) -> None:
    """Shows that both dates are included, in the lot's zone, also on the day when its clocks change."""
    await block.register.put_lots([a_lot(MALL, 50, timezone="Europe/Zurich")])
    await block.lend(MALL_FIRST, 5, valid_from=date(2026, 3, 29), valid_to=date(2026, 3, 30))
    await block.step_to(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Zurich")))
    await block.report(MALL, free=5)
    assert ((await block.ask("ann")).outcome is Outcome.GRANTED) is granted


async def test_a_passage_that_leaves_frees_a_space_for_the_next(block: Block) -> None:
    """Shows that a count that follows passages is promised from at once."""
    await block.report(MALL, free=0, seq=1)
    assert (await block.ask("ann")).outcome is Outcome.NONE
    await block.pass_time(seconds=1)
    await block.passes(PassageKind.EXIT, moves_count=True)
    assert (await block.ask("ann")).outcome is Outcome.GRANTED
