"""The watcher, a process of its own: follows lots over server-sent events and notes when each report became visible.

python -m loadtests.watching PORT FILE FIRST:COUNT ...    one stream for each range of lots, until it is told to stop;
                                                          writes lot, observed_at in ms, arrival in s
"""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path

import uvloop

from loadtests.city import lot_id

_EVENT = re.compile(rb'^data: \{[^{}\[]*?"id":"lot-(\d+)".*?"observed_at":"([^"]+)"', re.MULTILINE)


async def follow(port: int, first: int, count: int, seen: list[tuple[int, bytes, float]]) -> None:
    """Follow some lots until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    lots = ",".join(lot_id(number) for number in range(first, first + count))
    writer.write(f"GET /v1/stream?lots={lots} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    rest = b""
    while data := await reader.read(2**20):
        arrived_s = time.time()
        whole, _, rest = (rest + data).rpartition(b"\n\n")
        seen += [(int(found[1]), found[2], arrived_s) for found in _EVENT.finditer(whole)]
    raise ConnectionError("the stream ended")


async def _main(port: int, path: Path, ranges: list[str]) -> None:
    seen: list[tuple[int, bytes, float]] = []
    streams = [
        asyncio.create_task(follow(port, int(first), int(count), seen))
        for first, count in (one.split(":") for one in ranges)
    ]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ended = asyncio.create_task(stop.wait())
    await asyncio.wait([ended, *streams], return_when=asyncio.FIRST_COMPLETED)
    for stream in streams:
        if stream.done():
            stream.result()
        stream.cancel()
    with path.open("wb") as file:
        for number, observed_at, arrived_s in seen:
            file.write(b"%d %s %.4f\n" % (number, observed_at, arrived_s))


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
