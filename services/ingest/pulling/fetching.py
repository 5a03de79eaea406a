"""Fetching: one request of the web, with a bound on everything: time, bytes, unpacked bytes, hops, and where they lead.

    find the target ▶ wait for the host's gate ▶ ask ▶ follow at most 3 redirects ▶ read what comes, piece by piece

Whoever answers is not trusted: a body that never ends, trickles, or unpacks to more than it may, ends the request.
"""

import asyncio
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from urllib.parse import urljoin, urlsplit, urlunsplit

from httpx2 import (
    AsyncClient,
    AsyncHTTPTransport,
    ConnectError,
    ConnectTimeout,
    HTTPError,
    InvalidURL,
    Limits,
    Response,
    TimeoutException,
)

from services.ingest.pulling.failures import Failure, PullFailed
from services.ingest.pulling.pacing import Budget, HostGates
from services.ingest.pulling.targets import Resolves, Target, find_target, is_public, resolve

MOST_REDIRECTS = 3
MOST_AT_ONCE = 32
"""Of a process, whatever the hosts: so many bodies are in flight at most."""
_TRIED_ADDRESSES = 3
_KNOWN_TYPES = frozenset(
    {"text/html", "text/plain", "text/csv", "text/xml", "application/xml", "application/json", "application/pdf"}
)
"""Named in the log; what else is sent is not repeated there."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRET_HEADERS = frozenset({"authorization", "cookie"})
_ONE_USE = Limits(max_connections=1, max_keepalive_connections=0)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    url: str = field(repr=False)
    """It may hold a key, as some feeds want it."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_headers: frozenset[str] = frozenset()
    """Names, in lower case, of headers that go to no other host; the usual ones need not be named."""
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one feed's requests may cost, and where they may lead."""

    budget: Budget
    timeout_s: float = 20.0
    largest_body: int = 5 * 1024 * 1024
    content_types: frozenset[str] | None = frozenset()
    """None: any; none of them: anything but HTML."""
    redirect_hosts: frozenset[str] = frozenset()
    insecure: bool = False
    allow_private: bool = False
    tls: ssl.SSLContext | None = None
    """None: the authorities that the system trusts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a body, or that nothing changed."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    unchanged: bool = False


class Fetcher:
    """Fetches for all feeds of a process, so that a host is spared whichever of them ask it."""

    def __init__(
        self,
        *,
        gates: HostGates | None = None,
        resolves: Resolves = resolve,
        is_outside: Callable[[str], bool] = is_public,
    ) -> None:
        self._gates = gates or HostGates()
        self._resolves = resolves
        self._is_outside = is_outside
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._system_tls: ssl.SSLContext | None = None

    async def fetch(self, ask: Ask, bounds: Bounds) -> Answer:
        """Ask once, and follow where it leads.

        Raises:
            PullFailed: there is no body that may be used.
        """
        first_host = urlsplit(ask.url).hostname
        for _ in range(MOST_REDIRECTS + 1):
            bounds.budget.take()
            async with self._gates.through(urlsplit(ask.url).hostname or ""), self._room:
                answer = await self._within_time(ask, bounds)
            if isinstance(answer, Answer):
                return answer
            ask = _redirected(ask, answer, bounds, first_host or "")
        raise PullFailed(Failure.TARGET_REFUSED, f"more than {MOST_REDIRECTS} redirects")

    async def _within_time(self, ask: Ask, bounds: Bounds) -> "Answer | _Elsewhere":
        try:
            async with asyncio.timeout(bounds.timeout_s):
                target = await find_target(
                    ask.url,
                    insecure=bounds.insecure,
                    allow_private=bounds.allow_private,
                    resolves=self._resolves,
                    is_outside=self._is_outside,
                )
                return await self._ask_addresses(ask, target, bounds)
        except TimeoutError as error:
            raise PullFailed(Failure.TIMEOUT, f"not done within {bounds.timeout_s:g} s") from error

    async def _ask_addresses(self, ask: Ask, target: Target, bounds: Bounds) -> "Answer | _Elsewhere":
        addresses = target.addresses[:_TRIED_ADDRESSES]
        for place, address in enumerate(addresses):
            try:
                return await self._ask(ask, target, address, bounds)
            except (ConnectError, ConnectTimeout) as error:
                failed = _connection_failure(error, target)
                if failed.failure is Failure.TLS or place == len(addresses) - 1:
                    raise failed from error
            except TimeoutException as error:
                raise PullFailed(Failure.TIMEOUT, f"{target.host} fell silent") from error
            except (HTTPError, InvalidURL) as error:
                raise PullFailed(Failure.BROKEN_OFF, f"{target.host}: {type(error).__name__}") from error
        raise PullFailed(Failure.UNREACHABLE, f"{target.host} has no address")

    async def _ask(self, ask: Ask, target: Target, address: str, bounds: Bounds) -> "Answer | _Elsewhere":
        # The connection goes to the address that was checked, and TLS is still about the name. A connection of its own
        # for each request: one that was kept would belong to an address, and not to the name that TLS was about.
        tls = self._tls(bounds) if target.scheme == "https" else False
        transport = AsyncHTTPTransport(verify=tls, trust_env=False, limits=_ONE_USE)
        headers = {
            "User-Agent": "bowei",
            "Accept": "*/*",
            **ask.headers,
            "Accept-Encoding": "gzip",
            "Host": target.host_header(),
        }
        async with (
            AsyncClient(transport=transport, trust_env=False, timeout=bounds.timeout_s) as client,
            client.stream(
                ask.method,
                _at_address(ask.url, address, target.port),
                headers=headers,
                content=ask.body,
                extensions={"sni_hostname": target.host},
            ) as response,
        ):
            return await _read(response, bounds)

    def _tls(self, bounds: Bounds) -> ssl.SSLContext:
        if bounds.tls is not None:
            return bounds.tls
        if self._system_tls is None:
            self._system_tls = ssl.create_default_context()
        return self._system_tls


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """A redirect."""

    location: str
    status: int


def _redirected(ask: Ask, elsewhere: _Elsewhere, bounds: Bounds, first_host: str) -> Ask:
    try:
        url = urljoin(ask.url, elsewhere.location)
        host = urlsplit(url).hostname or ""
    except ValueError as error:
        raise PullFailed(Failure.TARGET_REFUSED, "it is sent on to what is no address") from error
    if host != first_host and host not in bounds.redirect_hosts:
        raise PullFailed(Failure.TARGET_REFUSED, "it is sent on to a host that redirect_hosts does not name")
    if urlsplit(ask.url).scheme == "https" and urlsplit(url).scheme != "https":
        raise PullFailed(Failure.TARGET_REFUSED, "it is sent away from TLS")
    secret = ask.secret_headers | _SECRET_HEADERS
    stays = urlsplit(url).netloc == urlsplit(ask.url).netloc
    headers = {name: value for name, value in ask.headers.items() if stays or name.lower() not in secret}
    if ask.method != "GET" and elsewhere.status in {307, 308} and stays:
        return replace(ask, url=url)
    return replace(ask, url=url, method="GET", body=None, headers=headers)


async def _read(response: Response, bounds: Bounds) -> Answer | _Elsewhere:
    status = response.status_code
    if status in _REDIRECTS and "location" in response.headers:
        return _Elsewhere(response.headers["location"], status)
    headers = MappingProxyType({name.lower(): value for name, value in response.headers.items()})
    if status == 304:
        return Answer(b"", headers, unchanged=True)
    if not 200 <= status < 300:
        raise _refusal(status, headers)
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _is_wanted(media_type, bounds.content_types):
        said = media_type if media_type in _KNOWN_TYPES else "a type that nobody asked for"
        raise PullFailed(Failure.WRONG_CONTENT_TYPE, f"it answers {said}")
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:19]) > bounds.largest_body:
        raise _too_large(bounds)
    return Answer(await _body(response, headers.get("content-encoding", ""), bounds), headers)


def _is_wanted(media_type: str, wanted: frozenset[str] | None) -> bool:
    if not wanted:
        return wanted is None or media_type != "text/html"
    return media_type in wanted


async def _body(response: Response, encoding: str, bounds: Bounds) -> bytes:
    encoding = encoding.strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise PullFailed(Failure.BAD_ENCODING, "it is packed in a way that was not asked for")
    unpacking = _Unpacking(bounds) if encoding.endswith("gzip") else None
    pieces: list[bytes] = []
    packed = unpacked = 0
    async for piece in response.aiter_raw():
        packed += len(piece)
        if packed > bounds.largest_body:
            raise _too_large(bounds)
        whole = piece if unpacking is None else unpacking.feed(piece, unpacked)
        unpacked += len(whole)
        pieces.append(whole)
    if unpacking is not None and not unpacking.whole:
        raise PullFailed(Failure.BAD_ENCODING, "the packed body was cut off")
    return b"".join(pieces)


class _Unpacking:
    """Unpacks gzip no further than may be kept."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._gzip = zlib.decompressobj(wbits=31)

    @property
    def whole(self) -> bool:
        """Say whether the end was reached."""
        return self._gzip.eof

    def feed(self, piece: bytes, unpacked: int) -> bytes:
        """Unpack a piece; what comes after the end is let go."""
        room = self._bounds.largest_body - unpacked
        try:
            whole = self._gzip.decompress(piece, room + 1)
        except zlib.error as error:
            raise PullFailed(Failure.BAD_ENCODING, "it is no gzip though it says so") from error
        if len(whole) > room:
            raise _too_large(self._bounds)
        return whole


def _at_address(url: str, address: str, port: int) -> str:
    parts = urlsplit(url)
    host = f"[{address}]" if ":" in address else address
    return urlunsplit((parts.scheme, f"{host}:{port}", parts.path or "/", parts.query, ""))


def _refusal(status: int, headers: Mapping[str, str]) -> PullFailed:
    if status == 429:
        failure = Failure.TOO_MANY_REQUESTS
    else:
        failure = Failure.CLIENT_ERROR if status < 500 else Failure.SERVER_ERROR
    return PullFailed(failure, f"it answers {status}", retry_after_s=read_retry_after(headers.get("retry-after")))


def read_retry_after(written: str | None, now: datetime | None = None) -> float | None:
    """Give the seconds that a Retry-After asks for, as a number or until an instant; None where it can't be read."""
    if written is None:
        return None
    written = written.strip()
    if written.isascii() and written.isdecimal():
        return float(written[:9])
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def _too_large(bounds: Bounds) -> PullFailed:
    return PullFailed(Failure.TOO_LARGE, f"more than {bounds.largest_body} bytes")


def _connection_failure(error: BaseException, target: Target) -> PullFailed:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return PullFailed(Failure.TLS, f"{target.host}: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            return PullFailed(Failure.TLS, f"{target.host}: {cause.reason or 'no TLS'}")
        cause = cause.__cause__ or cause.__context__
    return PullFailed(Failure.UNREACHABLE, f"{target.host} takes no connection")
