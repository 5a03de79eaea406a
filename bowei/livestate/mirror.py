"""A process's own copy of the live state, kept current by push.

Reading it costs nothing and can't fail; when the live state is away it keeps its last values and says how old they
are. It is read whole at the start, after every lost connection, and now and then in case news was lost.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping

from bowei.domain.choosing import LotNow
from bowei.domain.directory import Directory
from bowei.domain.forecasting import UNKNOWN_LOT, Foreseen
from bowei.domain.gate import GateWord
from bowei.domain.lots import HospitalId, LotId
from bowei.domain.road_conditions import FREE_ROADS, RoadConditions
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.gathering import gathered
from bowei.livestate.reading import Change, ReadsLiveState

_log = logging.getLogger(__name__)

CURRENT_FOR_S = 3.0
"""The live state gives a sign of life every second; after three missed ones a copy is no longer current."""

_READ_AGAIN_EVERY_S = 15.0
_READ_AGAIN_AT_ONCE, _READ_AGAIN_IN_QUIET = 200, 5_000
"""How many lots are read again beside news, and at a sign of life without any. A large city takes seconds: who read it
in one go would hear nothing meanwhile, and count as one whose live state is away."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_UNKNOWN = LotNow(None)


class LiveMirror:
    """The copy. Run `run` as a task for as long as it is read."""

    def __init__(
        self,
        live_state: ReadsLiveState,
        *,
        current_for_s: float = CURRENT_FOR_S,
        read_again_every_s: float = _READ_AGAIN_EVERY_S,
    ) -> None:
        self._live_state = live_state
        self._current_for_s = current_for_s
        self._read_again_every_s = read_again_every_s
        self._directory = Directory.empty()
        self._lots: dict[LotId, LotNow] = {}
        self._foreseen: Mapping[LotId, Foreseen] = {}
        self._changed_at: dict[LotId, int] = {}
        self._heard_of: set[LotId] = set()
        """Of which there was news since the last look for lost news."""
        self._serial = 0
        self._changed = asyncio.Event()
        self._gate_words: Mapping[HospitalId, GateWord] = {}
        self._roads = FREE_ROADS
        self._roads_changed = asyncio.Event()
        self._current_until: float | None = None
        self._copied = False
        self._loaded = asyncio.Event()

    @property
    def directory(self) -> Directory:
        """All that is registered, as last copied."""
        return self._directory

    @property
    def lots(self) -> Mapping[LotId, LotNow]:
        """What is shown of each lot; a lot of which nothing was ever shown is absent."""
        return self._lots

    @property
    def foreseen(self) -> Mapping[LotId, Foreseen]:
        """What is foreseen of each lot, as last copied: one value for all, that is never changed but replaced."""
        return self._foreseen

    @property
    def gate_words(self) -> Mapping[HospitalId, GateWord]:
        """What gates' staff said, as last copied; a gate of which nobody said anything is absent."""
        return self._gate_words

    @property
    def roads(self) -> RoadConditions:
        """What is said of the roads, as last copied."""
        return self._roads

    @property
    def serial(self) -> int:
        """Grows with each change of the directory, a report, a promise or a gate's word; forecasts come in silence."""
        return self._serial

    @property
    def age_s(self) -> float | None:
        """For how many real seconds the copy has not been known to be current; None before it was ever read."""
        return None if self._current_until is None else max(0.0, time.monotonic() - self._current_until)

    def is_current(self) -> bool:
        """Say whether the live state has given a sign of life lately."""
        return self.age_s is not None and self.age_s <= self._current_for_s

    def lot(self, lot_id: LotId) -> LotNow:
        """Give what is shown of one lot."""
        return self._lots.get(lot_id, _UNKNOWN)

    def changed_since(self, serial: int) -> set[LotId]:
        """Give the lots that changed after `serial`; of a new directory all are."""
        changed = set()
        for lot_id in reversed(self._changed_at):  # the last to change comes last: a large city is not looked through
            if self._changed_at[lot_id] <= serial:
                break
            changed.add(lot_id)
        return changed

    async def wait_change(self, serial: int, timeout_s: float) -> bool:
        """Wait until something changes after `serial`; False where nothing did in time."""
        return self._serial > serial or await _within(self._changed, timeout_s)

    async def wait_roads(self, version: int, timeout_s: float) -> bool:
        """Wait until the roads are of another version; False where they stayed in time."""
        return self._roads.version != version or await _within(self._roads_changed, timeout_s)

    async def wait_loaded(self, timeout_s: float) -> bool:
        """Wait until the copy was read whole once; False where that did not happen in time."""
        return await _within(self._loaded, timeout_s)

    async def run(self) -> None:
        """Keep the copy current until cancelled."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async with self._live_state.changes() as every, gathered(every) as news:
                    await self._read_whole()
                    pause_s = _FIRST_PAUSE_S
                    await self._follow(news)
            except LiveStateAway as error:
                _log.warning("live_state_away", extra={"why": str(error), "retry_in_s": pause_s})
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _follow(self, news: AsyncIterator[Change]) -> None:
        whole_at = time.monotonic() + self._read_again_every_s
        unread: list[LotId] = []
        async for change in news:
            if change.directory or not self._copied:
                await self._read_whole()
                whole_at, unread = time.monotonic() + self._read_again_every_s, []
            elif not unread and time.monotonic() > whole_at:  # a look that is not at its end goes on: it reaches all
                unread = await self._look_for_lost_news()
                whole_at = time.monotonic() + self._read_again_every_s
            if change.roads:
                await self._read_roads()
            # Some at a time, so that no news waits until a whole city is read.
            some = unread[: _READ_AGAIN_AT_ONCE if change.lots else _READ_AGAIN_IN_QUIET]
            unread = unread[len(some) :]
            self._heard_of |= change.lots
            if change.lots or some:
                self._take(await self._live_state.lots(change.lots.union(some)))
            if change.foreseen:
                await self._read_forecasts()
            if change.gates:
                await self._read_gate_words()
            if self._copied:
                self._current_until = time.monotonic()

    async def _look_for_lost_news(self) -> list[LotId]:
        """Read the directory again, and all where it is another; else give the lots that are to be read again.

        Not those of which there was news since the last look: they were read then, and in a busy city that is all of
        them. What was lost of such a lot after that, the next look finds.
        """
        heard_of, self._heard_of = self._heard_of, set()
        directory = await self._live_state.directory()
        if directory is None or directory != self._directory:
            await self._read_whole()
            return []
        await self._read_roads()
        await self._read_gate_words()
        return [lot_id for lot_id in directory.lots if lot_id not in heard_of]

    async def _read_whole(self) -> None:
        directory = await self._live_state.directory()
        self._copied = directory is not None
        if directory is None:
            # An emptied or new server: keep what is known, ageing, until the follower has copied again.
            return
        await self._read_forecasts()
        self._take(await self._live_state.lots(directory.lots))
        await self._read_roads()
        await self._read_gate_words()
        if directory != self._directory:
            for gone in self._lots.keys() - directory.lots.keys():
                del self._lots[gone]
                self._changed_at.pop(gone, None)
            self._directory = directory
            self._note(directory.lots)
        self._current_until = time.monotonic()
        self._loaded.set()

    async def _read_forecasts(self) -> None:
        """Read what is foreseen, and show it with what else is known of each lot."""
        foreseen = await self._live_state.forecasts()
        if foreseen:
            # None at all: the server was emptied, or nobody foresees. The last stand, as reports do, until others come.
            self._foreseen = foreseen
            for lot_id, known in self._lots.items():
                self._lots[lot_id] = LotNow(known.report, known.promise, foreseen.get(lot_id, UNKNOWN_LOT))

    async def _read_roads(self) -> None:
        # A city's speeds are a megabyte: read only where they are others.
        version = await self._live_state.roads_version()
        if version is None or version == self._roads.version:
            return
        roads = await self._live_state.roads()
        if roads is not None and roads.version != self._roads.version:
            self._roads = roads
            self._roads_changed.set()
            self._roads_changed = asyncio.Event()

    async def _read_gate_words(self) -> None:
        said = await self._live_state.gate_words()
        words = self._gate_words if said is None else {word.hospital_id: word for word in said}
        if words != self._gate_words:
            self._gate_words = words
            self._note(())

    def _take(self, lots: Mapping[LotId, LotNow]) -> None:
        # What is missing was lost by the server, not unsaid by the lot: the last value stays, and ages.
        changed = []
        for lot_id, shown in lots.items():
            known = self._lots.get(lot_id, _UNKNOWN)
            report = shown.report or known.report
            promise = shown.promise if shown.promise.version else known.promise
            if report != known.report or promise != known.promise:
                self._lots[lot_id] = LotNow(report, promise, self._foreseen.get(lot_id, UNKNOWN_LOT))
                changed.append(lot_id)
        if changed:
            self._note(changed)

    def _note(self, lot_ids: Iterable[LotId]) -> None:
        self._serial += 1
        for lot_id in lot_ids:
            self._changed_at.pop(lot_id, None)
            self._changed_at[lot_id] = self._serial
        self._changed.set()
        self._changed = asyncio.Event()


async def _within(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait until something happens; False where it did not in time."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
