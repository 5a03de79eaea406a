"""How the lots were looked at: as it is kept with the hold, and as it is shown to whoever asks."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bowei.domain.agreements import AgreementId
from bowei.domain.choice_rules import ChoiceRules
from bowei.domain.choosing import Approach, Considered, Exclusion, Need
from bowei.domain.costs import failure_s
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


def explain(ranked: Sequence[Considered], need: Need, rules: ChoiceRules, now: datetime, *, by: str) -> Json:
    """Say how the lots were looked at, in the form that is kept with the hold; `by`: who says how long drives take."""
    kept: dict[str, Any] = {
        "asked_at": rfc3339(now),
        "by": by,
        "considered": [_considered(one, rules) for one in ranked],
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


def _considered(one: Considered, rules: ChoiceRules) -> dict[str, Any]:
    kept: dict[str, Any] = {"lot_id": one.lot_id, "agreement_id": one.agreement_id}
    if one.excluded is not None:
        kept["excluded"] = str(one.excluded)
    _add_room(one, kept)
    if one.out_by is not None:
        kept["out_by"] = one.out_by.strftime("%H:%M")
    if one.approach is not None:
        kept |= _way(one.approach)
        if one.excluded is None:
            kept |= _cost(one, kept["drive_s"], kept["walk_s"], rules)
    return kept


def _add_room(one: Considered, kept: dict[str, Any]) -> None:
    if one.instead:
        kept["instead"] = str(one.space_class)
    if one.free is not None:
        kept["free"] = one.free
        if one.bound is not Bound.EXACT:
            kept["free_bound"] = str(one.bound)
    if one.offered is not None:
        kept["offered"] = one.offered
    if one.margin:
        kept["kept_back"] = one.margin
    if one.age_s is not None:
        kept["age_s"] = max(0, round(one.age_s))


def _cost(one: Considered, drive_s: int, walk_s: int, rules: ChoiceRules) -> dict[str, Any]:
    """Give the parts of a cost, and their sum: the exact one would give the exact drive away, and so would its risk."""
    chance = round(one.chance, 2)
    parts = {"fill_s": round(one.fill_s), "failure_s": round(failure_s(chance, rules.failed_arrival_s))}
    if slow_walk_s := round(one.walking_s) - walk_s:
        parts["slow_walk_s"] = slow_walk_s
    if one.fee_s:
        parts["fee_s"] = round(one.fee_s)
    if one.shadow_s:
        parts["shadow_s"] = round(one.shadow_s)
    cost: dict[str, Any] = {**parts, "cost_s": drive_s + walk_s + sum(parts.values()), "chance": chance}
    if one.unsure:
        cost["unsure"] = True
    if one.fee:
        cost["fee"] = f"{one.fee:.2f}"
    return cost


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
