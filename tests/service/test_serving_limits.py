"""What a real server does with connections that never get to a request."""

import asyncio
import signal
from contextlib import AbstractAsyncContextManager

from bowei.observability.heads import LARGEST_HEAD_BYTES
from tests.service.served_app import ALIVE, served


def _server() -> AbstractAsyncContextManager[tuple[int, asyncio.subprocess.Process]]:
    return served(lambda port: _answers(port, ALIVE))


async def _answers(port: int, request: bytes) -> bytes:
    """Send a request; give what comes back until the server closes, nothing if there is none."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()
    except OSError:
        return b""


async def test_headers_without_end_are_cut_off() -> None:
    """Proves that a head above the limit gets no answer but the end of the connection, and that others are served."""
    async with _server() as (port, _):
        head = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: "
        small = await _answers(port, head + b"a" * (LARGEST_HEAD_BYTES // 4) + b"\r\n\r\n")
        large = await _answers(port, head + b"a" * (LARGEST_HEAD_BYTES * 20) + b"\r\n\r\n")
        after = await _answers(port, head + b"a\r\n\r\n")

    assert small.startswith(b"HTTP/1.1 200")
    assert large == b""
    assert after.startswith(b"HTTP/1.1 200")


async def test_a_connection_answers_request_after_request() -> None:
    """Proves that the limits on heads leave ordinary connections alone, bodies larger than a head among them."""
    body = b'{"free": 1}'.ljust(1_500)
    put = b"PUT /counts/1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1500\r\n"
    async with _server() as (port, _):
        answers = await _answers(port, (put + b"\r\n" + body) * 400 + put + b"Connection: close\r\n\r\n" + body)

    assert answers.count(b"HTTP/1.1 422") == 401


async def test_a_server_stops_when_told_to() -> None:
    """Proves that SIGTERM ends the process within its grace, so that an update waits for nobody."""
    async with _server() as (_, process):
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            status = await process.wait()

    assert status in {0, -signal.SIGTERM}
