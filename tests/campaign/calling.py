"""Calling services over HTTP, and insisting: the same request again, elsewhere, until it is answered or time is up."""

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.campaign.history import NO_ANSWER, OWNER, Attempt, History

_TIMEOUT_S = 5.0
_PATIENCE_S = 25.0
_PAUSE_S = (0.03, 0.4)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for; `key` is the diversion's id, or the lot's."""

    what: str
    method: str
    path: str
    key: str
    driver: str = ""
    token: str = field(default="", repr=False)
    json: Mapping[str, Any] | None = None
    who: str = OWNER


class Caller:
    """Speaks to every service, and remembers what was said."""

    def __init__(self, urls: Mapping[str, str], history: History) -> None:
        limits = httpx2.Limits(max_connections=200, max_keepalive_connections=100)
        self._clients = {
            name: httpx2.AsyncClient(base_url=url, timeout=_TIMEOUT_S, trust_env=False, limits=limits)
            for name, url in urls.items()
        }
        self.history = history

    async def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()

    async def ask(self, request: Request, process: str, *, timeout_s: float = _TIMEOUT_S) -> Attempt:
        """Ask one process once."""
        attempt = Attempt(request.what, request.key, request.driver, process, request.who, time.time())
        self.history.attempts.append(attempt)
        headers = {"Authorization": f"Bearer {request.token}"}
        # The last two are what uvloop and anyio make of a connection that closes while it is being opened.
        with contextlib.suppress(httpx2.HTTPError, OSError, RuntimeError, AttributeError):
            async with asyncio.timeout(timeout_s):
                response = await self._clients[process].request(
                    request.method, request.path, json=request.json, headers=headers
                )
            attempt.status = response.status_code
            attempt.body = _read(response)
        attempt.ended_s = time.time()
        if attempt.status >= 500 and attempt.status != 503:
            self.history.violated("server_error", f"{request.what} {attempt.status} of {process}")
        return attempt

    async def insist(
        self, request: Request, processes: Sequence[str], rng: random.Random, *, first_timeout_s: float = _TIMEOUT_S
    ) -> Attempt | None:
        """Ask until there is an answer; None where there was none in time."""
        until_s, began_s = time.monotonic() + _PATIENCE_S, time.time()
        tries = 0
        while time.monotonic() < until_s:
            timeout_s = _TIMEOUT_S if tries else first_timeout_s
            attempt = await self.ask(request, rng.choice(processes), timeout_s=timeout_s)
            tries += 1
            if attempt.answered:
                self.history.done(request.what, began_s, tries, answered=True)
                return attempt
            least_s, most_s = _PAUSE_S
            await asyncio.sleep(rng.uniform(least_s, most_s) * min(tries, 4))
        self.history.done(f"{request.what} {request.key}", began_s, tries, answered=False)
        return None


def _read(response: httpx2.Response) -> Mapping[str, Any]:
    if response.status_code == NO_ANSWER or not response.content:
        return {}
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
