"""A server on loopback that answers as a test says, byte for byte, as decent servers would not."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bowei.observability.background import stop


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]


Answers = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class FeedServer:
    """Remembers what it was asked, and answers by `answer`, which a test may change."""

    answer: Answers
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    serving: set[asyncio.Task[None]] = field(default_factory=set)
    at_once: int = 0
    most_at_once: int = 0

    def url(self, path: str = "/status", host: str = "127.0.0.1", scheme: str = "http") -> str:
        """Give an address of this server."""
        return f"{scheme}://{host}:{self.port}{path}"

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection beside the others."""
        task = asyncio.create_task(self.serve(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            method, path, _ = first.split(" ", 2)
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            asked = Asked(method, path, headers)
            self.asked.append(asked)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await self.answer(asked, writer)
                await writer.drain()
            finally:
                self.at_once -= 1
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> Answers:
    """Answer with a body; a header is written with _ for -."""
    lines = {"Content-Type": "application/xml", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n".encode() + body)

    return answer


def by_path(**answers: Answers) -> Answers:
    """Answer each path in its own way; a path is named without its slash."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await answers[asked.path.strip("/").partition("?")[0]](asked, writer)

    return answer


def if_changed(body: bytes, tag: str) -> Answers:
    """Answer 304 where the asker has this already."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        known = asked.headers.get("if-none-match") == tag
        said = reply(status="304 Not Modified", etag=tag) if known else reply(body, etag=tag)
        await said(asked, writer)

    return answer


@asynccontextmanager
async def feed_server(answer: Answers, tls: ssl.SSLContext | None = None) -> AsyncIterator[FeedServer]:
    """Run a server for as long as the context lasts."""
    feed = FeedServer(answer)
    server = await asyncio.start_server(feed.connected, "127.0.0.1", 0, ssl=tls)
    feed.port = server.sockets[0].getsockname()[1]
    try:
        yield feed
    finally:
        server.close()
        for task in list(feed.serving):
            await stop(task)
