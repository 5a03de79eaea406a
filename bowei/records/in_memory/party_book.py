"""The party book's twin."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

from typing_extensions import override

from bowei.domain.acts import Act
from bowei.domain.parties import Party, PartyId, Role
from bowei.records.in_memory.audit import InMemoryAuditTrail
from bowei.records.in_memory.world import InMemoryRecords
from bowei.records.party_book import PartyBook


class InMemoryPartyBook(PartyBook):
    """The party book in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records

    @override
    async def parties(self) -> Sequence[Party]:
        return [party for _, party in sorted(self._records.parties.items())]

    @override
    async def find(self, party_id: PartyId) -> Party | None:
        return self._records.parties.get(party_id)

    @override
    async def put(self, party: Party) -> bool:
        known = self._records.parties.get(party.party_id)
        secret = (known.secret_sha256 if known else None) or party.secret_sha256
        self._records.parties[party.party_id] = dataclasses.replace(party, secret_sha256=secret)
        return known is None

    @override
    async def change_secret(self, party_id: PartyId, secret_sha256: bytes) -> bool:
        known = self._records.parties.get(party_id)
        if known is None:
            return False
        self._records.parties[party_id] = dataclasses.replace(known, secret_sha256=secret_sha256)
        return True

    @override
    async def offer_code(self, code_sha256: bytes, valid: timedelta) -> bool:
        known = self._records.first_code
        if self._has_administrator() or (known is not None and known[1] > self._records.now):
            return False
        self._records.first_code = (code_sha256, self._records.now + valid)
        return True

    @override
    async def make_first(self, administrator: Party, code_sha256: bytes, act: Act) -> bool:
        code = self._records.first_code
        if code is None or code[0] != code_sha256 or code[1] <= self._records.now or self._has_administrator():
            return False
        self._records.first_code = None
        await self.put(administrator)
        await InMemoryAuditTrail(self._records).note(act)
        return True

    def _has_administrator(self) -> bool:
        return any(party.role is Role.ADMINISTRATOR for party in self._records.parties.values())
