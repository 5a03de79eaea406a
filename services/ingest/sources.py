"""Who may report: sources, their keys and their lots, as the register says them.

The register is read into one value that is asked many times and read again at most every `FRESH_FOR_S`, and sooner,
at most every `MISS_GAP_S`, when somebody comes whom it does not know, who waits for it: a source that was registered a
moment ago. With the record away the last reading goes on; reports can't be recorded then anyway.
"""

import asyncio
import base64
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bowei.domain.directory import Directory
from bowei.domain.lots import LotId, SourceId
from bowei.domain.problems import Refused
from bowei.observability.bearer import bearer
from bowei.records.failures import StoreAway, StoreFailure
from bowei.records.registering import LONGEST_KEY, Register, Source, SourceKind, key_sha256_of
from services.ingest.citybrain.keys import Client, Keys, KeyUnusable, Sealing, read_public_key

FRESH_FOR_S = 2.0
MISS_GAP_S = 0.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sealings:
    """Which City Brain clients seal with our public key, and the private half that opens what they send."""

    server_key: RSAPrivateKey | None = field(default=None, repr=False)
    access_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reporter:
    """A source, and its registered lots by every name that it may call them: its own code, or the lot's id."""

    source: Source
    lots: Mapping[str, LotId]


@dataclass(frozen=True, slots=True)
class Registered:
    """One reading of the register."""

    directory: Directory
    by_id: Mapping[str, Reporter]
    by_key: Mapping[bytes, Reporter] = field(repr=False)
    """By the SHA-256 of the key."""
    citybrain_keys: Keys = field(repr=False)

    def find_lot(self, reporter: Reporter, name: str) -> LotId | None:
        """Give the lot that a reporter means, if it may report for it."""
        return reporter.lots.get(name)

    def why_not(self, name: str) -> str:
        """Give the code of why nobody's lot was found by this name."""
        return "not_your_lot" if name in self.directory.lots else "unknown_lot"

    def capacity_of(self, lot_id: LotId) -> int:
        """Give how many spaces the parties registered."""
        return self.directory.lots[lot_id].capacity


class Sources:
    """Knows who may report. Every method raises StoreFailure where the register could not be read even once."""

    def __init__(
        self,
        register: Register,
        *,
        sealings: Sealings | None = None,
        also_read: Callable[[], Awaitable[None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`also_read` reads what must be as young as the register: what was learned of a lot just registered."""
        self._register = register
        self._sealings = sealings or Sealings()
        self._also_read = also_read
        self._monotonic = monotonic
        self._reading = asyncio.Lock()
        self._registered: Registered | None = None
        self._version = -1
        self._tried_at = float("-inf")
        self._unread = False
        """Whether the last attempt to read the register failed."""

    async def registered(self, *, missed: bool = False, wait: bool = False) -> Registered:
        """Give the register as it was read a moment ago; `missed` asks for a younger reading, if one is due.

        `wait`: until one is due, at most `MISS_GAP_S`.
        """
        due = self._age_s() > (MISS_GAP_S if missed else FRESH_FOR_S)
        # A reading that is under way may hold what was missed: it is waited for.
        if self._registered is None or due or wait or (missed and self._reading.locked()):
            await self._read_once(missed=missed, wait=wait)
        if self._registered is None:
            raise StoreAway
        return self._registered

    async def reporter_of(self, authorization: str | None) -> tuple[Registered, Reporter]:
        """Give the source whose key an Authorization header holds.

        Raises:
            Refused: `key_missing`, `key_wrong`, or `not_allowed` where the source is suspended.
            StoreAway: nobody known has this key, and the register can't be read just now.
        """
        digest = key_sha256_of(bearer(authorization, longest=LONGEST_KEY))
        registered, reporter = await self._found(lambda registered: _with_key(registered, digest))
        if reporter is None:
            raise Refused("key_wrong")
        _refuse_suspended(reporter)
        return registered, reporter

    async def signer(self, source_id: SourceId, check: Callable[[bytes | None], None]) -> tuple[Registered, Reporter]:
        """Give the source that signed; `check` is given the SHA-256 of its key (None: no such source), and refuses.

        Raises:
            Refused: whatever `check` raises, or `not_allowed` where the source is suspended.
            StoreAway: nobody known has this name, and the register can't be read just now.
        """
        registered, reporter = await self._found(lambda registered: registered.by_id.get(source_id))
        check(None if reporter is None else reporter.source.key_sha256)
        if reporter is None:
            raise Refused("signature_wrong")
        _refuse_suspended(reporter)
        return registered, reporter

    async def _found(self, find: Callable[[Registered], Reporter | None]) -> tuple[Registered, Reporter | None]:
        registered = await self.registered()
        reporter = find(registered)
        if reporter is None:
            # Who was registered just after the last reading would else be sent away for good.
            registered = await self.registered(missed=True, wait=True)
            reporter = find(registered)
        if reporter is None and self._unread:
            # It may be a source registered since: a sender that is told 401 would not come back.
            raise StoreAway
        return registered, reporter

    async def with_lots(
        self, registered: Registered, reporter: Reporter, names: Iterable[str]
    ) -> tuple[Registered, Reporter]:
        """Give a younger reading if one of these lots is not in this one: it may just have been registered."""
        if reporter.lots.keys() >= set(names):
            return registered, reporter
        registered = await self.registered(missed=True)
        return registered, registered.by_id.get(reporter.source.source_id, reporter)

    def _age_s(self) -> float:
        return self._monotonic() - self._tried_at

    async def _read_once(self, *, missed: bool, wait: bool) -> None:
        # Whoever has a reading goes on with it while another request waits for the younger one.
        if self._reading.locked() and self._registered is not None and not missed:
            return
        asked_at = self._monotonic()
        async with self._reading:
            early_s = MISS_GAP_S - self._age_s()
            if self._registered is not None and early_s >= 0:
                if not wait or self._tried_at > asked_at:
                    return
                await asyncio.sleep(early_s)
            self._tried_at = self._monotonic()
            self._unread = True
            try:
                await self._read()
                self._unread = False
            except StoreFailure as failure:
                if self._registered is None:
                    raise
                _log.warning("register_not_read", extra={"cause": type(failure).__name__})

    async def _read(self) -> None:
        version = await self._register.directory_version()
        if version == self._version:
            return
        # The version first: a change while the rest is read makes the next look read all of it again.
        sources = await self._register.sources()
        directory = await self._register.directory()
        if self._also_read is not None:
            await self._also_read()
        self._registered = _registered(directory, sources, self._sealings)
        self._version = version


def basic_pair(authorization: str | None) -> tuple[str, str]:
    """Give the user and the password of HTTP Basic.

    Raises:
        Refused: key_missing or key_wrong.
    """
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic" or not encoded.strip():
        raise Refused("key_missing")
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:
        raise Refused("key_wrong") from None
    if not colon or not password:
        raise Refused("key_wrong")
    return user, password


def _refuse_suspended(reporter: Reporter) -> None:
    if reporter.source.suspended:
        raise Refused("not_allowed")


def _with_key(registered: Registered, digest: bytes) -> Reporter | None:
    # Looked up by digest, so that time says nothing of the key; compared whole, as keys always are.
    reporter = registered.by_key.get(digest)
    if reporter is None or not hmac.compare_digest(reporter.source.key_sha256 or b"", digest):
        return None
    return reporter


def _registered(directory: Directory, sources: Sequence[Source], sealings: Sealings) -> Registered:
    reporters = [Reporter(source, MappingProxyType(_names(source, directory))) for source in sources]
    clients = [
        client for source in sources if (client := _client(source, source.source_id in sealings.access_ids)) is not None
    ]
    return Registered(
        directory=directory,
        by_id=MappingProxyType({reporter.source.source_id: reporter for reporter in reporters}),
        by_key=MappingProxyType(
            {reporter.source.key_sha256: reporter for reporter in reporters if reporter.source.key_sha256}
        ),
        citybrain_keys=Keys({client.access_id: client for client in clients}, sealings.server_key),
    )


def _names(source: Source, directory: Directory) -> dict[str, LotId]:
    by_code = {code: lot_id for code, lot_id in source.lots if lot_id in directory.lots}
    return by_code | {lot_id: lot_id for lot_id in by_code.values()}


def _client(source: Source, sealed_for_server: bool) -> Client | None:
    if source.kind is not SourceKind.CITYBRAIN or source.public_key is None:
        return None
    sealing = Sealing.SERVER_PUBLIC_KEY if sealed_for_server else Sealing.CLIENT_PRIVATE_KEY
    try:
        return Client(source.source_id, read_public_key(source.public_key), sealing)
    except KeyUnusable:
        _log.error("public_key_unusable", extra={"source_id": source.source_id})
        return None
