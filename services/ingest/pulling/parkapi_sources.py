"""parkapi-sources: other people's feeds by the converters of that library, within our bounds.

What works, and why: docs/feeds/parkapi-sources.md.

A converter is given its requests by us: it asks as it likes, and we fetch as for every feed. It runs in a thread of its
own, so that one that hangs holds up nobody. What it says of lots' places and names is not used: the registry has those.

The library is no part of an installation without the extra `feeds`, so it is imported where it is used.
"""

import asyncio
import io
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from bowei.domain.dirt import Dirt
from bowei.domain.lots import LARGEST_COUNT, SpaceClass
from bowei.domain.observations import RAW_MOST, LotState
from services.ingest.pulling.by_url import Pulled
from services.ingest.pulling.failures import Failure, PullFailed
from services.ingest.pulling.fetching import Answer, Ask, Bounds
from services.ingest.readings import CountReading, Reading, Unmeant

INSTALL = "pip install 'bowei[feeds]'"
LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "bietigheim_bissingen": "This converter reads a mailbox, out of our bounds. Where its CSV has a URL, map that.",
        "ulm_sensors": "This converter takes how many cars there are for how many spaces are free.",
    }
)
"""Converters that are not used, and why. Of Ulm's sensors "currentcarparkfulltotal" grows with the cars parked."""
_SLOWEST_RUN_S = 300.0
_STATES: Mapping[str | None, LotState] = {"OPEN": LotState.OPEN, "CLOSED": LotState.CLOSED, None: LotState.OPEN}


class ConverterUnusable(Exception):
    """A converter can't be used; the text says why, and what to do."""


def load_converter(uid: str, settings: Mapping[str, str], requests: "Requests | None") -> Any:  # noqa: ANN401 (untyped)
    """Give the converter of a source.

    Raises:
        ConverterUnusable: the library is not installed, does not know the source, or the source has no live counts.
    """
    try:
        from parkapi_sources import ParkAPISources  # noqa: PLC0415 (an extra)
        from parkapi_sources.util import ConfigHelper  # noqa: PLC0415
    except ImportError as error:
        raise ConverterUnusable(f"The library parkapi-sources is not installed: {INSTALL}.") from error
    by_uid = {one.source_info.uid: one for one in ParkAPISources.converter_classes}
    if uid not in by_uid:
        raise ConverterUnusable("The library has no converter of that name. See docs/feeds/parkapi-sources.md.")
    if uid in LEFT_OUT:
        raise ConverterUnusable(LEFT_OUT[uid])
    converter = by_uid[uid](config_helper=ConfigHelper({**settings}), request_helper=requests)
    if not _has_live_counts(converter):
        raise ConverterUnusable("This source has no live counts.")
    missing = [key for key in converter.required_config_keys if key not in settings]
    if missing:
        raise ConverterUnusable(f"It needs converter_settings or secret_name: {', '.join(missing)}.")
    return converter


def _has_live_counts(converter: Any) -> bool:  # noqa: ANN401 (untyped)
    from parkapi_sources.converters.base_converter.pull import ParkingSitePullConverter  # noqa: PLC0415

    own = getattr(type(converter), "get_realtime_parking_sites", None)
    pulls = own is not None and own is not ParkingSitePullConverter.get_realtime_parking_sites
    return converter.source_info.has_realtime_data is not False and (pulls or takes_bodies(converter))


def takes_bodies(converter: Any) -> bool:  # noqa: ANN401 (untyped)
    """Say whether a converter reads what others send, rather than to ask for it."""
    return any(hasattr(converter, name) for name in _HANDLERS)


class _InItsZone:
    """Takes a time without an offset as the source's own, where the library would take it for UTC without a word."""

    def __init__(self, validator: Any, zone: ZoneInfo) -> None:  # noqa: ANN401 (untyped)
        self._validator = validator
        self._zone = zone

    def validate(self, said: Mapping[str, object], **options: object) -> Any:  # noqa: ANN401 (untyped)
        """Validate as the library does."""
        at = said.get("realtime_data_updated_at")
        try:
            naive = datetime.fromisoformat(at) if isinstance(at, str) else None
        except ValueError:
            naive = None
        if naive is not None and naive.tzinfo is None:
            said = {**said, "realtime_data_updated_at": naive.replace(tzinfo=self._zone).isoformat()}
        return self._validator.validate(said, **options)


class Fetches(Protocol):
    """Fetches one address within bounds."""

    async def fetch(self, ask: Ask, bounds: Bounds) -> Answer:
        """Ask once. Raises PullFailed."""
        ...


class Requests:
    """What a converter fetches by, in place of the library's own: it has the same methods, and answers alike."""

    def __init__(self, fetcher: Fetches, bounds: Bounds, loop: asyncio.AbstractEventLoop) -> None:
        self._fetcher = fetcher
        self._bounds = bounds
        self._loop = loop
        self._until = float("inf")

    def begin(self, within_s: float) -> None:
        """Let it fetch for so long."""
        self._until = time.monotonic() + within_s

    def get(self, **asked: Any) -> Any:  # noqa: ANN401 (as the library has it)
        """Fetch by GET."""
        return self._ask("GET", **asked)

    def post(self, **asked: Any) -> Any:  # noqa: ANN401 (as the library has it)
        """Fetch by POST."""
        return self._ask("POST", **asked)

    def _ask(
        self,
        method: str,
        *,
        url: str,
        source_info: object = None,
        timeout: object = None,
        verify: object = True,
        cert: object = None,
        **asked: Any,  # noqa: ANN401 (params, headers, json, data, auth: whatever requests takes)
    ) -> Any:  # noqa: ANN401 (a requests.Response)
        del source_info, timeout  # the bounds are ours
        import requests  # noqa: PLC0415 (comes with the extra)

        prepared = requests.Request(method, url, **asked).prepare()
        address = prepared.url or url
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        if body is not None and not isinstance(body, bytes):
            raise PullFailed(Failure.INTERNAL, "the converter sends a file")
        headers = {name: str(value) for name, value in prepared.headers.items() if name.lower() != "content-length"}
        ask = Ask(address, method, headers, frozenset(name.lower() for name in headers), body)
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise PullFailed(Failure.TIMEOUT, "the converter went on for too long")
        fetching = asyncio.run_coroutine_threadsafe(
            self._fetcher.fetch(ask, self._bounds_with(verify, cert)), self._loop
        )
        try:
            answer = fetching.result(left_s)
        except TimeoutError as error:
            fetching.cancel()
            raise PullFailed(Failure.TIMEOUT, "the converter went on for too long") from error
        response = requests.Response()
        response.status_code = 200
        response.url = address
        response.headers.update(answer.headers)
        response.headers.pop("content-encoding", None)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = io.BytesIO(answer.body)
        return response

    def _bounds_with(self, verify: object, cert: object) -> Bounds:
        """Trust the authority that ships with a converter, and show the certificate that the operator named."""
        if not isinstance(verify, str) and not isinstance(cert, tuple):
            return self._bounds
        tls = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        if isinstance(cert, tuple):
            tls.load_cert_chain(*cert)
        return replace(self._bounds, tls=tls)


class ConverterPull:
    """Pulls a source by its converter; `url` is what is fetched for one that does not ask by itself."""

    def __init__(
        self,
        converter: Any,  # noqa: ANN401 (untyped)
        requests: Requests,
        *,
        url: str | None = None,
        zone: ZoneInfo | None = None,
        slowest_run_s: float = _SLOWEST_RUN_S,
    ) -> None:
        self._zone = zone or ZoneInfo(converter.source_info.timezone)
        converter.realtime_parking_site_validator = _InItsZone(converter.realtime_parking_site_validator, self._zone)
        self._converter = converter
        self._requests = requests
        self._url = url
        self._slowest_run_s = slowest_run_s
        self._running: Future[tuple[Sequence[Any], Sequence[Any]]] | None = None

    async def pull(self) -> Pulled:
        """Run the converter.

        Raises:
            PullFailed: it did not end in time, or brought nothing that may be used.
        """
        if self._running is not None and not self._running.done():
            raise PullFailed(Failure.TIMEOUT, "the converter is still at what it was asked before")
        began_at = datetime.now(UTC)  # by the clock that the converter looks at
        self._requests.begin(self._slowest_run_s)
        self._running = _in_thread(self._convert)
        try:
            async with asyncio.timeout(self._slowest_run_s):
                said, faults = await asyncio.wrap_future(self._running)
        except TimeoutError as error:
            raise PullFailed(Failure.TIMEOUT, "the converter went on for too long") from error
        return Pulled(
            [reading_of(one, began_at=began_at, zone=self._zone) for one in said] + [_fault_of(one) for one in faults]
        )

    def taken(self, pulled: Pulled) -> None:
        """Remember nothing: a converter needs the whole body each time."""

    def _convert(self) -> tuple[Sequence[Any], Sequence[Any]]:
        from parkapi_sources.exceptions import ImportException  # noqa: PLC0415

        try:
            if self._url is None:
                said, faults = self._converter.get_realtime_parking_sites()
            else:
                answer = self._requests.get(url=self._url)
                said, faults = handle_body(self._converter, answer.content)
        except PullFailed:
            raise
        except ImportException as error:
            raise PullFailed(Failure.UNREADABLE, "the converter does not know this shape") from error
        except Exception as error:
            # What a body of another shape does to a converter is not foreseen by it.
            raise PullFailed(Failure.UNREADABLE, f"the converter breaks: {type(error).__name__}") from error
        return said, faults


def handle_body(converter: Any, body: bytes) -> tuple[list[Any], list[Any]]:  # noqa: ANN401 (untyped)
    """Give what a converter that takes bodies says of one: the live part, and what it could not read.

    Raises:
        ImportException: of the library, where the body is of another shape. ValueError: it can't be read at all.
    """
    from parkapi_sources.models import RealtimeParkingSiteInput  # noqa: PLC0415

    name = next(name for name in _HANDLERS if hasattr(converter, name))
    said, faults = getattr(converter, name)(_HANDLERS[name](body))
    return [one for one in said if isinstance(one, RealtimeParkingSiteInput)], list(faults)


def _xml(body: bytes) -> Any:  # noqa: ANN401 (untyped)
    from lxml import etree  # noqa: PLC0415 (comes with the extra)

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(body, parser=parser)
    except etree.XMLSyntaxError as error:
        raise ValueError("no XML") from error


def _json(body: bytes) -> Any:  # noqa: ANN401 (untyped)
    return json.loads(body.decode("utf-8-sig"))


_HANDLERS: Mapping[str, Callable[[bytes], Any]] = {"handle_json": _json, "handle_xml": _xml}
"""How a body is handed to a converter that takes bodies. Those of CSV and of workbooks list places only."""


def reading_of(said: Any, *, began_at: datetime, zone: ZoneInfo) -> CountReading:  # noqa: ANN401 (untyped)
    """Give what a converter says of one lot.

    A time within the run is the converter's own word for "now": the source said none. A naive one is of `zone`.
    """
    dirt: set[Dirt] = set()
    at: datetime = said.realtime_data_updated_at
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
        dirt.add(Dirt.NAIVE_TIME)
    at = at.astimezone(UTC)
    status = getattr(said.realtime_opening_status, "value", None)
    free, capacity = _count(said.realtime_free_capacity, dirt), _count(said.realtime_capacity, dirt)
    state = _STATES.get(status, LotState.UNKNOWN)
    classes = {
        SpaceClass.DISABLED: _count(said.realtime_free_capacity_disabled, dirt),
        SpaceClass.EV: _count(said.realtime_free_capacity_charging, dirt),
    }
    return CountReading(
        lot_code=said.uid,
        observed_at=None if at >= began_at.replace(microsecond=0) else at,
        capacity=capacity,
        free=free,
        state=LotState.UNKNOWN if status is None and free is None else state,
        free_by_class={name: count for name, count in classes.items() if count is not None},
        dirt=frozenset(dirt),
        raw=json.dumps(said.to_dict(), default=str, ensure_ascii=False)[:RAW_MOST],
    )


def _count(said: object, dirt: set[Dirt]) -> int | None:
    if not isinstance(said, int):
        return None
    if said > LARGEST_COUNT:
        dirt.add(Dirt.SENTINEL)
        return None
    if said < 0:
        dirt.add(Dirt.NEGATIVE_COUNT)
        return None
    return said


def _fault_of(fault: Any) -> Reading:  # noqa: ANN401 (untyped)
    code = getattr(fault, "parking_site_uid", None)
    return Unmeant("bad_value", lot_code=code if isinstance(code, str) else None, raw=str(fault.message)[:RAW_MOST])


def _in_thread(work: Callable[[], tuple[Sequence[Any], Sequence[Any]]]) -> Future[tuple[Sequence[Any], Sequence[Any]]]:
    """Run work in a thread that may be left behind, which one of a pool may not."""
    done: Future[tuple[Sequence[Any], Sequence[Any]]] = Future()
    done.set_running_or_notify_cancel()  # from here on it can't be cancelled, only no longer waited for

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is told to whoever waits)
            done.set_exception(error)

    threading.Thread(target=run, daemon=True, name="parkapi-sources").start()
    return done
