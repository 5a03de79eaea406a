"""The ceilings of a decision over HTTP: bare ASGI under the same uvicorn, and nothing that decides.

bytes     the answer, from memory
commit    the row that a hold is, with its explanation, written with whatever other requests wait, in one commit; then
          the answer

Body and answer are as long as ours, the row is ours with its indexes and checks, and nobody is answered before the
commit is on the disk. There is no framework, no reading of the request, no driver, no lot, no lock, no count of what is
lent, no step, no repeat, no follower.

python -m loadtests.peers.bare_decision bytes|commit PORT ANSWER [URL]    ANSWER: a file with one of our own answers
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import uvicorn

SCHEMA = "CREATE TABLE IF NOT EXISTS peer_hold (LIKE bowei.hold INCLUDING ALL) WITH (fillfactor = 70)"
_INSERT = """
    INSERT INTO peer_hold (diversion_id, ordinal, driver_id, request_hash, hospital_id, lot_id, agreement_id,
                           space_class, state, placed_at, expires_at, answer)
    SELECT id, 1, id, $2, 'hospital', 'lot-1', 'a-1', 'standard', 'held', now(), now() + interval '10 minutes', answer
    FROM unnest($1::text[], $3::jsonb[]) AS asked (id, answer)
"""
_HASH = b"h" * 32

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


class Bytes:
    """Answers from memory."""

    def __init__(self, answer: bytes) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        self._start: Message = {"type": "http.response.start", "status": 201, "headers": headers}
        self._answer: Message = {"type": "http.response.body", "body": answer}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await receive()
        await self.before(scope["path"])
        await send(self._start)
        await send(self._answer)

    async def before(self, path: str) -> None:
        """Do nothing."""


class Commits(Bytes):
    """Answers when a row has been committed, together with those of whoever else waits."""

    def __init__(self, answer: bytes, url: str) -> None:
        super().__init__(answer)
        self._url = url
        self._kept = msgspec.json.encode({"considered": msgspec.json.decode(answer)["considered"]}).decode()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None

    async def before(self, path: str) -> None:
        """Commit the row."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((path.rpartition("/")[2], done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url)
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._connection.execute(_INSERT, [name for name, _ in batch], _HASH, [self._kept] * len(batch))
            for _, done in batch:
                done.set_result(None)
        self._writing = None


def _main(kind: str, port: int, answer: bytes, *url: str) -> None:
    app = Bytes(answer) if kind == "bytes" else Commits(answer, *url)
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", lifespan="off", log_level="warning", access_log=False)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_bytes(), *sys.argv[4:])
