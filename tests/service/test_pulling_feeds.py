"""A feed is pulled again and again: what it says is shown, and what goes wrong is seen and harms no other feed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bowei.domain.dirt import Dirt
from bowei.domain.lots import SourceId
from bowei.records.failures import StoreAway
from services.ingest.intake import Intake
from services.ingest.pulling.by_url import UrlPull
from services.ingest.pulling.feed_pulling import FeedPulling
from services.ingest.pulling.fetching import Ask, Bounds, Fetcher
from services.ingest.pulling.formats import Reads, by_datex2
from services.ingest.pulling.pacing import DOWN_AFTER, Budget, HostGates, Pace
from services.ingest.readings import CountReading, Reading
from services.ingest.receiving import Receiving
from services.ingest.sources import Sources
from tests.service.feed_server import Answers, FeedServer, feed_server, if_changed, reply
from tests.service.ingest_app import EMPORIUM, MALL, IngestWorld, ingest
from tests.unit.datex2_written import number, place, v3

PUBLISHED = "2026-03-02T00:59:00Z"
EVERY_S = 60.0


def publication(free: int, *, lot: str = "1001", at: str = PUBLISHED) -> bytes:
    """Write what a feed says of one lot."""
    record = place(number("numberOfVacantSpaces", free), lot=lot).replace("2026-03-02T00:30:03Z", at)
    return v3(record, published=at)


@dataclass(frozen=True, slots=True)
class Pulled:
    """A feed that is pulled by a test, with its server and what is around it."""

    world: IngestWorld
    server: FeedServer
    feed: FeedPulling

    async def result(self) -> str:
        """Pull once; give what the metrics say of it."""
        before = await self._results()
        await self.feed.once()
        after = await self._results()
        (changed,) = (result for result, count in after.items() if count != before.get(result, 0))
        return changed

    async def _results(self) -> dict[str, float]:
        counts: dict[str, float] = {}
        for line in (await self.world.client.get("/metrics")).text.splitlines():
            if line.startswith("bowei_ingest_pulls_total{"):
                labels, _, count = line.rpartition(" ")
                counts[labels.partition('result="')[2].partition('"')[0]] = float(count)
        return counts

    async def free(self) -> int | None:
        """Give what is shown of the mall."""
        seen = await self.world.seen(MALL)
        return None if seen is None else seen.free


@asynccontextmanager
async def pulled(
    answer: Answers,
    *,
    reads: Reads | None = None,
    source: str = "malls",
    lot_prefix: str | None = None,
    only_registered: bool = False,
) -> AsyncIterator[Pulled]:
    """Pull a server that answers so."""
    async with ingest() as world, feed_server(answer) as server:
        receiving = Receiving(
            world.journal,
            world.live,
            world.clock,
            world.measures,
            copy_again=world.copying.copy_again,
            note_signs=world.notes.signs,
        )
        sources = Sources(world.register, monotonic=lambda: world.monotonic_s)
        intake = Intake(receiving, sources, world.clock, world.measures, None)
        bounds = Bounds(Budget(1_000), timeout_s=5.0, insecure=True, allow_private=True)
        fetcher = Fetcher(gates=HostGates(spacing_s=0.0))
        feed = FeedPulling(
            source,
            SourceId(source),
            UrlPull(Ask(server.url()), bounds, reads or by_datex2(None), fetcher, world.clock),
            Pace(EVERY_S, lambda: 0.5),
            intake,
            world.clock,
            world.measures.pulling,
            lot_prefix=lot_prefix,
            only_of=sources if only_registered else None,
        )
        yield Pulled(world, server, feed)


async def test_what_a_feed_says_is_shown_and_the_feed_is_well() -> None:
    """With the time that the feed itself says, by the way `pull`."""
    async with pulled(reply(publication(118))) as one:
        assert await one.feed.once() == EVERY_S
        seen = await one.world.seen(MALL)
        assert seen is not None
        assert (seen.free, seen.observed_at.isoformat()) == (118, "2026-03-02T00:59:00+00:00")
        assert await one.world.metric('bowei_ingest_observations_total{result="applied",way="pull"}') == 1
        well_at = await one.world.metric('bowei_ingest_pull_success_timestamp_seconds{feed="malls"}')
        assert well_at == one.world.clock.now().timestamp()
        assert await one.world.metric('bowei_ingest_pull_down{feed="malls"}') == 0


async def test_what_did_not_change_is_asked_for_once_and_is_a_sign_of_life() -> None:
    """The lot's count grows old by the feed's own time; that the feed lives is noted."""
    async with pulled(if_changed(publication(118), '"v1"')) as one:
        assert await one.result() == "read"
        kept = one.world.everything_kept()
        one.world.step(60)
        assert await one.result() == "unchanged"
        assert one.server.asked[1].headers["if-none-match"] == '"v1"'
        assert one.world.everything_kept() == kept
        assert await one.world.metric('bowei_ingest_link_signs_total{sign="heartbeat"}') == 2
        heard = await one.world.metric('bowei_ingest_source_last_heard_timestamp_seconds{source="malls"}')
        assert heard == one.world.clock.now().timestamp()


async def test_a_feed_that_is_pulled_now_and_then_is_not_lost_in_between() -> None:
    """That nobody asked for a while is no silence of the feed's."""
    async with pulled(if_changed(publication(118), '"v1"')) as one:
        for _ in range(5):
            await one.result()
            await one.world.notes.write()
            one.world.step(300)
            assert await one.world.quality.watch_links() == {}
        (link,) = (await one.world.quality.city()).links
        assert link.last_at == one.world.clock.now() - timedelta(seconds=300)


async def test_a_server_without_conditions_costs_no_second_reading() -> None:
    """The same body is told by its digest; another is read."""
    async with pulled(reply(publication(118))) as one:
        assert [await one.result() for _ in range(2)] == ["read", "unchanged"]
        one.server.answer = reply(publication(117, at="2026-03-02T00:59:30Z"))
        assert await one.result() == "read"
        assert await one.free() == 117
        assert "if-none-match" not in one.server.asked[2].headers


async def test_a_date_of_the_server_is_a_condition_too() -> None:
    """Last-Modified is sent back as it came."""
    said = "Mon, 02 Mar 2026 00:59:00 GMT"
    async with pulled(reply(publication(118), last_modified=said)) as one:
        await one.result()
        one.server.answer = reply(status="304 Not Modified")
        assert await one.result() == "unchanged"
        assert one.server.asked[1].headers["if-modified-since"] == said


def without_time(body: bytes, **_: object) -> list[Reading]:
    """Read a feed that says a number and no time."""
    return [CountReading("1001", None, free=int(body))]


async def test_counts_without_a_time_are_as_of_now_however_the_server_says_that_nothing_changed() -> None:
    """By 304 or by the same body again: the count is what the feed says at this moment, marked as without time."""
    for answer in (if_changed(b"118", '"v1"'), reply(b"118")):
        async with pulled(answer, reads=without_time) as one:
            assert await one.result() == "read"
            one.world.step(60)
            assert await one.result() == "unchanged"
            seen = await one.world.seen(MALL)
            assert seen is not None
            assert (seen.free, seen.observed_at) == (118, one.world.clock.now())
            assert all(Dirt.NO_TIME in judged.observation.dirt for judged, _ in one.world.records.observations)


async def test_nothing_is_forgotten_while_our_own_store_is_away() -> None:
    """What could not be recorded is asked for again, whole, and is not held against the feed."""
    async with pulled(if_changed(publication(118), '"v1"')) as one:
        one.world.journal.failing = StoreAway()
        assert [await one.result() for _ in range(DOWN_AFTER)] == ["store_away"] * DOWN_AFTER
        assert await one.world.metric('bowei_ingest_pull_down{feed="malls"}') == 0
        one.world.journal.failing = None
        assert await one.result() == "read"
        assert "if-none-match" not in one.server.asked[-1].headers
        assert await one.free() == 118


async def test_a_feed_that_goes_wrong_is_seen_and_recovers(caplog: pytest.LogCaptureFixture) -> None:
    """The first failure is said, the third in a row is an alarm, and the return is said; the last count stays."""
    caplog.set_level(logging.INFO)
    async with pulled(reply(publication(118))) as one:
        await one.feed.once()
        one.server.answer = reply(b"<html>", "503 Away", retry_after="600")
        waits = [await one.feed.once() for _ in range(DOWN_AFTER)]
        assert waits == [630.0] * DOWN_AFTER
        assert await one.world.metric('bowei_ingest_pull_down{feed="malls"}') == 1
        assert await one.world.metric('bowei_ingest_pulls_total{feed="malls",result="server_error"}') == DOWN_AFTER
        assert await one.free() == 118
        one.server.answer = reply(publication(117, at="2026-03-02T00:59:30Z"))
        assert await one.feed.once() == EVERY_S
        assert await one.world.metric('bowei_ingest_pull_down{feed="malls"}') == 0
        said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("pull_")]
        assert said == ["pull_failed", "pull_down", "pull_recovered"]


@pytest.mark.parametrize(
    ("body", "result"),
    [
        pytest.param(b"<payload", "unreadable", id="cut off"),
        pytest.param(b"<!DOCTYPE x><payload/>", "unreadable", id="a DTD"),
        pytest.param(b"<payload/>", "unreadable", id="something else"),
        pytest.param(v3(), "nothing_read", id="no lot"),
        pytest.param(v3(place(number("numberOfVacantSpaces", 3), lot=" ")), "nothing_read", id="lots without a name"),
    ],
)
async def test_a_body_that_says_nothing_is_a_failure_of_the_feed(body: bytes, result: str) -> None:
    """A feed that answers 200 and has no lots in it broke, and nobody would notice otherwise."""
    async with pulled(reply(body)) as one:
        assert await one.result() == result
        assert one.world.everything_kept() == ([], {}, set(), {})


async def test_a_defect_of_ours_stops_no_feed() -> None:
    """It is counted, and the feed is asked again later."""

    def broken(*_: object, **__: object) -> list[Reading]:
        raise ZeroDivisionError

    async with pulled(reply(b"118"), reads=broken) as one:
        assert await one.result() == "internal"
        assert await one.feed.once() == 2 * EVERY_S


@pytest.mark.parametrize("source", ["nobody", "liar"])
async def test_a_feed_of_a_source_that_may_not_report_is_an_alarm(source: str) -> None:
    """Not registered, or suspended: nothing is taken, and it shows as a feed that is down."""
    async with pulled(reply(publication(118)), source=source) as one:
        assert [await one.result() for _ in range(DOWN_AFTER)] == ["source_refused"] * DOWN_AFTER
        assert await one.world.metric(f'bowei_ingest_pull_down{{feed="{source}"}}') == 1
        assert await one.free() is None


async def test_two_feeds_of_a_source_need_not_mix_up_their_lots() -> None:
    """The feed's own code gets a prefix before it is looked up."""
    async with pulled(reply(publication(9, lot="orium")), lot_prefix="emp") as one:
        assert await one.result() == "read"
        seen = await one.world.seen(EMPORIUM)
        assert seen is not None
        assert seen.free == 9


async def test_lots_that_nobody_registered_are_named_or_left_out_as_the_feed_says() -> None:
    """A city publishes all of its lots; a block may have registered two."""
    record = place(number("numberOfVacantSpaces", 3), lot="nowhere").encode()
    body = publication(118).replace(b"</d2:payload>", record + b"</d2:payload>")
    for only_registered, unknown in ((False, 1), (True, 0)):
        async with pulled(reply(body), only_registered=only_registered) as one:
            assert await one.result() == "read"
            assert await one.free() == 118
            rejected = 'bowei_ingest_doubts_total{code="unknown_lot",way="pull"}'
            assert await one.world.metric(rejected) == unknown


async def test_a_large_feed_is_taken_in_piece_by_piece() -> None:
    """The last of 1,201 lots is shown as the first is, and none is lost between pieces."""

    def many(*_: object, **__: object) -> list[Reading]:
        others: list[Reading] = [CountReading(f"lot-{number}", None, free=1) for number in range(1_199)]
        return [CountReading("1001", None, free=118), *others, CountReading("emporium", None, free=9)]

    async with pulled(reply(b"1"), reads=many) as one:
        assert await one.result() == "read"
        emporium = await one.world.seen(EMPORIUM)
        assert emporium is not None
        assert (await one.free(), emporium.free) == (118, 9)
        assert await one.world.metric('bowei_ingest_observations_total{result="rejected",way="pull"}') == 1_199


async def test_a_feed_runs_at_its_pace_until_it_is_stopped() -> None:
    """It waits before the first time, and after each."""
    waited: list[float] = []
    enough = asyncio.Event()

    async def sleep(wait_s: float) -> None:
        waited.append(wait_s)
        if len(waited) > 3:
            enough.set()
            await asyncio.Event().wait()

    async with pulled(reply(publication(118))) as one:
        one.feed._sleep = sleep
        running = asyncio.create_task(one.feed.run())
        async with asyncio.timeout(5):
            await enough.wait()
        running.cancel()
        assert waited == [EVERY_S / 2, EVERY_S, EVERY_S, EVERY_S]
        assert len(one.server.asked) == 3
