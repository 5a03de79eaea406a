"""Group commit: requests that arrive while a commit is in flight share the next one.

No timer and no added wait: a request that is alone is committed alone at once. A request that waited past its time is
dropped before work is done on it, and a full queue refuses at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bowei.records.failures import Overloaded

Request = TypeVar("Request")
Answer = TypeVar("Answer")
_STAYS_S = 1.0
"""Long enough to be there for the next request of a quiet minute, short enough to hold nobody up."""

Commit = Callable[[Sequence[Request]], Awaitable[Sequence[Answer | Exception]]]


@dataclass(slots=True)
class _Waiting(Generic[Request, Answer]):
    request: Request
    keys: Collection[str]
    until: float
    answer: asyncio.Future[Answer] = field(repr=False)


class GroupCommit(Generic[Request, Answer]):
    """Collects requests and commits them together, at most `writers` batches at a time.

    `writing` gives a writer what commits its batches: it answers each request in order; an exception among the answers
    is that request's alone. A writer stays for a moment after its last batch, and whatever it keeps (a connection) with
    it: the next request finds it ready. `keys` names what may stand in one batch only once (two requests of one driver,
    two reports of one lot).
    """

    def __init__(
        self,
        writing: Callable[[], AbstractAsyncContextManager[Commit[Request, Answer]]],
        *,
        keys: Callable[[Request], Collection[str]],
        most: int = 200,
        writers: int = 1,
        queue_limit: int = 2_000,
        patience_s: float = 3.0,
        stays_s: float = _STAYS_S,
    ) -> None:
        self._writing = writing
        self._keys = keys
        self._most = most
        self._queue_limit = queue_limit
        self._patience_s = patience_s
        self._stays_s = stays_s
        self._waiting: deque[_Waiting[Request, Answer]] = deque()
        self._unborn = writers
        self._ready: list[asyncio.Future[bool]] = []
        self._closing = False
        self._running: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many requests wait for a commit."""
        return len(self._waiting)

    async def submit(self, request: Request) -> Answer:
        """Have `request` committed, and give its answer after the commit.

        Raises:
            Overloaded: the queue is full, or the request waited longer than its patience.
            StoreFailure: whatever the commit raised.
        """
        if len(self._waiting) >= self._queue_limit:
            raise Overloaded("the queue is full")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(request, self._keys(request), time.monotonic() + self._patience_s, answer))
        self._call_a_writer()
        return await answer

    async def close(self) -> None:
        """Let the commits in flight finish, and refuse what still waits."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.answer.done():
                waiting.answer.set_exception(Overloaded("shutting down"))
        self._closing = True
        while self._ready:
            _call(self._ready.pop(), False)
        if self._running:
            await asyncio.wait(self._running, timeout=self._patience_s)

    def _call_a_writer(self) -> None:
        if self._ready:
            # The one that was busy last: its connection is the warmest, and the others may go.
            _call(self._ready.pop(), True)
        elif self._unborn:
            self._unborn -= 1
            task = asyncio.create_task(self._write())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _write(self) -> None:
        async with self._writing() as commit:
            try:
                # One turn of the loop lets requests of the same instant join: requests already read, not a timer.
                await asyncio.sleep(0)
                while await self._called():
                    while batch := self._take():
                        await self._commit_batch(commit, batch)
            finally:
                # Before anything is given back: who comes meanwhile waits for nobody.
                self._unborn += 1

    async def _called(self) -> bool:
        if self._waiting or self._closing:
            return bool(self._waiting)
        call: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._ready.append(call)
        end_of_stay = asyncio.get_running_loop().call_later(self._stays_s, self._let_go, call)
        try:
            # A request may have come just as the stay ended: it saw nobody ready, and counts on this one.
            return await call or bool(self._waiting)
        finally:
            end_of_stay.cancel()

    def _let_go(self, call: asyncio.Future[bool]) -> None:
        if call in self._ready:
            self._ready.remove(call)
            _call(call, False)

    async def _commit_batch(self, commit: Commit[Request, Answer], batch: list[_Waiting[Request, Answer]]) -> None:
        try:
            answers = await commit([waiting.request for waiting in batch])
        except Exception as error:  # noqa: BLE001 (whatever it was, those who wait must hear of it)
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)

    def _take(self) -> list[_Waiting[Request, Answer]]:
        batch: list[_Waiting[Request, Answer]] = []
        taken: set[str] = set()
        left: list[_Waiting[Request, Answer]] = []
        now = time.monotonic()
        while self._waiting and len(batch) < self._most:
            waiting = self._waiting.popleft()
            if waiting.answer.done():
                continue  # whoever asked has gone
            if waiting.until < now:
                waiting.answer.set_exception(Overloaded("waited too long"))
            else:
                # What is left behind keeps its keys taken, so that nothing of the same key overtakes it.
                (batch if taken.isdisjoint(waiting.keys) else left).append(waiting)
                taken.update(waiting.keys)
        self._waiting.extendleft(reversed(left))
        return batch


def _call(call: asyncio.Future[bool], to_work: bool) -> None:
    if not call.done():
        call.set_result(to_work)
