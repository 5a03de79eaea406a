"""The port of the party book: who may sign in at the registry, written by the registry alone."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from bowei.domain.acts import Act
from bowei.domain.parties import Party, PartyId


class PartyBook(Protocol):
    """Keeps parties. Every method raises StoreAway or OutcomeUnknown (repeat the same call)."""

    async def parties(self) -> Sequence[Party]:
        """List every party, by id."""
        ...

    async def find(self, party_id: PartyId) -> Party | None:
        """Give one party, if registered."""
        ...

    async def put(self, party: Party) -> bool:
        """Register a party, or change it; say whether it is new. A secret that there is stays, whatever is put."""
        ...

    async def change_secret(self, party_id: PartyId, secret_sha256: bytes) -> bool:
        """Let another secret open from now on, and the one before no more. False: there is no such party."""
        ...

    async def offer_code(self, code_sha256: bytes, valid: timedelta) -> bool:
        """Let a one-time code make the first administrator for so long.

        False: there is an administrator, or another code is valid still.
        """
        ...

    async def make_first(self, administrator: Party, code_sha256: bytes, act: Act) -> bool:
        """Register the first administrator, end the code and note the act, in one commit.

        False: the code is not valid, or there is an administrator.
        """
        ...
