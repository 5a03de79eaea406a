"""Whose key it is, while the register can't be read or is being read: a valid key is never refused for good."""

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
from services.routing.knowing import KnownKeys

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
        self.readings = 0

    @override
    async def directory_version(self) -> int:
        if self.away:
            raise StoreAway
        return await super().directory_version()

    @override
    async def sources(self) -> Sequence[Source]:
        self.readings += 1
        await self.answers.wait()
        return await super().sources()


class Watch:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Give the seconds."""
        return self.now_s


async def _together(register: SlowRegister, keys: KnownKeys, count: int) -> list[Source]:
    """Let so many ask with the new key while the register is being read."""
    register.answers.clear()
    asking = [asyncio.create_task(keys.source_of(HEADER)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    register.answers.set()
    return await asyncio.gather(*asking)


async def test_of_the_first_who_ask_at_once_none_is_refused() -> None:
    """Proves that three with a good key wait for the one reading that is under way."""
    register = SlowRegister()
    await register.put_sources([NEW])
    found = await _together(register, KnownKeys(register, monotonic=Watch()), 3)
    assert [source.source_id for source in found] == ["new"] * 3
    assert register.readings == 1


async def test_of_a_party_registered_a_moment_ago_none_is_refused() -> None:
    """Proves the same once there is a reading that does not know the key."""
    register, watch = SlowRegister(), Watch()
    keys = KnownKeys(register, monotonic=watch)
    with pytest.raises(Refused):
        await keys.source_of(HEADER)
    await register.put_sources([NEW])
    watch.now_s += 1
    assert len(await _together(register, keys, 3)) == 3


async def test_a_key_is_not_called_wrong_while_the_register_cannot_be_read() -> None:
    """Proves that whoever was registered just before the ledger went away is told to come back (503)."""
    register, watch = SlowRegister(), Watch()
    keys = KnownKeys(register, monotonic=watch)
    with pytest.raises(Refused):
        await keys.gate_of(HEADER)
    await register.put_sources([NEW])
    register.away = True
    watch.now_s += 5
    for _ in range(2):
        with pytest.raises(StoreAway):
            await keys.source_of(HEADER)
    register.away = False
    watch.now_s += 5
    assert (await keys.source_of(HEADER)).source_id == "new"
    register.away = True
    watch.now_s += 5
    assert (await keys.source_of(HEADER)).source_id == "new"


async def test_without_any_reading_nobody_is_refused() -> None:
    """Proves that a process that starts while the ledger is away tells everybody to come back."""
    register = SlowRegister()
    register.away = True
    keys = KnownKeys(register, monotonic=Watch())
    for _ in range(2):
        with pytest.raises(StoreAway):
            await keys.source_of(HEADER)
