"""What is known of lots while the live state is away: the ledger is asked, and for nothing that is known already."""

from datetime import UTC, datetime

import pytest
from typing_extensions import override

from bowei.domain.clock import SteppedClock
from bowei.domain.directory import Directory
from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name
from bowei.domain.places import Point
from bowei.livestate.in_memory import InMemoryLiveState
from bowei.livestate.mirror import LiveMirror
from bowei.records.in_memory import (
    InMemoryGateBook,
    InMemoryHoldBook,
    InMemoryRecords,
    InMemoryRegister,
    InMemoryReportJournal,
)
from services.routing import hints
from services.routing.hints import Hints

HERE = Point(30.2552, 120.1582)


class CountedRegister(InMemoryRegister):
    """A register that counts how often it is read whole."""

    def __init__(self, records: InMemoryRecords) -> None:
        super().__init__(records)
        self.read_whole = 0

    @override
    async def directory(self) -> Directory:
        self.read_whole += 1
        return await super().directory()


def a_lot(name: str) -> Lot:
    """Give a lot by the lake."""
    entrance = Entrance("north", Name("北口", "North"), HERE)
    return Lot(LotId(name), LotKind.MALL, Name("停车场", "Lot"), "Asia/Shanghai", 50, HERE, (entrance,))


async def test_a_directory_is_read_from_the_ledger_once_for_each_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers who are answered from the ledger share one directory until it changes; then they get the new one."""
    monkeypatch.setattr(hints, "_LEDGER_READ_EVERY_S", 0.0)
    records = InMemoryRecords(SteppedClock(datetime(2026, 3, 2, tzinfo=UTC)))
    register = CountedRegister(records)
    never_loaded = LiveMirror(InMemoryLiveState())
    asked = Hints(
        never_loaded, InMemoryHoldBook(records), InMemoryReportJournal(records), register, InMemoryGateBook(records)
    )
    await register.put_lots([a_lot("mall")])
    first, second = await asked.known(), await asked.known()
    assert (first.source, set(first.directory.lots), register.read_whole) == ("ledger", {"mall"}, 1)
    assert second.directory is first.directory
    await register.put_lots([a_lot("office")])
    third = await asked.known()
    assert (set(third.directory.lots), set(third.lots), register.read_whole) == ({"mall", "office"},) * 2 + (2,)
