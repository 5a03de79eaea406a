"""Group commit: requests that arrive while a commit is in flight share the next one.

No timer and no added wait: a request that is alone is committed alone at once. A request that waited past its time is
dropped before work is done on it, and a full queue refuses at once. Requests of several lanes take turns.
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
    weight: int
    until: float
    answer: asyncio.Future[Answer] = field(repr=False)


class GroupCommit(Generic[Request, Answer]):
    """Collects requests and commits them together, at most `writers` batches at a time.

    `writing` gives a writer what commits its batches: it answers each request in order; an exception among the answers
    is that request's alone. A writer stays for a moment after its last batch, and whatever it keeps (a connection) with
    it: the next request finds it ready.

    `keys` names what may stand in one batch only once (two requests of one driver, two reports of one lot). At most
    `most` requests of `most_weight` together stand in a batch (or one that is heavier), and `queue_limit` of
    `weight_limit` together wait. `lane` names who takes turns with whom: a lane with much waiting delays the others by
    one request each turn, not by all.
    """

    def __init__(
        self,
        writing: Callable[[], AbstractAsyncContextManager[Commit[Request, Answer]]],
        *,
        keys: Callable[[Request], Collection[str]],
        lane: Callable[[Request], str] = lambda _: "",
        most: int = 200,
        weigh: Callable[[Request], int] = lambda _: 1,
        most_weight: int | None = None,
        weight_limit: int | None = None,
        writers: int = 1,
        queue_limit: int = 2_000,
        patience_s: float = 3.0,
        stays_s: float = _STAYS_S,
    ) -> None:
        self._writing = writing
        self._keys = keys
        self._lane = lane
        self._most = most
        self._weigh = weigh
        self._most_weight = most if most_weight is None else most_weight
        self._weight_limit = queue_limit if weight_limit is None else weight_limit
        self._weight = 0
        self._queue_limit = queue_limit
        self._patience_s = patience_s
        self._stays_s = stays_s
        self._lanes: dict[str, deque[_Waiting[Request, Answer]]] = {}
        self._count = 0
        self._unborn = writers
        self._ready: list[asyncio.Future[bool]] = []
        self._closing = False
        self._running: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many requests wait for a commit."""
        return self._count

    async def submit(self, request: Request) -> Answer:
        """Have `request` committed, and give its answer after the commit.

        Raises:
            Overloaded: the queue is full, or the request waited longer than its patience.
            StoreFailure: whatever the commit raised.
        """
        weight = self._weigh(request)
        if self._count >= self._queue_limit or (self._count and self._weight + weight > self._weight_limit):
            raise Overloaded("the queue is full")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(request, self._keys(request), weight, time.monotonic() + self._patience_s, answer)
        self._lanes.setdefault(self._lane(request), deque()).append(waiting)
        self._count += 1
        self._weight += weight
        self._call_a_writer()
        return await answer

    async def close(self) -> None:
        """Let the commits in flight finish, and refuse what still waits."""
        for lane in self._lanes.values():
            for waiting in lane:
                if not waiting.answer.done():
                    waiting.answer.set_exception(Overloaded("shutting down"))
        self._lanes.clear()
        self._count = self._weight = 0
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
        if self._count or self._closing:
            return self._count > 0
        call: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._ready.append(call)
        end_of_stay = asyncio.get_running_loop().call_later(self._stays_s, self._let_go, call)
        try:
            # A request may have come just as the stay ended: it saw nobody ready, and counts on this one.
            return await call or self._count > 0
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
        left: dict[str, list[_Waiting[Request, Answer]]] = {name: [] for name in self._lanes}
        weight, turns = 0, deque(self._lanes)
        while turns and len(batch) < self._most:
            name = turns.popleft()
            waiting = self._next(self._lanes[name], taken, left[name])
            if waiting is None:
                continue
            if batch and weight + waiting.weight > self._most_weight:
                # It begins the next batch. What comes after it in its lane may not go before it.
                self._lanes[name].appendleft(waiting)
                break
            batch.append(waiting)
            weight += waiting.weight
            taken.update(waiting.keys)
            turns.append(name)
            self._lanes[name] = self._lanes.pop(name)  # the last to have a turn in the next batch
        for name, passed_by in left.items():
            self._lanes[name].extendleft(reversed(passed_by))
        self._lanes = {name: lane for name, lane in self._lanes.items() if lane}
        self._count = sum(len(lane) for lane in self._lanes.values())
        self._weight -= weight
        return batch

    def _next(
        self, lane: deque[_Waiting[Request, Answer]], taken: set[str], passed_by: list[_Waiting[Request, Answer]]
    ) -> _Waiting[Request, Answer] | None:
        """Give the first of a lane that may join a batch of which `taken` is taken; what it passes by stays."""
        now = time.monotonic()
        while lane:
            waiting = lane.popleft()
            if waiting.answer.done():
                self._weight -= waiting.weight  # whoever asked has gone
            elif waiting.until < now:
                self._weight -= waiting.weight
                waiting.answer.set_exception(Overloaded("waited too long"))
            elif taken.isdisjoint(waiting.keys):
                return waiting
            else:
                # What is left behind keeps its keys taken, so that nothing of the same key overtakes it.
                passed_by.append(waiting)
                taken.update(waiting.keys)
        return None


def _call(call: asyncio.Future[bool], to_work: bool) -> None:
    if not call.done():
        call.set_result(to_work)
