"""What a person reads in FIWARE's examples, in each of their shapes; lines as in test_recorded_payloads."""

EXAMPLES = "payloads-fiware-apds/fiware"

_URN = "urn:ngsi-ld"
_PORTO = "porto-ParkingLot-23889 132 414 open"
_STREET = "santander:daoiz_velarde_1_5 3 6 open"
_GROUP = "daoiz-velarde-1-5-disabled 1 2 open"
_SPOT = "santander:daoiz_velarde_1_5:3 1 1 open"
_REPORTED = "2021-03-11T15:51:02Z -"

_SHAPES = {
    "OffStreetParking/examples/example.json": f"{_PORTO} {_REPORTED}",
    "OffStreetParking/examples/example.jsonld": f"{_URN}:OffStreetParking:{_PORTO} {_REPORTED}",
    "OffStreetParking/examples/example-normalized.json": f"{_PORTO} 2018-09-21T12:00:00Z -",
    "OffStreetParking/examples/example-normalized.jsonld": (f"{_URN}:OffStreetParking:{_PORTO} 2018-09-21T12:00:00Z -"),
    "OffStreetParking/examples/example-geojsonfeature.json": (
        f"{_URN}:OffStreetParking:{_PORTO} 2018-09-21T12:00:00Z -"
    ),
    "OnStreetParking/examples/example.json": f"{_STREET} {_REPORTED}",
    "OnStreetParking/examples/example.jsonld": f"{_URN}:OnStreetParking:{_STREET} {_REPORTED}",
    "OnStreetParking/examples/example-normalized.json": f"{_STREET} 2018-09-12T12:00:00Z naive_time",
    "OnStreetParking/examples/example-normalized.jsonld": f"{_URN}:OnStreetParking:{_STREET} 2018-09-12T12:00:00Z -",
    "OnStreetParking/examples/example-geojsonfeature.json": (
        f"{_URN}:OnStreetParking:{_STREET} 2018-09-12T12:00:00Z -"
    ),
    "ParkingGroup/examples/example.json": f"{_GROUP} - no_time",
    "ParkingGroup/examples/example.jsonld": f"{_URN}:ParkingGroup:{_GROUP} - no_time",
    "ParkingGroup/examples/example-normalized.json": f"{_GROUP} 2018-09-12T12:00:00Z naive_time",
    "ParkingGroup/examples/example-normalized.jsonld": f"{_URN}:ParkingGroup:{_GROUP} 2018-09-12T12:00:00Z -",
    "ParkingSpot/examples/example.json": f"{_SPOT} - no_time",
    "ParkingSpot/examples/example.jsonld": f"{_URN}:ParkingSpot:{_SPOT} - no_time",
    "ParkingSpot/examples/example-normalized.json": f"{_SPOT} 2018-09-21T12:00:00Z naive_time",
    "ParkingSpot/examples/example-normalized.jsonld": f"{_URN}:ParkingSpot:{_SPOT} 2018-09-21T12:00:00Z -",
    "ParkingSpot/examples/example-geojsonfeature.json": f"{_URN}:ParkingSpot:{_SPOT} 2018-09-21T12:00:00Z -",
}
_AS_CSV = {
    # The twin of this one writes True where one space is free.
    "ParkingGroup/examples/example-normalized.json": (
        "daoiz-velarde-1-5-disabled - 2 open 2018-09-12T12:00:00Z naive_time,not_a_number"
    )
}
FIWARE = {(f"{EXAMPLES}/{file}", "fiware"): line for file, line in _SHAPES.items()} | {
    (f"{EXAMPLES}/{file}.csv", "fiware-csv"): line for file, line in (_SHAPES | _AS_CSV).items()
}
