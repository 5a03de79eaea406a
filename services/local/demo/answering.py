"""A linked lot's own system: it hears by long poll what its barrier is to do, and says that it will.

How many cars a barrier keeps room for it learns elsewhere (see `looking.py`); here it only gives its word for each.
"""

import asyncio
import random

import httpx2

_WAIT_S = 20
_TIMEOUT_S = _WAIT_S + 5.0
_PAUSE_S = 0.5


class BarrierSystem:
    """Answers for the barrier of one lot, by the key of one of its sources."""

    def __init__(self, client: httpx2.AsyncClient, key: str, code: str, rng: random.Random) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}
        self._path = f"/v1/lots/{code}/barrier"
        self._rng = rng

    async def run(self) -> None:
        """Answer until cancelled. After a failure all that has no answer is asked for anew."""
        after = 0
        while True:
            try:
                after = await self._answer_what_comes(after)
            except (httpx2.HTTPError, ValueError):
                after = 0
                await asyncio.sleep(_PAUSE_S * self._rng.uniform(0.5, 1.5))

    async def _answer_what_comes(self, after: int) -> int:
        asked = {"after": after, "wait_s": _WAIT_S}
        response = await self._client.get(self._path, params=asked, headers=self._headers, timeout=_TIMEOUT_S)
        response.raise_for_status()
        said = response.json()
        for command in said["commands"]:
            answered = await self._client.post(
                f"{self._path}/{command['id']}", json={"accepted": True}, headers=self._headers
            )
            if answered.status_code != httpx2.codes.NOT_FOUND:  # too old by now
                answered.raise_for_status()
        return int(said["cursor"])
