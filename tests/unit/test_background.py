"""Work beside the answers of a process."""

import asyncio
import contextlib

import pytest

from bowei.observability.background import in_background


async def test_work_that_breaks_is_begun_again_and_its_fault_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    """A copy that fails once for a reason that nobody foresaw does not stay stopped for ever."""
    begun = asyncio.Queue[int]()

    async def work() -> None:
        begun.put_nowait(begun.qsize())
        raise RuntimeError

    async with in_background(work, again_after_s=0.0), asyncio.timeout(5):
        for _ in range(3):
            await begun.get()
    assert "background_work_failed" in caplog.messages


async def test_work_that_misses_a_cancellation_is_stopped_all_the_same() -> None:
    """A process that is told to stop does so, also when a wait swallowed the first cancellation."""
    running, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        running.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(5), in_background(work):
        await running.wait()
    assert ended.is_set()
