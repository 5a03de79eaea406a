"""Who waits is woken for news of what it waits for, and for more news than are read at once."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

from bowei.domain.lots import LotId
from bowei.observability.background import in_background
from bowei.records.holding import HoldBook, HoldSteps, StepsCursor
from bowei.records.leading import Leads
from services.routing.watching import Watching, of_diversion

MALL = LotId("mall")


@dataclass
class News:
    """A ledger that says what a test says, each thing once; and an ear that always hears something."""

    coming: list[HoldSteps] = field(default_factory=list)
    reads: int = 0

    async def steps(self, _cursor: object) -> HoldSteps:
        """Give what came."""
        self.reads += 1
        return self.coming.pop(0) if self.coming else HoldSteps([], StepsCursor(1))

    async def listen(self) -> Leads:
        """Listen."""
        return self

    def lost(self) -> bool:
        """Never."""
        return False

    async def wait(self, timeout_s: float) -> None:
        """Hear something at once."""
        await asyncio.sleep(min(timeout_s, 0.001))

    async def give_up(self) -> None:
        """Listen no more."""


async def test_only_who_waits_for_it_is_woken_unless_there_is_too_much_to_tell() -> None:
    """News of one diversion wake one; where some were left out everybody looks at the ledger, and reading is slow."""
    news = News()
    watching = Watching(cast("HoldBook", news), news)
    async with in_background(watching.run):
        with watching.watch(of_diversion("a")) as ann, watching.watch(of_diversion("b")) as bob:
            # Whoever begins is told to look once.
            assert await ann.wait(5)
            assert await bob.wait(5)
            assert ann.take_ledger_news()
            assert bob.take_ledger_news()
            news.coming.append(HoldSteps([("a", MALL)], StepsCursor(1)))
            assert await ann.wait(5)
            assert not await bob.wait(0.1)
            news.coming.append(HoldSteps([], StepsCursor(1), left_out=True))
            assert await bob.wait(5)
            assert bob.take_ledger_news()
            reads = news.reads
            await asyncio.sleep(0.3)
            assert news.reads <= reads + 1
