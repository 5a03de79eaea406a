"""DATEX II v3: the table of lots (ParkingTablePublication) and how they stand (ParkingStatusPublication).

Order and names of elements are those of the schemas of v3.6; v3.5 reads the same. What is foreseen stands as further
states of the same place, each with its offset from now.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from bowei.domain.dirt import Doubt
from bowei.domain.observations import Bound, LotState
from bowei.observability.instants import rfc3339
from services.availability.forecasts import ForecastView
from services.availability.lots import Fault, Level, LotStatus
from services.availability.opendata.editions import Edition, OneLot

_NAMESPACES = (
    'xmlns:d2="http://datex2.eu/schema/3/d2Payload" xmlns:com="http://datex2.eu/schema/3/common" '
    'xmlns:prk="http://datex2.eu/schema/3/parking" xmlns:fac="http://datex2.eu/schema/3/facilities" '
    'xmlns:loc="http://datex2.eu/schema/3/locationReferencing" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
_OPENING = {
    LotState.OPEN: "open",
    LotState.FULL_AT_ENTRANCE: "open",
    LotState.CLOSED: "closed",
    LotState.OUT_OF_ORDER: "temporarilyClosed",
}
_STATUS = {
    Level.FULL: "full",
    Level.ALMOST_FULL: "almostFull",
    Level.FEW: "spacesAvailable",
    Level.PLENTY: "spacesAvailable",
    Level.CLOSED: "other",
}
_FAULTS = {
    Fault.COMMS_LOST: "communicationsFailure",
    Fault.NEVER_REPORTED: "noParkingInformationAvailable",
    Fault.OUT_OF_ORDER: "unspecified",
}


class Datex2Table:
    """What lots there are."""

    media_type = "application/xml"
    foresees = False

    def piece(self, lot: OneLot) -> bytes:
        """Write a place; its version is the register's."""
        one = lot.status.lot
        return (
            f'<prk:hierarchyElementGeneral xsi:type="prk:Place" id={quoteattr(one.lot_id)}'
            f' version="{lot.edition.version}">'
            f'<fac:name><com:values><com:value lang="zh">{escape(one.name.zh)}</com:value>'
            f'<com:value lang="en">{escape(one.name.en)}</com:value></com:values></fac:name>'
            f"<fac:lastUpdated>{_second(lot.edition.registered_at)}</fac:lastUpdated>"
            f'<fac:locationReference xsi:type="loc:PointLocation"><loc:pointByCoordinates><loc:pointCoordinates>'
            f"<loc:latitude>{one.location.lat:.6f}</loc:latitude><loc:longitude>{one.location.lon:.6f}</loc:longitude>"
            f"</loc:pointCoordinates></loc:pointByCoordinates></fac:locationReference>"
            f"<prk:layer>0</prk:layer><prk:type>place</prk:type><prk:supply><prk:quantity>{one.capacity}</prk:quantity>"
            f"<prk:viewType>spaceView</prk:viewType></prk:supply></prk:hierarchyElementGeneral>"
        ).encode()

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:
        """Put the table together; its version is the register's."""
        begins = (
            f'<prk:parkingTable id={quoteattr(_table_id(edition))} version="{edition.version}">'
            f"<prk:versionTime>{_second(edition.registered_at)}</prk:versionTime>"
        )
        return _payload("ParkingTablePublication", edition, begins, pieces, "</prk:parkingTable>")


class Datex2Status:
    """How they stand."""

    media_type = "application/xml"
    foresees = True

    def piece(self, lot: OneLot) -> bytes:
        """Write the states of a place: now, and what is foreseen."""
        return "".join((_state(lot), *_foreseen(lot))).encode()

    def whole(self, pieces: Sequence[bytes], edition: Edition) -> bytes:
        """Put the publication together."""
        reference = (
            f'<prk:parkingTableReference targetClass="prk:ParkingTable" id={quoteattr(_table_id(edition))}'
            f' version="{edition.version}"/>'
        )
        return _payload("ParkingStatusPublication", edition, reference, pieces)


def _payload(kind: str, edition: Edition, begins: str, pieces: Sequence[bytes], ends: str = "") -> bytes:
    publisher = edition.publisher
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<d2:payload {_NAMESPACES} xsi:type="prk:{kind}" lang="zh"'
        f' modelBaseVersion="3"><com:publicationTime>{_second(edition.at)}</com:publicationTime>'
        f"<com:publicationCreator><com:country>{publisher.country}</com:country>"
        f"<com:nationalIdentifier>{escape(publisher.publisher_id)}</com:nationalIdentifier></com:publicationCreator>"
    )
    return b"".join([f"{head}{begins}".encode(), *pieces, f"{ends}</d2:payload>\n".encode()])


def _state(lot: OneLot) -> str:
    status = lot.status
    fault = next(filter(None, map(_fault, status.faults)), "")
    return (
        f'<prk:parkingStatusInformation xsi:type="prk:PlaceStatus">{_reference(lot)}'
        f"<fac:lastUpdated>{_second(status.observed_at or lot.edition.registered_at)}</fac:lastUpdated>"
        f"<fac:openingStatus>{_OPENING.get(status.state, 'statusUnknown')}</fac:openingStatus>"
        + (f"<prk:parkingFault>{fault}</prk:parkingFault>" if fault else "")
        + _occupancy(status)
        + f"<prk:status>{_status(status)}</prk:status></prk:parkingStatusInformation>"
    )


def _foreseen(lot: OneLot) -> Iterator[str]:
    for one in ForecastView.all_of(lot.status, lot.foreseen, lot.edition.at) or ():
        free = round(one.free)
        yield (
            f'<prk:parkingStatusInformation xsi:type="prk:PlaceStatus">{_reference(lot)}'
            f"<fac:lastUpdated>{_second(lot.edition.at)}</fac:lastUpdated><prk:occupancy>"
            f"<prk:numberOfVacantSpaces>{free}</prk:numberOfVacantSpaces></prk:occupancy>"
            f'<prk:statusValidity xsi:type="prk:ValidityByOffset"><prk:statusTimeOffsetToOrigin>{one.in_s}'
            f"</prk:statusTimeOffsetToOrigin></prk:statusValidity>"
            f"<prk:status>{'spacesAvailable' if free else 'full'}</prk:status></prk:parkingStatusInformation>"
        )


def _reference(lot: OneLot) -> str:
    lot_id = quoteattr(lot.status.lot.lot_id)
    return f'<fac:reference targetClass="fac:FacilityObject" id={lot_id} version="{lot.edition.version}"/>'


def _occupancy(status: LotStatus) -> str:
    """Say what is counted; a bound is said as one, and what is not known is left out."""
    said = f"<prk:numberOfSpacesOverride>{status.capacity}</prk:numberOfSpacesOverride>"
    if status.bound is Bound.AT_MOST and status.free_at_most is not None:
        above = status.free_at_most + 1
        said += f"<prk:numberOfVacantSpacesLowerThan>{above}</prk:numberOfVacantSpacesLowerThan>"
    elif status.bound is Bound.AT_LEAST and status.free:
        said += f"<prk:numberOfVacantSpacesHigherThan>{status.free - 1}</prk:numberOfVacantSpacesHigherThan>"
    elif status.free is not None and status.bound is None:
        occupied = max(0, status.capacity - status.free)
        said += (
            f"<prk:numberOfVacantSpaces>{status.free}</prk:numberOfVacantSpaces>"
            f"<prk:numberOfOccupiedSpaces>{occupied}</prk:numberOfOccupiedSpaces>"
        )
    else:
        return ""
    return f"<prk:occupancy>{said}</prk:occupancy>"


def _status(status: LotStatus) -> str:
    if status.state is LotState.FULL_AT_ENTRANCE:
        return "fullAtEntrance"
    return _STATUS.get(status.level, "unknown")


def _fault(fault: object) -> str | None:
    if isinstance(fault, Doubt):
        return "erroneousOccupancyInformation"
    return _FAULTS.get(fault) if isinstance(fault, Fault) else None


def _table_id(edition: Edition) -> str:
    return f"{edition.publisher.publisher_id}-lots"


def _second(at: datetime) -> str:
    return rfc3339(at.replace(microsecond=0))
