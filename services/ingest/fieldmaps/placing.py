"""Places: what is wrong with a position that a sender gives of a lot; where lots are is the register's to say."""

import re
from typing import Annotated

from pydantic import BaseModel, Field

from bowei.domain.dirt import Dirt
from bowei.domain.places import Datum, Point, distance_m, in_mainland_box, to_wgs84
from bowei.observability.operator_files import STRICT
from services.ingest.fieldmaps.fields import FieldIn, Said, as_text, plain

_TWO_READINGS_M = 20.0
_DEGREES = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,20})?")
_PAIR = re.compile(r"(?P<first>[^,;\s]+)[,;\s]+(?P<second>[^,;\s]+)")


class PlaceIn(BaseModel):
    """A pair of degrees: two fields, or one text with both, in the order that is said."""

    model_config = STRICT
    datum: Annotated[Datum, Field(strict=False)]
    lat: FieldIn
    lon: FieldIn
    """Where `lat` and `lon` name the same field, it is one text with the latitude first, as "22.99,120.19"."""

    def read(self, said: Said) -> tuple[Point | None, frozenset[Dirt]]:
        """Read the place in WGS-84, and what is wrong with it; without one, nothing."""
        texts = [as_text(field.find(said)) for field in (self.lat, self.lon)]
        if self.lat.path == self.lon.path and texts[0] is not None:
            match = _PAIR.fullmatch(texts[0])
            texts = [match["first"], match["second"]] if match else [None, None]
        lat, lon = (_degrees(text) for text in texts)
        if lat is None or lon is None:
            return None, frozenset()
        if dirt := _fault(lat, lon, self.datum):
            return None, frozenset({dirt})
        return to_wgs84(lat, lon, self.datum), frozenset()


class PlacesIn(PlaceIn):
    """A place; a second reading of it in another datum shows whether the labels are right."""

    also: PlaceIn | None = None

    def dirt(self, said: Said) -> frozenset[Dirt]:
        """Say what is wrong with what the item says of where it is."""
        point, dirt = self.read(said)
        if self.also is None:
            return dirt
        other, more = self.also.read(said)
        if point is not None and other is not None and distance_m(point, other) > _TWO_READINGS_M:
            return dirt | more | {Dirt.DATUMS_DISAGREE}
        return dirt | more


def _degrees(text: str | None) -> float | None:
    text = None if text is None else plain(text)
    return float(text) if text is not None and _DEGREES.fullmatch(text) else None


def _fault(lat: float, lon: float, datum: Datum) -> Dirt | None:
    if max(abs(lat), abs(lon)) > 180:
        return Dirt.METRES_AS_DEGREES
    if abs(lat) > 90:
        return Dirt.SWAPPED_AXES
    # GCJ-02 and BD-09 are in use only there, so a pair elsewhere is mistaken.
    if datum is not Datum.WGS84 and not in_mainland_box(lat, lon):
        return Dirt.SWAPPED_AXES
    return None
