"""A process's own copy: it never fails, keeps what it last knew, and says how old that is."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from typing_extensions import override

from bowei.domain.choosing import LotNow
from bowei.domain.directory import Directory
from bowei.domain.forecasting import COURSE_POINTS, KNOTS, UNKNOWN_LOT
from bowei.domain.foreseeing import CityForeseen
from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name
from bowei.domain.offering import LotPromise, Report
from bowei.domain.places import Point
from bowei.domain.road_conditions import FREE_ROADS, RoadConditions, WaySpeeds
from bowei.livestate.in_memory import InMemoryLiveState
from bowei.livestate.mirror import LiveMirror

NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MALL, OFFICE = LotId("mall"), LotId("office")
HERE = Point(30.2552, 120.1582)
LEDGER = "ledger"


def a_lot(lot_id: LotId, capacity: int = 50) -> Lot:
    """Give a lot by the lake."""
    entrance = Entrance("north", Name("北口", "North"), HERE)
    return Lot(lot_id, LotKind.MALL, Name("停车场", "Lot"), "Asia/Shanghai", capacity, HERE, (entrance,))


def directory(*lot_ids: LotId, version: int = 1, capacity: int = 50) -> Directory:
    """Give a directory of lots."""
    return Directory.of(version, [a_lot(lot_id, capacity) for lot_id in lot_ids], [], [])


def report(free: int, seconds: int = 0) -> Report:
    """Give a report of so many seconds after nine."""
    at = NINE + timedelta(seconds=seconds)
    return Report(observed_at=at, received_at=at, free=free)


def foreseen(*lot_ids: LotId, volatility: float) -> CityForeseen:
    """Foresee lots that are as restless as that."""
    lots = len(lot_ids)
    course, rates = np.full((lots, COURSE_POINTS), 20.0), np.full((lots, 3, len(KNOTS)), 0.5)
    return CityForeseen(NINE, lot_ids, np.full(lots, volatility), course, rates)


class Copied:
    """A live state with two lots in it, and a mirror that follows it."""

    def __init__(self) -> None:
        self.live_state = InMemoryLiveState()
        self.mirror = LiveMirror(self.live_state)

    async def fill(self) -> None:
        """Show both lots."""
        promises = {MALL: LotPromise(held=1, version=5), OFFICE: LotPromise(version=1)}
        await self.live_state.copy_promises(promises, directory(MALL, OFFICE), ledger=LEDGER)
        await self.live_state.copy_reports({MALL: report(20), OFFICE: report(10)})

    def free(self, lot_id: LotId = MALL) -> int | None:
        """Give what the mirror says is free."""
        shown = self.mirror.lot(lot_id).report
        return shown.free if shown else None

    def aged(self, seconds: float) -> Callable[[], bool]:
        """Say whether the mirror has not known itself to be current for so long."""
        return lambda: (self.mirror.age_s or 0.0) > seconds


@pytest.fixture
async def copied() -> AsyncIterator[Copied]:
    """Give a mirror that has read two lots."""
    copied = Copied()
    await copied.fill()
    task = asyncio.create_task(copied.mirror.run())
    assert await copied.mirror.wait_loaded(5)
    yield copied
    while not task.done():
        task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait({task}, timeout=0.2)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true; after a while fail."""
    deadline_s = time.monotonic() + 8
    while not true():
        assert time.monotonic() < deadline_s, "never came true"
        await asyncio.sleep(0.005)


async def test_a_mirror_that_was_never_filled_says_so() -> None:
    """No age, no lots, an empty directory, and no exception."""
    mirror = LiveMirror(InMemoryLiveState())
    assert (mirror.age_s, dict(mirror.lots), mirror.directory.version) == (None, {}, 0)
    assert mirror.lot(MALL).report is None
    assert not await mirror.wait_loaded(0.01)


async def test_it_follows_what_is_shown(copied: Copied) -> None:
    """Reports, promises and the directory, without being asked."""
    await copied.live_state.show_reports({MALL: report(7, 10)})
    await until(lambda: copied.free() == 7)
    await copied.live_state.show_promises({MALL: LotPromise(held=3, version=6)})
    await until(lambda: copied.mirror.lot(MALL).promise.held == 3)
    await copied.live_state.show_directory(directory(MALL, version=2))
    await until(lambda: set(copied.mirror.lots) == {MALL})
    assert copied.mirror.age_s is not None
    assert copied.mirror.age_s < 1


async def test_it_knows_what_is_foreseen_of_each_lot(copied: Copied) -> None:
    """As soon as it is told, and still after the lot's next report; of a lot that is not foreseen, nothing."""
    await copied.live_state.show_forecasts(foreseen(MALL, volatility=7.0))
    await until(lambda: copied.mirror.lot(MALL).foreseen.volatility == 7.0)
    await copied.live_state.show_reports({MALL: report(7, 10), OFFICE: report(8, 10)})
    await until(lambda: copied.free() == 7)
    assert copied.mirror.lot(MALL).foreseen.volatility == 7.0
    assert copied.mirror.lot(OFFICE).foreseen is UNKNOWN_LOT


async def test_what_was_foreseen_stands_when_the_live_state_is_emptied(copied: Copied) -> None:
    """Until something else is foreseen: the directory is shown again, and forecasts come with the next step."""
    await copied.live_state.show_forecasts(foreseen(MALL, volatility=7.0))
    await until(lambda: copied.mirror.lot(MALL).foreseen.volatility == 7.0)
    copied.live_state.flush()
    await copied.live_state.show_directory(directory(MALL, version=2))
    await until(lambda: copied.mirror.directory.version == 2)
    assert copied.mirror.lot(MALL).foreseen.volatility == 7.0


async def test_a_directory_that_changed_under_the_same_version_is_taken(copied: Copied) -> None:
    """Another ledger counts its versions from the beginning too."""
    await copied.live_state.show_directory(directory(MALL, OFFICE, version=1, capacity=99))
    await until(lambda: copied.mirror.directory.lots[MALL].capacity == 99)


async def test_it_keeps_its_values_while_the_server_is_away_and_grows_old(copied: Copied) -> None:
    """Boards go on from the last copy and say how old it is; back again, the copy is read anew."""
    copied.live_state.away = True
    await until(copied.aged(1.5))
    assert (copied.free(), copied.mirror.lot(MALL).promise.held) == (20, 1)
    copied.live_state._reports[MALL] = report(3, 60)
    copied.live_state.away = False
    await until(lambda: copied.free() == 3)
    assert not copied.aged(1.5)()


async def test_it_keeps_its_values_when_the_server_was_emptied_and_grows_old(copied: Copied) -> None:
    """An emptied server answers, and yet it is no copy of anything: the age says so until it is filled again."""
    copied.live_state.flush()
    await copied.live_state.show_directory(directory(MALL, OFFICE))
    copied.live_state.flush()
    await until(copied.aged(1.5))
    assert (copied.free(), copied.free(OFFICE), copied.mirror.lot(MALL).promise.held) == (20, 10, 1)
    assert set(copied.mirror.directory.lots) == {MALL, OFFICE}
    await copied.fill()
    await until(lambda: not copied.aged(0.5)())


async def test_a_lot_that_the_new_copy_does_not_have_yet_keeps_its_report(copied: Copied) -> None:
    """After a flush promises come back first: what a lot last said was lost by the server, not unsaid by the lot."""
    copied.live_state.flush()
    promises = {MALL: LotPromise(held=2, version=9), OFFICE: LotPromise(version=2)}
    await copied.live_state.copy_promises(promises, directory(MALL, OFFICE), ledger=LEDGER)
    await until(lambda: copied.mirror.lot(MALL).promise.held == 2)
    assert copied.free() == 20


async def test_it_follows_the_roads_and_wakes_who_waits_for_them(copied: Copied) -> None:
    """Of every other version; while they are away or lost, the last known stay."""
    mirror, live_state = copied.mirror, copied.live_state
    assert mirror.roads == FREE_ROADS
    assert not await mirror.wait_roads(0, 0.02)
    for version in (5, 2):
        known = mirror.roads.version
        waiting = asyncio.create_task(mirror.wait_roads(known, 8))
        await live_state.show_roads(RoadConditions(version, WaySpeeds.of([(version, 10, NINE)])))
        assert await waiting
        assert mirror.roads.version == version
        assert await mirror.wait_roads(known, 8)
    live_state.flush()
    await copied.fill()
    await until(lambda: not copied.aged(0.5)())
    assert mirror.roads.version == 2


async def test_lost_news_of_roads_is_found_at_the_next_look() -> None:
    """As of everything else: what was shown while nobody listened is read with the rest."""
    copied = Copied()
    copied.mirror = LiveMirror(copied.live_state, read_again_every_s=0.05)
    await copied.fill()
    task = asyncio.create_task(copied.mirror.run())
    assert await copied.mirror.wait_loaded(5)
    copied.live_state._roads = RoadConditions(9)
    await until(lambda: copied.mirror.roads.version == 9)
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)


async def test_who_waits_for_a_change_is_woken(copied: Copied) -> None:
    """Once for what was told at once; a repeat of what is known wakes nobody."""
    serial = copied.mirror.serial
    assert not await copied.mirror.wait_change(serial, 0.01)
    waiting = asyncio.create_task(copied.mirror.wait_change(serial, 5))
    await copied.live_state.show_reports({MALL: report(7, 10), OFFICE: report(10)})
    assert await waiting
    assert copied.free() == 7
    serial = copied.mirror.serial
    await copied.live_state.show_reports({MALL: report(7, 10), OFFICE: report(10)})
    assert not await copied.mirror.wait_change(serial, 0.1)


async def test_a_reader_can_ask_what_changed_since_it_last_looked(copied: Copied) -> None:
    """Whoever draws only what changed misses nothing, a new directory least of all."""
    serial = copied.mirror.serial
    assert copied.mirror.changed_since(serial) == set()
    await copied.live_state.show_reports({MALL: report(19, 5)})
    await until(lambda: copied.free() == 19)
    assert copied.mirror.changed_since(serial) == {MALL}
    serial = copied.mirror.serial
    await copied.live_state.show_directory(directory(OFFICE, version=2))
    await until(lambda: copied.mirror.directory.version == 2)
    assert copied.mirror.changed_since(serial) == {OFFICE}


@pytest.mark.parametrize("busy", [False, True])
async def test_news_that_was_lost_is_made_up_for_whether_others_report_or_not(busy: bool) -> None:
    """A lot whose news never came is read again in a while, in a city where there is always news as in a silent one."""
    copied = Copied()
    await copied.fill()
    mirror = LiveMirror(copied.live_state, read_again_every_s=0.05)
    task = asyncio.create_task(mirror.run())
    try:
        assert await mirror.wait_loaded(5)
        copied.live_state._reports[MALL] = report(7, 60)  # and nobody is told

        def made_up_for() -> bool:
            shown = mirror.lot(MALL).report
            return shown is not None and shown.free == 7

        deadline_s = time.monotonic() + 8
        number = 0
        while not made_up_for():
            assert time.monotonic() < deadline_s
            number += 1
            if busy:
                await copied.live_state.show_reports({OFFICE: report(number % 10, number)})
            await asyncio.sleep(0.01)
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.2)


async def test_news_that_was_lost_just_after_other_news_of_the_lot_is_made_up_for() -> None:
    """A look passes over what was heard of since the one before, but the next one does not."""
    copied = Copied()
    copied.mirror = LiveMirror(copied.live_state, read_again_every_s=0.05)
    await copied.fill()
    task = asyncio.create_task(copied.mirror.run())
    try:
        assert await copied.mirror.wait_loaded(5)
        await copied.live_state.show_reports({MALL: report(8, 50)})
        await until(lambda: copied.free() == 8)
        copied.live_state._reports[MALL] = report(7, 60)  # and nobody is told
        await until(lambda: copied.free() == 7)
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.2)


class ALargeCity(InMemoryLiveState):
    """A live state that answers nobody who asks for more than 5,000 lots at once, when it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.short_looks_only = False

    @override
    async def lots(self, lot_ids: Iterable[LotId]) -> Mapping[LotId, LotNow]:
        asked = list(lot_ids)
        if self.short_looks_only and len(asked) > 5_000:
            await asyncio.Event().wait()
        return await super().lots(asked)


@pytest.mark.parametrize(("busy", "lots"), [(False, 5_001), (True, 501)])
async def test_news_that_was_lost_of_the_last_lot_of_a_large_city_is_made_up_for(busy: bool, lots: int) -> None:
    """A city of which only a part is read at a time is read to its end, in short looks, whatever is told meanwhile."""
    city = [LotId(f"lot-{number:05d}") for number in range(lots)]
    live_state = ALargeCity()
    await live_state.copy_promises({}, directory(*city), ledger=LEDGER)
    await live_state.copy_reports(dict.fromkeys(city, report(20)))
    mirror = LiveMirror(live_state, read_again_every_s=0.0)
    task = asyncio.create_task(mirror.run())
    try:
        assert await mirror.wait_loaded(5)
        live_state.short_looks_only = True
        live_state._reports[city[-1]] = report(7, 60)  # and nobody is told

        def made_up_for() -> bool:
            shown = mirror.lot(city[-1]).report
            return shown is not None and shown.free == 7

        deadline_s = time.monotonic() + 8
        number = 0
        while not made_up_for():
            assert time.monotonic() < deadline_s
            number += 1
            if busy:
                await live_state.show_reports({city[0]: report(number % 10, number)})
            await asyncio.sleep(0.01)
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.2)
