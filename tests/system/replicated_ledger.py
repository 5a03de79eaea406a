"""A Postgres primary and the synchronous standby that every commit waits for; a test may end, stop or part them."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import asyncpg

from bowei.domain.agreements import AgreementId
from bowei.domain.lots import LotId, LotKind
from bowei.domain.observations import Observation
from bowei.records.connecting import connect, disconnect
from bowei.records.migrating import migrate
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.reporting import Judged
from services.local.children import Child, exited, kill, last_lines, spawn
from services.local.data_folder import throwaway_data_folder
from services.local.servers.finding import find_postgres
from services.local.servers.postgres_server import (
    PostgresPlace,
    choose_server,
    place_for,
    start_postgres,
    stop_postgres,
)
from tests.contract.block import FIRST, OWN, SOURCE, a_hospital, a_lot, lending

PATIENCE_S = 20.0
STANDBY = "standby"


@contextlib.contextmanager
def stopped_ledger(spaces: dict[LotId, int]) -> Iterator[PostgresPlace]:
    """Make a ledger once for many tests: `spaces` at each lot, all of them free and lent. It is not running."""
    with throwaway_data_folder() as data:
        sockets = data.path / "s"
        sockets.mkdir(mode=0o700)
        place = place_for(data, choose_server(data, find_postgres()), sockets)

        async def make() -> None:
            postgres = await start_postgres(place)
            try:
                await migrate(place.url)
                async with open_pool(place.url) as pool:
                    await _settle_in(pool, spaces)
            finally:
                await stop_postgres(postgres)

        asyncio.run(make())
        yield place


async def _settle_in(pool: asyncpg.Pool, spaces: dict[LotId, int]) -> None:
    register, journal = PostgresRegister(pool), PostgresReportJournal(pool)
    await register.put_lots([a_lot(lot_id, count) for lot_id, count in spaces.items()])
    await register.put_lots([a_lot(OWN, 127, kind=LotKind.HOSPITAL)])
    await register.put_hospitals([a_hospital(FIRST)])
    await register.put_agreements([lending(AgreementId(lot), lot, FIRST, count) for lot, count in spaces.items()])
    reports = [Observation(lot_id, datetime.now(UTC), SOURCE, free=count) for lot_id, count in spaces.items()]
    await journal.record([Judged(report) for report in reports])
    await journal.close()


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """Give an empty folder with a path short enough for sockets, which other users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="bowei-test-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class ReplicatedLedger:
    """A copy of a stopped ledger as primary, and its standby. The standby reaches it by a way that can be cut."""

    template: PostgresPlace
    folder: Path
    primary: PostgresPlace = field(init=False)
    standby: PostgresPlace = field(init=False)
    _running: list[Child] = field(default_factory=list)
    _paused: int | None = None

    def __post_init__(self) -> None:
        """Choose where both live."""
        self.primary, self.standby = self._place("a"), self._place("b")

    @property
    def way(self) -> Path:
        """The folder of the primary's socket, as the standby knows it."""
        return self.folder / "way"

    async def start(self) -> None:
        """Start the primary and its standby, and let every commit wait for that one."""
        await asyncio.to_thread(self._copy_template)
        self.way.symlink_to(self.primary.sockets)
        self._running.append(await start_postgres(self.primary))
        self._running.append(await start_postgres(self.standby))
        await self.wait_for_standby()

    async def wait_for_standby(self) -> None:
        """Let every commit wait for the standby."""
        await self.change_setting("synchronous_standby_names", f"FIRST 1 ({STANDBY})")
        await self.until_primary_says("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", 1)

    async def until_primary_says(self, query: str, wanted: object) -> None:
        """Ask the primary until the answer is the wanted one."""
        await _until(self.primary.url, query, wanted)

    async def change_setting(self, name: str, value: str) -> None:
        """Change a setting of the primary for good, and wait until it counts."""
        async with connected(self.primary.url) as connection:
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            await connection.execute("SELECT pg_reload_conf()")
        await self.until_primary_says(f"SELECT current_setting('{name}')", value)

    async def pause_standby(self) -> None:
        """Freeze the process that receives the primary's log."""
        async with connected(self.standby.url) as connection:
            self._paused = int(await connection.fetchval("SELECT pid FROM pg_stat_wal_receiver"))
        os.kill(self._paused, signal.SIGSTOP)

    def resume_standby(self) -> None:
        """Let it go on."""
        if self._paused is not None:
            os.kill(self._paused, signal.SIGCONT)
            self._paused = None

    async def cut_standby_off(self) -> None:
        """Part the two: the standby is heard no more, and can't come back."""
        self.way.unlink()
        async with connected(self.primary.url) as connection:
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
        await self.until_primary_says("SELECT count(*) FROM pg_stat_replication", 0)

    def join_again(self) -> None:
        """Let the standby find the primary again."""
        self.way.symlink_to(self.primary.sockets)

    def kill_primary(self) -> None:
        """End the primary at once, as a power cut would; its backends go with it."""
        kill(self._running[0])

    async def promote(self) -> str:
        """Make the standby the primary; give its address."""
        self.resume_standby()
        async with connected(self.standby.url) as connection:
            assert await connection.fetchval("SELECT pg_promote(true, $1)", int(PATIENCE_S))
        return self.standby.url

    async def until_waiting_for_standby(self) -> int:
        """Wait until a commit waits for the standby; give the backend that waits."""
        query = "SELECT min(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        async with connected(self.primary.url) as connection:
            deadline_s = time.monotonic() + PATIENCE_S
            while (backend := await connection.fetchval(query)) is None:
                assert time.monotonic() < deadline_s, "no commit waits for the standby"
                await asyncio.sleep(0.01)
        return int(backend)

    def close(self) -> None:
        """End both and remove what they wrote."""
        self.resume_standby()
        for child in self._running:
            end_at_once(child)
        for place in (self.primary, self.standby):
            shutil.rmtree(place.cluster, ignore_errors=True)

    def _place(self, name: str) -> PostgresPlace:
        # Short: the whole path of a socket has to fit into 103 bytes.
        sockets = self.folder / name
        sockets.mkdir(mode=0o700)
        owned_like(self.template, sockets)
        cluster = self.template.cluster.with_name(f"{self.folder.name}-{name}")
        return replace(self.template, cluster=cluster, sockets=sockets, log=self.folder / f"{name}.log")

    def _copy_template(self) -> None:
        for place in (self.primary, self.standby):
            # The ledger was stopped cleanly: a plain copy of it is as good as a base backup.
            subprocess.run(["/bin/cp", "-a", self.template.cluster, place.cluster], check=True, timeout=60)
        by_the_way = urlencode({"host": str(self.way), "application_name": STANDBY}, safe="/")
        source = f"{self.primary.url.partition('?')[0]}?{by_the_way}"
        (self.standby.cluster / "standby.signal").touch()
        with (self.standby.cluster / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{source}'\nwal_retrieve_retry_interval = '100ms'\n")


def end_at_once(postgres: Child) -> None:
    """End a server without a checkpoint; unlike after `kill`, none of its shared memory stays behind."""
    if postgres.poll() is None:
        postgres.send_signal(signal.SIGQUIT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            postgres.wait(timeout=PATIENCE_S)
    kill(postgres)


def owned_like(place: PostgresPlace, folder: Path) -> None:
    """Hand a folder over to the user that runs Postgres."""
    if place.account:
        os.chown(folder, place.account.uid, place.account.gid)


async def finish(place: PostgresPlace, command: list[str], **environment: str) -> None:
    """Run a program as the user that runs Postgres, to its good end."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"} | environment
    child = spawn(command, log=place.log, environment=environment, account=place.account)
    try:
        assert await exited(child, within_s=PATIENCE_S) == 0, last_lines(place.log)
    finally:
        kill(child)


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection whose own commits wait for nobody."""
    connection = await asyncpg.connect(url, timeout=PATIENCE_S, server_settings={"synchronous_commit": "local"})
    try:
        yield connection
    finally:
        await connection.close(timeout=PATIENCE_S)


@contextlib.asynccontextmanager
async def open_pool(url: str) -> AsyncIterator[asyncpg.Pool]:
    """Give the connections of one process."""
    pool = await connect(url, most_connections=4)
    try:
        yield pool
    finally:
        await disconnect(pool)


async def _until(url: str, query: str, wanted: object) -> None:
    async with connected(url) as connection:
        deadline_s = time.monotonic() + PATIENCE_S
        while (answer := await connection.fetchval(query)) != wanted:
            assert time.monotonic() < deadline_s, f"{query} says {answer}, never {wanted}"
            await asyncio.sleep(0.02)
