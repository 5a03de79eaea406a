"""The small app of `bordered_app` in a real process, served as services are."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from tests.free_ports import free_port

ALIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_SERVE = """
from bowei.observability.serving import serve
from tests.service.bordered_app import bordered_app
serve(bordered_app, default_port=1)
"""


@asynccontextmanager
async def served(
    answers: Callable[[int], Awaitable[object]], settings: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """Serve it until the context ends, once `answers` says that it does at its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SERVE,
        env=os.environ | (settings or {}) | {"BOWEI_PORT": str(port)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            while not await answers(port):  # noqa: ASYNC110 (another process sets no event of ours)
                await asyncio.sleep(0.05)
        yield port, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
