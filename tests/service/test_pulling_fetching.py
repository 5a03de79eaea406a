"""One request of the web: whoever answers, it costs no more than it may."""

import asyncio
import gzip
import tracemalloc
from datetime import UTC, datetime

import pytest

from services.ingest.pulling.failures import Failure, PullFailed
from services.ingest.pulling.fetching import Ask, Fetcher, read_retry_after
from services.ingest.pulling.pacing import Budget, HostGates
from tests.service.feed_server import Answers, Asked, by_path, feed_server, if_changed, reply
from tests.service.fetching_here import BODY, KILO, bounds, failure_of, fetch, fetcher, sent_on


async def test_a_body_comes_whole_with_its_headers() -> None:
    """The path, the query and the Host are those of the address."""
    async with feed_server(reply(BODY, etag='"a"')) as server:
        answer = await fetch(server, "/status?city=%E6%9D%AD")
        assert (answer.body, answer.headers["etag"]) == (BODY, '"a"')
        (asked,) = server.asked
        assert (asked.method, asked.path) == ("GET", "/status?city=%E6%9D%AD")
        assert asked.headers["host"] == f"127.0.0.1:{server.port}"


async def test_what_did_not_change_is_no_body() -> None:
    """A 304 is told apart from an empty body."""
    async with feed_server(if_changed(BODY, '"a"')) as server:
        ask = Ask(server.url(), headers={"If-None-Match": '"a"'})
        answer = await fetcher().fetch(ask, bounds())
        assert (answer.unchanged, answer.body) == (True, b"")


@pytest.mark.parametrize(
    ("status", "headers", "failure", "retry_after_s"),
    [
        ("429 Slow down", {"retry_after": "120"}, Failure.TOO_MANY_REQUESTS, 120),
        ("503 Away", {"retry_after": " 7 "}, Failure.SERVER_ERROR, 7),
        ("503 Away", {"retry_after": "soon"}, Failure.SERVER_ERROR, None),
        ("500 Broken", {}, Failure.SERVER_ERROR, None),
        ("404 Not here", {}, Failure.CLIENT_ERROR, None),
        ("401 Who", {}, Failure.CLIENT_ERROR, None),
    ],
)
async def test_a_refusal_says_whose_fault_and_when_to_come_again(
    status: str, headers: dict[str, str], failure: Failure, retry_after_s: float | None
) -> None:
    """What Retry-After says is passed on."""
    async with feed_server(reply(BODY, status, **headers)) as server:
        with pytest.raises(PullFailed) as failed:
            await fetch(server)
        assert (failed.value.failure, failed.value.retry_after_s) == (failure, retry_after_s)
        assert status[:3] in failed.value.detail


def test_retry_after_may_be_an_instant() -> None:
    """An instant that has passed is now; what is neither a number nor an instant says nothing."""
    now = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
    assert read_retry_after("Mon, 02 Mar 2026 00:31:30 GMT", now) == 90
    assert read_retry_after("Mon, 02 Mar 2026 00:00:00 GMT", now) == 0
    assert [read_retry_after(said, now) for said in (None, "", "-5", "١٢", "Mon, 99")] == [None] * 5


def chunked(piece: bytes, *, pieces: int, pause_s: float = 0.0, **headers: str) -> Answers:
    """Answer piece by piece, without saying how much it will be."""
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _piece in range(pieces):
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(pause_s)
        writer.write(b"0\r\n\r\n")

    return answer


async def test_a_body_that_trickles_is_given_up_in_time() -> None:
    """A byte now and then keeps no connection open beyond the time of the whole."""
    async with feed_server(chunked(b"<", pieces=1_000, pause_s=0.02)) as server:
        assert await failure_of(fetch(server, timeout_s=0.3)) == (Failure.TIMEOUT, "not done within 0.3 s")


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    """It took the connection, and that is all."""

    async def silence(_: Asked, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with feed_server(silence) as server:
        assert (await failure_of(fetch(server, timeout_s=0.3)))[0] is Failure.TIMEOUT


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(b"x" * (64 * KILO + 1)), id="said before"),
        pytest.param(chunked(b"x" * KILO, pieces=100_000), id="without end"),
        pytest.param(reply(gzip.compress(b"x" * (64 * KILO + 1)), content_encoding="gzip"), id="once unpacked"),
    ],
)
async def test_a_body_larger_than_it_may_be_is_given_up(answer: Answers) -> None:
    """Whether its length was said, was not, or was that of the packed body."""
    async with feed_server(answer) as server:
        assert await failure_of(fetch(server, largest_body=64 * KILO)) == (Failure.TOO_LARGE, "more than 65536 bytes")


async def test_a_body_as_large_as_it_may_be_is_taken() -> None:
    """The bound itself is allowed, packed or not."""
    body = b"x" * 64 * KILO
    async with feed_server(
        by_path(plain=reply(body), packed=reply(gzip.compress(body), content_encoding="gzip"))
    ) as server:
        for path in ("/plain", "/packed"):
            assert (await fetch(server, path, largest_body=64 * KILO)).body == body


async def test_a_bomb_is_not_unpacked() -> None:
    """64 MB of nothing, packed into 64 KB, never stand in memory."""
    bomb = gzip.compress(bytes(64 * KILO * KILO))
    async with feed_server(reply(bomb, content_encoding="gzip")) as server:
        tracemalloc.start()
        try:
            failure, _ = await failure_of(fetch(server, largest_body=KILO * KILO, timeout_s=20.0))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert failure is Failure.TOO_LARGE
    assert peak < 8 * KILO * KILO


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(BODY, content_encoding="br"), id="not asked for"),
        pytest.param(reply(BODY, content_encoding="gzip"), id="not packed at all"),
        pytest.param(reply(gzip.compress(BODY)[:-9], content_encoding="gzip"), id="cut off"),
    ],
)
async def test_a_body_packed_wrongly_is_none(answer: Answers) -> None:
    """What can't be unpacked to its end is not read as far as it goes."""
    async with feed_server(answer) as server:
        assert (await failure_of(fetch(server)))[0] is Failure.BAD_ENCODING
        assert server.asked[0].headers["accept-encoding"] == "gzip"


async def test_a_body_that_ends_too_early_is_none() -> None:
    """Half a publication would be half the lots, or none."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await reply(BODY, content_length="1000")(asked, writer)

    async with feed_server(answer) as server:
        assert (await failure_of(fetch(server)))[0] is Failure.BROKEN_OFF


async def test_a_page_for_people_is_no_feed() -> None:
    """An HTML page that says 200, as of a proxy or of maintenance, is not read."""
    async with feed_server(reply(b"<html>Wartung</html>", content_type="text/HTML; charset=utf-8")) as server:
        assert await failure_of(fetch(server)) == (Failure.WRONG_CONTENT_TYPE, "it answers text/html")
        assert (await fetch(server, content_types=frozenset({"text/html"}))).body.startswith(b"<html>")
        failure, _ = await failure_of(fetch(server, content_types=frozenset({"application/json"})))
        assert failure is Failure.WRONG_CONTENT_TYPE
        server.answer = reply(b"", content_type="evil/hunter2")
        _, detail = await failure_of(fetch(server, content_types=frozenset({"application/json"})))
        assert detail == "it answers a type that nobody asked for"


async def test_a_feed_asks_no_more_than_its_budget() -> None:
    """Redirects count; it is said when there will be room again."""
    async with feed_server(by_path(old=sent_on("/new"), new=reply(BODY))) as server:
        within = bounds(budget=Budget(3))
        await fetcher().fetch(Ask(server.url("/old")), within)
        with pytest.raises(PullFailed) as failed:
            await fetcher().fetch(Ask(server.url("/old")), within)
        assert failed.value.failure is Failure.OVER_BUDGET
        assert 0 < (failed.value.retry_after_s or 0) <= 60
        assert len(server.asked) == 3


async def test_a_host_is_asked_little_at_once_whatever_the_feeds_are() -> None:
    """Ten feeds of one host are asked two at a time."""

    async def slowly(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        await reply(BODY)(asked, writer)

    async with feed_server(slowly) as server:
        sparing = Fetcher(gates=HostGates(at_once=2, spacing_s=0.0))
        await asyncio.gather(*(sparing.fetch(Ask(server.url(f"/{place}")), bounds()) for place in range(10)))
        assert (len(server.asked), server.most_at_once) == (10, 2)


async def test_a_host_that_is_given_up_on_is_free_for_the_next() -> None:
    """What failed keeps no place."""
    async with feed_server(by_path(bad=reply(BODY, "500 Broken"), good=reply(BODY))) as server:
        sparing = Fetcher(gates=HostGates(at_once=1, spacing_s=0.0))
        for _ in range(3):
            await failure_of(sparing.fetch(Ask(server.url("/bad")), bounds()))
        assert (await sparing.fetch(Ask(server.url("/good")), bounds())).body == BODY
