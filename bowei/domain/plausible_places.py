"""Plausible places: what can't be right about a pair of degrees, or about two readings of one place.

The usual mistakes of feeds: axes swapped, projected metres where degrees are wanted, and a pair in the Chinese datum
written down as WGS-84 (or the other way), which puts a lot half a kilometre from where it is: further than the
hospital is from the mall.
"""

from bowei.domain.dirt import Dirt
from bowei.domain.places import Datum, Point, distance_m, in_mainland_box, to_gcj02

READINGS_WITHIN_M = 20.0
"""Two readings of one place, each in its own datum, lie no further apart."""

WRONG_DATUM = "wrong_datum"

_METRES_LEAST = 1_000.0
"""No degree is so large; projected metres (Web Mercator, TWD97, Gauss-Krüger, UTM) are from thousands on."""


def fault_of_pair(lat: float, lon: float, datum: Datum) -> str | None:
    """Say by its code what can't be right about a pair of degrees; None: it can be a place."""
    if abs(lat) > 180 or abs(lon) > 180:
        return Dirt.METRES_AS_DEGREES.value if max(abs(lat), abs(lon)) > _METRES_LEAST else "out_of_range"
    if abs(lat) > 90:
        return Dirt.SWAPPED_AXES.value if abs(lon) <= 90 else "out_of_range"
    # GCJ-02 and BD-09 are in use only there, so a pair elsewhere is mistaken; often it is merely the wrong way round.
    if datum is not Datum.WGS84 and not in_mainland_box(lat, lon):
        return Dirt.SWAPPED_AXES.value if in_mainland_box(lon, lat) else "out_of_range"
    return None


def agree(one: Point, other: Point) -> bool:
    """Say whether two readings can be of one place."""
    return distance_m(one, other) <= READINGS_WITHIN_M


def fault_of_readings(one: Point, other: Point) -> str | None:
    """Say what is wrong with two readings of one place, both converted to WGS-84.

    `wrong_datum`: they lie apart by just the shift of GCJ-02 at that place, so one of them was converted twice or not
    at all. `datum_mismatch`: they lie apart by something else.
    """
    if agree(one, other):
        return None
    if is_shifted(one, other) or is_shifted(other, one):
        return WRONG_DATUM
    swapped = abs(other.lon) <= 90 and agree(one, Point(other.lon, other.lat))
    return Dirt.SWAPPED_AXES.value if swapped else "datum_mismatch"


def is_shifted(true: Point, said: Point) -> bool:
    """Say whether `said` is `true` with the shift of GCJ-02 still in it: read as WGS-84 and never converted."""
    shifted = to_gcj02(true)
    return shifted != (true.lat, true.lon) and agree(Point(*shifted), said)
