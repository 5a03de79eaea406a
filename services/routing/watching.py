"""Watching: whoever waits for a change of one diversion or one lot is woken when it comes, and reads nothing before.

One connection of the process listens to the ledger, and one query reads the steps that were taken, for all who wait.
What is heard twice wakes twice: who was woken looks, and sees whether anything is new.
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from bowei.domain.lots import LotId
from bowei.records.failures import StoreFailure
from bowei.records.holding import HoldBook, StepsCursor
from bowei.records.leading import Leads

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
"""A notice may be lost with its connection; who waits is late by this at most."""
_GATHERED_S = 0.02
"""A busy ledger gives notice a thousand times a second; it is read fifty times."""
_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Topic:
    """What can change; `in_ledger` says whether the ledger must be read to see it, or only the live state."""

    kind: str
    name: str
    in_ledger: bool


def of_diversion(diversion_id: str) -> Topic:
    """Name the steps of one diversion's holds."""
    return Topic("diversion", diversion_id, in_ledger=True)


def of_holds_on(lot_id: LotId) -> Topic:
    """Name the steps of all holds on one lot."""
    return Topic("holds", lot_id, in_ledger=True)


def of_danger_to(lot_id: LotId) -> Topic:
    """Name what endangers the holds on one lot."""
    return Topic("danger", lot_id, in_ledger=False)


def of_sight_of(lot_id: LotId) -> Topic:
    """Name what is shown of one lot."""
    return Topic("sight", lot_id, in_ledger=False)


class HearsLedger(Protocol):
    """Opens connections that hear of changes."""

    async def listen(self) -> Leads:
        """Listen from now on. Raises StoreFailure."""
        ...


class Watch:
    """One who waits. It is woken once for whatever came since it last waited."""

    def __init__(self) -> None:
        self.topics: frozenset[Topic] = frozenset()
        self._woken = asyncio.Event()
        self._in_ledger = False

    def wake(self, *, in_ledger: bool) -> None:
        """Let it look; `in_ledger`: at the ledger too."""
        self._in_ledger |= in_ledger
        self._woken.set()

    def take_ledger_news(self) -> bool:
        """Say whether the ledger has changed since this was last asked."""
        changed, self._in_ledger = self._in_ledger, False
        return changed

    async def wait(self, timeout_s: float) -> bool:
        """Wait for news, at most `timeout_s`; False where none came."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


class Watching:
    """Everyone who waits, by what for. Run `run` as a task."""

    def __init__(self, book: HoldBook, hears: HearsLedger) -> None:
        self._book = book
        self._hears = hears
        self._watches: dict[Topic, set[Watch]] = {}
        self._cursor: StepsCursor | None = None
        self._closing = False

    @property
    def closing(self) -> bool:
        """Whether the process stops, and nobody should wait any more."""
        return self._closing

    def close(self) -> None:
        """Wake everyone for the last time: the process stops."""
        self._closing = True
        self.wake_all()

    @contextmanager
    def watch(self, *topics: Topic) -> Iterator[Watch]:
        """Wait for news of some topics, for as long as the context lasts."""
        watch = Watch()
        self.turn(watch, topics)
        try:
            yield watch
        finally:
            self.turn(watch, ())

    def turn(self, watch: Watch, topics: Iterable[Topic]) -> None:
        """Let one who waits wait for these topics from now on, and for no others."""
        wanted = frozenset(topics)
        for topic in watch.topics - wanted:
            self._watches[topic].discard(watch)
            if not self._watches[topic]:
                del self._watches[topic]
        for topic in wanted - watch.topics:
            self._watches.setdefault(topic, set()).add(watch)
        watch.topics = wanted

    def wake(self, topics: Iterable[Topic]) -> None:
        """Wake those who wait for these topics."""
        for topic in topics:
            for watch in self._watches.get(topic, ()):
                watch.wake(in_ledger=topic.in_ledger)

    def wake_all(self) -> None:
        """Wake everyone: news may have been missed."""
        for watches in self._watches.values():
            for watch in watches:
                watch.wake(in_ledger=True)

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen(await self._hears.listen())
            except StoreFailure as error:
                _log.warning("ledger_not_heard", extra={"why": str(error)})
            await asyncio.sleep(_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)

    async def _listen(self, ear: Leads) -> None:
        self._cursor = None
        try:
            while not ear.lost():
                left_out = await self._read()
                # With more news than are read at once everybody looks, and that not fifty times a second.
                await asyncio.sleep(_LOOK_EVERY_S if left_out else _GATHERED_S)
                await ear.wait(_LOOK_EVERY_S)
        finally:
            await ear.give_up()

    async def _read(self) -> bool:
        """Read the news and wake whom they concern; say whether there were too many to tell."""
        if not self._watches:
            # Nobody waits, so nothing is read; who comes next is told to look once there is a place to go on from.
            self._cursor = None
            return False
        begins = self._cursor is None
        news = await self._book.steps(self._cursor)
        self._cursor = news.cursor
        if begins or news.left_out:
            self.wake_all()
            return news.left_out
        for diversion_id, lot_id in news.taken:
            self.wake((of_diversion(diversion_id), of_holds_on(lot_id)))
        return False
