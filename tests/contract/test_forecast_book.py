"""What the book of forecasts promises, kept by every store: which counts teach, and what was learned."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from bowei.domain.dirt import Doubt
from bowei.domain.lots import LotId
from bowei.domain.observations import Bound, LotState
from tests.contract.block import MALL, MONDAY_9H, OFFICE, OWN, Block, a_lot
from tests.contract.stores import Stores
from tests.contract.test_history import catch_up, say


async def count_of_mall(block: Block) -> float | None:
    """Give what the mall's count teaches; None: nothing."""
    counted = await block.stores.forecasts.counted()
    free = counted.free[counted.lot_ids.index(MALL)]
    assert np.isnan(free) == np.isnan(counted.observed_s[counted.lot_ids.index(MALL)])
    return None if np.isnan(free) else float(free)


async def test_every_registered_lot_is_counted_also_one_that_never_reported(block: Block) -> None:
    """By id, with its zone and capacity; when it was counted is in seconds since 1970."""
    counted = await block.stores.forecasts.counted()

    assert counted.lot_ids == (MALL, OFFICE, OWN)
    assert counted.zones == ("Asia/Shanghai",) * 3
    assert counted.capacities.tolist() == [50, 10, 127]
    assert counted.free[:2].tolist() == [50, 10]
    assert counted.observed_s[:2].tolist() == [MONDAY_9H.timestamp()] * 2
    assert np.isnan(counted.free[2])
    assert np.isnan(counted.observed_s[2])


async def test_a_room_without_lots_counts_none(stores: Stores) -> None:
    """The register is empty at the first start."""
    counted = await stores.forecasts.counted()

    assert (counted.lot_ids, counted.zones, len(counted.free)) == ((), (), 0)


@pytest.mark.parametrize(
    "counts",
    [
        {"free": None},
        {"free": 7, "state": LotState.CLOSED},
        {"free": 7, "state": LotState.UNKNOWN},
        {"free": 7, "bound": Bound.AT_LEAST},
        {"free": 7, "bound": Bound.AT_MOST},
    ],
    ids=str,
)
async def test_what_is_no_exact_count_of_an_open_lot_teaches_nothing(block: Block, counts: dict[str, Any]) -> None:
    """Closed is not full, a bound is no count, and unknown is not 0."""
    await block.pass_time(minutes=1)
    await block.report(MALL, **counts)

    assert await count_of_mall(block) is None


async def test_a_doubted_count_teaches_nothing_until_the_doubt_is_taken_back(block: Block) -> None:
    """However recent it is."""
    await block.journal.set_doubt(MALL, Doubt.STUCK)
    assert await count_of_mall(block) is None

    await block.journal.set_doubt(MALL, None)
    assert await count_of_mall(block) == 50


async def test_an_expired_count_teaches_nothing(block: Block) -> None:
    """A lot that reports once a minute says nothing any more after ten."""
    await block.pass_time(minutes=10)
    assert await count_of_mall(block) == 50

    await block.pass_time(seconds=1)
    assert await count_of_mall(block) is None


async def test_no_count_is_above_what_is_registered_now(block: Block) -> None:
    """The capacity was lowered since the lot reported."""
    await block.register.put_lots([a_lot(MALL, 20)])

    assert await count_of_mall(block) == 20


async def test_the_hours_of_a_day_are_given_as_they_were_summed_up(block: Block) -> None:
    """By hour, oldest first, with the mean of each lot that counted; of another day there are none."""
    await say(block, (10, {"free": 30}), (70, {"free": 20}), (130, {"free": None}), (190, {"free": 8}))
    await block.step_to(MONDAY_9H + timedelta(hours=5))
    await catch_up(block)
    hours = await block.stores.forecasts.hours_of(date(2026, 3, 2))

    told = [(hour.hour - MONDAY_9H, dict(zip(hour.lot_ids, hour.free, strict=True))) for hour in hours]
    assert [(after, means[MALL]) for after, means in told] == [
        (timedelta(0), (50 + 30) / 2),
        (timedelta(hours=1), 20),
        (timedelta(hours=3), 8),
    ]
    assert told[0][1][OFFICE] == 10
    assert await block.stores.forecasts.hours_of(date(2026, 3, 1)) == []


async def test_what_was_learned_is_kept_and_replaced(block: Block) -> None:
    """Of each lot, and of all together; what is kept of one changes nothing of the others."""
    forecasts = block.stores.forecasts
    assert await forecasts.kept_city() is None
    assert await forecasts.kept_lots([MALL, OFFICE]) == {}

    await forecasts.keep({MALL: b"\0mall", OFFICE: b"office"}, b"city")
    await forecasts.keep({MALL: b"mall again"}, b"city again")

    assert await forecasts.kept_lots([MALL, OFFICE, OWN]) == {MALL: b"mall again", OFFICE: b"office"}
    assert await forecasts.kept_city() == b"city again"


async def test_nothing_is_kept_of_a_lot_that_nobody_registered(block: Block) -> None:
    """It may have been taken out of the register since it was counted; the others are kept all the same."""
    forecasts = block.stores.forecasts
    await forecasts.keep({LotId("gone"): b"gone", MALL: b"mall"}, b"city")

    assert await forecasts.kept_lots([LotId("gone"), MALL]) == {MALL: b"mall"}
