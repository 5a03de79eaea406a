"""The live state in Redis or Valkey, single or behind a proxy; every command is one that a cluster would take too."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from itertools import islice
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from typing_extensions import override

from bowei.domain.agreements import Agreement
from bowei.domain.choosing import LotNow
from bowei.domain.directory import Directory
from bowei.domain.lots import Hospital, Lot, LotId
from bowei.domain.offering import NOTHING_PROMISED, LotPromise, Report
from bowei.livestate import keys
from bowei.livestate.failures import LiveStateAway
from bowei.livestate.reading import Change, ReadsLiveState
from bowei.livestate.showing import ShowsPromises, ShowsReports

_TIMEOUT_S = 2.0
_SILENCE_S = 1.0
_MOST_UNANSWERED = 2
_MOST_PER_PIPELINE = 500
_Decoded = TypeVar("_Decoded")
_SET_IF_NEWER = (resources.files("bowei.livestate") / "scripts" / "set_if_newer.lua").read_text(encoding="utf-8")


class _DirectoryDocument(msgspec.Struct):
    """The directory as it travels."""

    version: int
    lots: list[Lot]
    hospitals: list[Hospital]
    agreements: list[Agreement]


class RedisLiveState(ShowsReports, ShowsPromises, ReadsLiveState):
    """The live state in one Redis. A lost command is not retried: what is shown is shown again soon."""

    def __init__(self, client: Redis) -> None:
        self._redis = client
        self._set_if_newer = client.register_script(_SET_IF_NEWER)

    @classmethod
    def connect(cls, url: str) -> "RedisLiveState":
        """Prepare connections to the server at `url`; nothing is sent yet."""
        return cls(
            Redis.from_url(
                url,
                decode_responses=True,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                max_connections=32,
                retry=Retry(NoBackoff(), 0),
            )
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def ping(self) -> None:
        """Ask for a sign of life.

        Raises:
            LiveStateAway: there was none.
        """
        with _translated():
            await self._redis.ping()

    @override
    async def show_reports(self, reports: Mapping[LotId, Report]) -> None:
        lifetime_ms = int(keys.SEEN_LIFETIME.total_seconds() * 1000)
        await self._show(
            {
                keys.seen(lot_id): (keys.report_order(report), _encode(report), lifetime_ms)
                for lot_id, report in reports.items()
            },
            reports,
        )

    @override
    async def reports_copied(self) -> bool:
        return await self._has_mark(keys.COPIED_SEEN, "reports")

    @override
    async def copy_reports(self, reports: Mapping[LotId, Report]) -> None:
        await self.show_reports(reports)
        await self._mark(keys.COPIED_SEEN, "reports")

    @override
    async def show_promises(self, promises: Mapping[LotId, LotPromise]) -> None:
        await self._show(
            {
                keys.promised(lot_id): (keys.promise_order(promise.version), _encode(promise), 0)
                for lot_id, promise in promises.items()
            },
            promises,
        )

    @override
    async def promises_copied(self, ledger: str) -> bool:
        return await self._has_mark(keys.COPIED_PROMISED, ledger)

    @override
    async def copy_promises(self, promises: Mapping[LotId, LotPromise], directory: Directory, *, ledger: str) -> None:
        for some in _chunks(promises.items()):
            with _translated():
                async with self._redis.pipeline(transaction=False) as pipe:
                    for lot_id, promise in some:
                        order = keys.promise_order(promise.version)
                        pipe.hset(keys.promised(lot_id), mapping={"order": order, "body": _encode(promise)})
                    await pipe.execute()
        await self.show_directory(directory)
        await self._tell(promises)
        await self._mark(keys.COPIED_PROMISED, ledger)

    @override
    async def show_directory(self, directory: Directory) -> None:
        document = _DirectoryDocument(
            directory.version,
            list(directory.lots.values()),
            list(directory.hospitals.values()),
            list(directory.agreements),
        )
        with _translated():
            await self._redis.set(keys.DIRECTORY, _encode(document))
            await self._redis.publish(keys.CHANGES, "directory")

    @override
    async def directory(self) -> Directory | None:
        with _translated():
            text = await self._redis.get(keys.DIRECTORY)
        if text is None:
            return None
        document = _decode(str(text), _DirectoryDocument)
        return Directory.of(document.version, document.lots, document.hospitals, document.agreements)

    @override
    async def lots(self, lot_ids: Iterable[LotId]) -> Mapping[LotId, LotNow]:
        found: dict[LotId, LotNow] = {}
        for some in _chunks(lot_ids):
            with _translated():
                async with self._redis.pipeline(transaction=False) as pipe:
                    for lot_id in some:
                        pipe.hget(keys.seen(lot_id), "body")
                        pipe.hget(keys.promised(lot_id), "body")
                    bodies = await pipe.execute()
            for position, lot_id in enumerate(some):
                seen, promised = bodies[2 * position], bodies[2 * position + 1]
                if seen is not None or promised is not None:
                    found[lot_id] = LotNow(
                        None if seen is None else _decode(seen, Report),
                        NOTHING_PROMISED if promised is None else _decode(promised, LotPromise),
                    )
        return found

    @override
    @asynccontextmanager
    async def changes(self) -> AsyncIterator[AsyncIterator[Change]]:
        listener = self._redis.pubsub(ignore_subscribe_messages=True)
        try:
            with _translated():
                await listener.subscribe(keys.CHANGES)
            yield self._listen(listener)
        finally:
            await listener.aclose()  # type: ignore[no-untyped-call]

    async def _listen(self, listener: Any) -> AsyncIterator[Change]:  # noqa: ANN401 (redis-py leaves PubSub untyped)
        unanswered = 0
        while True:
            asked_at = time.monotonic()
            with _translated():
                message = await listener.get_message(timeout=_SILENCE_S)
                if message is None and time.monotonic() - asked_at >= 0.9 * _SILENCE_S:
                    # Silence. The answer to a ping ends it: redis-py gives it as None, but at once.
                    if unanswered == _MOST_UNANSWERED:
                        raise LiveStateAway("silent")
                    await listener.ping()
                    unanswered += 1
                    continue
            unanswered = 0
            yield Change() if message is None or message["type"] != "message" else _news(message["data"])

    async def _show(self, values: Mapping[str, tuple[str, str, int]], lots: Iterable[LotId]) -> None:
        for some in _chunks(values.items()):
            with _translated():
                async with self._redis.pipeline(transaction=False) as pipe:
                    for key, arguments in some:
                        await self._set_if_newer(keys=[key], args=list(arguments), client=pipe)
                    await pipe.execute()
        await self._tell(lots)

    async def _tell(self, lots: Iterable[LotId]) -> None:
        for some in _chunks(lots):
            with _translated():
                await self._redis.publish(keys.CHANGES, "lots " + " ".join(some))

    async def _has_mark(self, key: str, source: str) -> bool:
        with _translated():
            mark = await self._redis.get(key)
            return bool(mark == f"{source}|{await self._server_identity()}")

    async def _mark(self, key: str, source: str) -> None:
        with _translated():
            await self._redis.set(key, f"{source}|{await self._server_identity()}")

    async def _server_identity(self) -> str:
        # A restarted, restored or promoted server has another run id: what it holds may be old.
        info = await self._redis.info("server")
        return str(info["run_id"])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise LiveStateAway(type(error).__name__) from error


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(items)
    while some := list(islice(remaining, _MOST_PER_PIPELINE)):
        yield some


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _decode(text: str, kind: type[_Decoded]) -> _Decoded:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        # Another release wrote it, or another program: it says nothing to this one.
        raise LiveStateAway("unreadable") from error


def _news(text: str) -> Change:
    kind, *lot_ids = text.split(" ")
    if kind == "directory":
        return Change(directory=True)
    return Change(lots=frozenset(LotId(lot_id) for lot_id in lot_ids))
