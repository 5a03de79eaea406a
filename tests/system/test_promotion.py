"""Postgres dies in the middle of load and its synchronous standby is promoted: no acknowledged hold is lost.

The clients follow one primary at a time: everyone leaves the old one before the standby is promoted.
"""

import asyncio
import itertools
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bowei.domain.agreements import AgreementId
from bowei.domain.holds import Hold
from bowei.domain.lots import LotId
from bowei.records.connecting import UnsafeServer, connect, disconnect
from bowei.records.failures import OutcomeUnknown, StoreAway, StoreFailure
from bowei.records.holding import Decision, Outcome, PlaceRequest
from bowei.records.migrating import migrate
from bowei.records.postgres_holding import PostgresHoldBook
from services.local.children import exited, kill, spawn
from services.local.servers.postgres_server import PostgresPlace
from tests.contract.block import a_request, on
from tests.free_ports import free_port
from tests.system.replicated_ledger import (
    PATIENCE_S,
    ReplicatedLedger,
    connected,
    open_pool,
    short_folder,
    stopped_ledger,
)

SPACES = {LotId("east"): 400, LotId("west"): 350, LotId("north"): 50}
"""Fewer than drivers: who gets none is part of it."""
PROJECT = Path(__file__).parents[2]
DRIVERS = 1_000
AT_ONCE = 60
_CUT_OFF_S = 1.0
_PAUSE_S = 0.5

Trouble = Callable[[ReplicatedLedger, "Load"], Awaitable[None]]


@pytest.fixture(scope="module")
def template() -> Iterator[PostgresPlace]:
    """Give a ledger to copy."""
    with stopped_ledger(SPACES) as place:
        yield place


@pytest.fixture
async def ledger(template: PostgresPlace, server_folder: Path) -> AsyncIterator[ReplicatedLedger]:
    """Give a primary with its synchronous standby, both running."""
    ledger = ReplicatedLedger(template, server_folder)
    try:
        await ledger.start()
        yield ledger
    finally:
        ledger.close()


@pytest.fixture(scope="module")
def lasting_ledger(template: PostgresPlace) -> Iterator[ReplicatedLedger]:
    """Give a pair that each test leaves as it found it."""
    with short_folder() as folder:
        ledger = ReplicatedLedger(template, folder)
        try:
            asyncio.run(ledger.start())
            yield ledger
        finally:
            ledger.close()


@dataclass
class Load:
    """Drivers who ask until they are answered, and who sometimes ask again; what they were told is kept."""

    book: PostgresHoldBook
    told: dict[str, Hold] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unanswered: int = 0
    wrong: list[str] = field(default_factory=list)
    _next: "itertools.count[int]" = field(default_factory=itertools.count)

    async def drive(self) -> None:
        """Let the drivers come, so many at once, until all have been answered."""
        await asyncio.gather(*(self._one_after_another() for _ in range(AT_ONCE)))

    async def until_told(self, count: int) -> None:
        """Wait until so many have a hold."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.told) < count:  # noqa: ASYNC110 (what is waited for is many small things)
                await asyncio.sleep(0.002)

    async def ask(self, number: int) -> None:
        """Place under the driver's own id until there is an answer, and compare it with the one given before."""
        request = _request(number)
        while True:
            book = self.book
            try:
                decision = await book.place(request)
            except StoreFailure:
                self.unanswered += 1
                await asyncio.sleep(0.02)
                continue
            if book is self.book:
                self._note(request.diversion_id, decision)
                return

    def _note(self, diversion_id: str, decision: Decision) -> None:
        if decision.hold is None:
            self.refused.add(diversion_id)
            return
        before = self.told.setdefault(diversion_id, decision.hold)
        if (before.lot_id, before.ordinal) != (decision.hold.lot_id, decision.hold.ordinal):
            self.wrong.append(diversion_id)

    async def _one_after_another(self) -> None:
        while (number := next(self._next)) < DRIVERS:
            await self.ask(number)
            if number % 5 == 0:
                await self.ask(number)


def _request(number: int) -> PlaceRequest:
    lots = sorted(SPACES)
    chosen = [on(AgreementId(lots[(number + turn) % len(lots)])) for turn in range(len(lots))]
    return a_request(f"driver-{number}", chosen)


async def _nothing(_: ReplicatedLedger, load: Load) -> None:
    await load.until_told(200)


async def _paused(ledger: ReplicatedLedger, load: Load) -> None:
    await load.until_told(150)
    await ledger.pause_standby()
    # What was received before is still answered; how long the silence lasts is the fault itself.
    await asyncio.sleep(_PAUSE_S)


async def _cut_off(ledger: ReplicatedLedger, load: Load) -> None:
    await load.until_told(150)
    await ledger.cut_standby_off()
    await asyncio.sleep(_CUT_OFF_S)


@pytest.mark.parametrize("trouble", [_nothing, _paused, _cut_off], ids=["healthy", "paused", "cut off"])
async def test_no_acknowledged_hold_is_lost_when_the_standby_takes_over(
    ledger: ReplicatedLedger, trouble: Trouble
) -> None:
    """Proves it for a standby that was well, frozen, or cut off when the primary was killed, under the same ids."""
    async with open_pool(ledger.primary.url) as old:
        load = Load(PostgresHoldBook(old))
        driving = asyncio.create_task(load.drive())
        await trouble(ledger, load)
        before = await load.book.server_identity()
        ledger.kill_primary()
        url = await ledger.promote()
        async with open_pool(url) as new:
            told_by_the_old = dict(load.told)
            load.book = PostgresHoldBook(new)
            # At once another ledger: the follower copies everything again, also what the old primary alone had.
            assert await load.book.server_identity() != before
            await asyncio.wait_for(driving, PATIENCE_S)
            await _assert_kept(load, url)
            assert load.told.items() >= told_by_the_old.items()
            assert len(load.told) > len(told_by_the_old)
            assert load.unanswered > 0


async def _assert_kept(load: Load, url: str) -> None:
    """What either server told is in the ledger, once; asked again, each driver is told the same."""
    assert load.wrong == []
    told = {diversion_id: hold.lot_id for diversion_id, hold in load.told.items()}
    async with connected(url) as connection:
        rows = await connection.fetch("SELECT diversion_id, lot_id, driver_id FROM bowei.hold WHERE state = 'held'")
    assert told.items() - {(row["diversion_id"], row["lot_id"]) for row in rows} == set()
    assert len(rows) == len({row["driver_id"] for row in rows}) == len(told) == sum(SPACES.values())
    assert await load.book.broken_promises() == []
    assert len(load.refused - set(load.told)) == DRIVERS - sum(SPACES.values())
    before = dict(load.told)
    await asyncio.gather(*(load.ask(number) for number in range(0, DRIVERS, 3)))
    assert load.wrong == []
    assert load.told == before
    assert Counter(told.values()) == SPACES


async def test_a_commit_that_stops_waiting_for_the_standby_is_not_acknowledged(ledger: ReplicatedLedger) -> None:
    """Cancelled, Postgres says success with a warning; terminated, it hangs up. The driver hears `unknown` of both.

    Guards the guard: a plain SELECT on the old primary does find the holds, and the promoted standby has none.
    """
    requests = {"pg_cancel_backend": _request(1), "pg_terminate_backend": _request(2)}
    known = "SELECT count(*) FROM bowei.hold"
    async with open_pool(ledger.primary.url) as pool, connected(ledger.primary.url) as somebody:
        book = PostgresHoldBook(pool)
        await ledger.cut_standby_off()
        for stop_waiting, request in requests.items():
            asked = asyncio.create_task(book.place(request))
            await somebody.execute(f"SELECT {stop_waiting}($1)", await ledger.until_waiting_for_standby())
            with pytest.raises(OutcomeUnknown):
                await asked
        assert await somebody.fetchval(known) == len(requests)
        repeated = asyncio.create_task(book.place(requests["pg_cancel_backend"]))
        await ledger.until_waiting_for_standby()
        assert not repeated.done()
        ledger.kill_primary()
        with pytest.raises(StoreFailure):
            await repeated
    url = await ledger.promote()
    async with open_pool(url) as pool, connected(url) as somebody:
        assert await somebody.fetchval(known) == 0
        for request in requests.values():
            assert (await PostgresHoldBook(pool).place(request)).outcome is Outcome.GRANTED


async def test_a_hold_that_the_standby_lacks_is_not_shown_to_its_driver(
    lasting_ledger: ReplicatedLedger,
) -> None:
    """The driver who looks instead of repeating is not sent to a space that a promotion would forget."""
    async with open_pool(lasting_ledger.primary.url) as pool:
        book = PostgresHoldBook(pool)
        await lasting_ledger.cut_standby_off()
        asked = asyncio.create_task(book.place(_request(3)))
        await _cancel(lasting_ledger, await lasting_ledger.until_waiting_for_standby())
        with pytest.raises(OutcomeUnknown):
            await asked
        looked = asyncio.create_task(book.find(_request(3).diversion_id, None))
        await lasting_ledger.until_waiting_for_standby()
        assert not looked.done()
        lasting_ledger.join_again()
        found = await asyncio.wait_for(looked, PATIENCE_S)
        assert found.hold is not None
        assert found.hold.lot_id in SPACES


@pytest.mark.parametrize("had_a_hold", [True, False], ids=["a hold", "an id that never was granted"])
async def test_giving_up_again_waits_for_the_standby_too(lasting_ledger: ReplicatedLedger, had_a_hold: bool) -> None:
    """What was given up stays given up: the repeat is not answered from what this server alone has."""
    request = _request(4 if had_a_hold else 5)
    async with open_pool(lasting_ledger.primary.url) as pool:
        book = PostgresHoldBook(pool)
        if had_a_hold:
            assert (await book.place(request)).hold is not None
        await lasting_ledger.cut_standby_off()
        gave_up = asyncio.create_task(book.release(request.diversion_id, request.driver_id))
        await _cancel(lasting_ledger, await lasting_ledger.until_waiting_for_standby())
        with pytest.raises(OutcomeUnknown):
            await gave_up
        again = asyncio.create_task(book.release(request.diversion_id, request.driver_id))
        try:
            await lasting_ledger.until_waiting_for_standby()
            assert not again.done()
        finally:
            lasting_ledger.join_again()
        wanted = Outcome.RELEASED if had_a_hold else Outcome.GIVEN_UP
        assert (await asyncio.wait_for(again, PATIENCE_S)).outcome is wanted


async def _cancel(ledger: ReplicatedLedger, backend: int) -> None:
    async with connected(ledger.primary.url) as connection:
        await connection.execute("SELECT pg_cancel_backend($1)", backend)


async def test_an_old_primary_that_lives_on_alone_promises_nothing(ledger: ReplicatedLedger) -> None:
    """Both believe that they lead. The old one has nobody to wait for, so no driver hears a yes from it."""
    async with open_pool(ledger.primary.url) as pool:
        book = PostgresHoldBook(pool)
        before = await book.place(_request(1))
        await ledger.cut_standby_off()
        async with open_pool(await ledger.promote()) as new_pool:
            new_book = PostgresHoldBook(new_pool)
            asked = [asyncio.create_task(book.place(_request(number))) for number in range(1, 6)]
            for number in range(1, 9):
                assert (await new_book.place(_request(number))).hold is not None
            for answer in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(answer, StoreFailure)
            assert (await new_book.find(_request(1).diversion_id, None)).hold == before.hold


async def test_decisions_go_to_the_primary_wherever_it_is(ledger: ReplicatedLedger) -> None:
    """With both servers in the address the primary is found, before and after the promotion; a standby is refused."""
    both = ledger.primary.url.replace("?host=", f"?host={ledger.standby.sockets},")
    with pytest.raises(StoreAway):
        await connect(ledger.standby.url)
    async with open_pool(both) as pool:
        assert (await PostgresHoldBook(pool).place(_request(1))).outcome is Outcome.GRANTED
    ledger.kill_primary()
    await ledger.promote()
    async with open_pool(both) as pool:
        assert (await PostgresHoldBook(pool).place(_request(1))).outcome is Outcome.REPEATED


async def test_a_process_that_is_left_with_a_standby_says_that_the_ledger_is_away(
    lasting_ledger: ReplicatedLedger,
) -> None:
    """Whatever is asked of a server that only reads, nothing is changed and the driver may ask again."""
    pool = await connect(lasting_ledger.standby.url, check_durable=False)
    try:
        book = PostgresHoldBook(pool)
        with pytest.raises(StoreAway):
            await book.place(_request(1))
        with pytest.raises(StoreAway):
            await book.release(_request(1).diversion_id, _request(1).driver_id)
        with pytest.raises(StoreAway):
            await book.server_identity()
    finally:
        await disconnect(pool)


async def test_where_standbys_are_required_a_server_without_one_is_refused(
    lasting_ledger: ReplicatedLedger,
) -> None:
    """An operator who asked for synchronous copies is told at the start that there are none."""
    await disconnect(await connect(lasting_ledger.primary.url, require_synchronous=True))
    await lasting_ledger.change_setting("synchronous_standby_names", "")
    with pytest.raises(UnsafeServer, match="synchronous_standby_names is empty"):
        await connect(lasting_ledger.primary.url, require_synchronous=True)
    await disconnect(await connect(lasting_ledger.primary.url))
    await lasting_ledger.wait_for_standby()


@pytest.mark.parametrize("service", ["registry", "ingest", "routing"])
async def test_a_service_that_requires_standbys_does_not_start_without(
    fresh_database: str, fresh_redis: str, service: str, tmp_path: Path
) -> None:
    """The process ends by itself, and its last words name the setting of Postgres and the variable."""
    await migrate(fresh_database)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOWEI_")} | {
        "BOWEI_DATABASE_URL": fresh_database,
        "BOWEI_REDIS_URL": fresh_redis,
        "BOWEI_ADMIN_TOKEN": "a token of the test's",
        "BOWEI_DRIVER_KEY": "a key of the test's, long enough to sign",
        "BOWEI_PORT": str(free_port()),
        "BOWEI_REQUIRE_SYNCHRONOUS": "1",
    }
    log = tmp_path / "log"
    command = [sys.executable, "-m", f"services.{service}"]
    process = spawn(command, log=log, environment=environment, folder=PROJECT)
    try:
        assert await exited(process, within_s=PATIENCE_S) not in {0, None}
    finally:
        kill(process)
    said = log.read_text()
    assert "synchronous_standby_names" in said
    assert "BOWEI_REQUIRE_SYNCHRONOUS" in said
