"""The register's twin."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from typing_extensions import override

from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.calendars import Calendar
from bowei.domain.directory import Directory
from bowei.domain.lots import Hospital, HospitalId, Lot, LotId
from bowei.domain.trust import TrustState
from bowei.records.in_memory.quality import enrol
from bowei.records.in_memory.world import InMemoryRecords
from bowei.records.registering import Register, Source, StillInUse, UnknownReference


class InMemoryRegister(Register):
    """The register in memory. What is put together is checked whole before any of it is kept."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records

    @override
    async def directory(self) -> Directory:
        world = self._records
        agreements = sorted(world.agreements.values(), key=lambda one: one.agreement_id)
        return Directory.of(
            world.directory_version, world.lots.values(), world.hospitals.values(), agreements, world.calendars.values()
        )

    @override
    async def directory_version(self) -> int:
        return self._records.directory_version

    @override
    async def put_calendars(self, calendars: Sequence[Calendar]) -> None:
        self._records.calendars.update({calendar.calendar_id: calendar for calendar in calendars})
        self._records.directory_version += 1

    @override
    async def put_lots(self, lots: Sequence[Lot]) -> None:
        world = self._records
        known = [lot for lot in lots if lot.lot_id in world.lots]
        if any(world.promise(lot.lot_id).held > lot.capacity for lot in known):
            raise StillInUse
        if any(lot.calendar is not None and lot.calendar not in world.calendars for lot in lots):
            raise UnknownReference("unknown_calendar")
        for lot in lots:
            old = world.lots.get(lot.lot_id)
            world.lots[lot.lot_id] = lot
            if old is None or old.capacity != lot.capacity:
                world.changed_promise(lot.lot_id)
        world.directory_version += 1

    @override
    async def put_hospitals(self, hospitals: Sequence[Hospital]) -> None:
        self._refuse_unknown_lots(hospital.lot_id for hospital in hospitals)
        self._records.hospitals.update({hospital.hospital_id: hospital for hospital in hospitals})
        self._records.directory_version += 1

    @override
    async def put_agreements(self, agreements: Sequence[Agreement]) -> None:
        world = self._records
        for agreement in agreements:
            running = [k for k in world.every_hold() if k.hold.agreement_id == agreement.agreement_id]
            if any((k.live or k.staying) and k.hold.lot_id != agreement.lot_id for k in running):
                raise StillInUse
            self._refuse_unknown_lots([agreement.lot_id])
            if agreement.hospital_id not in world.hospitals:
                raise UnknownReference("unknown_hospital")
        world.agreements.update({agreement.agreement_id: agreement for agreement in agreements})
        world.directory_version += 1

    @override
    async def put_sources(self, sources: Sequence[Source]) -> None:
        self._refuse_unknown_lots(lot_id for source in sources for _, lot_id in source.lots)
        ordered = [dataclasses.replace(source, lots=tuple(sorted(source.lots))) for source in sources]
        self._records.sources.update({source.source_id: source for source in ordered})
        enrol(self._records, ordered)
        self._records.directory_version += 1

    @override
    async def pause_lot(self, lot_id: LotId, *, paused: bool) -> None:
        world = self._records
        self._refuse_unknown_lots([lot_id])
        world.lots[lot_id] = dataclasses.replace(world.lots[lot_id], paused=paused)
        world.directory_version += 1

    @override
    async def remove_agreement(self, agreement_id: AgreementId) -> None:
        world = self._records
        if agreement_id not in world.agreements:
            raise UnknownReference("unknown_agreement")
        if any(kept.hold.agreement_id == agreement_id for kept in world.every_hold()):
            raise StillInUse
        del world.agreements[agreement_id]
        begun = world.in_force_since.get(agreement_id, {})
        world.agreement_versions[agreement_id] = [
            version for version in world.agreement_versions.get(agreement_id, []) if version.number in begun
        ]
        world.directory_version += 1

    @override
    async def sources(self) -> Sequence[Source]:
        world = self._records
        on_probation = {key[0] for key, trust in world.trusts.items() if trust.state is TrustState.PROBATION}
        return [
            dataclasses.replace(source, trusted=source.source_id not in on_probation)
            for source in world.sources.values()
        ]

    @override
    async def put_gate_key(self, hospital_id: HospitalId, key_sha256: bytes) -> None:
        world = self._records
        if hospital_id not in world.hospitals:
            raise UnknownReference("unknown_hospital")
        others = {key: opened for key, opened in world.gate_keys.items() if opened != hospital_id}
        world.gate_keys = others | {key_sha256: hospital_id}
        world.directory_version += 1

    @override
    async def gate_keys(self) -> Mapping[bytes, HospitalId]:
        return dict(self._records.gate_keys)

    @override
    async def find_hospital(self, hospital_id: HospitalId) -> Hospital | None:
        return self._records.hospitals.get(hospital_id)

    def _refuse_unknown_lots(self, lot_ids: Iterable[LotId]) -> None:
        if not set(lot_ids) <= self._records.lots.keys():
            raise UnknownReference("unknown_lot")
