"""The live state in Redis or Valkey: one server, one under Sentinel, or a cluster."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from importlib import resources
from itertools import chain, islice
from typing import Any, TypeVar

import msgspec
from redis.exceptions import NoScriptError, RedisError
from typing_extensions import override

from bowei.domain.agreements import Agreement
from bowei.domain.calendars import Calendar
from bowei.domain.choosing import LotNow
from bowei.domain.directory import Directory
from bowei.domain.forecasting import Foreseen
from bowei.domain.foreseeing import CityForeseen
from bowei.domain.gate import GateWord
from bowei.domain.lots import Hospital, Lot, LotId
from bowei.domain.offering import NOTHING_PROMISED, LotPromise, Report
from bowei.domain.road_conditions import RoadConditions
from bowei.livestate import keys
from bowei.livestate.connecting import open_servers
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.packing import pack, unpack
from bowei.livestate.reading import Change, ReadsLiveState
from bowei.livestate.redis_servers import Command, Listening, RedisServers
from bowei.livestate.showing import ShowsForecasts, ShowsPromises, ShowsReports

_BEGUN = "begun "
"""What stands for a mark while a copy is being made, with a number of its own."""
_SILENCE_S = 1.0
_MOST_UNANSWERED = 2
_MOST_PER_PIPELINE = 500
_Decoded = TypeVar("_Decoded")
_Shown = TypeVar("_Shown", bound=Report | LotPromise)
_Item = TypeVar("_Item")
_REPORTS, _PROMISES = msgspec.json.Decoder(Report), msgspec.json.Decoder(LotPromise)
"""Kept, because values are read by the thousand."""
_SET_IF_SAME = (resources.files("bowei.livestate") / "scripts" / "set_if_same.lua").read_text(encoding="utf-8")
_SET_IF_NEWER = (resources.files("bowei.livestate") / "scripts" / "set_if_newer.lua").read_text(encoding="utf-8")
_SET_IF_NEWER_SHA = hashlib.sha1(_SET_IF_NEWER.encode(), usedforsecurity=False).hexdigest()


class _DirectoryDocument(msgspec.Struct):
    """The directory as it travels."""

    version: int
    lots: list[Lot]
    hospitals: list[Hospital]
    agreements: list[Agreement]
    calendars: list[Calendar] = []


class RedisLiveState(ShowsReports, ShowsForecasts, ShowsPromises, ReadsLiveState):
    """The live state in Redis. A lost command is not retried: what is shown is shown again soon."""

    def __init__(self, servers: RedisServers) -> None:
        self._servers = servers
        self._whole: dict[str, str] = {}
        """For each mark, what it was when this process last knew the copy to be whole."""
        self._directory: tuple[str, Directory] | None = None
        """As it was read last, with its text: it is read again and again, and a large city's takes long to decode."""
        self._script_known = False
        """Whether whoever was asked last knew the script."""

    @classmethod
    def connect(cls, url: str) -> "RedisLiveState":
        """Prepare connections to the server or servers at `url`, in any form of `connecting`; nothing is sent yet.

        Raises:
            WrongAddress: it is of no such form.
        """
        return cls(open_servers(url))

    async def close(self) -> None:
        """Close every connection."""
        await self._servers.close()

    async def ping(self) -> None:
        """Ask each server that holds keys for a sign of life.

        Raises:
            LiveStateAway: there was none.
        """
        with _translated():
            await self._servers.ping()

    @override
    async def show_reports(self, reports: Mapping[LotId, Report]) -> None:
        await self._show(
            reports, keys.seen, lambda report: _value(keys.report_order(report), report), lifetime=keys.SEEN_LIFETIME
        )

    @override
    async def reports_copied(self) -> bool:
        return await self._has_mark(keys.COPIED_SEEN, "reports")

    @override
    async def copy_reports(self, reports: Mapping[LotId, Report]) -> None:
        begun = await self._begin_copy(keys.COPIED_SEEN, "reports")
        await self.show_reports(reports)
        await self._end_copy(keys.COPIED_SEEN, begun)

    @override
    async def show_forecasts(self, foreseen: CityForeseen) -> None:
        lifetime_s = int(keys.FORESEEN_LIFETIME.total_seconds())
        await self._ask(("SET", keys.FORESEEN, pack(foreseen), "EX", lifetime_s))
        await self._publish("foreseen")

    @override
    async def show_promises(self, promises: Mapping[LotId, LotPromise]) -> None:
        await self._show(promises, keys.promised, _promise_value)

    @override
    async def show_promises_again(self, promises: Mapping[LotId, LotPromise]) -> None:
        await self._show(promises, keys.promised, _promise_value, tell_always=False)

    @override
    async def promises_copied(self, ledger: str) -> bool:
        return await self._has_mark(keys.COPIED_PROMISED, ledger)

    @override
    async def copy_promises(self, promises: Mapping[LotId, LotPromise], directory: Directory, *, ledger: str) -> None:
        begun = await self._begin_copy(keys.COPIED_PROMISED, ledger)
        for some in _chunks(promises.items()):
            await self._send([("SET", keys.promised(lot_id), _promise_value(promise)) for lot_id, promise in some])
        await self.show_directory(directory)
        await self._tell(promises)
        await self._end_copy(keys.COPIED_PROMISED, begun)

    @override
    async def show_directory(self, directory: Directory) -> None:
        document = _DirectoryDocument(
            directory.version,
            list(directory.lots.values()),
            list(directory.hospitals.values()),
            list(directory.agreements),
            list(directory.calendars.values()),
        )
        await self._ask(("SET", keys.DIRECTORY, _encode(document)))
        await self._publish("directory")

    @override
    async def show_roads(self, conditions: RoadConditions) -> None:
        await self._ask(("HSET", keys.ROADS, "order", conditions.version, "body", _encode(conditions)))
        await self._publish("roads")

    @override
    async def roads_version(self) -> int | None:
        order = await self._ask(("HGET", keys.ROADS, "order"))
        return None if order is None else int(order)

    @override
    async def roads(self) -> RoadConditions | None:
        text = await self._ask(("HGET", keys.ROADS, "body"))
        return None if text is None else _decode(str(text), RoadConditions)

    @override
    async def show_gate_words(self, words: Sequence[GateWord]) -> None:
        await self._ask(("SET", keys.GATES, _encode(words)))
        await self._publish("gates")

    @override
    async def gate_words(self) -> Sequence[GateWord] | None:
        text = await self._ask(("GET", keys.GATES))
        return None if text is None else _decode(str(text), tuple[GateWord, ...])

    @override
    async def directory(self) -> Directory | None:
        text = await self._ask(("GET", keys.DIRECTORY))
        if text is None:
            return None
        if self._directory is None or self._directory[0] != text:
            document = _decode(str(text), _DirectoryDocument)
            directory = Directory.of(
                document.version, document.lots, document.hospitals, document.agreements, document.calendars
            )
            self._directory = str(text), directory
        return self._directory[1]

    @override
    async def lots(self, lot_ids: Iterable[LotId]) -> Mapping[LotId, LotNow]:
        found: dict[LotId, LotNow] = {}
        for some in _chunks(lot_ids):
            both = [key for lot_id in some for key in (keys.seen(lot_id), keys.promised(lot_id))]
            values = chain.from_iterable(await self._send([("MGET", *together) for together in self._together(both)]))
            with _readable():
                for lot_id, seen, promised in zip(some, values, values, strict=True):
                    if seen is not None or promised is not None:
                        found[lot_id] = LotNow(
                            None if seen is None else _REPORTS.decode(_body_of(seen)),
                            NOTHING_PROMISED if promised is None else _PROMISES.decode(_body_of(promised)),
                        )
        return found

    @override
    async def forecasts(self) -> Mapping[LotId, Foreseen]:
        text = await self._ask(("GET", keys.FORESEEN))
        # Beside the answers: of a large city it takes a tenth of a second.
        return {} if text is None else await asyncio.to_thread(unpack, str(text))

    @override
    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[Change]]:
        async with AsyncExitStack() as stack:
            with _translated():
                listening = await stack.enter_async_context(self._servers.listen(keys.CHANGES))
            yield self._listen(listening)

    async def _listen(self, listening: Listening) -> AsyncIterator[Change]:
        unanswered = 0
        while True:
            asked_at = time.monotonic()
            with _translated():
                message = await listening.get_message(_SILENCE_S)
                if message is None and time.monotonic() - asked_at >= 0.9 * _SILENCE_S:
                    # Silence. The answer to a ping ends it: redis-py gives it as None, but at once.
                    if unanswered == _MOST_UNANSWERED:
                        raise LiveStateAway("silent")
                    if await listening.outdated():
                        raise LiveStateAway("the news is told elsewhere")
                    await listening.ping()
                    unanswered += 1
                    continue
            unanswered = 0
            yield Change() if message is None or message["type"] != "message" else _news(message["data"])

    async def _show(
        self,
        shown: Mapping[LotId, _Shown],
        key_of: Callable[[LotId], str],
        value_of: Callable[[_Shown], bytes],
        *,
        lifetime: timedelta | None = None,
        tell_always: bool = True,
    ) -> None:
        """Set each lot's value unless there is a newer one, and tell of its lot; or else only where one was set."""
        lifetime_ms = 0 if lifetime is None else lifetime // timedelta(milliseconds=1)
        for some in _chunks(shown):
            arguments: list[Command] = []
            for lots in self._together(some):
                named = [key_of(lot_id) for lot_id in lots]
                values = [value_of(shown[lot_id]) for lot_id in lots]
                arguments.append((len(named), *named, lifetime_ms, *values))
            await self._send_if_newer(arguments, _news_of(some), tell_always=tell_always)

    async def _send_if_newer(self, arguments: Sequence[Command], news: str, *, tell_always: bool) -> None:
        commands: list[Command] = [("EVALSHA", _SET_IF_NEWER_SHA, *some) for some in arguments]
        # In one go where nothing has to be sent again, else the news would be told twice.
        along = tell_always and self._script_known and self._servers.in_order
        if along:
            commands.append(("PUBLISH", keys.CHANGES, news))
        with _translated():
            answers = await self._servers.send(commands)
            unknown = [
                some for some, answer in zip(arguments, answers, strict=False) if isinstance(answer, NoScriptError)
            ]
            _raise_first(answer for answer in answers if not isinstance(answer, NoScriptError))
            if unknown:
                # A server that was restarted or promoted; it keeps the script from now on.
                answers = await self._servers.send([("EVAL", _SET_IF_NEWER, *some) for some in unknown])
                _raise_first(answers)
        self._script_known = not unknown
        if unknown or (not along and (tell_always or any(answers))):
            await self._publish(news)

    def _together(self, named: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
        """Part keys, or lots with a key each, into those that one command may have."""
        most = self._servers.keys_at_once
        return (named[first : first + most] for first in range(0, len(named), most))

    async def _tell(self, lots: Iterable[LotId]) -> None:
        for some in _chunks(lots):
            await self._publish(_news_of(some))

    async def _publish(self, news: str) -> None:
        with _translated():
            await self._servers.publish(keys.CHANGES, news)

    async def _has_mark(self, key: str, source: str) -> bool:
        mark = await self._mark_of(source)
        there: str | None = await self._ask(("GET", key))
        # Another process may have copied to these servers while this one still wrote to those before.
        if there != mark or self._whole.get(key, mark) != mark:
            return False
        self._whole[key] = mark
        return True

    async def _begin_copy(self, key: str, source: str) -> str:
        # Named before the first write: where the server changes on the way, the mark is the old one's and says "again".
        begun = f"{_BEGUN}{secrets.token_hex(8)} {await self._mark_of(source)}"
        await self._ask(("SET", key, begun))
        return begun

    async def _end_copy(self, key: str, begun: str) -> None:
        # What began is gone where the server was emptied on the way, and with it what was copied: not whole, so again.
        mark = begun.removeprefix(_BEGUN).partition(" ")[2]
        if await self._ask(("EVAL", _SET_IF_SAME, 1, key, begun, mark)):
            self._whole[key] = mark

    async def _mark_of(self, source: str) -> str:
        with _translated():
            return f"{source}|{await self._servers.identity()}"

    async def _ask(self, command: Command) -> Any:  # noqa: ANN401 (what a command answers)
        return (await self._send([command]))[0]

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        with _translated():
            answers = await self._servers.send(commands)
            _raise_first(answers)
        return answers


def _promise_value(promise: LotPromise) -> bytes:
    return _value(keys.promise_order(promise.version), promise)


def _value(order: str, body: object) -> bytes:
    """Write a value as it is kept: its order, a space, and the body."""
    return order.encode() + b" " + msgspec.json.encode(body)


def _body_of(value: str) -> str:
    return value.partition(" ")[2]


def _raise_first(answers: Iterable[object]) -> None:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise LiveStateAway(type(error).__name__) from error
    except RuntimeError as error:
        # What uvloop says of a write to a connection that has just been closed, where asyncio says nothing.
        if "closed" not in str(error):
            raise
        raise LiveStateAway(type(error).__name__) from error


def _chunks(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    remaining = iter(items)
    while some := list(islice(remaining, _MOST_PER_PIPELINE)):
        yield some


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _decode(text: str, kind: type[_Decoded]) -> _Decoded:
    with _readable():
        return msgspec.json.decode(text, type=kind)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except msgspec.MsgspecError as error:
        # Another release wrote it, or another program: it says nothing to this one.
        raise LiveStateAway("unreadable") from error


def _news_of(lots: Iterable[LotId]) -> str:
    return "lots " + " ".join(lots)


def _news(text: str) -> Change:
    kind, *lot_ids = text.split(" ")
    if kind == "directory":
        return Change(directory=True)
    if kind == "foreseen":
        return Change(foreseen=True)
    if kind == "roads":
        return Change(roads=True)
    if kind == "gates":
        return Change(gates=True)
    return Change(lots=frozenset(LotId(lot_id) for lot_id in lot_ids))
