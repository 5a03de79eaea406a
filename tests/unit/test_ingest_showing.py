"""Reports that come while others are being shown share the next call."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from typing_extensions import override

from bowei.domain.lots import LotId
from bowei.domain.offering import Report
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.in_memory import InMemoryLiveState
from services.ingest.showing import ShowingTogether

NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MALL, OFFICE = LotId("mall"), LotId("office")


def report(second: int) -> Report:
    """Give a report of so many seconds after nine, with as many free."""
    at = NINE + timedelta(seconds=second)
    return Report(observed_at=at, received_at=at, free=second)


class Slow(InMemoryLiveState):
    """A live state whose calls last until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[dict[LotId, int | None]] = []
        self.go = asyncio.Event()

    @override
    async def show_reports(self, reports: Mapping[LotId, Report]) -> None:
        self.calls.append({lot_id: one.free for lot_id, one in reports.items()})
        await self.go.wait()
        await super().show_reports(reports)


async def asked(showing: ShowingTogether, lot_id: LotId, second: int) -> asyncio.Task[None]:
    """Ask to show a report, and let it be taken up."""
    task = asyncio.create_task(showing.show({lot_id: report(second)}))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def test_what_comes_during_a_call_is_shown_by_the_next_the_newest_of_each_lot() -> None:
    """A burst costs two calls, and nobody is answered before their own report is shown."""
    live = Slow()
    showing = ShowingTogether(live)
    first = await asked(showing, MALL, 1)
    others = [await asked(showing, lot_id, second) for lot_id, second in ((MALL, 3), (MALL, 2), (OFFICE, 1))]
    assert live.calls == [{MALL: 1}]
    assert not any(task.done() for task in (first, *others))
    live.go.set()
    await asyncio.gather(first, *others)
    assert live.calls == [{MALL: 1}, {MALL: 3, OFFICE: 1}]


async def test_a_failure_is_told_to_those_who_waited_for_that_call_alone() -> None:
    """Whoever comes later is shown again as ever."""
    live = Slow()
    live.go.set()
    showing = ShowingTogether(live)
    live.away = True
    failed = [await asked(showing, MALL, 1), await asked(showing, OFFICE, 1)]
    for task in failed:
        with pytest.raises(LiveStateAway):
            await task
    live.away = False
    await showing.show({MALL: report(2)})


async def test_whoever_leaves_takes_nobody_along() -> None:
    """A caller who is gone does not undo the call that others wait for."""
    live = Slow()
    showing = ShowingTogether(live)
    leaves, stays = await asked(showing, MALL, 1), await asked(showing, OFFICE, 1)
    leaves.cancel()
    live.go.set()
    await stays
    shown = await live.lots([MALL, OFFICE])
    assert set(shown) == {MALL, OFFICE}
