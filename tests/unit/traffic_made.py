"""Made journeys for the tests of the traffic evaluation."""

from services.local.evaluate.traffic.demand import Kind, Trip
from services.local.evaluate.traffic.journeys import Journey


def patient(name: str, *, due_s: float = 0.0, parked_s: float | None = None, at: str = "hospital") -> Journey:
    """A patient's journey: parked at a lot at some second, or never."""
    trip = Trip(name, Kind.PATIENT, due_s, "s0_0f", "hospital", 3_600.0)
    return Journey(trip, parked_s=parked_s, parked_at=None if parked_s is None else at, driven_m=2_000.0)


def customer(name: str, *, parked_s: float | None, turned_away: bool = False) -> Journey:
    """An own customer's journey to lot a."""
    trip = Trip(name, Kind.OWN, 0.0, "s0_0f", "a", 3_600.0)
    return Journey(trip, parked_s=parked_s, parked_at=None if parked_s is None else "a", turned_away=turned_away)
