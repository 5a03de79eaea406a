"""Who else may ask: lots by their source's key, hospitals by their gate's. As the register says, read now and then.

Keys of which nothing is known are looked for anew, at most twice a second: the party may have been registered a moment
ago. With the record away the last reading goes on, and a key that it does not know is not called wrong.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bowei.domain.lots import HospitalId, LotId
from bowei.domain.problems import Refused
from bowei.observability.bearer import bearer
from bowei.records.failures import StoreAway, StoreFailure
from bowei.records.registering import LONGEST_KEY, Register, Source, key_sha256_of

_FRESH_FOR_S = 2.0
_MISS_GAP_S = 0.5

_Party = TypeVar("_Party")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Reading:
    version: int
    sources: Mapping[bytes, Source] = field(repr=False)
    gates: Mapping[bytes, HospitalId] = field(repr=False)


class KnownKeys:
    """Opens keys of lots' sources and of hospitals' gates."""

    def __init__(self, register: Register, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._register = register
        self._monotonic = monotonic
        self._reads = asyncio.Lock()
        self._reading: _Reading | None = None
        self._tried_at = float("-inf")
        self._unread = False
        """Whether the last attempt to read the register failed."""

    async def source_of(self, authorization: str | None) -> Source:
        """Give the source whose key an Authorization header holds.

        Raises:
            Refused: key_missing, key_wrong, not_allowed (it is suspended).
            StoreFailure: it is not known, and the register can't be read.
        """
        digest = _digest_of(authorization)
        source = await self._found(lambda reading: reading.sources.get(digest))
        if source is None or not hmac.compare_digest(source.key_sha256 or b"", digest):
            raise Refused("key_wrong")
        if source.suspended:
            raise Refused("not_allowed")
        return source

    async def lot_of(self, authorization: str | None, name: str) -> LotId:
        """Give the lot that a source calls `name`: by its own code, or by the lot's id.

        Raises:
            Refused: as `source_of`, and not_your_lot.
            StoreFailure: as `source_of`.
        """
        return lot_named(await self.source_of(authorization), name)

    async def gate_of(self, authorization: str | None) -> HospitalId:
        """Give the hospital whose gate's key an Authorization header holds.

        Raises:
            Refused: key_missing, key_wrong.
            StoreFailure: it is not known, and the register can't be read.
        """
        digest = _digest_of(authorization)
        hospital_id = await self._found(lambda reading: reading.gates.get(digest))
        if hospital_id is None:
            raise Refused("key_wrong")
        return hospital_id

    async def _found(self, look: Callable[[_Reading], _Party | None]) -> _Party | None:
        found = look(await self._read(_FRESH_FOR_S))
        if found is None:
            found = look(await self._read(_MISS_GAP_S, missed=True))
        if found is None and self._unread:
            # The key may be of a party registered since: who is told 401 would not come back.
            raise StoreAway
        return found

    async def _read(self, older_than_s: float, *, missed: bool = False) -> _Reading:
        # A reading that is under way may hold what was missed: it is waited for. Whoever has one goes on with it.
        under_way = self._reads.locked()
        if self._reading is not None and not (missed if under_way else self._age_s() > older_than_s):
            return self._reading
        async with self._reads:
            if self._reading is None or self._age_s() > _MISS_GAP_S:
                await self._read_anew()
        if self._reading is None:
            raise StoreAway
        return self._reading

    def _age_s(self) -> float:
        return self._monotonic() - self._tried_at

    async def _read_anew(self) -> None:
        self._tried_at, self._unread = self._monotonic(), True
        try:
            version = await self._register.directory_version()
            if self._reading is None or version != self._reading.version:
                # The version first: a change while the rest is read makes the next look read all of it again.
                sources = {source.key_sha256: source for source in await self._register.sources() if source.key_sha256}
                self._reading = _Reading(version, sources, await self._register.gate_keys())
            self._unread = False
        except StoreFailure as failure:
            if self._reading is None:
                raise
            _log.warning("register_not_read", extra={"cause": type(failure).__name__})


def lot_named(source: Source, name: str) -> LotId:
    """Give the lot that a source calls `name`. Raises Refused: not_your_lot."""
    by_code = dict(source.lots)
    lot_id = by_code.get(name, LotId(name))
    if lot_id not in by_code.values():
        raise Refused("not_your_lot")
    return lot_id


def _digest_of(authorization: str | None) -> bytes:
    return key_sha256_of(bearer(authorization, longest=LONGEST_KEY))
