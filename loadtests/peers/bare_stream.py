"""The ceiling of showing: a message of Redis is written to every stream that follows its lots, in frames of one pace.

python -m loadtests.peers.bare_stream serve REDIS_URL PORT FRAME_S
python -m loadtests.peers.bare_stream publish REDIS_URL SECONDS PER_S    prints how late it was, as the generator does
"""

import asyncio
import re
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import uvloop
from redis.asyncio import Redis

from loadtests.city import LOTS, lot_id
from loadtests.sending import Lateness, quantile

_CHANNEL = "bare"
_PER_MESSAGE = 20
_LOTS = re.compile(rb"lots=([^ ]+) ")


class _Streams:
    """What changed since each stream's last frame."""

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._changed: list[tuple[frozenset[str], dict[str, str], asyncio.Event]] = []

    def take(self, message: str) -> None:
        """Hand a message on."""
        at, *lots = message.split(" ")
        for follows, changed, there in self._changed:
            for lot in lots:
                if lot in follows:
                    changed[lot] = f'event: lot\ndata: {{"id":"{lot}","observed_at":"{at}"}}\n\n'
                    there.set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Follow for one client."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return  # somebody looked whether anybody listens
        asked = _LOTS.search(head)
        assert asked is not None
        changed: dict[str, str] = {}
        there = asyncio.Event()
        self._changed.append((frozenset(asked[1].decode().split(",")), changed, there))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        with suppress(ConnectionError):
            while not writer.is_closing():
                await there.wait()
                there.clear()
                writer.write("".join(changed.values()).encode())
                changed.clear()
                await writer.drain()
                await asyncio.sleep(self._frame_s)


async def _serve(url: str, port: int, frame_s: float) -> None:
    streams = _Streams(frame_s)
    redis = Redis.from_url(url, decode_responses=True)
    pubsub = redis.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(_CHANNEL)
    async with await asyncio.start_server(streams.answer, "127.0.0.1", port, limit=2**20):
        async for message in pubsub.listen():
            streams.take(message["data"])


async def _publish(url: str, seconds: float, per_s: float) -> None:
    redis = Redis.from_url(url)
    late: list[float] = []
    due = time.time() + 0.2
    running: set[asyncio.Task[object]] = set()
    for number in range(round(seconds * per_s)):
        if (wait_s := due - time.time()) > 0:
            await asyncio.sleep(wait_s)
        late.append(max(0.0, time.time() - due))
        first = number * _PER_MESSAGE % LOTS
        at = datetime.fromtimestamp(int(due * 1000) / 1000, UTC).isoformat(timespec="milliseconds")
        lots = " ".join(lot_id(first + place) for place in range(_PER_MESSAGE))
        task: asyncio.Task[object] = asyncio.create_task(redis.publish(_CHANNEL, f"{at} {lots}"))  # type: ignore[arg-type]
        running.add(task)
        task.add_done_callback(running.discard)
        due += 1 / per_s
    await asyncio.gather(*running)
    await redis.aclose()
    late.sort()
    lateness = Lateness(quantile(late, 0.5), quantile(late, 0.99), late[-1], time.process_time())
    print(msgspec.json.encode(lateness).decode(), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        uvloop.run(_serve(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
    else:
        uvloop.run(_publish(sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
