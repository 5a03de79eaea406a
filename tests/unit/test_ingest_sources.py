"""Who may report, while the register can't be read or is being read: a valid key is never refused for good."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from typing_extensions import override

from bowei.domain.clock import SteppedClock
from bowei.domain.lots import SourceId
from bowei.domain.problems import Refused
from bowei.records.failures import StoreAway
from bowei.records.in_memory import InMemoryRecords, InMemoryRegister
from bowei.records.registering import Source, SourceKind, key_sha256_of
from services.ingest.sources import Sources

KEY = "new.a-secret-that-is-a-second-old"
HEADER = f"Bearer {KEY}"
NEW = Source(SourceId("new"), SourceKind.NATIVE, key_sha256_of(KEY))


class SlowRegister(InMemoryRegister):
    """A register that can be away, and that answers only when it is let."""

    def __init__(self) -> None:
        super().__init__(InMemoryRecords(SteppedClock(datetime(2026, 3, 2, tzinfo=UTC))))
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    @override
    async def directory_version(self) -> int:
        if self.away:
            raise StoreAway
        return await super().directory_version()

    @override
    async def sources(self) -> Sequence[Source]:
        await self.answers.wait()
        return await super().sources()


class Watch:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Give the seconds."""
        return self.now_s


async def test_a_key_is_not_called_wrong_while_the_register_cannot_be_read() -> None:
    """Proves that a source registered just before the ledger went away is told to come back (503), not to give up."""
    register, watch = SlowRegister(), Watch()
    sources = Sources(register, monotonic=watch)
    await sources.registered()
    await register.put_sources([NEW])
    register.away = True
    watch.now_s += 5

    with pytest.raises(StoreAway):
        await sources.reporter_of(HEADER)

    register.away = False
    watch.now_s += 5
    _, reporter = await sources.reporter_of(HEADER)
    assert reporter.source.source_id == "new"
    with pytest.raises(Refused):
        await sources.reporter_of("Bearer new.of-nobody")


async def test_who_comes_while_the_register_is_being_read_waits_for_the_reading() -> None:
    """Proves that of two first reports of a new source, sent at once, neither is refused."""
    register, watch = SlowRegister(), Watch()
    sources = Sources(register, monotonic=watch)
    await sources.registered()
    await register.put_sources([NEW])
    register.answers.clear()
    watch.now_s += 5

    both = [asyncio.create_task(sources.reporter_of(HEADER)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    register.answers.set()

    found = await asyncio.gather(*both)
    assert [reporter.source.source_id for _, reporter in found] == ["new", "new"]


async def test_a_source_registered_just_after_a_reading_is_not_sent_away() -> None:
    """Proves that its first report waits for the next reading."""
    register = SlowRegister()
    sources = Sources(register)
    await sources.registered()
    await register.put_sources([NEW])

    _, reporter = await sources.reporter_of(HEADER)

    assert reporter.source.source_id == "new"
