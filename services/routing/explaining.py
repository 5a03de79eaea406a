"""How the lots were looked at: as it is kept with the hold, and as it is shown to whoever asks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bowei.domain.agreements import AgreementId
from bowei.domain.choosing import Approach, Considered, Exclusion, Need
from bowei.domain.lots import LotId
from bowei.domain.observations import Bound
from bowei.observability.instants import rfc3339
from bowei.records.holding import Json

_KEPT_STEP_S = 10
"""Drives are kept with a hold only to 10 s: many exact ones together would tell where the driver set out."""

_OF_CANDIDATES = frozenset({"cost_s", "fill_s", "offered"})


def explain(ranked: Sequence[Considered], need: Need, now: datetime, *, by: str) -> Json:
    """Say how the lots were looked at, in the form that is kept with the hold; `by`: who says how long drives take."""
    kept: dict[str, Any] = {
        "asked_at": rfc3339(now),
        "by": by,
        "considered": [_considered(one) for one in ranked],
    }
    # A replacement must do for the same car.
    return kept if need.height_cm is None else kept | {"height_cm": need.height_cm}


def considered_lots(answer: Json, chosen: AgreementId | None) -> list[dict[str, Any]]:
    """List what was looked at. A candidate cheaper than the chosen one had been taken when the ledger decided."""
    shown: list[dict[str, Any]] = []
    passed_over = True
    for one in answer.get("considered", ()):
        passed_over = passed_over and one["agreement_id"] != chosen
        if passed_over and "excluded" not in one:
            kept = {name: value for name, value in one.items() if name not in _OF_CANDIDATES}
            shown.append(kept | {"excluded": str(Exclusion.HELD_OUT)})
        else:
            shown.append(dict(one))
    return shown


def considered_lot(answer: Json, lot_id: LotId) -> Mapping[str, Any]:
    """Find what an explanation says of one lot."""
    found: Mapping[str, Any] = next((one for one in answer.get("considered", ()) if one["lot_id"] == lot_id), {})
    return found


def _considered(one: Considered) -> dict[str, Any]:
    kept: dict[str, Any] = {"lot_id": one.lot_id, "agreement_id": one.agreement_id}
    if one.excluded is not None:
        kept["excluded"] = str(one.excluded)
    if one.free is not None and one.excluded is not Exclusion.STALE_DATA:
        kept["free"] = one.free
        if one.bound is not Bound.EXACT:
            kept["free_bound"] = str(one.bound)
    if one.offered is not None:
        kept["offered"] = one.offered
    if one.age is not None:
        kept["age_s"] = max(0, round(one.age.total_seconds()))
    if one.approach is not None:
        kept |= _way(one.approach)
        if one.excluded is None:
            kept["fill_s"] = round(one.fill_s)
            # The sum of what is shown: the exact cost would give the exact drive away.
            kept["cost_s"] = kept["drive_s"] + kept["walk_s"] + kept["fill_s"]
    return kept


def _way(approach: Approach) -> dict[str, Any]:
    way: dict[str, Any] = {
        "entrance_id": approach.entrance.entrance_id,
        "walk_s": round(approach.walk_s),
        "walk_m": round(approach.walk_m),
        "estimated": approach.estimated,
    }
    if approach.drive_s is not None:
        way["drive_s"] = _KEPT_STEP_S * round(approach.drive_s / _KEPT_STEP_S)
    return way
