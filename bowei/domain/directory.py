"""The directory: all that the parties registered, as one value with a version."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.calendars import Calendar, LocalTime
from bowei.domain.lots import CalendarId, Hospital, HospitalId, Lot, LotId


@dataclass(frozen=True, slots=True)
class Directory:
    """Lots, hospitals and agreements in force or to come."""

    version: int
    lots: Mapping[LotId, Lot]
    hospitals: Mapping[HospitalId, Hospital]
    agreements_by_hospital: Mapping[HospitalId, tuple[Agreement, ...]]
    calendars: Mapping[CalendarId, Calendar]

    @classmethod
    def of(
        cls,
        version: int,
        lots: Iterable[Lot],
        hospitals: Iterable[Hospital],
        agreements: Iterable[Agreement],
        calendars: Iterable[Calendar] = (),
    ) -> "Directory":
        """Assemble a directory from its parts."""
        by_hospital: dict[HospitalId, list[Agreement]] = {}
        for agreement in agreements:
            by_hospital.setdefault(agreement.hospital_id, []).append(agreement)
        return cls(
            version=version,
            lots=MappingProxyType({lot.lot_id: lot for lot in lots}),
            hospitals=MappingProxyType({hospital.hospital_id: hospital for hospital in hospitals}),
            agreements_by_hospital=MappingProxyType({key: tuple(value) for key, value in by_hospital.items()}),
            calendars=MappingProxyType({calendar.calendar_id: calendar for calendar in calendars}),
        )

    @classmethod
    def empty(cls) -> "Directory":
        """Give a directory in which nothing is registered."""
        return cls.of(0, (), (), ())

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """Every agreement, whichever hospital it serves."""
        return tuple(agreement for group in self.agreements_by_hospital.values() for agreement in group)

    def local_time(self, lot: Lot) -> LocalTime:
        """Give the wall clock and the calendar by which a lot's agreements are read."""
        return LocalTime.of(lot, self.calendars)

    def without_links(self, lot_ids: Collection[LotId]) -> "Directory":
        """Give the same directory, in which the barriers of these lots are not linked."""
        apart = {lot_id: replace(self.lots[lot_id], barrier_link=False) for lot_id in lot_ids if lot_id in self.lots}
        return replace(self, lots=MappingProxyType({**self.lots, **apart}))

    def find_agreement(self, agreement_id: AgreementId) -> Agreement | None:
        """Give one agreement, if registered."""
        return next((one for one in self.agreements if one.agreement_id == agreement_id), None)

    def agreements_for(self, hospital_id: HospitalId) -> tuple[Agreement, ...]:
        """Give the agreements that serve one hospital."""
        return self.agreements_by_hospital.get(hospital_id, ())

    def lots_for(self, hospital_id: HospitalId) -> list[Lot]:
        """Give the lots that lend to one hospital, each once, by id."""
        lot_ids = {agreement.lot_id for agreement in self.agreements_for(hospital_id)}
        return [self.lots[lot_id] for lot_id in sorted(lot_ids) if lot_id in self.lots]
