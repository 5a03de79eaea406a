"""The parties to the sharing: who each is, and what of the city it may see and act on.

A role says which operations a party may ask for at all; what it speaks for (its lots, hospitals, blocks) says on which
objects. `Sight` cuts the directory down to those: what a party does not see is not there for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from bowei.domain.agreements import Agreement
from bowei.domain.directory import Directory
from bowei.domain.lots import Hospital, HospitalId, Lot, LotId, Name

PartyId = NewType("PartyId", str)


class Role(StrEnum):
    """What a party is in the city."""

    ADMINISTRATOR = "administrator"
    """Runs Bowei: registers everybody, and may ask for everything."""
    CITY = "city"
    """Reads all, the audit too."""
    STREET_OFFICE = "street_office"
    """Coordinates blocks: their agreements, and a lot's pause."""
    TRAFFIC_POLICE = "traffic_police"
    """Closes roads, says how fast they are, reads all but the audit."""
    URBAN_MANAGEMENT = "urban_management"
    """Looks after data: suspends and releases sources and lots, reads all but the audit."""
    HOSPITAL = "hospital"
    """Speaks for hospitals: their gates' keys, their agreements."""
    OPERATOR = "operator"
    """Speaks for lots: pauses them, sees their agreements and sources."""


class Side(StrEnum):
    """For which side of an agreement somebody speaks."""

    LOT = "lot"
    HOSPITAL = "hospital"
    BOTH = "both"
    """Who coordinates both needs nobody else's word."""


SEES_ALL = frozenset({Role.ADMINISTRATOR, Role.CITY, Role.TRAFFIC_POLICE, Role.URBAN_MANAGEMENT})


@dataclass(frozen=True, slots=True)
class Party:
    """One party. Of its secret only a hash is kept; who has none can't sign in by one."""

    party_id: PartyId
    role: Role
    name: Name
    lots: frozenset[LotId] = frozenset()
    hospitals: frozenset[HospitalId] = frozenset()
    blocks: frozenset[str] = frozenset()
    suspended: bool = False
    secret_sha256: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sight:
    """What of a directory a party sees."""

    party: Party
    directory: Directory

    def narrowed(self) -> Directory:
        """Give the directory with nothing in it that the party does not see; its version stays."""
        if self.party.role in SEES_ALL:
            return self.directory
        whole = self.directory
        lent_to = {one.hospital_id for one in whole.agreements if self._is_own_lot(one.lot_id)}
        lending = {one.lot_id for one in whole.agreements if self._is_own_hospital(one.hospital_id)}
        return Directory.of(
            whole.version,
            (lot for lot in whole.lots.values() if self.owns_lot(lot) or lot.lot_id in lending),
            (one for one in whole.hospitals.values() if self.owns_hospital(one) or one.hospital_id in lent_to),
            (one for one in whole.agreements if self.side_of(one) is not None),
            whole.calendars.values(),
        )

    def own_lots(self) -> Iterable[LotId]:
        """Give the lots that the party speaks for: those it may act on."""
        return (lot.lot_id for lot in self.directory.lots.values() if self.owns_lot(lot))

    def owns_lot(self, lot: Lot) -> bool:
        """Say whether the party speaks for a lot. A hospital speaks for the lot in its own yard."""
        match self.party.role:
            case Role.OPERATOR:
                return lot.lot_id in self.party.lots
            case Role.STREET_OFFICE:
                return bool(lot.block) and lot.block in self.party.blocks
            case Role.HOSPITAL:
                hospitals = self.directory.hospitals
                return any(hospitals[one].lot_id == lot.lot_id for one in self.party.hospitals if one in hospitals)
        return True

    def owns_hospital(self, hospital: Hospital) -> bool:
        """Say whether the party speaks for a hospital."""
        match self.party.role:
            case Role.HOSPITAL:
                return hospital.hospital_id in self.party.hospitals
            case Role.STREET_OFFICE:
                return bool(hospital.block) and hospital.block in self.party.blocks
            case Role.OPERATOR:
                return False
        return True

    def side_of(self, agreement: Agreement) -> Side | None:
        """Say for which side of an agreement the party speaks; None: for neither."""
        of_lot, of_hospital = self._is_own_lot(agreement.lot_id), self._is_own_hospital(agreement.hospital_id)
        if of_lot and of_hospital:
            return Side.BOTH
        return Side.LOT if of_lot else Side.HOSPITAL if of_hospital else None

    def _is_own_lot(self, lot_id: LotId) -> bool:
        lot = self.directory.lots.get(lot_id)
        return lot is not None and self.owns_lot(lot)

    def _is_own_hospital(self, hospital_id: HospitalId) -> bool:
        hospital = self.directory.hospitals.get(hospital_id)
        return hospital is not None and self.owns_hospital(hospital)
