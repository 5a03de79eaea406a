"""A wire between a service and a store, on unix sockets, that can lose answers, be slow, fall silent, or break."""

import asyncio
import contextlib
from pathlib import Path

_CHUNK = 64 * 1024


class Wire:
    """Passes on all bytes both ways, until told otherwise."""

    def __init__(self, listens_at: Path, leads_to: Path) -> None:
        self.leads_to = leads_to
        """Where the next connection goes: a failover changes it."""
        self.delay_s = 0.0
        """Added to each answer."""
        self.losing_answers = False
        """Questions arrive and are worked on; at the first answer the connection breaks instead."""
        self.answers_lost = 0
        self._listens_at = listens_at
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_unix_server(self._connected, self._listens_at)

    async def close(self) -> None:
        """Break every connection and listen no more."""
        self._passing.set()
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection there is, whatever is on its way."""
        for end in list(self._ends):
            end.transport.abort()

    def hush(self) -> None:
        """Pass nothing more, and break nothing: whoever waits for an answer waits."""
        self._passing.clear()

    def speak(self) -> None:
        """Pass again what was held up."""
        self._passing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        try:
            store_reader, store_writer = await asyncio.open_unix_connection(self.leads_to)
        except OSError:
            self._ends.discard(writer)
            writer.transport.abort()
            return
        self._ends.add(store_writer)
        ways = (
            asyncio.create_task(self._ask(reader, store_writer)),
            asyncio.create_task(self._answer(store_reader, writer)),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, store_writer):
                self._ends.discard(end)
                end.transport.abort()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._passing.wait()
                writer.write(chunk)
                await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if self.losing_answers:
                    self.answers_lost += 1
                    return
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._passing.wait()
                writer.write(chunk)
                await writer.drain()
