"""The nemesis: faults of every kind, in an order that the seed decides, up to two at a time."""

import asyncio
import contextlib
import random
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack

import asyncpg
from redis.exceptions import RedisError

from tests.campaign.faults import COPY, KINDS, LEDGER, NEED_CLOCKS, NEED_DISK, Blow, Reach
from tests.campaign.history import Fault, History
from tests.campaign.machines import INGEST, OTHERS, ROUTING, Machines

_AT_ONCE = 2
_GAP_S = (0.1, 0.7)
_BACK_WITHIN_S = 30.0
_BREATH_S = 0.5
"""For which whatever was mended is left alone: where a store is never there, nobody can be answered."""
_ITSELF_STRUCK = (OSError, RuntimeError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError)
"""A fault that met another on its way is left out, and reported as skipped."""


def plan(seed: int, *, own_disk: bool, own_clocks: bool) -> Iterable[Blow]:
    """Give the faults of a seed, for ever: every kind in each round, in another order each time."""
    rng = random.Random(f"{seed} nemesis")  # noqa: S311 (to be replayed, not secret)
    left_out = (frozenset() if own_disk else NEED_DISK) | (frozenset() if own_clocks else NEED_CLOCKS)
    kinds = [kind for kind in KINDS if kind not in left_out]
    # Twice where there is such a disk, because only every other seed has one.
    kinds += [kind for kind in kinds if kind in NEED_DISK]
    while True:
        for kind in rng.sample(kinds, len(kinds)):
            targets, (least_s, most_s), _ = KINDS[kind]
            yield Blow(kind, rng.choice(targets), rng.uniform(least_s, most_s), rng.uniform(*_GAP_S))


class Nemesis:
    """Strikes machines, and sees to it that each is mended."""

    def __init__(self, machines: Machines, history: History) -> None:
        self._reach = Reach(machines, history, machines.folder.path / "old-copy")
        self._history = history
        self._alone = {name: asyncio.Lock() for name in (*ROUTING, *INGEST, *OTHERS, LEDGER, COPY)}
        self._striking = asyncio.Semaphore(_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, blows: Iterable[Blow], stop: asyncio.Event) -> None:
        """Strike until told to stop, or something does not come back, and wait until everything is mended."""
        try:
            for blow in blows:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(blow.after_s):
                        await stop.wait()
                await self._striking.acquire()
                if stop.is_set():
                    break
                task = asyncio.create_task(self._strike(blow, stop))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        finally:
            await asyncio.gather(*self._running)

    async def _strike(self, blow: Blow, stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            try:
                # In one order, as the ledger's own locks are taken.
                for name in sorted(_touched(blow)):
                    await stack.enter_async_context(self._alone[name])
                await self._struck(blow, stop)
            finally:
                self._striking.release()
            await asyncio.sleep(_BREATH_S)

    async def _struck(self, blow: Blow, stop: asyncio.Event) -> None:
        fault = Fault(blow.kind, blow.target, time.time())
        self._history.faults.append(fault)
        _, _, act = KINDS[blow.kind]
        try:
            async with asyncio.timeout(_BACK_WITHIN_S) as patience:
                await act(self._reach, blow)
        except _ITSELF_STRUCK as error:
            fault.skipped = f"{type(error).__name__}: {error}"
            if patience.expired():
                self._history.violated("did_not_come_back", f"{blow.kind}: not within {_BACK_WITHIN_S:g} s")
                stop.set()
        fault.returned_s = time.time()


def _touched(blow: Blow) -> set[str]:
    if blow.kind in {"both_stores_killed", "both_stores_slow"}:
        return {LEDGER, COPY}
    return {blow.target}
