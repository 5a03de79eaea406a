"""What a month of sharing brought, counted by every store alike."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import asyncpg
import msgspec

from bowei.domain.holds import REFUSED_ON_ARRIVAL, HoldState
from bowei.domain.lots import SpaceClass
from bowei.domain.parties import PartyId, Side
from bowei.domain.sharing_reports import Month, SharingLine
from bowei.domain.tariffs import Tariff
from tests.contract.block import FIRST, MALL, MALL_FIRST, MALL_SECOND, OFFICE, OFFICE_FIRST, SECOND, Block, lending, on
from tests.contract.stores import Stores

MARCH = Month(2026, 3)
NOTHING = SharingLine(MALL, FIRST, MALL_FIRST, SpaceClass.STANDARD, 0, 0, 0, 0, 0, 0, 0, timedelta(), None, None)


async def test_each_space_that_was_held_is_in_one_line_with_what_became_of_it(block: Block) -> None:
    """Honoured, refused, moved, expired, given up, or under way; by lot, agreement and class."""
    for driver in ("a", "b", "c", "d", "e", "f"):
        await block.ask(driver, on(MALL_FIRST))
    await block.ask("g", on(MALL_SECOND), hospital_id=SECOND)
    await block.arrive("a")
    await block.release("b")
    await block.book.replace(
        "diversion-of-c", (await block.find("c")).hold.driver_id, 1, ends_as=HoldState.REVOKED,  # type: ignore[union-attr]
        reason=REFUSED_ON_ARRIVAL, candidates=(on(OFFICE_FIRST),), answer={},
    )  # fmt: skip
    await block.move("d", on(OFFICE_FIRST))
    await block.pass_time(minutes=1)
    await block.report(MALL, free=49)
    await block.pass_time(hours=1)
    await block.book.sweep()
    lines = await block.stores.sharing.month(MARCH, None, None)
    assert list(lines) == [
        dataclasses.replace(NOTHING, held=6, honoured=1, refused=1, moved=1, expired=2, released=1),
        dataclasses.replace(NOTHING, hospital_id=SECOND, agreement_id=MALL_SECOND, held=1, expired=1),
        dataclasses.replace(NOTHING, lot_id=OFFICE, agreement_id=OFFICE_FIRST, held=2, expired=2),
    ]


async def test_everybody_is_given_their_own_lines_alone(block: Block) -> None:
    """Lots by lot, hospitals by hospital; who has neither gets none."""
    for driver, agreement in (("a", MALL_FIRST), ("b", MALL_SECOND), ("c", OFFICE_FIRST)):
        await block.ask(driver, on(agreement), hospital_id=SECOND if agreement == MALL_SECOND else FIRST)
    month = block.stores.sharing.month
    assert [line.agreement_id for line in await month(MARCH, [MALL], None)] == [MALL_FIRST, MALL_SECOND]
    assert [line.agreement_id for line in await month(MARCH, [], [FIRST])] == [MALL_FIRST, OFFICE_FIRST]
    assert [line.agreement_id for line in await month(MARCH, [OFFICE], [SECOND])] == [MALL_SECOND, OFFICE_FIRST]
    assert list(await month(MARCH, [], [])) == []


async def test_a_stay_is_worth_what_was_agreed_when_the_car_came(block: Block) -> None:
    """A dearer version later changes nothing of it; a car that is still there is not counted yet."""
    agreed = lending(MALL_FIRST, MALL, FIRST, 40, tariff=Tariff(Decimal("5.50")))
    await block.stores.agreements.propose(agreed, Side.BOTH, PartyId("street"))
    for driver in ("a", "b"):
        await block.ask(driver, on(MALL_FIRST))
        await block.arrive(driver)
    dearer = dataclasses.replace(agreed, tariff=Tariff(Decimal(90)))
    await block.pass_time(minutes=5)
    await block.report(MALL, free=48)
    await block.stores.agreements.propose(dearer, Side.BOTH, PartyId("street"))
    await block.pass_time(minutes=75)
    await block.leave("a")
    (line,) = await block.stores.sharing.month(MARCH, None, None)
    assert (line.honoured, line.stays, line.parked) == (2, 1, timedelta(minutes=80))
    assert (line.income, line.currency) == (Decimal("11.00"), "CNY")


async def test_months_are_the_lots_own(block: Block) -> None:
    """A space that is held in the last minute of a month there is of that month, whatever the month in London."""
    await block.step_to(datetime(2026, 3, 31, 15, 59, tzinfo=UTC))
    await block.report(MALL, free=50)
    await block.ask("a", on(MALL_FIRST))
    await block.step_to(datetime(2026, 3, 31, 16, 0, tzinfo=UTC))
    await block.report(MALL, free=50)
    await block.ask("b", on(MALL_FIRST))
    for month, held in ((MARCH, 1), (Month(2026, 4), 1), (Month(2026, 2), 0), (Month(2025, 12), 0)):
        assert sum(line.held for line in await block.stores.sharing.month(month, None, None)) == held


async def test_who_is_coming_is_known_by_code_until_the_car_is_counted(block: Block) -> None:
    """The first due first; who gave up, or ran out of time, does not come."""
    assert list(await block.stores.sharing.coming(MALL)) == []
    for driver, agreement in (("a", MALL_FIRST), ("b", MALL_SECOND), ("c", MALL_FIRST), ("d", OFFICE_FIRST)):
        await block.ask(driver, on(agreement), hospital_id=SECOND if agreement == MALL_SECOND else FIRST)
        await block.pass_time(seconds=10)
    await block.release("c")
    await block.arrive("a")
    coming = await block.stores.sharing.coming(MALL)
    assert [(one.hospital_id, one.state) for one in coming] == [(FIRST, HoldState.ARRIVED), (SECOND, HoldState.HELD)]
    hold = (await block.find("b")).hold
    assert hold is not None
    assert (coming[1].code, coming[1].expires_at) == (hold.code, hold.expires_at)
    await block.pass_time(hours=1)
    await block.report(MALL, free=49)
    await block.book.sweep()
    assert list(await block.stores.sharing.coming(MALL)) == []


def _tariffs() -> Iterator[Tariff]:
    for per_hour, free, cap in product(("0", "5", "7.5"), (0, 15, 90), (None, "0", "20", "55.5")):
        yield Tariff(Decimal(per_hour), "CNY", free, None if cap is None else Decimal(cap))


async def test_postgres_reckons_fees_as_the_domain_does(postgres_room: tuple[Stores, asyncpg.Pool]) -> None:
    """Of every kind of tariff, for stays on both sides of each edge, from nothing to a week."""
    _, pool = postgres_room
    minutes = (0, 1, 14, 15, 16, 59, 60, 61, 89, 90, 91, 150, 1439, 1440, 1441, 1530, 1531, 2880, 2895, 2896, 10_080)
    asked = [(tariff, timedelta(minutes=one)) for tariff, one in product(_tariffs(), minutes)]
    rows = await pool.fetch(
        "SELECT bowei.fee(t.tariff, t.stay) AS fee FROM unnest($1::jsonb[], $2::interval[])"
        " WITH ORDINALITY AS t (tariff, stay, n) ORDER BY t.n",
        [msgspec.json.encode(tariff).decode() for tariff, _ in asked],
        [stay for _, stay in asked],
    )
    wrong = [(one, row["fee"]) for one, row in zip(asked, rows, strict=True) if row["fee"] != one[0].fee(one[1])]
    assert wrong == []
    assert len(asked) == 756
