"""Parsing: the status records of a publication one at a time, within bounds of depth and number.

The size of the body is bounded by whoever received it. A DTD is refused, and with it all entities and whatever lies
outside.
"""

from collections.abc import Iterator
from io import BytesIO
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from bowei.domain.problems import FieldError, Refused
from services.ingest.datex2.elements import local_name

MOST_RECORDS = 20_000
DEEPEST = 64
RECORDS = frozenset({"parkingFacilityStatus", "parkingRecordStatus", "parkingStatusInformation"})
"""What v2 until 2.2, v2 since 2.3, and v3 call the status of one lot; in the first a word of it is called so again."""
_TIME = "publicationTime"
_STATUS_PUBLICATIONS = frozenset(
    {"parkingFacilityTableStatusPublication", "parkingStatusPublication", "ParkingStatusPublication"}
)


class Publication:
    """The records of one publication, as `records` gives them, and the time that stands above them."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.published: str | None = None
        """The publication's own time, as written; known before the first record is given."""
        self._is_status = False

    def records(self) -> Iterator[Element]:
        """Give each record once it is whole, and let go of it when the next one is asked for.

        Raises:
            Refused: malformed_xml, saying why; too_many_items; not_a_status, where something else is published.
        """
        try:
            yield from self._records()
        except DefusedXmlException as error:
            raise _malformed("xml_forbidden") from error
        except ParseError as error:
            line, column = error.position
            raise _malformed("xml_syntax", f"line {line}, column {column + 1}") from error
        except (ValueError, LookupError) as error:  # an encoding that is unknown or not kept to
            raise _malformed("xml_syntax") from error
        if not self._is_status:
            raise Refused("not_a_status")

    def _records(self) -> Iterator[Element]:
        open_elements: list[Element] = []
        inside = count = 0
        for event, element in iterparse(BytesIO(self._body), events=("start", "end"), forbid_dtd=True):
            name = local_name(element.tag)
            if event == "start":
                open_elements.append(element)
                if len(open_elements) > DEEPEST:
                    raise _malformed("xml_too_deep")
                self._notice(element, name)
                inside += name in RECORDS
                continue
            open_elements.pop()
            if name == _TIME and not inside:
                self.published = (element.text or "").strip() or self.published
            if name in RECORDS:
                inside -= 1
            if inside:
                continue
            if name in RECORDS:
                count += 1
                if count > MOST_RECORDS:
                    raise Refused("too_many_items")
                self._is_status = True
                yield element
            # What was read is let go, so that memory holds one record and not all.
            if open_elements:
                open_elements[-1].remove(element)

    def _notice(self, element: Element, name: str) -> None:
        if name in _STATUS_PUBLICATIONS or any(
            value.rpartition(":")[2] in _STATUS_PUBLICATIONS for value in element.attrib.values()
        ):
            self._is_status = True


def _malformed(code: str, where: str = "") -> Refused:
    return Refused("malformed_xml", errors=(FieldError(where, code),))
