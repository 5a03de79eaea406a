"""Routing as a process of its own between a real Postgres and a real Redis, each of which a test may end."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx2
from redis.asyncio import Redis

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow, MarginRule
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SourceId, SpaceClass
from bowei.domain.observations import Observation
from bowei.domain.places import Point
from bowei.livestate.redis_store import RedisLiveState
from bowei.records.connecting import connect, disconnect
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.registering import Source, SourceKind, key_sha256_of
from bowei.records.reporting import Judged
from services.local.children import Child, kill
from services.local.data_folder import throwaway_data_folder
from services.local.servers.finding import find_postgres, find_redis
from services.local.servers.postgres_server import (
    PostgresPlace,
    choose_server,
    place_for,
    start_postgres,
    stop_postgres,
)
from services.local.servers.redis_server import RedisPlace, redis_place_for, start_redis, stop_redis
from tests.free_ports import free_port

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 15.0
FIRST, OWN, MALL, OFFICE = HospitalId("first-hospital"), LotId("own"), LotId("mall"), LotId("office")
SPACES = {MALL: 30, OFFICE: 20}
"""What each lot reports free: less than it lends, so that its count is what limits it."""
PLACES = {OWN: Point(30.2576, 120.1621), MALL: Point(30.2552, 120.1582), OFFICE: Point(30.2640, 120.1640)}
UNWANTED = ("request_failed", "background_work_failed", "start_failed", "promise_broken")
"""Events that may never be logged, whatever is done to the stores."""

_DATABASES = (f"city_{number}" for number in itertools.count(1))
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Site:
    """Where the servers of these tests keep their data and sockets."""

    folder: Path
    postgres: PostgresPlace
    redis: RedisPlace


@contextlib.contextmanager
def prepared_site() -> Iterator[Site]:
    """Make a ledger once for all tests; nothing runs yet."""
    with throwaway_data_folder() as data:
        folder = data.path
        postgres_sockets, redis_sockets = folder / "p", folder / "r"
        postgres_sockets.mkdir(mode=0o700)
        redis_sockets.mkdir(mode=0o700)
        postgres = place_for(data, choose_server(data, find_postgres()), postgres_sockets)
        site = Site(folder, postgres, redis_place_for(data, find_redis()[0], redis_sockets))

        async def make() -> None:
            await stop_postgres(await start_postgres(postgres))

        asyncio.run(make())
        yield site


@dataclass
class City:
    """One hospital, a mall of 30 and an office of 20 spaces, and the routing process that serves them."""

    site: Site
    database: str = field(default_factory=lambda: next(_DATABASES))
    settings: dict[str, str] = field(default_factory=dict)
    postgres: Child | None = None
    redis: Child | None = None
    routing: "subprocess.Popen[bytes] | None" = None
    port: int = 0

    @property
    def database_url(self) -> str:
        """The address of this test's own database."""
        return self.site.postgres.url.replace("/postgres?", f"/{self.database}?")

    @property
    def log(self) -> Path:
        """Where the process logs."""
        return self.site.folder / f"{self.database}.log"

    async def start_stores(self) -> None:
        """Start both servers; Redis is empty."""
        await self.start_postgres()
        shutil.rmtree(self.site.redis.folder, ignore_errors=True)
        await self.start_redis()

    async def start_postgres(self) -> None:
        """Start Postgres on its ledger."""
        self.postgres = await start_postgres(self.site.postgres)

    async def stop_postgres(self) -> None:
        """Stop Postgres as its operator would."""
        assert self.postgres is not None
        await stop_postgres(self.postgres)

    async def start_redis(self) -> None:
        """Start Redis on its copy."""
        self.redis = await start_redis(self.site.redis)

    def kill_redis(self) -> None:
        """End Redis at once."""
        assert self.redis is not None
        kill(self.redis)

    async def settle_in(self) -> None:
        """Make the database and register the block."""
        admin = await asyncpg.connect(self.site.postgres.url)
        try:
            await admin.execute(f"CREATE DATABASE {self.database}")
        finally:
            await admin.close()
        await migrate(self.database_url)
        async with self._pool() as pool:
            register = PostgresRegister(pool)
            await register.put_lots([_lot(lot_id) for lot_id in PLACES])
            door = PLACES[OWN]
            await register.put_hospitals([Hospital(FIRST, Name("市一医院", "First Hospital"), OWN, door, door)])
            await register.put_agreements([_agreement(lot_id) for lot_id in SPACES])
        for lot_id, spaces in SPACES.items():
            await self.report(lot_id, spaces)

    async def put_source(self, source_id: str, key: str, **lots: LotId) -> None:
        """Register a source with its key, and its lots by its own codes."""
        source = Source(SourceId(source_id), SourceKind.NATIVE, key_sha256_of(key), lots=tuple(lots.items()))
        async with self._pool() as pool:
            await PostgresRegister(pool).put_sources([source])

    async def report(self, lot_id: LotId, free: int, *, seen: bool = True, **other: Any) -> None:
        """Let a lot report, as ingest records and shows it; not `seen`: only the ledger hears of it."""
        async with self._pool() as pool:
            journal = PostgresReportJournal(pool)
            observation = Observation(lot_id, datetime.now(UTC), SourceId("counter"), free=free, **other)
            (recorded,) = await journal.record([Judged(observation)])
            await journal.close()
        if seen and recorded.report is not None:
            live_state = RedisLiveState.connect(self.site.redis.url)
            await live_state.show_reports({lot_id: recorded.report})
            await live_state.close()

    def start_routing(self) -> None:
        """Start the process; `ready` waits for it."""
        self.port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BOWEI_")}
        environment |= {
            "BOWEI_DATABASE_URL": self.database_url,
            "BOWEI_REDIS_URL": self.site.redis.url,
            "BOWEI_DRIVER_KEY": "a key of at least 32 bytes for the tokens",
            "BOWEI_PORT": str(self.port),
            **self.settings,
        }
        with self.log.open("ab") as log:
            self.routing = subprocess.Popen(
                [sys.executable, "-m", "services.routing"], env=environment, cwd=PROJECT, stdout=log, stderr=log
            )

    async def ready(self) -> None:
        """Wait until the process says that it can answer."""
        await self.until_health(lambda status, _: status == 200)

    async def until_health(self, holds: Callable[[int, Mapping[str, Any]], bool]) -> None:
        """Wait until /readyz says what is expected."""

        async def ask() -> tuple[int, Mapping[str, Any]]:
            assert self.routing is not None
            assert self.routing.poll() is None, self.log.read_text()
            try:
                async with self.client() as client:
                    answer = await client.get("/readyz")
            except httpx2.HTTPError:
                return 0, {}
            return answer.status_code, answer.json()

        await until(ask, lambda answer: holds(*answer))

    def kill_routing(self) -> None:
        """End the process at once, in the middle of whatever it does."""
        assert self.routing is not None
        self.routing.kill()
        self.routing.wait(timeout=PATIENCE_S)

    def client(self) -> httpx2.AsyncClient:
        """Give a client of the process."""
        limits = httpx2.Limits(max_connections=250)
        return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=12, limits=limits)

    async def drivers(self, count: int) -> list["Driver"]:
        """Let so many people become drivers."""
        async with self.client() as client:
            answers = await asyncio.gather(*(client.post("/v1/drivers") for _ in range(count)))
        tokens = [answer.json()["driver_token"] for answer in answers]
        return [Driver(self, token, f"{self.database}-{number:04d}") for number, token in enumerate(tokens)]

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Look into the ledger itself."""
        connection = await asyncpg.connect(self.database_url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
        finally:
            await connection.close()
        return rows

    async def holds(self) -> list[asyncpg.Record]:
        """List every hold of the ledger."""
        return await self.fetch("SELECT diversion_id, ordinal, driver_id, lot_id, state FROM bowei.hold ORDER BY 1, 2")

    async def shown_held(self, lot_id: LotId) -> int | None:
        """Give how many spaces Redis shows as held; None where it shows nothing."""
        live_state = RedisLiveState.connect(self.site.redis.url)
        try:
            shown = (await live_state.lots([lot_id])).get(lot_id)
        finally:
            await live_state.close()
        return shown.promise.held if shown and shown.promise.version else None

    async def flush_redis(self) -> None:
        """Empty Redis."""
        async with Redis.from_url(self.site.redis.url) as redis:
            await redis.flushall()

    async def assert_no_promise_broken(self) -> None:
        """The ledger shows no broken promise, and the process logged nothing that it may never log."""
        assert await self.fetch("SELECT * FROM bowei.broken_promise") == []
        written = self.log.read_text()
        assert not [event for event in UNWANTED if event in written], written[-4_000:]

    async def close(self) -> None:
        """End everything that still runs."""
        if self.routing is not None:
            self.routing.send_signal(signal.SIGCONT)
            self.routing.terminate()
            try:
                self.routing.wait(timeout=PATIENCE_S)
            finally:
                self.routing.kill()
                self.routing.wait(timeout=PATIENCE_S)
        if self.redis is not None and self.redis.poll() is None:
            await stop_redis(self.redis)
        if self.postgres is not None and self.postgres.poll() is None:
            await stop_postgres(self.postgres)

    @contextlib.asynccontextmanager
    async def _pool(self) -> AsyncIterator[asyncpg.Pool]:
        pool = await connect(self.database_url, most_connections=2)
        try:
            yield pool
        finally:
            await disconnect(pool)


@dataclass
class Driver:
    """A driver with a token and an id."""

    city: City
    token: str
    diversion_id: str

    async def puts(self, client: httpx2.AsyncClient, **body: Any) -> httpx2.Response:
        """Ask once."""
        known = {"hospital_id": FIRST}
        return await client.put(
            f"/v1/diversions/{self.diversion_id}",
            json={**known, **body},
            headers={"Authorization": f"Bearer {self.token}"},
        )

    async def asks_until_answered(self, **body: Any) -> httpx2.Response:
        """Ask with the same id until there is an answer other than `repeat this`, as an app does."""

        async def ask() -> httpx2.Response | None:
            try:
                async with self.city.client() as client:
                    return await self.puts(client, **body)
            except httpx2.HTTPError:
                return None

        answer = await until(ask, lambda answer: answer is not None and answer.status_code != 503)
        assert answer is not None
        return answer


def _lot(lot_id: LotId) -> Lot:
    place = PLACES[lot_id]
    kind = LotKind.HOSPITAL if lot_id == OWN else LotKind.MALL
    entrance = Entrance("north", Name("北口", "North"), place)
    capacity = SPACES.get(lot_id, 127) * 2
    name = Name(f"停车场{lot_id}", f"Lot {lot_id}")
    return Lot(lot_id, kind, name, "Asia/Shanghai", capacity, place, (entrance,), barrier_link=True)


def _agreement(lot_id: LotId) -> Agreement:
    windows = (LendingWindow(SpaceClass.STANDARD, SPACES[lot_id] + 10),)
    return Agreement(AgreementId(f"{lot_id}-first"), lot_id, FIRST, windows, margin_rule=MarginRule.FIXED)


async def until(ask: Callable[[], Awaitable[_Answer]], holds: Callable[[_Answer], bool]) -> _Answer:
    """Ask until the answer holds; after a while fail with the last answer."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        answer = await ask()
        if holds(answer):
            return answer
        assert time.monotonic() < deadline_s, f"never came true; the last answer was {answer}"
        await asyncio.sleep(0.02)
