"""Random histories of who reports, who is suspended and whose link breaks: the twin and Postgres see the same city.

`BOWEI_PROPERTY_EXAMPLES` asks for more histories than the default run has time for.
"""

import os
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from bowei.domain.assessing import Finding
from bowei.domain.clock import SteppedClock
from bowei.domain.dirt import Dirt
from bowei.domain.heartbeats import Heartbeat, Sign
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation
from bowei.domain.strangers import Stranger
from bowei.domain.trust import TrustRules, finding_doubt
from bowei.records.in_memory import InMemoryRecords
from bowei.records.migrating import migrate
from bowei.records.quality import Assessment
from bowei.records.registering import Source, SourceKind, UnknownReference
from bowei.records.reporting import Judged
from services.ingest.assessing import assess
from tests.contract.block import MALL, MONDAY_9H, OFFICE, a_lot
from tests.contract.stores import Stores, empty, in_memory_stores, postgres_stores

HISTORIES = max(2, int(os.environ.get("BOWEI_PROPERTY_EXAMPLES", "40")) // 10)
STEPS = 60
SOURCES = (SourceId("one"), SourceId("two"))
LOTS = (MALL, OFFICE)
RULES = TrustRules(good_reports=2, over=timedelta(hours=2), bad_reports=2, bad_for=timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn for one step: of whom, when, and how."""

    number: int
    now: datetime
    source_id: SourceId
    lot_id: LotId
    of_lot: LotId | None
    flag: bool
    pick: float
    dirt: Dirt
    sign: Sign


def draw(rng: random.Random, number: int) -> Drawn:
    """Draw it."""
    lot_id = rng.choice(LOTS)
    return Drawn(
        number=number,
        now=MONDAY_9H + number * timedelta(minutes=20),
        source_id=rng.choice(SOURCES),
        lot_id=lot_id,
        of_lot=rng.choice((lot_id, None)),
        flag=rng.random() < 0.5,
        pick=rng.random(),
        dirt=rng.choice((Dirt.STUCK, Dirt.DRIFT, Dirt.OVERFLOW, Dirt.FROZEN_CLOCK)),
        sign=rng.choice(tuple(Sign)),
    )


async def enrol(stores: Stores, drawn: Drawn) -> object:
    """Register a source, for one lot or both."""
    codes = tuple((lot, lot) for lot in LOTS[: 1 + (drawn.pick < 0.7)])
    source = Source(drawn.source_id, SourceKind.FEED, lots=codes, trusted=drawn.flag, suspended=drawn.pick < 0.1)
    await stores.register.put_sources([source])
    return None


async def report(stores: Stores, drawn: Drawn) -> object:
    """Let a lot report, sometimes too much."""
    code = "free_above_capacity" if drawn.pick < 0.3 else None
    said = Observation(drawn.lot_id, drawn.now, drawn.source_id, free=drawn.number % 7)
    return await stores.journal.record([Judged(said, code)])


async def look(stores: Stores, drawn: Drawn) -> object:
    """Look at both lots, as the assessor does."""
    watched = await stores.quality.watch(LOTS)
    looks = [assess(lot, one, drawn.now, RULES) for lot, one in sorted(watched.items())]
    return looks, await stores.quality.assess(looks)


async def find(stores: Stores, drawn: Drawn) -> object:
    """Find something wrong with a lot."""
    watched = (await stores.quality.watch([drawn.lot_id]))[drawn.lot_id]
    found = (Finding(drawn.dirt, drawn.now, 0.9, {"free": drawn.number}),)
    trusts = assess(drawn.lot_id, watched, drawn.now, RULES).trusts
    return await stores.quality.assess([Assessment(drawn.lot_id, found, finding_doubt(found), trusts)])


async def show_life(stores: Stores, drawn: Drawn) -> object:
    """Let a link show life, or its end."""
    return await stores.quality.note_signs([Heartbeat(drawn.source_id, drawn.now, drawn.of_lot, drawn.sign)])


async def watch(stores: Stores, drawn: Drawn) -> object:  # noqa: ARG001 (every step takes the same)
    """Look for links that fell silent."""
    return await stores.quality.watch_links()


async def say_word(stores: Stores, drawn: Drawn) -> object:
    """Let a person suspend or release."""
    who = {"said_by": "li", "reason": "why"}
    try:
        if drawn.pick < 0.5:
            await stores.quality.suspend(drawn.source_id, drawn.of_lot, **who)
        else:
            await stores.quality.release(drawn.source_id, drawn.of_lot, pinned=drawn.flag, **who)
    except UnknownReference as error:
        return error.code
    return None


async def name_stranger(stores: Stores, drawn: Drawn) -> object:
    """Let a source name a lot that nobody registered."""
    one = Stranger(drawn.source_id, f"s{drawn.number % 3}", drawn.now, drawn.now, like=drawn.of_lot)
    await stores.quality.note_strangers([one])
    return None


STEPS_THERE_ARE = (enrol, report, report, report, look, look, find, show_life, watch, say_word, name_stranger)


async def seen(stores: Stores) -> object:
    """Give all that can be seen of quality."""
    city = await stores.quality.city()
    sources = sorted(await stores.register.sources(), key=lambda one: one.source_id)
    doubts = {lot_id: report.doubt for lot_id, report in (await stores.journal.reports()).items()}
    flags = dict(await stores.quality.flags())
    return city.at, list(city.lots), dict(city.trusts), list(city.links), list(city.strangers), sources, doubts, flags


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_twin_and_postgres_see_the_same_city(fresh_database: str, seed: int) -> None:
    """Shows that after every step both answered the same, and show the same trust, doubts, links and strangers."""
    await migrate(fresh_database)
    clock = SteppedClock(MONDAY_9H)
    twin = in_memory_stores(InMemoryRecords(clock), clock)
    rng = random.Random(seed)  # noqa: S311 (a history to repeat, not a secret)
    async with postgres_stores(fresh_database) as (real, pool):
        await empty(pool)
        for stores in (twin, real):
            await stores.step_to(MONDAY_9H)
            await stores.register.put_lots([a_lot(LotId(lot_id), 50) for lot_id in LOTS])
        for number in range(STEPS):
            step, drawn = rng.choice(STEPS_THERE_ARE), draw(rng, number)
            answers = []
            for stores in (twin, real):
                await stores.step_to(drawn.now)
                answers.append(await step(stores, drawn))
            assert answers[0] == answers[1], (step.__name__, drawn)
            assert await seen(twin) == await seen(real), (step.__name__, drawn)
