"""Telling barriers by MQTT: each command is published until it is answered, as often as its budget allows.

    <prefix>/<source>/<the source's code of the lot>/barrier           what the lot is told
    <prefix>/<source>/<the source's code of the lot>/barrier/answer    {"id": 17, "accepted": true}

The code is percent-encoded: it may hold what parts topics, or what none may hold.

One process of all does it, the follower. What it remembers (what was published how often) may be lost: the next one
publishes anew whatever has no answer.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, unquote

import msgspec

from bowei.domain.lots import LotId
from bowei.domain.problems import Refused
from bowei.records.barriers import BarrierBook, BarrierCommand
from bowei.records.failures import StoreFailure
from bowei.records.holding import HoldBook, StepsCursor
from bowei.records.registering import Register
from services.routing.barriers import Barriers
from services.routing.lots_bodies import BarrierAnswerIn, CommandOut
from services.routing.measures import Measures
from services.routing.watching import Watching, of_holds_on

_log = logging.getLogger(__name__)

FIRST_AGAIN_S = 5.0
MOST_TIMES = 6
"""5, 10, 20, 40, 80 s apart: what has no answer after two and a half minutes is not published any more."""
_LOOK_EVERY_S = 0.1
"""For answers, which come without waking anybody; no store is asked."""
_REGISTER_EVERY_S = 1.0
_LEDGER_AWAY_S = 1.0


class BrokerAway(Exception):
    """The broker can't be reached, or was lost."""


class Line(Protocol):
    """A connection to a broker."""

    async def publish(self, topic: str, body: bytes) -> None:
        """Hand a message to the broker, with QoS 1. Raises BrokerAway, ValueError (it can't be published at all)."""
        ...

    def received(self) -> Iterable[tuple[str, bytes]]:
        """Give what came since this was last asked: topic and body. Raises BrokerAway where it was lost."""
        ...

    async def close(self) -> None:
        """Leave."""
        ...


class OpensLines(Protocol):
    """Reaches the broker."""

    @property
    def prefix(self) -> str:
        """How every topic begins."""
        ...

    async def connect(self, answers: str) -> Line:
        """Connect, and hear of answers under this topic filter. Raises BrokerAway."""
        ...


@dataclass(slots=True)
class _Told:
    times: int = 0
    again_at: float = 0.0


class Telling:
    """Publishes commands and takes answers. Run `run` as a task in one process of all."""

    def __init__(
        self,
        opens: OpensLines,
        book: HoldBook,
        commands: BarrierBook,
        barriers: Barriers,
        register: Register,
        watching: Watching,
        measures: Measures,
        *,
        first_again_s: float = FIRST_AGAIN_S,
    ) -> None:
        self._first_again_s = first_again_s
        self._opens = opens
        self._book = book
        self._commands = commands
        self._barriers = barriers
        self._register = register
        self._watching = watching
        self._measures = measures
        self._cursor: StepsCursor | None = None
        self._told: dict[int, _Told] = {}
        self._open: dict[LotId, list[BarrierCommand]] = {}
        self._topics: Mapping[LotId, Collection[str]] = {}
        self._lot_of: Mapping[str, LotId] = {}
        self._version = -1
        self._registered_at = float("-inf")

    async def run(self) -> None:
        """Tell until cancelled; a broker that is away is tried again after a pause that grows."""
        failures = 0
        while True:
            try:
                line = await self._opens.connect(f"{self._opens.prefix}/+/+/barrier/answer")
                failures = 0
                self._measures.barrier_broker.set(1)
                try:
                    await self._tell(line)
                finally:
                    self._measures.barrier_broker.set(0)
                    await line.close()
            except BrokerAway as error:
                failures += 1
                _log.warning("barrier_broker_away", extra={"why": str(error)})
            await asyncio.sleep(min(30.0, 2.0**failures / 4) * random.uniform(0.5, 1.5))  # noqa: S311 (jitter)

    async def _tell(self, line: Line) -> None:
        self._cursor = None
        with self._watching.watch() as watch:
            while True:
                try:
                    await self._take_answers(line)
                    await self._read_register()
                    self._watching.turn(watch, map(of_holds_on, self._topics))
                    if watch.take_ledger_news() or self._begins() or self._awaiting():
                        await self._read_commands()
                except StoreFailure as error:
                    _log.warning("barriers_not_told", extra={"why": str(error)})
                    self._cursor = None
                    await asyncio.sleep(_LEDGER_AWAY_S)
                for lot_id, commands in self._open.items():
                    for command in commands:
                        await self._publish(line, lot_id, command)
                await watch.wait(_LOOK_EVERY_S)

    def _begins(self) -> bool:
        return self._cursor is None

    def _awaiting(self) -> list[LotId]:
        """Give the lots of commands that are due to be published again, if they have no answer by now."""
        now_s = time.monotonic()
        return [one.lot_id for open_ in self._open.values() for one in open_ if self._due(one, now_s)]

    async def _read_register(self) -> None:
        if time.monotonic() - self._registered_at < _REGISTER_EVERY_S:
            return
        version = await self._register.directory_version()
        self._registered_at = time.monotonic()
        if version == self._version:
            return
        lots = (await self._register.directory()).lots
        topics: dict[LotId, list[str]] = defaultdict(list)
        for source in await self._register.sources():
            for code, lot_id in source.lots:
                if lot_id in lots and lots[lot_id].barrier_link:
                    topics[lot_id].append(f"{self._opens.prefix}/{source.source_id}/{quote(code, safe='')}/barrier")
        self._topics, self._version = topics, version
        self._lot_of = {unquote(f"{topic}/answer"): lot_id for lot_id, named in topics.items() for topic in named}
        self._cursor = None  # a lot that was linked just now is told of its holds too

    async def _read_commands(self) -> None:
        """Read again what is open for the lots on which a hold took a step, or where answers are still awaited."""
        news = await self._book.steps(self._cursor)
        everything = self._begins() or news.left_out
        touched = set(self._topics) if everything else {lot_id for _, lot_id in news.taken}
        lots = (touched | set(self._awaiting())) & self._topics.keys()
        if lots:
            found = await self._commands.commands(lots)
            for lot_id in lots:
                self._open[lot_id] = [one for one in found if one.lot_id == lot_id]
                if not self._open[lot_id]:
                    del self._open[lot_id]
            still_open = {one.command_id for open_ in self._open.values() for one in open_}
            self._told = {command_id: told for command_id, told in self._told.items() if command_id in still_open}
        self._cursor = news.cursor

    def _due(self, command: BarrierCommand, now_s: float) -> bool:
        told = self._told.get(command.command_id)
        return told is None or (told.times < MOST_TIMES and told.again_at <= now_s)

    async def _publish(self, line: Line, lot_id: LotId, command: BarrierCommand) -> None:
        now_s = time.monotonic()
        if not self._due(command, now_s):
            return
        body = CommandOut.of(command).model_dump_json(exclude_none=True, by_alias=True).encode()
        for topic in self._topics.get(lot_id, ()):
            try:
                await line.publish(topic, body)
            except ValueError as error:
                # Of this lot alone: the others are told all the same.
                self._measures.barrier_not_published.inc()
                _log.error("barrier_command_not_published", extra={"topic": topic, "why": str(error)})
        told = self._told.setdefault(command.command_id, _Told())
        told.times += 1
        told.again_at = now_s + self._first_again_s * 2 ** (told.times - 1)
        self._measures.barrier_commands.labels(str(command.kind), "mqtt").inc()

    async def _take_answers(self, line: Line) -> None:
        for topic, body in line.received():
            lot_id = self._lot_of.get(unquote(topic))
            try:
                answer = msgspec.json.decode(body, type=_Answer)
                said = BarrierAnswerIn.model_validate({"accepted": answer.accepted, "reason": answer.reason})
            except (msgspec.DecodeError, ValueError):
                _log.warning("barrier_answer_unreadable", extra={"topic": topic})
                continue
            if lot_id is None:
                _log.warning("barrier_answer_of_nobody", extra={"topic": topic})
                continue
            await self._answer(lot_id, answer.id, said)

    async def _answer(self, lot_id: LotId, command_id: int, said: BarrierAnswerIn) -> None:
        try:
            await self._barriers.answer(lot_id, command_id, accepted=said.accepted, reason=said.reason)
        except Refused as refused:
            _log.warning("barrier_answer_refused", extra={"lot_id": lot_id, "why": refused.code})
            return
        open_ = [one for one in self._open.get(lot_id, ()) if one.command_id != command_id]
        self._told.pop(command_id, None)
        if open_:
            self._open[lot_id] = open_
        else:
            self._open.pop(lot_id, None)


class _Answer(msgspec.Struct, frozen=True):
    id: int
    accepted: bool
    reason: str | None = None
