"""The port of the register: what the parties agreed, written by the registry alone, read by everyone."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.calendars import Calendar
from bowei.domain.directory import Directory
from bowei.domain.lots import Hospital, HospitalId, Lot, LotId, SourceId


class SourceKind(StrEnum):
    """How a source is known."""

    NATIVE = "native"
    """By a key of ours that it sends with each report."""
    CITYBRAIN = "citybrain"
    """By its public key."""
    FEED = "feed"
    """By where we listen for it or fetch it, and by the secret it signs with: as the feeds file says."""


@dataclass(frozen=True, slots=True)
class Source:
    """A feed that reports: its key (only as a hash), and the lots it may report for, by its own codes."""

    source_id: SourceId
    kind: SourceKind
    key_sha256: bytes | None = field(default=None, repr=False)
    public_key: str | None = field(default=None, repr=False)
    suspended: bool = False
    """Its reports are refused: a person said so."""
    trusted: bool = True
    """Put so, it is believed at once, and each of its lots; else it earns trust. Given back, it says whether all of
    it did, so that a source that is put as it was given changes nobody's trust."""
    lots: tuple[tuple[str, LotId], ...] = ()
    """Pairs of the source's own code and the lot."""


LONGEST_KEY = 256
"""Characters: longer than any key that we make."""


def key_sha256_of(key: str) -> bytes:
    """Give what is kept of a key, and looked up by: it is random and long, so a plain hash is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class UnknownReference(Exception):
    """What was put refers to something that is not registered; `code` is the problem's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class StillInUse(Exception):
    """Live holds, stays or agreements still need what was to be changed or removed."""


class Register(Protocol):
    """Keeps lots, hospitals, agreements and sources. Putting the same again changes nothing.

    Every method raises StoreAway or OutcomeUnknown (repeat the same call).
    """

    async def directory(self) -> Directory:
        """Give all that is registered, as one value."""
        ...

    async def directory_version(self) -> int:
        """Give the version of the directory, which grows with every change."""
        ...

    async def put_calendars(self, calendars: Sequence[Calendar]) -> None:
        """Register calendars, or change them: of each all of its days."""
        ...

    async def put_lots(self, lots: Sequence[Lot]) -> None:
        """Register lots, or change them.

        Raises:
            UnknownReference: a lot's calendar is not registered.
            StillInUse: the new capacity is below what is held on the lot.
        """
        ...

    async def put_hospitals(self, hospitals: Sequence[Hospital]) -> None:
        """Register hospitals, or change them.

        Raises:
            UnknownReference: a hospital's lot is not registered.
        """
        ...

    async def put_agreements(self, agreements: Sequence[Agreement]) -> None:
        """Register agreements, or change them. Lowering what is lent below what is held only stops new holds.

        Raises:
            UnknownReference: a lot or hospital is not registered.
            StillInUse: an agreement would move to another lot while holds or stays run under it.
        """
        ...

    async def put_sources(self, sources: Sequence[Source]) -> None:
        """Register sources, or change them.

        Raises:
            UnknownReference: a lot is not registered.
        """
        ...

    async def pause_lot(self, lot_id: LotId, *, paused: bool) -> None:
        """Stop or resume all new holds on a lot, at once. Those that are held stay until they are moved.

        Raises:
            UnknownReference: the lot is not registered.
        """
        ...

    async def remove_agreement(self, agreement_id: AgreementId) -> None:
        """End an agreement, with every version of it that was never in force.

        Raises:
            UnknownReference: it is not registered.
            StillInUse: holds or stays were ever counted against it; pause it or give it a last day instead.
        """
        ...

    async def sources(self) -> Sequence[Source]:
        """List every source."""
        ...

    async def put_gate_key(self, hospital_id: HospitalId, key_sha256: bytes) -> None:
        """Let a key open a hospital's gate from now on; the one before ends at once.

        Raises:
            UnknownReference: the hospital is not registered.
        """
        ...

    async def gate_keys(self) -> Mapping[bytes, HospitalId]:
        """Give the SHA-256 of every gate's key, and the hospital that it opens."""
        ...

    async def find_hospital(self, hospital_id: HospitalId) -> Hospital | None:
        """Give one hospital, if registered."""
        ...
