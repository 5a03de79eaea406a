"""How the lots were looked at: as it is kept with the hold, and as it is shown to whoever asks."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bowei.domain.agreements import AgreementId
from bowei.domain.choosing import Approach, Considered, Exclusion, Need, Outlook
from bowei.domain.holds import Hold
from bowei.domain.lots import LotId, SpaceClass, Standing
from bowei.domain.observations import Bound
from bowei.observability.instants import rfc3339
from bowei.records.holding import Json

_KEPT_STEP_S = 10
"""Drives are kept with a hold only to 10 s: many exact ones together would tell where the driver set out."""

_OF_CANDIDATES = frozenset(
    {"cost_s", "fill_s", "fee", "fee_s", "slow_walk_s", "failure_s", "shadow_s", "chance", "unsure", "offered"}
)
_COUNTED = frozenset({Exclusion.FULL, Exclusion.HELD_OUT})


def explain(ranked: Sequence[Considered], need: Need, now: datetime, *, by: str) -> Json:
    """Say how the lots were looked at, in the form that is kept with the hold; `by`: who says how long drives take."""
    kept: dict[str, Any] = {
        "asked_at": rfc3339(now),
        "by": next((one.approach.by for one in ranked if one.approach is not None), by),
        "considered": [_considered(one) for one in ranked],
    }
    return kept | _asked(need)


def need_of(hold: Hold, answer: Json) -> Need:
    """Give what the driver of a hold asked for: a replacement must do for the same car."""
    stay_s = answer.get("stay_s")
    return Need(
        space_class=SpaceClass(answer.get("asked_class", hold.space_class)),
        height_cm=answer.get("height_cm"),
        stay=None if stay_s is None else timedelta(seconds=stay_s),
        slow_walker=answer.get("slow_walker", False),
        standing=Standing(answer.get("standing", Standing.VISITOR)),
    )


def considered_lots(answer: Json, chosen: AgreementId | None) -> list[dict[str, Any]]:
    """List what was looked at. A candidate better than the chosen one had been taken when the ledger decided."""
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


def _asked(need: Need) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if need.space_class is not SpaceClass.STANDARD:
        asked["asked_class"] = str(need.space_class)
    if need.height_cm is not None:
        asked["height_cm"] = need.height_cm
    if need.stay is not None:
        asked["stay_s"] = round(need.stay.total_seconds())
    if need.slow_walker:
        asked["slow_walker"] = True
    if need.standing is not Standing.VISITOR:
        asked["standing"] = str(need.standing)
    return asked


def _considered(one: Considered) -> dict[str, Any]:
    approach, outlook = one.approach, one.outlook
    if one.excluded is not None or approach is None or approach.drive_s is None:
        kept = _left_out(one)
    else:
        # What every driver is told of the lot as it stands is put together once, by entrance.
        known = outlook.told.get(approach.entrance.entrance_id)
        if known is None:
            known = outlook.told[approach.entrance.entrance_id] = _same_for_all(outlook, approach)
        kept = known.copy()
        kept["offered"] = outlook.offered
        kept["kept_back"] = outlook.margin
        kept["chance"] = outlook.chance
        kept["estimated"] = approach.estimated
        kept["failure_s"] = failure_s = round(outlook.failure_s)
        kept["drive_s"] = drive_s = _KEPT_STEP_S * round(approach.drive_s / _KEPT_STEP_S)
        # The sum of what is shown: the exact cost would give the exact drive away.
        cost_s = drive_s + kept["walk_s"] + kept["fill_s"] + failure_s
        if (fee := one.fee) is not None:
            kept["fee"] = fee.text
            kept["fee_s"] = fee_s = round(fee.worth_s)
            cost_s += fee_s
        kept["cost_s"] = cost_s
        if outlook.unsure:
            kept["unsure"] = True
        if one.instead or one.shadow_s or one.walking_s != approach.walk_s:
            _add_rare(one, kept)
    if one.age_s is not None:
        kept["age_s"] = max(0, round(one.age_s))
    if one.out_by is not None:
        kept["out_by"] = one.out_by.strftime("%H:%M")
    return kept


def _add_rare(one: Considered, kept: dict[str, Any]) -> None:
    if slow_walk_s := round(one.walking_s) - kept["walk_s"]:
        kept["slow_walk_s"] = slow_walk_s
    if one.shadow_s:
        kept["shadow_s"] = round(one.shadow_s)
    if one.instead:
        kept["instead"] = str(one.space_class)
    kept["cost_s"] += kept.get("slow_walk_s", 0) + kept.get("shadow_s", 0)


def _left_out(one: Considered) -> dict[str, Any]:
    kept = _seen(one.outlook) | {"excluded": str(one.excluded)}
    if one.excluded in _COUNTED:
        kept |= {"offered": 0, "kept_back": one.margin}
    approach = one.approach
    if approach is not None:
        kept |= _way(approach) | {"estimated": approach.estimated}
        if approach.drive_s is not None:
            kept["drive_s"] = _KEPT_STEP_S * round(approach.drive_s / _KEPT_STEP_S)
    return kept


def _same_for_all(outlook: Outlook, approach: Approach) -> dict[str, Any]:
    return _seen(outlook) | _way(approach) | {"fill_s": round(outlook.fill_s)}


def _seen(outlook: Outlook) -> dict[str, Any]:
    kept: dict[str, Any] = {"lot_id": outlook.lot_id, "agreement_id": outlook.agreement_id}
    if outlook.free is not None:
        kept["free"] = outlook.free
        if outlook.bound is not Bound.EXACT:
            kept["free_bound"] = str(outlook.bound)
    return kept


def _way(approach: Approach) -> dict[str, Any]:
    return {
        "entrance_id": approach.entrance.entrance_id,
        "walk_s": round(approach.walk_s),
        "walk_m": round(approach.walk_m),
        "walk_estimated": approach.walk_estimated,
    }
