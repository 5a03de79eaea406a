"""Heads of requests that must come within a size and a time: uvicorn's httptools protocol bounds neither.

Without this, one connection could keep megabytes of headers in memory, or a place among the connections for ever.
"""

import asyncio

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 30.0
"""From the connection, or from the first byte of a later request on it, to the end of the headers."""


class BoundedHeads(HttpToolsProtocol):
    """Closes a connection whose request's head is too large or too slow."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._await_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        awaited = self._head_timer
        super().data_received(data)
        if awaited is not None and awaited is self._head_timer:  # all of `data` belongs to one unfinished head
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD_BYTES:
                self.transport.close()

    @override
    def on_message_begin(self) -> None:
        if self._head_timer is None:
            self._await_head()
        super().on_message_begin()

    @override
    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        self.transport.close()
