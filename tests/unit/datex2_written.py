"""DATEX II v3 status publications, written as a publisher writes them."""


def v3(*records: str, published: str = "2026-03-02T00:30:05Z") -> bytes:
    """Write a v3 publication around records."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<d2:payload xmlns:d2="http://datex2.eu/schema/3/d2Payload" xmlns:com="http://datex2.eu/schema/3/common"
    xmlns:prk="http://datex2.eu/schema/3/parking" xmlns:fac="http://datex2.eu/schema/3/facilities"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:type="prk:ParkingStatusPublication" lang="en" modelBaseVersion="3">
  <com:publicationTime>{published}</com:publicationTime>
  <com:publicationCreator>
    <com:country>cn</com:country><com:nationalIdentifier>somewhere</com:nationalIdentifier>
  </com:publicationCreator>
  <prk:parkingTableReference targetClass="prk:ParkingTable" id="lots" version="7"/>
  {"".join(records)}
</d2:payload>""".encode()


def place(inside: str = "", *, opening: str = "open", status: str = "", lot: str = "mall-a", fault: str = "") -> str:
    """Write the status of one v3 place; `inside` is what stands in its occupancy."""
    occupancy = f"<prk:occupancy>{inside}</prk:occupancy>" if inside else ""
    return f"""<prk:parkingStatusInformation xsi:type="prk:PlaceStatus">
    <fac:reference targetClass="fac:FacilityObject" id="{lot}" version="3"/>
    <fac:lastUpdated>2026-03-02T00:30:03Z</fac:lastUpdated>
    {f"<fac:openingStatus>{opening}</fac:openingStatus>" if opening else ""}
    {f"<prk:parkingFault>{fault}</prk:parkingFault>" if fault else ""}
    {occupancy}
    {f"<prk:status>{status}</prk:status>" if status else ""}
  </prk:parkingStatusInformation>"""


def number(name: str, value: object) -> str:
    """Write one number of an occupancy."""
    return f"<prk:{name}>{value}</prk:{name}>"


VACANT = number("numberOfVacantSpaces", 118)
TOTAL = number("numberOfSpacesOverride", 300)
FORECAST = """<prk:parkingStatusInformation xsi:type="prk:PlaceStatus">
    <fac:reference targetClass="fac:FacilityObject" id="mall-a" version="3"/>
    <fac:lastUpdated>2026-03-02T00:30:03Z</fac:lastUpdated>
    <prk:occupancy>
      <prk:numberOfVacantSpaces>96</prk:numberOfVacantSpaces>
      <prk:probability><com:percentage>82</com:percentage></prk:probability>
    </prk:occupancy>
    <prk:statusValidity xsi:type="prk:ValidityByOffset">
      <prk:statusTimeOffsetToOrigin>900</prk:statusTimeOffsetToOrigin>
    </prk:statusValidity>
    <prk:status>spacesAvailable</prk:status>
  </prk:parkingStatusInformation>"""
WHOLE = v3(
    place(
        TOTAL
        + VACANT
        + number("numberOfOccupiedSpaces", 182)
        + number("occupancy", 60.7)
        + number("occupancyTrend", "increasing"),
        status="spacesAvailable",
    ),
    place(lot="mall-b", opening="statusUnknown", fault="communicationsFailure", status="unknown"),
    place(
        number("numberOfSpacesOverride", 127) + number("numberOfVacantSpaces", 0),
        lot="hospital-1",
        status="fullAtEntrance",
    ),
    FORECAST,
)
"""An open lot, one that fell silent, a full hospital, and a forecast for the open one."""
