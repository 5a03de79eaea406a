"""Watching the copy while everything happens: on one server, what is shown of a lot never goes back to an older report.

And when it was whole: marked as copied into this very server, both halves.

Flushed, wiped, restored and failed-over servers are other servers: their counting begins anew.
"""

import asyncio
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bowei.domain.lots import LotId
from bowei.livestate import keys
from bowei.livestate.redis_servers import history as named
from tests.campaign.block import LOTS
from tests.campaign.history import History
from tests.campaign.machines import Machines

_LOOK_EVERY_S = 0.02
_TIMEOUT_S = 1.0


async def watch_copy(machines: Machines, history: History, stop: asyncio.Event) -> None:
    """Look at the orders of what is shown, until told to stop."""
    newest: dict[str, str] = {}
    of_server: object = None
    while not stop.is_set():
        await asyncio.sleep(_LOOK_EVERY_S)
        valkey = machines.valkeys[0]
        flushed = sum(fault.kind == "redis_flushed" for fault in history.faults)
        try:
            async with Redis.from_url(
                valkey.place.url, decode_responses=True, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
            ) as redis:
                identity = named(await redis.info("server") | await redis.info("replication"))
                marks = await redis.mget(keys.COPIED_SEEN, keys.COPIED_PROMISED)
                values = await redis.mget(keys.seen(LotId(plan.lot_id)) for plan in LOTS)
        except (RedisError, OSError, RuntimeError):
            continue  # a RuntimeError is uvloop's word for a connection that closed meanwhile
        if flushed != sum(fault.kind == "redis_flushed" for fault in history.faults):
            continue
        if all(str(mark).endswith(f"|{identity}") and not str(mark).startswith("begun") for mark in marks):
            history.whole_at_s.append(time.time())
        if of_server != (server := (identity, flushed)):
            of_server, newest = server, {}
        for plan, found in zip(LOTS, values, strict=True):
            order = "" if found is None else str(found).partition(" ")[0]
            if order and order < newest.get(plan.lot_id, ""):
                history.violated("copy_went_back", f"{plan.lot_id}: {order} after {newest[plan.lot_id]}")
            newest[plan.lot_id] = order or newest.get(plan.lot_id, "")
