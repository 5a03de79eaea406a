"""Who asks, and what is there for them: the border of every operation of the registry.

admin token, or access token ──▶ party ──▶ may its role ask for this? ──▶ the directory, as it sees it
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from bowei.domain.agreements import Agreement
from bowei.domain.directory import Directory
from bowei.domain.lots import HospitalId, LotId, Name, SourceId
from bowei.domain.parties import Party, PartyId, Role, Side, Sight
from bowei.domain.problems import Refused
from bowei.observability.bearer import bearer
from bowei.records.registering import Source
from services.registry.access import Reach, reach_of
from services.registry.tokens import LONGEST_TOKEN
from services.registry.wiring import Wired, Wiring

ADMINISTRATOR = Party(PartyId("administrator"), Role.ADMINISTRATOR, Name("管理员", "Administrator"))
"""Whoever carries the admin token of the settings, as the audit names them."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A party that may ask for this operation, and of which objects."""

    party: Party
    reach: Reach
    wired: Wiring

    async def directory(self) -> Directory:
        """Give the directory with what is there for this party, and nothing else."""
        whole = await self.wired.register.directory()
        return whole if self.reach is Reach.ALL else Sight(self.party, whole).narrowed()

    async def sources(self) -> Sequence[Source]:
        """List the sources that report for lots of this party."""
        sources = await self.wired.register.sources()
        if self.reach is Reach.ALL:
            return sources
        own = set(Sight(self.party, await self.wired.register.directory()).own_lots())
        return [source for source in sources if any(lot_id in own for _, lot_id in source.lots)]

    async def check_lot(self, lot_id: str) -> None:
        """Let act on a lot whoever speaks for it. Raises Refused: unknown_lot."""
        if self.reach is Reach.OWN:
            whole = await self.wired.register.directory()
            if LotId(lot_id) not in set(Sight(self.party, whole).own_lots()):
                raise Refused("unknown_lot")

    async def check_hospital(self, hospital_id: str) -> None:
        """Let act for a hospital whoever speaks for it. Raises Refused: unknown_hospital."""
        if self.reach is Reach.OWN:
            whole = await self.wired.register.directory()
            hospital = whole.hospitals.get(HospitalId(hospital_id))
            if hospital is None or not Sight(self.party, whole).owns_hospital(hospital):
                raise Refused("unknown_hospital")

    async def check_agreement(self, agreement: Agreement | None) -> None:
        """Let set an agreement whoever coordinates both its sides. Raises Refused: unknown_agreement."""
        if self.reach is Reach.OWN and agreement is not None:
            whole = await self.wired.register.directory()
            if Sight(self.party, whole).side_of(agreement) is not Side.BOTH:
                raise Refused("unknown_agreement")

    async def sees_agreement(self, agreement: Agreement) -> bool:
        """Say whether an agreement, or a version of it, is of one of this party's lots or hospitals."""
        if self.reach is Reach.ALL:
            return True
        return Sight(self.party, await self.wired.register.directory()).side_of(agreement) is not None

    async def side_of(self, agreement: Agreement) -> Side:
        """Give for which side of an agreement this party speaks. Raises Refused: unknown_agreement, where for none."""
        side = Sight(self.party, await self.wired.register.directory()).side_of(agreement)
        if side is None:
            raise Refused("unknown_agreement")
        return side

    async def check_source(self, source_id: str) -> None:
        """Let look at a source whose lots it reports for. Raises Refused: unknown_source."""
        if SourceId(source_id) not in {source.source_id for source in await self.sources()}:
            raise Refused("unknown_source")

    def check_party(self, party_id: str) -> None:
        """Let a party see itself alone. Raises Refused: unknown_party."""
        if self.reach is Reach.OWN and party_id != self.party.party_id:
            raise Refused("unknown_party")


async def party_of(wired: Wiring, authorization: str | None) -> Party:
    """Give the party whose token an Authorization header bears.

    Raises:
        Refused: key_missing, key_wrong; store_away where an outside provider's keys can't be had.
    """
    token = bearer(authorization, longest=LONGEST_TOKEN)
    if is_admin_token(wired, token):
        return ADMINISTRATOR
    if token.count(".") != 2:
        raise Refused("key_wrong")
    opens = wired.tokens if wired.outside_tokens is None or wired.tokens.signed(token) else wired.outside_tokens
    party = await wired.parties.find(await opens.party_of(token))
    if party is None or party.suspended:
        raise Refused("key_wrong")
    return party


def is_admin_token(wired: Wiring, token: str) -> bool:
    """Say whether this is the admin token, in constant time; without one in the settings nothing is."""
    sent = token.encode("utf-8", "surrogateescape")
    return wired.admin_token is not None and hmac.compare_digest(sent, wired.admin_token)


async def asker(request: Request, wired: Wired) -> Asker:
    """Let pass who may ask for this operation, and note who it is.

    Raises:
        Refused: key_missing, key_wrong, not_allowed, store_away.
    """
    party = await party_of(wired, request.headers.get("authorization"))
    request.state.actor = party.party_id
    reach = reach_of(request.scope["route"].operation_id, party.role)
    if reach is None:
        raise Refused("not_allowed")
    return Asker(party, reach, wired)


Asking = Annotated[Asker, Depends(asker)]
