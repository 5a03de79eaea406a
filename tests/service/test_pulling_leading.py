"""Of all processes one pulls, whatever happens to it or to the ledger."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from prometheus_client import CollectorRegistry

from bowei.observability.background import in_background
from bowei.records.failures import StoreAway
from services.ingest.pulling.leading import Pulling
from services.ingest.pulling.measures import PullMeasures
from tests.service.ingest_app import wait_until


class OneRight:
    """The right to pull, of which there is one, as a database hands it out."""

    def __init__(self) -> None:
        self.holder: Right | None = None
        self.away = False
        self.asked = 0

    async def try_lead(self) -> "Right | None":
        """Take the right."""
        self.asked += 1
        if self.away:
            raise StoreAway
        if self.holder is not None and not self.holder.lost():
            return None
        self.holder = Right()
        return self.holder


class Right:
    """The right, which may be lost."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def lost(self) -> bool:
        """Say whether it is lost."""
        return self.gone.is_set()

    async def wait(self, timeout_s: float) -> None:
        """Wait."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.gone.wait()
        except TimeoutError:
            pass

    async def give_up(self) -> None:
        """Let it go."""
        self.gone.set()


class Feed:
    """A feed that only shows whether it is being pulled."""

    name = "feed"

    def __init__(self) -> None:
        self.running = 0

    async def run(self) -> None:
        """Be pulled until cancelled."""
        self.running += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.running -= 1


class Process:
    """One process that would pull."""

    def __init__(self, right: OneRight) -> None:
        self.feeds = [Feed(), Feed()]
        self.measures = PullMeasures(CollectorRegistry())
        self.pulling = Pulling(right, self.feeds, self.measures, look_every_s=0.01)  # type: ignore[arg-type]

    async def pulls(self) -> bool:
        """Say whether it pulls all of its feeds, each once."""
        running = {feed.running for feed in self.feeds}
        assert len(running) == 1
        assert running <= {0, 1}
        return running == {1}

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Process"]:
        """Run it."""
        async with in_background(self.pulling.run):
            yield self


async def test_one_of_two_processes_pulls_and_the_other_takes_over() -> None:
    """The second looks again and again, and begins when the first has ended."""
    right = OneRight()
    first, second = Process(right), Process(right)
    async with AsyncExitStack() as stack:
        async with first.running():
            await wait_until(first.pulls)
            await stack.enter_async_context(second.running())
            asked = right.asked

            async def looked_often() -> bool:
                return right.asked > asked + 5

            await wait_until(looked_often)
            assert (await first.pulls(), await second.pulls()) == (True, False)
        assert not await first.pulls()
        await wait_until(second.pulls)


async def test_a_leader_whose_ledger_is_away_goes_on_until_another_leads() -> None:
    """Boards stay alive by it; nobody else can have the right meanwhile."""
    right = OneRight()
    process = Process(right)

    async def stopped() -> bool:
        return not await process.pulls()

    async with process.running():
        await wait_until(process.pulls)
        right.away = True
        assert right.holder is not None
        asked = right.asked
        right.holder.gone.set()

        async def looked_often() -> bool:
            return right.asked > asked + 5

        await wait_until(looked_often)
        assert await process.pulls()
        right.holder, right.away = Right(), False  # another process was quicker
        await wait_until(stopped)
        right.holder.gone.set()
        await wait_until(process.pulls)


async def test_a_process_that_does_not_lead_says_nothing_of_single_feeds() -> None:
    """An alarm must not ring for what an old leader once saw."""
    registry = CollectorRegistry()
    measures = PullMeasures(registry)
    measures.failed("feed", down=True)
    assert registry.get_sample_value("bowei_ingest_pull_down", {"feed": "feed"}) == 1
    measures.stopped()
    assert registry.get_sample_value("bowei_ingest_pull_down", {"feed": "feed"}) is None
    assert registry.get_sample_value("bowei_ingest_pulling") == 0
