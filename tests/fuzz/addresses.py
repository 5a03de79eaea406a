"""The ingest app in memory: any bytes, posted to any of its addresses by somebody with a key."""

import asyncio
from contextlib import AsyncExitStack

from services.ingest.feeds_file import Feed, Feeds
from services.ingest.fieldmaps.feed import PushFeed
from services.ingest.fieldmaps.pushing import pushes_of
from tests.fuzz.account import Fault
from tests.fuzz.parsers import PARSERS
from tests.service.ingest_app import KEY, IngestWorld, ingest

_PATHS = (
    ("/v1/observations", "application/json"),
    ("/v1/observations", "application/x-ndjson"),
    ("/v1/passages", "application/json"),
    ("/v1/heartbeats", "application/json"),
    ("/v1/datex2/malls", "application/xml"),
    ("/api/v2/cp/uploadParkingState", "application/x-www-form-urlencoded"),
    ("/tcjg/api/uploadCarInData", "application/x-www-form-urlencoded"),
    ("/api/v2/cp/uploadPhoto", "multipart/form-data; boundary=x"),
    ("/v1/feeds/malls", "application/json"),
)
_PUSHES = Feeds((Feed(PushFeed(source="malls", way="push", map="fiware")),))
_NEW_WORLD_AFTER = 2_000
"""Inputs after which the app starts anew: its stores in memory keep all that was said, as they should."""

SEEDS = tuple(
    bytes([place]) + seed
    for place in range(len(_PATHS))
    for parser in ("native_observations", "native_passages", "native_lines", "datex2", "citybrain_form", "field_maps")
    for seed in PARSERS[parser].seeds
)


class Addresses:
    """Posts what it is given: the first byte says where, the rest is the body."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._open = AsyncExitStack()
        self._world: IngestWorld | None = None
        self._posted = 0

    def __call__(self, data: bytes) -> None:
        """Post one body.

        Raises:
            Fault: the answer was 5xx.
        """
        if data:
            self._loop.run_until_complete(self._post(data))

    async def _post(self, data: bytes) -> None:
        if self._world is None or self._posted % _NEW_WORLD_AFTER == 0:
            await self._open.aclose()
            self._world = await self._open.enter_async_context(ingest(citybrain=True, pushes=pushes_of(_PUSHES)))
        self._posted += 1
        path, media_type = _PATHS[data[0] % len(_PATHS)]
        answer = await self._world.client.post(
            path, content=data[1:], headers={"Authorization": f"Bearer {KEY}", "Content-Type": media_type}
        )
        if answer.status_code >= 500:
            raise Fault(f"{path} answered {answer.status_code}: {answer.text[:200]}")
