"""The small block: a hot lot that two hospitals draw on, one with barriers that tell of each car, a small one."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LotPlan:
    """A lot: its capacity, the cars that never leave, how often it reports (s), and what it says beside `free`."""

    lot_id: str
    capacity: int
    own_cars: int
    every_s: float
    lat: float
    lon: float
    open: int | None = None
    passages: bool = False
    numbered: bool = False
    """Its reports carry a seq."""


@dataclass(frozen=True, slots=True)
class AgreementPlan:
    """How many standard spaces a lot lends a hospital, day and night."""

    agreement_id: str
    lot_id: str
    hospital_id: str
    spaces: int
    margin: int = 0


LOTS = (
    LotPlan("hot", 10, 2, 0.3, 30.2570, 120.1610, numbered=True),
    LotPlan("barriers", 14, 2, 0.8, 30.2560, 120.1630, passages=True),
    LotPlan("side", 8, 0, 0.5, 30.2580, 120.1640, open=5),
)
QUIET = LotPlan("quiet", 30, 3, 0.0, 30.2590, 120.1600)
"""Says something once, and lends nothing: only a whole copy brings it back."""

AGREEMENTS = (
    AgreementPlan("hot-first", "hot", "first", 6),
    AgreementPlan("hot-second", "hot", "second", 6),
    AgreementPlan("barriers-first", "barriers", "first", 8),
    AgreementPlan("barriers-second", "barriers", "second", 7, margin=1),
    AgreementPlan("side-second", "side", "second", 5),
)
HOSPITALS = ("first", "second")
GATE = (30.2576, 120.1621)
SOURCE = "counters"
MAX_STAY_S = 3_600


def scene() -> dict[str, Any]:
    """Give the block as a scene document (docs/scene-file.md)."""
    own = [LotPlan(f"own-{name}", 50, 50, 0.0, *GATE) for name in HOSPITALS]
    return {
        "scene": {"name": _name("Campaign"), "timezone": "Asia/Shanghai"},
        "blocks": [{"block_id": "campaign", "name": _name("Campaign")}],
        "lots": [_lot(plan, "mall") for plan in (*LOTS, QUIET)] + [_lot(plan, "hospital") for plan in own],
        "hospitals": [
            {
                "hospital_id": name,
                "name": _name(name),
                "lot_id": f"own-{name}",
                "gate": _place(*GATE),
                "door": _place(*GATE),
            }
            for name in HOSPITALS
        ],
        "agreements": [
            {
                "agreement_id": plan.agreement_id,
                "lot_id": plan.lot_id,
                "hospital_id": plan.hospital_id,
                "windows": [{"class": "standard", "spaces": plan.spaces}],
                "margin": plan.margin,
                "margin_rule": "fixed",
                "max_stay_s": MAX_STAY_S,
            }
            for plan in AGREEMENTS
        ],
        "sources": [
            {
                "source_id": SOURCE,
                "kind": "native",
                "trusted": True,
                "lots": {plan.lot_id: plan.lot_id for plan in (*LOTS, QUIET)},
            }
        ],
    }


def _name(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def _place(lat: float, lon: float) -> dict[str, object]:
    return {"lat": lat, "lon": lon, "datum": "wgs84"}


def _lot(plan: LotPlan, kind: str) -> dict[str, Any]:
    place = _place(plan.lat, plan.lon)
    return {
        "lot_id": plan.lot_id,
        "kind": kind,
        "name": _name(plan.lot_id),
        "capacity": plan.capacity,
        "location": place,
        "entrances": [{"entrance_id": "in", "name": _name("in"), "location": place}],
        "barrier_link": True,
        "synthetic": True,
    }
