"""Work that runs beside the answers of a process: kept running whatever breaks it, and stopped with the process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

_log = logging.getLogger(__name__)
_CANCEL_AGAIN_S = 0.2


@asynccontextmanager
async def in_background(work: Callable[[], Awaitable[None]], *, again_after_s: float = 1.0) -> AsyncIterator[None]:
    """Run `work` for as long as the context lasts; where it fails, that is logged and it begins again."""
    task = asyncio.create_task(_kept_running(work, again_after_s))
    try:
        yield
    finally:
        await stop(task)


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended, whatever it ended with."""
    # Again and again: in Python 3.11 `wait_for` loses a cancellation that meets the end of its wait.
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN_S)


async def _kept_running(work: Callable[[], Awaitable[None]], again_after_s: float) -> None:
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 (answers go on from what is known, whatever broke)
            _log.error("background_work_failed", extra={"work": work.__qualname__}, exc_info=error)
        await asyncio.sleep(again_after_s)
