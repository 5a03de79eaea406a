"""Fetching from a test's own server, and what is expected of it."""

from collections.abc import Awaitable

import pytest

from services.ingest.pulling.failures import Failure, PullFailed
from services.ingest.pulling.fetching import Answer, Ask, Bounds, Fetcher
from services.ingest.pulling.pacing import Budget, HostGates
from tests.service.feed_server import Answers, FeedServer, reply

BODY = b"<payload>what a feed says</payload>"
KILO = 1024


def bounds(**changes: object) -> Bounds:
    """Give bounds that let a test reach its own server."""
    usual: dict[str, object] = {"budget": Budget(100), "timeout_s": 5.0, "insecure": True, "allow_private": True}
    return Bounds(**(usual | changes))  # type: ignore[arg-type]


def fetcher(addresses: dict[str, list[str]] | None = None) -> Fetcher:
    """Give a fetcher that waits for nobody, and resolves names as a test says."""

    async def resolves(host: str, _: int) -> list[str]:
        return (addresses or {}).get(host, [host])

    return Fetcher(gates=HostGates(at_once=10, spacing_s=0.0), resolves=resolves)


async def fetch(server: FeedServer, path: str = "/status", **changes: object) -> Answer:
    """Fetch a path of a server."""
    return await fetcher().fetch(Ask(server.url(path)), bounds(**changes))


async def failure_of(fetching: Awaitable[Answer]) -> tuple[Failure, str]:
    """Give how a request failed, and what the operator reads."""
    with pytest.raises(PullFailed) as failed:
        await fetching
    return failed.value.failure, failed.value.detail


def sent_on(location: str, status: str = "302 Found") -> Answers:
    """Send the asker on."""
    return reply(status=status, location=location)
