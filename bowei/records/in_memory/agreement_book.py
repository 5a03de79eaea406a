"""The agreement book's twin."""

import dataclasses
from collections.abc import Sequence

from typing_extensions import override

from bowei.domain.agreement_versions import Version, VersionState, due
from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.parties import PartyId, Side
from bowei.records.agreement_book import AgreementBook, AlreadyDecided
from bowei.records.in_memory.registering import InMemoryRegister
from bowei.records.in_memory.world import InMemoryRecords
from bowei.records.registering import StillInUse, UnknownReference


class InMemoryAgreementBook(AgreementBook):
    """The agreement book in memory; what is in force is the domain's own rule."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records
        self._register = InMemoryRegister(records)

    @override
    async def versions(self, agreement_id: AgreementId) -> Sequence[Version]:
        return list(self._records.agreement_versions.get(agreement_id, ()))

    @override
    async def pending(self) -> Sequence[Version]:
        every = [one for _, versions in sorted(self._records.agreement_versions.items()) for one in versions]
        return [version for version in every if version.state is VersionState.PROPOSED]

    @override
    async def propose(self, agreement: Agreement, side: Side, by: PartyId) -> Version:
        world = self._records
        if agreement.lot_id not in world.lots:
            raise UnknownReference("unknown_lot")
        if agreement.hospital_id not in world.hospitals:
            raise UnknownReference("unknown_hospital")
        kept = world.agreement_versions.setdefault(agreement.agreement_id, [])
        before = [one.agreement for one in kept[-1:]]
        before += [world.agreements[agreement.agreement_id]] if agreement.agreement_id in world.agreements else []
        if any((one.lot_id, one.hospital_id) != (agreement.lot_id, agreement.hospital_id) for one in before):
            raise StillInUse
        if (
            kept
            and kept[-1].agreement == agreement
            and kept[-1].state is VersionState.PROPOSED
            and kept[-1].side is side
        ):
            return kept[-1]
        version = Version(kept[-1].number + 1 if kept else 1, agreement, VersionState.PROPOSED, side, by, world.now)
        if side is Side.BOTH:
            version = dataclasses.replace(version, state=VersionState.ACCEPTED, decided_by=by, decided_at=world.now)
        kept.append(version)
        await self._bring(agreement.agreement_id)
        return version

    @override
    async def decide(self, agreement_id: AgreementId, number: int, decision: VersionState, by: PartyId) -> Version:
        kept = self._records.agreement_versions.get(agreement_id, [])
        place = next((place for place, one in enumerate(kept) if one.number == number), None)
        if place is None:
            raise UnknownReference("unknown_version")
        known = kept[place]
        if known.state is decision:
            return known
        if known.state is not VersionState.PROPOSED:
            raise AlreadyDecided
        kept[place] = dataclasses.replace(known, state=decision, decided_by=by, decided_at=self._records.now)
        await self._bring(agreement_id)
        return kept[place]

    @override
    async def bring_in_force(self) -> Sequence[AgreementId]:
        begun = [one for one, versions in sorted(self._records.agreement_versions.items()) if versions]
        return [one for one in begun if await self._bring(one)]

    async def _bring(self, agreement_id: AgreementId) -> bool:
        world = self._records
        kept = world.agreement_versions[agreement_id]
        zone = world.lots[kept[0].agreement.lot_id].zone
        known = world.agreements.get(agreement_id)
        version = due(kept, world.now.astimezone(zone).date(), begun=known is not None)
        if version is None or version.number <= world.in_force.get(agreement_id, 0):
            return False
        paused = version.agreement.paused or (known is not None and known.paused)
        await self._register.put_agreements([dataclasses.replace(version.agreement, paused=paused)])
        world.in_force[agreement_id] = version.number
        world.in_force_since.setdefault(agreement_id, {})[version.number] = world.now
        return True
