"""Reading: a status publication becomes readings, one for each lot that says something of now."""

from zoneinfo import ZoneInfo

from services.ingest.datex2.meaning import read_record
from services.ingest.datex2.parsing import Publication
from services.ingest.readings import Reading


def read_status(body: bytes, *, zone: ZoneInfo | None = None) -> list[Reading]:
    """Read a DATEX II v2 or v3 parking status publication, in the order in which it was written.

    A record without its own time has that of the publication. `zone` is that of times without an offset; without it
    they are not taken.

    Raises:
        Refused: malformed_xml; too_many_items; not_a_status where the document is no status publication.
    """
    publication = Publication(body)
    readings: list[Reading] = []
    for record in publication.records():
        reading = read_record(record, published=publication.published, zone=zone)
        if reading is not None:
            readings.append(reading)
    return readings
