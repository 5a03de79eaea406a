"""What the barriers and the screen hear: availability's list of lots, read again and again.

A linked barrier must know which spaces are held. Here it learns it as any other reader would, over HTTP, and how old
that is; whoever knows less lets fewer cars in (see `barriers.py`).
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx2

from bowei.domain.lots import LotId
from services.local.demo.pace import Pace
from services.local.demo.world import CarPark

_EVERY_S = 0.25
_TIMEOUT_S = 2.0
_PAGE = 500
_PAGES_MOST = 20
_COPY_LAG_S = 0.5
"""Real seconds by which a copy may be older than it knows: the follower's way from the ledger to Redis."""


class Looking:
    """Reads what is shown of the lots, and tells the barriers what is held."""

    def __init__(self, client: httpx2.AsyncClient, parks: Mapping[LotId, CarPark], pace: Pace) -> None:
        self._client = client
        self._parks = parks
        self._pace = pace
        self.shown: dict[str, dict[str, Any]] = {}
        """By lot id, as availability showed it last."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            asked_at = self._pace.now()
            # After a failure the barriers grow cautious by themselves: what they heard grows old.
            with contextlib.suppress(httpx2.HTTPError, ValueError):
                await self._look(asked_at)
            await asyncio.sleep(_EVERY_S)

    async def _look(self, asked_at: datetime) -> None:
        address: str | None = f"/v1/lots?limit={_PAGE}"
        for _ in range(_PAGES_MOST):
            if address is None:
                return
            response = await self._client.get(address, timeout=_TIMEOUT_S)
            if response.status_code != 200:
                return
            page = response.json()
            self._take(page, asked_at)
            address = page.get("next")

    def _take(self, page: Mapping[str, Any], asked_at: datetime) -> None:
        stated = datetime.fromisoformat(str(page["as_of"]))
        as_of = min(stated, asked_at) - self._pace.shown(_COPY_LAG_S)
        for item in page["items"]:
            self.shown[item["id"]] = item
            park = self._parks.get(LotId(item["id"]))
            if park is not None and not page.get("stale") and "held" in item:
                park.barrier.hear(int(item["held"]), as_of)
