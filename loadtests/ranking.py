"""Choosing the lot: what ranking costs beside the bare road engine, if a city's size slows it, and if it is right.

The world is that of a busy hospital: 30 lots lend to it; between two drivers 50 ms pass, the lot that was chosen has
one more space held, and each lot reports once a minute. Roads are those of Hangzhou's core where BOWEI_RECORDINGS
names a folder that has them, seen from the Zhaohui hospital; else the demo's drawn streets.
"""

import gc
import itertools
import random
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from routingkit_cch import CCH, CCHMetric, CCHOneToMany

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.choosing import Considered, LotNow, Need, candidates
from bowei.domain.comparing import Comparing
from bowei.domain.directory import Directory
from bowei.domain.forecasting import Foreseen
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SpaceClass
from bowei.domain.offering import LotPromise, PoolPromise, Report, pool_key
from bowei.domain.places import Point
from bowei.domain.tariffs import Tariff
from bowei.roads.approaches import Approaches
from bowei.roads.cch import CchTravelTimes
from bowei.roads.dijkstra import DijkstraTravelTimes
from bowei.roads.graph import RoadGraph
from bowei.roads.graph_file import load_graph
from bowei.roads.snapping import Snapper
from bowei.roads.streets_geojson import load_streets
from bowei.roads.travel_times import TravelTimes
from loadtests.account import Row
from loadtests.streets import road_file
from services.routing.explaining import explain

_NAME = Name("示例", "Example")
_NINE = datetime(2026, 3, 2, 1, tzinfo=UTC)
_LOTS, _CITY_LOTS = 30, 300
_DRIVERS = 3_000
_ROUNDS = 5
_BETWEEN_DRIVERS = timedelta(milliseconds=50)
_HOLDING = 200
"""So many of the newest drivers hold a space."""
_REPORTS_EVERY = timedelta(seconds=60)
_LARGE, _SMALL = 100_000, 5_000
_P99_MARK_MS = 0.3


async def measure() -> list[Row]:
    """Measure everything about ranking."""
    graph, door, roads = _roads()
    travel_times = CchTravelTimes(graph)
    return [
        *_against_the_bare_engine(graph, travel_times, door, roads),
        _flat_in_the_number_of_lots(travel_times, door),
        *_right(graph, travel_times, door, roads),
    ]


def _roads() -> tuple[RoadGraph, Point, str]:
    with TemporaryDirectory() as folder:
        path, door, roads = road_file(Path(folder))
        return load_streets(path) if path.suffix == ".geojson" else load_graph(path), door, roads


@dataclass
class _World:
    """A hospital, lots that lend to it, what is known of them, and drivers who come from all around."""

    travel_times: TravelTimes
    door: Point
    lots: int = _LOTS
    registered: int = _LOTS
    spread: float = 0.012

    def __post_init__(self) -> None:
        chance = random.Random(7)  # noqa: S311 (the same world each time)
        self.hospital = Hospital(HospitalId("h"), _NAME, LotId("own"), self.door, self.door, radius_m=10_000)
        lots = [_a_lot(number, _near(chance, self.door, self.spread)) for number in range(self.registered)]
        lending = [_an_agreement(lot, chance) for lot in lots[: self.lots]]
        self.directory = Directory.of(1, lots, [self.hospital], lending)
        self.now_of = {lot.lot_id: _a_lot_now(lot, chance) for lot in lots}
        self.origins = [_near(chance, self.door, 0.02) for _ in range(_DRIVERS)]
        self.approaches = Approaches(
            self.hospital, self.directory.lots_for(self.hospital.hospital_id), self.travel_times
        )
        self.comparing = Comparing(self.hospital, self.directory)
        self.chance, self.now, self.number = chance, _NINE, itertools.count()
        self.chosen: LotId | None = None
        self.holding: deque[LotId] = deque()

    def goes_on(self) -> None:
        """Let time pass: the last driver holds a space where the ranking sent them, the one of 200 before is gone."""
        self.now += _BETWEEN_DRIVERS
        if self.chosen is not None:
            self._hold(self.chosen, 1)
            self.holding.append(self.chosen)
        if len(self.holding) > _HOLDING:
            self._hold(self.holding.popleft(), -1)
        every = _REPORTS_EVERY // _BETWEEN_DRIVERS // self.lots
        if (number := next(self.number)) % max(1, every) == 0:
            lot_id = LotId(f"lot-{number // max(1, every) % self.lots}")
            known = self.now_of[lot_id]
            if (report := known.report) is not None:
                free = max(0, (report.free or 0) + self.chance.choice((-1, 1)))
                self.now_of[lot_id] = replace(known, report=replace(report, observed_at=self.now, free=free))

    def _hold(self, lot_id: LotId, more: int) -> None:
        known = self.now_of[lot_id]
        held = known.promise.held + more
        pools = {key: PoolPromise(held, pool.stays) for key, pool in known.promise.pools.items()}
        self.now_of[lot_id] = replace(known, promise=replace(known.promise, held=held, pools=pools))

    def forget(self) -> None:
        """Let every lot be another than it was: nothing that was worked out before is of use."""
        self.now_of.update({lot_id: replace(now) for lot_id, now in self.now_of.items()})

    def rank(self, origin: Point) -> list[Considered]:
        """Rank the lots for a driver."""
        ranked = self.comparing.consider(self.now_of, self.approaches.from_origin(origin), Need(), self.now)
        self.chosen = ranked[0].lot_id if ranked[0].excluded is None else None
        return ranked

    def answer(self, origin: Point) -> object:
        """Rank them, and explain the ranking as it is kept with the hold."""
        return explain(self.rank(origin), Need(), self.now, by=self.travel_times.name)


def _against_the_bare_engine(graph: RoadGraph, travel_times: TravelTimes, door: Point, roads: str) -> list[Row]:
    world = _World(travel_times, door)
    bare = _bare_engine(graph, world)
    rounds = []
    for _ in range(_ROUNDS):
        whole = _timed(world.answer, world.origins, before=world.goes_on)
        cold = _timed(world.answer, world.origins[:500], before=world.forget)
        rounds.append((_timed(bare, world.origins), whole, cold))
    ratios = [whole.own_p50 / least.own_p50 for least, whole, _ in rounds]
    tails_ms = [whole.p99 * 1e3 for _, whole, _ in rounds]
    p50s = [statistics.median(part.own_p50 * 1e6 for part in parts) for parts in zip(*rounds, strict=True)]
    own_ms = statistics.median(whole.own_p99 * 1e3 for _, whole, _ in rounds)
    cold_ms = statistics.median(cold.own_p99 * 1e3 for _, _, cold in rounds)
    return [
        Row(
            work=f"rank {_LOTS} lots by road with p_free and explanation",
            against="bare CCH one-to-many",
            ratio=statistics.median(ratios),
            reach=6.0,
            spread=(min(ratios), max(ratios)),
            lower_is_better=True,
            note=f"p50 {p50s[1]:.0f} µs against {p50s[0]:.0f} µs; {p50s[2]:.0f} µs if every lot changed; {roads}",
        ),
        Row(
            work="… its p99",
            against=f"{_P99_MARK_MS:g} ms",
            ratio=statistics.median(tails_ms) / _P99_MARK_MS,
            reach=1.0,
            spread=(min(tails_ms) / _P99_MARK_MS, max(tails_ms) / _P99_MARK_MS),
            lower_is_better=True,
            note=f"{statistics.median(tails_ms):.3f} ms by the clock, {own_ms:.3f} ms of the thread's own time, "
            f"{cold_ms:.3f} ms if every lot changed",
        ),
    ]


def _bare_engine(graph: RoadGraph, world: _World) -> Callable[[Point], object]:
    """Give the engine alone: from the driver's node to the entrances' nodes, all found before."""
    snapper = Snapper(graph)
    order = graph.contraction_order
    if order is None:
        raise ValueError("the road file has no contraction order")
    hierarchy = CCH(order.tolist(), graph.tail.tolist(), graph.head.tolist(), False)
    metric = CCHMetric(hierarchy, [max(1, round(s * 1000)) for s in graph.travel_s.tolist()])
    lots = world.directory.lots_for(world.hospital.hospital_id)
    beside = [snap.along[0][0] for lot in lots if (snap := snapper.find(lot.entrances[0].point)) is not None]
    entrances = graph.tail[beside].tolist()
    nodes = {
        origin: int(graph.head[snap.along[0][0]])
        for origin in world.origins
        if (snap := snapper.find(origin)) is not None
    }
    world.origins = list(nodes)
    query = CCHOneToMany(metric, entrances)
    return lambda origin: query.distances_from(nodes[origin])


def _flat_in_the_number_of_lots(travel_times: TravelTimes, door: Point) -> Row:
    worlds = [_World(travel_times, door, registered=registered) for registered in (_SMALL, _LARGE)]
    gc.collect()
    ratios = []
    for _ in range(_ROUNDS):
        small, large = (_timed(world.answer, world.origins, before=world.goes_on) for world in worlds)
        ratios.append(large.own_p99 / small.own_p99)
    return Row(
        work=f"rank with {_LARGE:,} lots registered, p99",
        against=f"with {_SMALL:,}",
        ratio=statistics.median(ratios),
        reach=1.2,
        spread=(min(ratios), max(ratios)),
        lower_is_better=True,
    )


def _right(graph: RoadGraph, travel_times: TravelTimes, door: Point, roads: str) -> list[Row]:
    """Compare the lot that is chosen among all of a city with what exact Dijkstra chooses."""
    ours = _World(travel_times, door, lots=_CITY_LOTS, registered=_CITY_LOTS, spread=0.04)
    exact = _World(DijkstraTravelTimes(graph), door, lots=_CITY_LOTS, registered=_CITY_LOTS, spread=0.04)
    same, regrets_s = 0, []
    for origin in ours.origins[:500]:
        ours.goes_on()
        exact.now, exact.now_of = ours.now, ours.now_of
        chosen, best = candidates(ours.rank(origin))[0], exact.rank(origin)
        same += chosen.lot_id == best[0].lot_id
        there = next(one for one in best if one.lot_id == chosen.lot_id)
        regrets_s.append(max(0.0, there.cost_s - best[0].cost_s))
    share, regret_s = same / len(regrets_s), statistics.fmean(regrets_s)
    return [
        Row(
            work=f"the lot chosen among {_CITY_LOTS} of a city",
            against="exact Dijkstra's",
            ratio=share,
            reach=0.98,
            spread=(share, share),
            note=f"{len(regrets_s)} drivers, {roads}",
        ),
        Row(
            work="… its mean regret",
            against="1 s",
            ratio=regret_s,
            reach=1.0,
            spread=(min(regrets_s), max(regrets_s)),
            lower_is_better=True,
            note=f"{regret_s:.3f} s",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Took:
    """Seconds by the clock, and of the thread's own processor time, which another process's turn does not lengthen."""

    p50: float
    p99: float
    own_p50: float
    own_p99: float


def _timed(do: Callable[[Point], object], origins: Sequence[Point], before: Callable[[], None] | None = None) -> _Took:
    took, own = [], []
    for origin in origins:
        if before is not None:
            before()
        began, own_began = time.perf_counter(), time.thread_time()
        do(origin)
        own.append(time.thread_time() - own_began)
        took.append(time.perf_counter() - began)
    took.sort()
    own.sort()
    middle, last = len(took) // 2, int(len(took) * 0.99)
    return _Took(took[middle], took[last], own[middle], own[last])


def _near(chance: random.Random, place: Point, degrees: float) -> Point:
    return Point(place.lat + chance.uniform(-degrees, degrees), place.lon + chance.uniform(-degrees, degrees))


def _a_lot(number: int, place: Point) -> Lot:
    entrances = (Entrance("north", _NAME, place),)
    return Lot(LotId(f"lot-{number}"), LotKind.MALL, _NAME, "Asia/Shanghai", 300, place, entrances)


def _an_agreement(lot: Lot, chance: random.Random) -> Agreement:
    windows = (LendingWindow(SpaceClass.STANDARD, chance.randint(20, 90)), LendingWindow(SpaceClass.DISABLED, 3))
    tariff = Tariff(Decimal(chance.randint(2, 10)), free_minutes=30, day_cap=Decimal(60))
    return Agreement(AgreementId(f"{lot.lot_id}-h"), lot.lot_id, HospitalId("h"), windows, margin=2, tariff=tariff)


def _a_lot_now(lot: Lot, chance: random.Random) -> LotNow:
    held, stays = chance.randint(0, 9), chance.randint(0, 9)
    pools = {pool_key(f"{lot.lot_id}-h", SpaceClass.STANDARD): PoolPromise(held, stays)}
    observed_at = _NINE - timedelta(seconds=chance.randint(1, 60))
    report = Report(observed_at, observed_at, free=chance.randint(5, 120), open=200, capacity=lot.capacity)
    return LotNow(report, LotPromise(held, stays, pools=pools), Foreseen(chance.uniform(0.5, 5.0)))
