"""Roads: how soon is a change of all of them driven by, whom does it slow, and what does a drive cost?

python -m loadtests roads    needs BOWEI_RECORDINGS, for the roads of Hangzhou's core; takes about a minute
"""

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import numpy as np
from routingkit_cch import CCH, CCHMetric, CCHOneToMany

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.clock import SteppedClock
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SpaceClass
from bowei.domain.places import Point
from bowei.domain.road_conditions import FREE_ROADS, RoadConditions, WaySpeeds
from bowei.records.connecting import connect
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.roads.building import build_road_file
from bowei.roads.by_air import air_drive_s
from bowei.roads.cch import CchTravelTimes
from bowei.roads.dijkstra import DijkstraTravelTimes
from bowei.roads.graph import RoadGraph
from bowei.roads.graph_file import load_graph
from bowei.roads.keeping_up import RoadsKeeper
from loadtests.account import Row
from loadtests.city import free_port
from loadtests.sending import quantile
from services.local.data_folder import throwaway_data_folder
from services.local.processes import Processes, ServiceSpec
from services.local.servers import embedded_servers

_EXTRACT = Path("roads-hangzhou-core", "hangzhou_core.osm.pbf")
_HOSPITAL = Point(30.28698, 120.16349)
"""The Provincial People's Hospital at Zhaohui: the map stops at the First Hospital."""
_LOTS = 30
_ORIGINS = 500
_WITHIN_S, _SLOWED_MS, _TIMES_BARE, _P99_MS = 1.0, 10.0, 6.0, 0.3
_TOKEN = "an-admin-token-of-a-bench-and-of-nothing-else"  # noqa: S105
_NAME = Name("示例", "Example")
_EVERY_S = 0.01
_QUIET_S = 2.0
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request for a diversion."""

    sent_s: float
    took_s: float
    drives_s: tuple[int | None, ...]


async def measure() -> list[Row]:
    """Measure in this process, and over HTTP on servers of its own."""
    recordings = os.environ.get("BOWEI_RECORDINGS")
    if not recordings:
        print("· roads: skipped, BOWEI_RECORDINGS is not set", file=sys.stderr)
        return []
    with throwaway_data_folder() as data:
        file = data.path / "core.roads"
        build_road_file(Path(recordings, _EXTRACT), file)
        began_s = time.perf_counter()
        graph = load_graph(file)
        times = CchTravelTimes(graph)
        opened = f"opened in {time.perf_counter() - began_s:.2f} s, {file.stat().st_size / 2**20:.1f} MiB"
        places = _places(graph)
        rows = _of_drives(graph, times, places, opened)
        rows.append(await _of_the_loop(graph, times, places))
    return rows + await _over_http(Path(recordings, _EXTRACT), graph, places.lots)


@dataclass(frozen=True, slots=True)
class _Places:
    lots: list[Point]
    origins: list[Point]


def _places(graph: RoadGraph) -> _Places:
    """Draw lots within 1.5 km of the hospital and drivers anywhere, each some metres off a road."""
    chosen = random.Random(20240501)  # noqa: S311  (places, not secrets)
    main = np.flatnonzero(graph.main_component()[: graph.place_count])
    near = main[
        (np.abs(graph.node_lat[main] - _HOSPITAL.lat) < 0.0135)
        & (np.abs(graph.node_lon[main] - _HOSPITAL.lon) < 0.0155)
    ]

    def beside(node: int) -> Point:
        aside = (chosen.uniform(-0.0002, 0.0002) for _ in range(2))
        return Point(float(graph.node_lat[node]) + next(aside), float(graph.node_lon[node]) + next(aside))

    return _Places(
        [beside(node) for node in chosen.sample(near.tolist(), _LOTS)],
        [beside(node) for node in chosen.sample(main.tolist(), _ORIGINS)],
    )


def _of_drives(graph: RoadGraph, times: CchTravelTimes, places: _Places, opened: str) -> list[Row]:
    targets = times.targets(places.lots)
    found, took_ms = [], []
    for origin in (*places.origins[:50], *places.origins):  # the first warm up
        began_s = time.perf_counter()
        drives = times.drive(origin, targets)
        took_ms.append(1000 * (time.perf_counter() - began_s))
        found.append(drives.seconds)
    found, took_ms = found[50:], sorted(took_ms[50:])
    bare_ms = _bare(graph)
    oracle = DijkstraTravelTimes(graph)
    exact_targets = oracle.targets(places.lots)
    differ, same_lot, regret_s, air_regret_s = 0, 0, [], []
    for origin, seconds in zip(places.origins[:200], found, strict=False):
        exact = [s if s is not None else np.inf for s in oracle.drive(origin, exact_targets).seconds]
        ours = [s if s is not None else np.inf for s in seconds]
        differ += sum(abs(a - b) > 0.5 for a, b in zip(ours, exact, strict=True) if np.isfinite(a) or np.isfinite(b))
        best = int(np.argmin(exact))
        same_lot += int(np.argmin(ours)) == best
        regret_s.append(exact[int(np.argmin(ours))] - exact[best])
        by_air = int(np.argmin([air_drive_s(origin, lot) for lot in places.lots]))
        air_regret_s.append(exact[by_air] - exact[best])
    ratios = statistics.median(took_ms) / statistics.median(bare_ms)
    air = f"nearest by air: {statistics.mean(air_regret_s):.0f} s more on average, {max(air_regret_s):.0f} s at most"
    return [
        Row(
            f"drive 1 → {_LOTS}, snapped, both sides of the road, p50",
            f"bare CCH, {1000 * statistics.median(bare_ms):.0f} µs",
            ratios,
            _TIMES_BARE,
            (quantile(took_ms, 0.1) / bare_ms[0], quantile(took_ms, 0.99) / statistics.median(bare_ms)),
            lower_is_better=True,
            note=f"{1000 * statistics.median(took_ms):.0f} µs; {opened}",
        ),
        Row(
            "the same, p99",
            f"{_P99_MS} ms",
            quantile(took_ms, 0.99) / _P99_MS,
            1.0,
            (took_ms[0] / _P99_MS, took_ms[-1] / _P99_MS),
            lower_is_better=True,
            note=f"{1000 * quantile(took_ms, 0.99):.0f} µs",
        ),
        Row(
            "drives that differ from Dijkstra's by over 0.5 s",
            "none",
            float(differ),
            0.0,
            (differ, differ),
            lower_is_better=True,
            note=f"of {200 * _LOTS}; nearest lot the same in {same_lot} of 200, regret {max(regret_s):.1f} s; {air}",
        ),
    ]


def _bare(graph: RoadGraph) -> list[float]:
    """Time the engine alone, from node to nodes."""
    chosen = random.Random(1)  # noqa: S311
    order = graph.contraction_order
    if order is None:
        raise AssertionError("built without an order")
    hierarchy = CCH(order.tolist(), graph.tail.tolist(), graph.head.tolist(), False)
    weights = np.maximum(1, np.rint(graph.travel_s * 1000)).astype(np.int64).tolist()
    nodes = np.flatnonzero(graph.main_component()).tolist()
    query = CCHOneToMany(CCHMetric(hierarchy, weights), chosen.sample(nodes, _LOTS))
    took_ms = []
    for node in chosen.sample(nodes, _ORIGINS + 50):
        began_s = time.perf_counter()
        query.distances_from(node)
        took_ms.append(1000 * (time.perf_counter() - began_s))
    return sorted(took_ms[50:])


# ------------------------------------------------------------------------------------------------- within the process


def _all_ways(graph: RoadGraph) -> list[int]:
    return sorted(set(graph.way.tolist()))


class _Says:
    """Says all roads' speeds anew when told to."""

    def __init__(self, graph: RoadGraph) -> None:
        self.roads: RoadConditions = FREE_ROADS
        self._ways = _all_ways(graph)
        self._told = asyncio.Event()

    def tell(self, share: float) -> None:
        """Say another share of the usual speed of every road."""
        until = datetime(2026, 1, 2, tzinfo=UTC)
        self.roads = RoadConditions(self.roads.version + 1, WaySpeeds.of((way, -share, until) for way in self._ways))
        self._told.set()
        self._told = asyncio.Event()

    async def wait_roads(self, version: int, timeout_s: float) -> bool:
        """Wait for another version."""
        if self.roads.version == version:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._told.wait()
            except TimeoutError:
                return False
        return True


async def _of_the_loop(graph: RoadGraph, times: CchTravelTimes, places: _Places) -> Row:
    """Change all roads while a loop drives every millisecond: the longest that it was held up."""
    says = _Says(graph)
    keeper = RoadsKeeper(times, says, SteppedClock(datetime(2026, 1, 1, tzinfo=UTC)))
    keeping = asyncio.create_task(keeper.run())
    targets = times.targets(places.lots)
    gaps_ms: dict[bool, list[float]] = {False: [], True: []}
    took_ms = []
    for number in range(2 * _ROUNDS):
        changing, worst_ms = number % 2 == 1, 0.0
        serial, began_s = times.roads_serial, time.perf_counter()
        if changing:
            says.tell(0.5 + 0.01 * number)
        last_s = time.perf_counter()
        while time.perf_counter() - began_s < 0.5:
            await asyncio.sleep(0.001)
            times.drive(places.origins[number], targets)
            now_s = time.perf_counter()
            worst_ms, last_s = max(worst_ms, 1000 * (now_s - last_s)), now_s
            if changing and times.roads_serial != serial:
                serial = times.roads_serial
                took_ms.append(1000 * (now_s - began_s))
        gaps_ms[changing].append(worst_ms)
    keeping.cancel()
    held_ms = sorted(max(0.0, with_it - without) for without, with_it in zip(*gaps_ms.values(), strict=True))
    return Row(
        "longest that the loop was held up by a change of all roads",
        f"{_SLOWED_MS:.0f} ms",
        held_ms[-1] / _SLOWED_MS,
        1.0,
        (held_ms[0] / _SLOWED_MS, held_ms[-1] / _SLOWED_MS),
        lower_is_better=True,
        note=f"{held_ms[-1]:.1f} ms more than without; driven by after {statistics.median(took_ms):.0f} ms",
    )


# ---------------------------------------------------------------------------------------------------------- over HTTP


async def _over_http(extract: Path, graph: RoadGraph, lots: list[Point]) -> list[Row]:
    async with _city(extract, lots) as (registry, routing):
        token = (await routing.post("/v1/drivers")).json()["driver_token"]
        asked: list[_Asked] = []
        asking = asyncio.create_task(_ask(routing, token, asked))
        soon_s, slowed_ms = [], []
        for number in range(_ROUNDS):
            await asyncio.sleep(_QUIET_S)
            quiet_ms = [1000 * one.took_s for one in asked if one.sent_s > time.perf_counter() - _QUIET_S]
            before = asked[-1].drives_s
            body = {
                "valid_until": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
                "speeds": [
                    {"way": way, "direction": "both", "share": 0.5 if number % 2 == 0 else 1.0}
                    for way in {abs(way) for way in _all_ways(graph)}
                ],
            }
            began_s = time.perf_counter()
            answer = await registry.put("/v1/road-speeds", json=body)
            if answer.status_code != 200:
                raise AssertionError(answer.text[:500])
            while not (changed := [o for o in asked if o.sent_s > began_s and o.drives_s != before]):
                if time.perf_counter() > began_s + 10:
                    raise AssertionError("never driven by")
                await asyncio.sleep(0.005)
            soon_s.append(changed[0].sent_s + changed[0].took_s - began_s)
            await asyncio.sleep(0.2)
            during_ms = [1000 * one.took_s for one in asked if one.sent_s > began_s]
            slowed_ms.append(max(during_ms) - max(quiet_ms))
        asking.cancel()
    soon_s.sort()
    slowed_ms.sort()
    waits_ms = sorted(1000 * one.took_s for one in asked)
    return [
        Row(
            f"all {len(_all_ways(graph)):,} directed roads, PUT → first answer by them",
            "1 s",
            soon_s[-1] / _WITHIN_S,
            1.0,
            (soon_s[0] / _WITHIN_S, soon_s[-1] / _WITHIN_S),
            lower_is_better=True,
            note=f"{1000 * statistics.median(soon_s):.0f} ms, {1000 * soon_s[-1]:.0f} ms at most",
        ),
        Row(
            "longest request during it, above the longest of 2 s without",
            f"{_SLOWED_MS:.0f} ms",
            statistics.median(slowed_ms) / _SLOWED_MS,
            1.0,
            (slowed_ms[0] / _SLOWED_MS, slowed_ms[-1] / _SLOWED_MS),
            lower_is_better=True,
            note=f"median of {_ROUNDS}; a request takes {quantile(waits_ms, 0.5):.1f} ms (p50), "
            f"{quantile(waits_ms, 0.99):.1f} (p99)",
        ),
    ]


@asynccontextmanager
async def _city(extract: Path, lots: Sequence[Point]) -> AsyncIterator[tuple[httpx2.AsyncClient, httpx2.AsyncClient]]:
    with throwaway_data_folder() as data:
        file = data.path / "core.roads"
        build_road_file(extract, file)
        async with embedded_servers(data, environment={}) as servers:
            await migrate(servers.database_url)
            await _furnish(servers.database_url, lots)
            common = {
                "BOWEI_DATABASE_URL": servers.database_url,
                "BOWEI_REDIS_URL": servers.redis_url,
                "BOWEI_DRIVER_KEY": "a-driver-key-of-a-bench-and-of-nothing-else",
                "BOWEI_ADMIN_TOKEN": _TOKEN,
                "BOWEI_ROADS": str(file),
                "BOWEI_ROUTING_REQUESTS_PER_DRIVER": "1000000",
                "BOWEI_LOG_LEVEL": "WARNING",
            }
            specs = [
                ServiceSpec(name, f"services.{name}", free_port(), common)
                for name in ("registry", "routing", "availability")
            ]
            async with (
                Processes(specs, data),
                httpx2.AsyncClient(
                    base_url=f"http://127.0.0.1:{specs[0].port}",
                    headers={"Authorization": f"Bearer {_TOKEN}"},
                    timeout=30,
                ) as registry,
                httpx2.AsyncClient(base_url=f"http://127.0.0.1:{specs[1].port}", timeout=30) as routing,
            ):
                yield registry, routing


async def _ask(routing: httpx2.AsyncClient, token: str, asked: list[_Asked]) -> None:
    """Ask for a diversion every 10 ms at most; no lot reports, so each answer has all drives and holds nothing."""
    number = 0
    body = {"hospital_id": "zhaohui", "position": {"lat": 30.30221, "lon": 120.12179, "datum": "wgs84"}}
    while True:
        number += 1
        sent_s = time.perf_counter()
        answer = await routing.put(
            f"/v1/diversions/bench-{number:08d}", json=body, headers={"Authorization": f"Bearer {token}"}
        )
        took_s = time.perf_counter() - sent_s
        drives_s = tuple(one.get("drive_s") for one in answer.json()["considered"])
        asked.append(_Asked(sent_s, took_s, drives_s))
        await asyncio.sleep(max(0.0, _EVERY_S - took_s))


async def _furnish(url: str, lots: Sequence[Point]) -> None:
    pool = await connect(url, most_connections=2)
    try:
        register = PostgresRegister(pool)
        numbered = [LotId(f"lot-{number:02d}") for number in range(len(lots))]
        await register.put_lots(
            [
                Lot(lot_id, LotKind.MALL, _NAME, "Asia/Shanghai", 100, place, (Entrance("main", _NAME, place),))
                for lot_id, place in zip(numbered, lots, strict=True)
            ]
            + [Lot(LotId("own"), LotKind.HOSPITAL, _NAME, "Asia/Shanghai", 100, _HOSPITAL, ())]
        )
        hospital = HospitalId("zhaohui")
        await register.put_hospitals([Hospital(hospital, _NAME, LotId("own"), _HOSPITAL, _HOSPITAL, radius_m=5_000)])
        windows = (LendingWindow(SpaceClass.STANDARD, 50),)
        await register.put_agreements(
            [Agreement(AgreementId(f"a-{lot_id}"), lot_id, hospital, windows) for lot_id in numbered]
        )
    finally:
        await pool.close()
