"""A driver's app: one id per request, repeated until it is answered.

After a lost connection, a time-out, a 503 or a 429 the same request goes out again, with the same id, later each time
and not for ever: that is all the protocol asks of a client.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from services.local.demo.counting import Tally

TIMEOUT_S = 4.0
BUDGET_S = 20.0
"""Real seconds that a driver's app repeats one request before it gives up."""

_FIRST_PAUSE_S = 0.1
_PAUSE_S_MAX = 1.5
_AGAIN = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said."""

    status: int
    body: Mapping[str, Any]

    @property
    def code(self) -> str:
        """A problem's code; the status where it says none."""
        return str(self.body.get("code") or self.status)


class Asking:
    """Requests to one service."""

    def __init__(
        self, client: httpx2.AsyncClient, tally: Tally, rng: random.Random, *, budget_s: float = BUDGET_S
    ) -> None:
        self._client = client
        self._tally = tally
        self._rng = rng
        self._budget_s = budget_s

    async def request(
        self, method: str, path: str, *, token: str | None = None, body: Mapping[str, Any] | None = None
    ) -> Answer | None:
        """Ask, and repeat the same request until a service answers; None when the budget is spent."""
        deadline = time.monotonic() + self._budget_s
        pause_s = _FIRST_PAUSE_S
        while True:
            answer, wanted_s = await self._once(method, path, token, body)
            if answer is not None:
                return answer
            wait_s = max(wanted_s, pause_s) * self._rng.uniform(0.7, 1.3)
            if time.monotonic() + wait_s > deadline:
                return None
            self._tally.repeats += 1
            await asyncio.sleep(wait_s)
            pause_s = min(_PAUSE_S_MAX, 2 * pause_s)

    async def _once(
        self, method: str, path: str, token: str | None, body: Mapping[str, Any] | None
    ) -> tuple[Answer | None, float]:
        """Ask once; without an answer, give how many seconds the service wants to be left alone."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            response = await self._client.request(method, path, json=body, headers=headers, timeout=TIMEOUT_S)
        except httpx2.HTTPError:
            return None, 0.0
        if response.status_code in _AGAIN:
            return None, _retry_after_s(response.headers.get("retry-after"))
        try:
            said = response.json() if response.content else {}
        except ValueError:
            return None, 0.0
        return Answer(response.status_code, said if isinstance(said, dict) else {}), 0.0


def _retry_after_s(header: str | None) -> float:
    try:
        return min(_PAUSE_S_MAX, max(0.0, float(header or 0)))
    except ValueError:
        return 0.0
