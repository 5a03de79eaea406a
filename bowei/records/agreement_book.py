"""The port of the agreement book: the versions of agreements, written by the registry alone."""

from collections.abc import Sequence
from typing import Protocol

from bowei.domain.agreement_versions import Version, VersionState
from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.parties import PartyId, Side


class AlreadyDecided(Exception):
    """A version that was decided is decided again, in another way."""


class AgreementBook(Protocol):
    """Keeps versions, and brings them in force. Every method raises StoreAway or OutcomeUnknown."""

    async def versions(self, agreement_id: AgreementId) -> Sequence[Version]:
        """List an agreement's versions, oldest first; none where nobody ever proposed one."""
        ...

    async def pending(self) -> Sequence[Version]:
        """List the versions that wait for the other side, by agreement and number."""
        ...

    async def propose(self, agreement: Agreement, side: Side, by: PartyId) -> Version:
        """Add a version; of `Side.BOTH` it is accepted at once. The same as the newest that waits is that one.

        Raises:
            UnknownReference: the lot or the hospital is not registered.
            StillInUse: it is of another lot or hospital than the versions before.
        """
        ...

    async def decide(self, agreement_id: AgreementId, number: int, decision: VersionState, by: PartyId) -> Version:
        """Accept, decline or withdraw a version; the same again changes nothing. What is due comes in force at once.

        Raises:
            UnknownReference: unknown_version.
            AlreadyDecided: it was decided in another way.
            StillInUse: more is held under it than could be moved.
        """
        ...

    async def bring_in_force(self) -> Sequence[AgreementId]:
        """Let accepted versions whose first day has come take the place of those before; give which did."""
        ...
