"""The load generator, a process of its own: reports at a fixed rate, whatever the answers do (open loop).

python -m loadtests.sending PLAN    reads a Plan as JSON; writes one JSON line for each request to PLAN.sent, and prints
                                    how late it was itself
"""

import asyncio
import itertools
import sys
import time
from collections import deque
from pathlib import Path
from typing import cast

import httptools
import msgspec
import uvloop

from loadtests.city import LOTS, LOTS_OF_A_SOURCE, key_of, lot_id

_LAST_ANSWERS_S = 15.0


class Phase(msgspec.Struct, frozen=True):
    """Requests at one rate for a while; `source`: all of them by this one, else by all in turn."""

    seconds: float
    per_s: float
    source: int | None = None
    per_request: int = 20


class Plan(msgspec.Struct, frozen=True):
    """What is to be sent, where."""

    port: int
    phases: list[Phase]
    connections: int = 300
    """At most; a request that finds none waits here, and counts from when it was due."""


class Sent(msgspec.Struct, array_like=True):
    """One request: its place, when it was due, when it was answered, with which status, and each item's result.

    Of a refusal: its code, and after how many seconds to come back.
    """

    number: int
    source: int
    first_lot: int
    due_ms: int
    answered_s: float
    status: int
    results: list[str]
    items: int = 20
    code: str = ""
    retry_after_s: int = 0


class Lateness(msgspec.Struct):
    """How late requests left, by the generator's own doing, seconds; and its processor time."""

    p50_s: float
    p99_s: float
    longest_s: float
    cpu_s: float


class _Result(msgspec.Struct):
    result: str


class _Answer(msgspec.Struct):
    results: list[_Result]


class _Problem(msgspec.Struct):
    code: str


_ANSWERS = msgspec.json.Decoder(_Answer)
_PROBLEMS = msgspec.json.Decoder(_Problem)


class _Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, sender: "Sender") -> None:
        self._sender = sender
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._retry_after_s = 0
        self._sent: Sent | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass
        self._sender.ready(self)

    def send(self, sent: Sent, request: bytes) -> None:
        """Send one request."""
        assert self._transport is not None
        self._sent = sent
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read the answer."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note when to come back."""
        if name.lower() == b"retry-after":
            self._retry_after_s = int(value)

    def on_body(self, body: bytes) -> None:
        """Collect it."""
        self._body += body

    def on_message_complete(self) -> None:
        """Note the answer, and take the next request."""
        sent, body, status = self._sent, self._body, self._parser.get_status_code()
        self._sent, self._body = None, b""
        self._parser = httptools.HttpResponseParser(self)
        if sent is not None:
            sent.status, sent.answered_s = status, time.time()
            if status == 200:
                sent.results = [one.result for one in _ANSWERS.decode(body).results]
            else:
                sent.code, sent.retry_after_s = _PROBLEMS.decode(body).code, self._retry_after_s
            self._retry_after_s = 0
        self._sender.ready(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Count what was lost with it as unanswered."""
        self._sender.gone(self)


class Sender:
    """Sends a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._idle: list[_Connection] = []
        self._waiting: deque[Sent] = deque()
        self._connections = 0
        self._opening: set[asyncio.Task[None]] = set()
        self.sent: list[Sent] = []
        self.late_s: list[float] = []

    async def run(self) -> None:
        """Send everything when it is due, and wait for the last answers."""
        await asyncio.gather(*(self._open() for _ in range(self._plan.connections)))
        due = time.time() + 0.5
        numbers = itertools.count()
        turns = {phase.per_request: itertools.cycle(range(0, LOTS, phase.per_request)) for phase in self._plan.phases}
        for phase in self._plan.phases:
            of_source = itertools.cycle(
                range(
                    (phase.source or 0) * LOTS_OF_A_SOURCE,
                    ((phase.source or 0) + 1) * LOTS_OF_A_SOURCE,
                    phase.per_request,
                )
            )
            for _ in range(round(phase.seconds * phase.per_s)):
                wait_s = due - time.time()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                self.late_s.append(max(0.0, time.time() - due))
                first_lot = next(turns[phase.per_request] if phase.source is None else of_source)
                source, due_ms = first_lot // LOTS_OF_A_SOURCE, int(due * 1000)
                self._send(Sent(next(numbers), source, first_lot, due_ms, 0.0, 0, [], phase.per_request))
                due += 1 / phase.per_s
        until = time.time() + _LAST_ANSWERS_S
        while any(not one.status for one in self.sent[-2000:]) and time.time() < until:  # noqa: ASYNC110 (of many)
            await asyncio.sleep(0.05)

    def ready(self, connection: _Connection) -> None:
        """Take a connection that has nothing to do."""
        if self._waiting:
            self._give(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def gone(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._connections -= 1
        if connection in self._idle:
            self._idle.remove(connection)

    def _send(self, sent: Sent) -> None:
        self.sent.append(sent)
        if self._idle:
            self._give(self._idle.pop(), sent)
            return
        self._waiting.append(sent)
        if self._connections < self._plan.connections:  # some were idle for too long
            task = asyncio.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _give(self, connection: _Connection, sent: Sent) -> None:
        connection.send(sent, _request(sent))

    async def _open(self) -> None:
        self._connections += 1
        try:
            await asyncio.get_running_loop().create_connection(lambda: _Connection(self), "127.0.0.1", self._plan.port)
        except OSError:
            self._connections -= 1


def _request(sent: Sent) -> bytes:
    seconds, ms = divmod(sent.due_ms, 1000)
    at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{ms:03d}Z"
    free = sent.number % 400
    items = ",".join(
        f'{{"lot_id":"{lot_id(sent.first_lot + place)}","observed_at":"{at}","capacity":500,"open":480,"free":{free}}}'
        for place in range(sent.items)
    )
    body = f'{{"items":[{items}]}}'
    return (
        f"POST /v1/observations HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key_of(sent.source)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def quantile(sorted_values: list[float], share: float) -> float:
    """Give the value that `share` of all are not above."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def _main(path: Path) -> None:
    sender = Sender(msgspec.json.decode(path.read_bytes(), type=Plan))
    uvloop.run(sender.run())
    encoder = msgspec.json.Encoder()
    with path.with_suffix(".sent").open("wb") as file:
        for one in sender.sent:
            file.write(encoder.encode(one) + b"\n")
    late = sorted(sender.late_s)
    lateness = Lateness(quantile(late, 0.5), quantile(late, 0.99), late[-1], time.process_time())
    print(msgspec.json.encode(lateness).decode(), flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
