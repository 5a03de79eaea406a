"""The design that comes first to mind: FastAPI, and Redis that finds the nearest lot with a free space and takes one.

One call of one function does both: a geo set has only the lots with free spaces, the nearest one's count goes down, the
hold is a key that expires, and the file of what was done is synced before Redis answers (appendfsync always). A
repeated id gets its first answer.

It leaves out: drive times (near is by air), the driver's token, one hold per driver, what lots need besides a count,
why this lot, and how a space comes back when its hold ends.

python -m loadtests.peers.near_and_hold PORT SOCKET    after `furnish`
"""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import redis.asyncio
import uvicorn
from fastapi import FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, Field

from bowei.domain.places import Point
from loadtests.hospital import LENDING, places

_LIFETIME = timedelta(minutes=10)
_SPACES = 1_000_000
_CONNECTIONS = 32
"""Who finds none free waits for one; without a limit each new driver of a rush opens one of its own."""
_CLAIM = """
local known = redis.call('GET', KEYS[3])
if known then return {known, 0} end
local near = redis.call('GEOSEARCH', KEYS[1], 'FROMLONLAT', ARGV[1], ARGV[2], 'BYRADIUS', 10, 'km', 'ASC', 'COUNT', 1)
if not near[1] then return {'', 0} end
if redis.call('HINCRBY', KEYS[2], near[1], -1) <= 0 then redis.call('ZREM', KEYS[1], near[1]) end
redis.call('SET', KEYS[3], near[1], 'EX', ARGV[3])
return {near[1], 1}
"""


class PositionIn(BaseModel):
    """Where the driver is."""

    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]
    datum: str


class AskIn(BaseModel):
    """What a driver sends."""

    hospital_id: str
    position: PositionIn
    height_cm: int | None = None


class HoldOut(BaseModel):
    """What a driver gets."""

    diversion_id: str
    lot_id: str
    expires_at: datetime


def create_app(socket: str) -> FastAPI:
    """Make the app."""
    app = FastAPI()
    pool = redis.asyncio.BlockingConnectionPool(
        _CONNECTIONS,
        timeout=None,
        connection_class=redis.asyncio.UnixDomainSocketConnection,
        path=socket,
        decode_responses=True,
    )
    store = redis.asyncio.Redis(connection_pool=pool)
    claim = store.register_script(_CLAIM)

    @app.put("/v1/diversions/{diversion_id}")
    async def put(
        diversion_id: str, body: AskIn, response: Response, authorization: Annotated[str, Header()]
    ) -> HoldOut:
        if not authorization.startswith("Bearer "):
            raise HTTPException(401)
        lot_id, fresh = await claim(
            keys=["free", "count", f"hold:{diversion_id}"],
            args=[body.position.lon, body.position.lat, int(_LIFETIME.total_seconds())],
        )
        if not lot_id:
            raise HTTPException(404)
        response.status_code = 201 if fresh else 200
        return HoldOut(diversion_id=diversion_id, lot_id=lot_id, expires_at=datetime.now(UTC) + _LIFETIME)

    return app


def furnish(socket: str, door: Point) -> None:
    """Put the lots that lend into Redis, with spaces for everyone."""
    with redis.Redis(unix_socket_path=socket) as store:
        for number, place in enumerate(places(LENDING, door)):
            store.geoadd("free", (place.lon, place.lat, f"lot-{number}"))
            store.hset("count", f"lot-{number}", _SPACES)


if __name__ == "__main__":
    uvicorn.run(
        create_app(sys.argv[2]),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
