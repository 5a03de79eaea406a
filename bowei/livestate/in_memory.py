"""The live state in memory: the specification that Redis is held to, and the store of tests without a server."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from typing_extensions import override

from bowei.domain.choosing import LotNow
from bowei.domain.directory import Directory
from bowei.domain.forecasting import Foreseen
from bowei.domain.foreseeing import CityForeseen
from bowei.domain.gate import GateWord
from bowei.domain.lots import LotId
from bowei.domain.offering import NOTHING_PROMISED, LotPromise, Report
from bowei.domain.road_conditions import RoadConditions
from bowei.livestate import keys
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.reading import Change, ReadsLiveState
from bowei.livestate.showing import ShowsForecasts, ShowsPromises, ShowsReports

_MOST_UNREAD = 10_000


class InMemoryLiveState(ShowsReports, ShowsForecasts, ShowsPromises, ReadsLiveState):
    """The live state of one process. `away` makes every call fail, as a lost server would; `flush` empties it."""

    def __init__(self) -> None:
        self.away = False
        self._listeners: set[asyncio.Queue[Change]] = set()
        self._reports: dict[LotId, Report] = {}
        self._promises: dict[LotId, LotPromise] = {}
        self._forecasts: dict[LotId, Foreseen] = {}
        self._directory: Directory | None = None
        self._roads: RoadConditions | None = None
        self._gate_words: tuple[GateWord, ...] | None = None
        self._marks: dict[str, str] = {}

    def flush(self) -> None:
        """Forget everything, as FLUSHALL would."""
        self._reports.clear()
        self._promises.clear()
        self._forecasts.clear()
        self._directory = self._roads = self._gate_words = None
        self._marks.clear()

    async def ping(self) -> None:
        """Ask for a sign of life.

        Raises:
            LiveStateAway: there was none.
        """
        self._there()

    @override
    async def show_reports(self, reports: Mapping[LotId, Report]) -> None:
        self._there()
        for lot_id, report in reports.items():
            shown = self._reports.get(lot_id)
            if shown is None or keys.report_order(report) > keys.report_order(shown):
                self._reports[lot_id] = report
        self._tell(Change(lots=frozenset(reports)))

    @override
    async def reports_copied(self) -> bool:
        self._there()
        return keys.COPIED_SEEN in self._marks

    @override
    async def copy_reports(self, reports: Mapping[LotId, Report]) -> None:
        await self.show_reports(reports)
        self._marks[keys.COPIED_SEEN] = "reports"

    @override
    async def show_forecasts(self, foreseen: CityForeseen) -> None:
        self._there()
        self._forecasts = foreseen.by_lot()
        self._tell(Change(foreseen=True))

    @override
    async def show_promises(self, promises: Mapping[LotId, LotPromise]) -> None:
        self._there()
        self._replace_promises(promises)
        self._tell(Change(lots=frozenset(promises)))

    @override
    async def show_promises_again(self, promises: Mapping[LotId, LotPromise]) -> None:
        self._there()
        if self._replace_promises(promises):
            self._tell(Change(lots=frozenset(promises)))

    def _replace_promises(self, promises: Mapping[LotId, LotPromise]) -> bool:
        """Take those that are newer; say whether any was."""
        newer = {
            lot_id: promise
            for lot_id, promise in promises.items()
            if (shown := self._promises.get(lot_id)) is None or promise.version > shown.version
        }
        self._promises.update(newer)
        return bool(newer)

    @override
    async def promises_copied(self, ledger: str) -> bool:
        self._there()
        return self._marks.get(keys.COPIED_PROMISED) == ledger

    @override
    async def copy_promises(self, promises: Mapping[LotId, LotPromise], directory: Directory, *, ledger: str) -> None:
        self._there()
        self._promises.update(promises)
        await self.show_directory(directory)
        self._tell(Change(lots=frozenset(promises)))
        self._marks[keys.COPIED_PROMISED] = ledger

    @override
    async def show_directory(self, directory: Directory) -> None:
        self._there()
        self._directory = directory
        self._tell(Change(directory=True))

    @override
    async def show_roads(self, conditions: RoadConditions) -> None:
        self._there()
        self._roads = conditions
        self._tell(Change(roads=True))

    @override
    async def roads_version(self) -> int | None:
        self._there()
        return None if self._roads is None else self._roads.version

    @override
    async def roads(self) -> RoadConditions | None:
        self._there()
        return self._roads

    @override
    async def show_gate_words(self, words: Sequence[GateWord]) -> None:
        self._there()
        self._gate_words = tuple(words)
        self._tell(Change(gates=True))

    @override
    async def gate_words(self) -> Sequence[GateWord] | None:
        self._there()
        return self._gate_words

    @override
    async def directory(self) -> Directory | None:
        self._there()
        return self._directory

    @override
    async def lots(self, lot_ids: Iterable[LotId]) -> Mapping[LotId, LotNow]:
        self._there()
        return {
            lot_id: LotNow(self._reports.get(lot_id), self._promises.get(lot_id, NOTHING_PROMISED))
            for lot_id in lot_ids
            if lot_id in self._reports or lot_id in self._promises
        }

    @override
    async def forecasts(self) -> Mapping[LotId, Foreseen]:
        self._there()
        return self._forecasts

    @override
    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[Change]]:
        self._there()
        news: asyncio.Queue[Change] = asyncio.Queue(_MOST_UNREAD)
        self._listeners.add(news)
        try:
            yield self._listen(news)
        finally:
            self._listeners.discard(news)

    async def _listen(self, news: asyncio.Queue[Change]) -> AsyncIterator[Change]:
        while True:
            try:
                async with asyncio.timeout(1.0):
                    change = await news.get()
            except TimeoutError:
                change = Change()
            self._there()
            yield change

    def _tell(self, change: Change) -> None:
        for news in self._listeners:
            news.put_nowait(change)

    def _there(self) -> None:
        if self.away:
            raise LiveStateAway("away")
