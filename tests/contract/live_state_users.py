"""The live state as the services have it: each of them signed in to Redis as its own user, which may do its part."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from typing_extensions import override

from bowei.domain.choosing import LotNow
from bowei.domain.directory import Directory
from bowei.domain.forecasting import Foreseen
from bowei.domain.foreseeing import CityForeseen
from bowei.domain.gate import GateWord
from bowei.domain.lots import LotId
from bowei.domain.offering import LotPromise, Report
from bowei.domain.road_conditions import RoadConditions
from bowei.livestate.permissions import AVAILABILITY, INGEST, ROUTING, USERS, User
from bowei.livestate.reading import Change, ReadsLiveState
from bowei.livestate.redis_store import RedisLiveState
from bowei.livestate.showing import ShowsForecasts, ShowsPromises, ShowsReports

_PASSWORD = "only-for-tests"


async def sign_up(do: Callable[..., Awaitable[object]]) -> None:
    """Make all users on one server."""
    for user in USERS:
        await do("ACL SETUSER", user.name, *user.rules, f">{_PASSWORD}")


def signed_in(url: str, user: User) -> str:
    """Give an address with a user's name and password."""
    return url.replace("://", f"://{user.name}:{_PASSWORD}@", 1)


class LiveStateAsUsers(ShowsReports, ShowsForecasts, ShowsPromises, ReadsLiveState):
    """Reports and forecasts as ingest, promises and the directory as routing, reading as availability."""

    def __init__(self, url: str) -> None:
        self.ingest, self.routing, self.availability = (
            RedisLiveState.connect(signed_in(url, user)) for user in (INGEST, ROUTING, AVAILABILITY)
        )

    async def ping(self) -> None:
        """Ask for a sign of life, as each user."""
        for one in (self.ingest, self.routing, self.availability):
            await one.ping()

    async def close(self) -> None:
        """Close every connection."""
        for one in (self.ingest, self.routing, self.availability):
            await one.close()

    @override
    async def show_reports(self, reports: Mapping[LotId, Report]) -> None:
        await self.ingest.show_reports(reports)

    @override
    async def reports_copied(self) -> bool:
        return await self.ingest.reports_copied()

    @override
    async def copy_reports(self, reports: Mapping[LotId, Report]) -> None:
        await self.ingest.copy_reports(reports)

    @override
    async def show_forecasts(self, foreseen: CityForeseen) -> None:
        await self.ingest.show_forecasts(foreseen)

    @override
    async def show_promises(self, promises: Mapping[LotId, LotPromise]) -> None:
        await self.routing.show_promises(promises)

    @override
    async def show_promises_again(self, promises: Mapping[LotId, LotPromise]) -> None:
        await self.routing.show_promises_again(promises)

    @override
    async def promises_copied(self, ledger: str) -> bool:
        return await self.routing.promises_copied(ledger)

    @override
    async def copy_promises(self, promises: Mapping[LotId, LotPromise], directory: Directory, *, ledger: str) -> None:
        await self.routing.copy_promises(promises, directory, ledger=ledger)

    @override
    async def show_directory(self, directory: Directory) -> None:
        await self.routing.show_directory(directory)

    @override
    async def directory(self) -> Directory | None:
        # Routing reads too: it has a mirror of its own.
        by_routing, read = await self.routing.directory(), await self.availability.directory()
        assert by_routing == read
        return read

    @override
    async def lots(self, lot_ids: Iterable[LotId]) -> Mapping[LotId, LotNow]:
        wanted = list(lot_ids)
        by_routing, read = await self.routing.lots(wanted), await self.availability.lots(wanted)
        assert by_routing == read
        return read

    @override
    async def forecasts(self) -> Mapping[LotId, Foreseen]:
        by_routing, read = await self.routing.forecasts(), await self.availability.forecasts()
        assert by_routing == read
        return read

    @override
    async def show_roads(self, conditions: RoadConditions) -> None:
        await self.routing.show_roads(conditions)

    @override
    async def roads_version(self) -> int | None:
        assert await self.routing.roads_version() == await self.availability.roads_version()
        return await self.availability.roads_version()

    @override
    async def roads(self) -> RoadConditions | None:
        assert await self.routing.roads() == await self.availability.roads()
        return await self.availability.roads()

    @override
    async def show_gate_words(self, words: Sequence[GateWord]) -> None:
        await self.routing.show_gate_words(words)

    @override
    async def gate_words(self) -> Sequence[GateWord] | None:
        assert await self.routing.gate_words() == await self.availability.gate_words()
        return await self.availability.gate_words()

    @override
    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[Change]]:
        return self._changes()

    @asynccontextmanager
    async def _changes(self) -> AsyncIterator[AsyncIterator[Change]]:
        async with self.routing.changes(), self.availability.changes() as news:
            yield news
