"""What the record in Postgres keeps of a report and of a passage, beside what is believed."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from bowei.domain.dirt import Dirt
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import RAW_MOST, Bound, LotState, Observation, Passage, PassageKind
from bowei.records.postgres_reporting import PostgresReportJournal
from bowei.records.reporting import Judged
from tests.contract.block import MALL, MONDAY_9H, SOURCE, Block
from tests.contract.stores import empty, postgres_stores


@pytest.fixture
async def journal(ledger_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Give connections to an empty ledger in which the block has settled."""
    async with postgres_stores(ledger_url) as (stores, pool):
        await empty(pool)
        await stores.step_to(MONDAY_9H)
        await Block(stores).settle_in()
        yield pool


async def test_everything_that_was_said_is_kept_as_it_was_said(journal: asyncpg.Pool) -> None:
    """Counts, time, bound, method and the raw item; the belief stands in the report, its dirt in both."""
    said = Observation(
        MALL,
        MONDAY_9H - timedelta(days=30),
        SOURCE,
        seq=7,
        capacity=60,
        open=40,
        free=52,
        occupied=9,
        state=LotState.UNKNOWN,
        free_by_class={SpaceClass.EV: 3},
        queue_vehicles=-1,
        method="camera",
        bound=Bound.AT_LEAST,
        reset=True,
        raw="余位：52\0\ud800" + "x" * RAW_MOST,
    )
    belief = replace(
        said,
        observed_at=MONDAY_9H + timedelta(seconds=1),
        capacity=50,
        open=None,
        free=None,
        bound=Bound.EXACT,
        queue_vehicles=None,
        free_by_class={},
        dirt=frozenset({Dirt.FROZEN_CLOCK, Dirt.CAPACITY_MOVED}),
    )
    await PostgresReportJournal(journal).record([Judged(said, None, belief)])
    kept = await journal.fetchrow("SELECT * FROM bowei.observation WHERE seq = 7")
    assert kept is not None
    assert (kept["observed_at"], kept["said_at"]) == (belief.observed_at, said.observed_at)
    assert [kept[name] for name in ("capacity", "open", "free", "occupied", "queue_vehicles")] == [60, 40, 52, 9, -1]
    assert (kept["state"], kept["bound"], kept["method"], kept["reset"]) == ("unknown", "at_least", "camera", True)
    assert kept["free_by_class"] == '{"ev": 3}'
    assert kept["dirt"] == ["capacity_moved", "frozen_clock"]
    assert kept["raw"].startswith("余位：52?xxx")
    report = (await PostgresReportJournal(journal).reports())[MALL]
    assert (report.capacity, report.open, report.free, report.dirt) == (50, None, None, belief.dirt)


async def test_what_is_not_believed_is_kept_with_its_reason_and_its_dirt(journal: asyncpg.Pool) -> None:
    """The assessor finds it there."""
    said = Observation(MALL, MONDAY_9H, SOURCE, seq=9, free=8259)
    belief = replace(said, dirt=frozenset({Dirt.FREE_ABOVE_CAPACITY}))
    await PostgresReportJournal(journal).record([Judged(said, "free_above_capacity", belief)])
    kept = await journal.fetchrow("SELECT free, outcome, code, dirt FROM bowei.observation WHERE seq = 9")
    assert kept is not None
    assert tuple(kept) == (8259, "quarantined", "free_above_capacity", ["free_above_capacity"])


async def test_what_is_only_believed_was_not_said(journal: asyncpg.Pool) -> None:
    """A belief that says more than the report did stands in the newest report alone."""
    said = Observation(MALL, MONDAY_9H + timedelta(seconds=1), SOURCE, seq=8, free=1)
    belief = replace(said, bound=Bound.AT_LEAST, free_by_class={SpaceClass.EV: 1}, queue_vehicles=2)
    await PostgresReportJournal(journal).record([Judged(said, None, belief)])
    kept = await journal.fetchrow("SELECT bound, free_by_class, queue_vehicles FROM bowei.observation WHERE seq = 8")
    assert kept is not None
    assert tuple(kept) == ("exact", "{}", None)
    report = (await PostgresReportJournal(journal).reports())[MALL]
    assert (report.bound, report.free_by_class, report.queue_vehicles) == (Bound.AT_LEAST, {SpaceClass.EV: 1}, 2)


async def test_a_passage_is_kept_with_how_the_car_parks(journal: asyncpg.Pool) -> None:
    """As a shared one, or not."""
    for shared in (True, False):
        passage = Passage(MALL, f"p-{shared}", PassageKind.ENTER, MONDAY_9H, SOURCE, shared=shared)
        await PostgresReportJournal(journal).record_passage(passage, moves_count=False)
    rows = await journal.fetch("SELECT passage_id, shared FROM bowei.passage ORDER BY passage_id")
    assert [tuple(row) for row in rows] == [("p-False", False), ("p-True", True)]


async def test_the_functions_of_the_release_before_still_record_cars(journal: asyncpg.Pool) -> None:
    """While a city is updated, its old processes go on: a car is not a shared one unless they say so."""
    await PostgresReportJournal(journal).record([Judged(Observation(MALL, MONDAY_9H, SOURCE, seq=3, free=20))])
    row = await journal.fetchrow(
        "SELECT * FROM bowei.record_passage($1, $2, $3, $4, $5, $6, $7)",
        MALL,
        "old",
        "enter",
        MONDAY_9H + timedelta(seconds=2),
        SOURCE,
        None,
        True,
    )
    assert row is not None
    assert (row["outcome"], row["report"]["free"]) == ("applied", 19)
