"""Keep one program running: start it again when it dies, later each time, and not for ever."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from services.local.children import Child, exited, kill
from services.local.setup_problem import SetupProblem

_FIRST_DELAY_S = 0.2
_DELAY_S_MAX = 2.0
_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.05
_CANCEL_AGAIN_S = 0.2

Start = Callable[[], Awaitable[Child]]
Stop = Callable[[Child], Awaitable[None]]


class RestartBudget:
    """How often a program may be started again: 10 times a minute, each 0.2 to 2 s after the last death."""

    def __init__(self, *, restarts_max: int = 10) -> None:
        self.restarts_max = restarts_max
        self._deaths_at_s: deque[float] = deque()

    def next_delay_s(self, now_s: float) -> float | None:
        """Return how long to wait before the restart after a death at `now_s` (monotonic); None to give up."""
        while self._deaths_at_s and now_s - self._deaths_at_s[0] > _WITHIN_S:
            self._deaths_at_s.popleft()
        if len(self._deaths_at_s) >= self.restarts_max:
            return None
        self._deaths_at_s.append(now_s)
        return min(_DELAY_S_MAX, _FIRST_DELAY_S * 2.0 ** (len(self._deaths_at_s) - 1))


class Supervised:
    """One program under supervision, from `start` to `stop`."""

    def __init__(self, name: str, start: Start, stop: Stop, budget: RestartBudget | None = None) -> None:
        self.name = name
        self.restart_count = 0
        self._start = start
        self._budget = budget or RestartBudget()
        self._stop = stop
        self._child: Child | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    async def start(self) -> None:
        """Start it, wait until it is ready, and keep it so.

        Raises:
            SetupProblem: it did not become ready.
        """
        self._child = await self._start()
        self._keeping = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def gave_up(self) -> SetupProblem:
        """Wait until it can no longer be kept running, and return why."""
        if self._keeping is None:
            raise RuntimeError(f"{self.name} was not started")
        try:
            await asyncio.shield(self._keeping)
        except SetupProblem as problem:
            return problem
        raise RuntimeError(f"{self.name} was stopped")

    async def stop(self) -> None:
        """End it, also when it is just being started again."""
        if self._keeping:
            # Again and again: in Python 3.11 `wait_for` loses a cancellation that meets the end of its wait.
            while not self._keeping.done():
                self._keeping.cancel()
                await asyncio.wait({self._keeping}, timeout=_CANCEL_AGAIN_S)
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._child:
            try:
                await self._stop(self._child)
            finally:
                kill(self._child)

    async def _keep(self) -> None:
        problem: SetupProblem | None = None
        while True:
            while self._child and await exited(self._child, within_s=_LOOK_EVERY_S) is None:
                pass
            delay_s = self._budget.next_delay_s(time.monotonic())
            if delay_s is None:
                raise problem or SetupProblem(
                    "keeps_stopping",
                    f"{self.name} stopped more than {self._budget.restarts_max} times within a minute.",
                    f"Read logs/{self.name}.log in the data folder.",
                )
            await asyncio.sleep(delay_s)
            self._child = None
            try:
                self._child = await self._start()
                self.restart_count += 1
            except SetupProblem as reason:
                problem = reason


async def first_to_give_up(supervised: Sequence[Supervised]) -> SetupProblem:
    """Wait until one of them can no longer be kept running, and return why."""
    waiting = [asyncio.create_task(one.gave_up()) for one in supervised]
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in waiting:
            task.cancel()


@contextlib.asynccontextmanager
async def run_together(supervised: Sequence[Supervised]) -> AsyncIterator[None]:
    """Start all at the same time; whatever happens, stop all at the same time."""
    starting = [asyncio.create_task(one.start()) for one in supervised]
    try:
        await asyncio.gather(*starting)
        yield
    finally:
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        await asyncio.gather(*(one.stop() for one in supervised), return_exceptions=True)
