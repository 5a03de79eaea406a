"""The twin of what sharing brings: counted from the holds by the domain's own rules."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from typing_extensions import override

from bowei.domain.agreements import AgreementId
from bowei.domain.holds import BARRIER_REFUSED, REFUSED_ON_ARRIVAL, HoldState
from bowei.domain.lots import HospitalId, LotId
from bowei.domain.sharing_reports import Coming, Month, SharingLine
from bowei.domain.tariffs import Tariff
from bowei.records.in_memory.world import InMemoryRecords, KeptHold
from bowei.records.sharing import ReadsSharing

_REFUSALS = (REFUSED_ON_ARRIVAL, BARRIER_REFUSED)


class InMemorySharing(ReadsSharing):
    """Reads the world."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records

    @override
    async def month(
        self, month: Month, lot_ids: Collection[LotId] | None, hospital_ids: Collection[HospitalId] | None
    ) -> Sequence[SharingLine]:
        together: dict[tuple[str, str, str, str], list[KeptHold]] = defaultdict(list)
        for kept in self._records.every_hold():
            hold = kept.hold
            placed = hold.placed_at.astimezone(self._records.lots[hold.lot_id].zone).replace(tzinfo=None)
            everybody = lot_ids is None and hospital_ids is None
            wanted = everybody or hold.lot_id in (lot_ids or ()) or hold.hospital_id in (hospital_ids or ())
            if wanted and month.begins <= placed < month.ends:
                together[hold.lot_id, hold.agreement_id, hold.space_class, hold.hospital_id].append(kept)
        return [self._line(together[key]) for key in sorted(together)]

    @override
    async def coming(self, lot_id: LotId) -> Sequence[Coming]:
        holds = [kept.hold for kept in self._records.holds_on(lot_id) if kept.live]
        now = self._records.now
        coming = [one for one in holds if one.state is HoldState.ARRIVED or one.expires_at > now]
        return [
            Coming(one.code, one.hospital_id, one.space_class, one.state, one.expires_at)
            for one in sorted(coming, key=lambda one: (one.expires_at, one.diversion_id))
        ]

    def _line(self, kept: Sequence[KeptHold]) -> SharingLine:
        first, states = kept[0].hold, [one.hold.state for one in kept]
        revoked = [one.hold.reason in _REFUSALS for one in kept if one.hold.state is HoldState.REVOKED]
        stays = [(one.hold, one.stay_ended_at) for one in kept if one.stay_ended_at is not None]
        income, currencies = None, set()
        for hold, ended_at in stays:
            began_at = hold.arrived_at or ended_at
            tariff = self._tariff_at(hold.agreement_id, began_at)
            if tariff is not None:
                income = (income or Decimal(0)) + tariff.fee(ended_at - began_at)
                currencies.add(tariff.currency)
        return SharingLine(
            lot_id=first.lot_id,
            hospital_id=first.hospital_id,
            agreement_id=first.agreement_id,
            space_class=first.space_class,
            held=len(kept),
            honoured=states.count(HoldState.SETTLED),
            refused=sum(revoked),
            moved=len(revoked) - sum(revoked),
            expired=states.count(HoldState.EXPIRED),
            released=states.count(HoldState.RELEASED),
            stays=len(stays),
            parked=sum((ended_at - (hold.arrived_at or ended_at) for hold, ended_at in stays), timedelta()),
            income=income,
            currency=min(currencies, default=None),
        )

    def _tariff_at(self, agreement_id: AgreementId, at: datetime) -> Tariff | None:
        world = self._records
        begun = [number for number, since in world.in_force_since.get(agreement_id, {}).items() if since <= at]
        if begun:
            versions = {version.number: version for version in world.agreement_versions[agreement_id]}
            return versions[max(begun)].agreement.tariff
        agreement = world.agreements.get(agreement_id)
        return None if agreement is None else agreement.tariff
