"""Why this lot and not a nearer one, in a sentence or two that a driver or a guard can read out, in zh and en.

It is made from what is kept with the hold, so that a repeat says the same. Nearer means: less driving and walking
together than to the chosen lot.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bowei.domain.agreements import AgreementId
from bowei.domain.choosing import Exclusion
from bowei.domain.directory import Directory
from bowei.domain.lots import LotId, Name
from bowei.records.holding import Json
from services.routing import wording
from services.routing.explaining import considered_lots

_MOST_NAMED = 3
_PARTS = ("failure_s", "fee_s", "fill_s", "slow_walk_s", "shadow_s")
_Shown = Mapping[str, Any]

_LEFT_OUT = {
    Exclusion.FULL: Name("已满", "is full"),
    Exclusion.HELD_OUT: Name("空位已为他人保留", "has its free spaces held for others"),
    Exclusion.CLOSED: Name("未开放", "is closed"),
    Exclusion.STALE_DATA: Name("数据过旧", "has not reported for too long"),
    Exclusion.FAULT: Name("数据有误", "reports what can't be relied on"),
    Exclusion.TOO_HIGH: Name("限高不足", "is too low for this car"),
    Exclusion.NO_CLASS: Name("没有所需类型的车位", "has no space of the kind asked for"),
    Exclusion.NOT_SHARED_NOW: Name("此时段不共享", "does not share at this hour"),
    Exclusion.STAY_TOO_LONG: Name("停留时间超过其允许的时长", "takes no car for so long"),
    Exclusion.TOO_FAR: Name("超出医院的引导范围", "is farther than this hospital sends drivers"),
    Exclusion.CLOSED_ROAD: Name("道路不通", "can't be reached by road"),
    Exclusion.OPERATOR_PAUSED: Name("经营方暂停接收", "was paused by its operator"),
    Exclusion.GATE_PAUSED: Name("因医院暂停引导而不可选", "is left out while the hospital pauses diversions"),
}


def why(answer: Json, chosen: AgreementId | None, directory: Directory) -> Name:
    """Say why the chosen lot was chosen, or, with none chosen, why no lot was."""
    shown = considered_lots(answer, chosen)
    own = next((one for one in shown if one["agreement_id"] == chosen), None)
    if own is None:
        return _why_none(shown, directory)
    said = [_about(own, directory), *_special(own)]
    nearer = sorted((one for one in shown if one is not own and _nearer(one, own)), key=_way_s)
    if nearer:
        names = _listed([_not_this(one, own, directory) for one in nearer])
        said.append(Name(f"更近但未选：{names.zh}。", f"Nearer, but not chosen: {names.en}."))
    return Name("".join(one.zh for one in said), " ".join(one.en for one in said))


def _why_none(shown: Sequence[_Shown], directory: Directory) -> Name:
    if not shown:
        return Name("附近没有与本院共享车位的停车场。", "No lot nearby shares its spaces with this hospital.")
    if all_paused(shown):
        return wording.GATE_PAUSED
    names = _listed([_not_this(one, None, directory) for one in sorted(shown, key=_way_s)])
    return Name(f"附近停车场均不可用：{names.zh}。", f"No lot nearby will do: {names.en}.")


def all_paused(shown: Sequence[_Shown]) -> bool:
    """Say whether no lot was chosen because the hospital pauses."""
    return bool(shown) and all(one.get("excluded") == Exclusion.GATE_PAUSED for one in shown)


def _about(own: _Shown, directory: Directory) -> Name:
    name, drive = _name(own, directory), _minutes(own.get("drive_s", 0))
    walk = _minutes(own["walk_s"])
    zh, en = f"{name.zh}：车程{drive}分钟，步行{walk}分钟", f"{name.en}: {drive} min by car, {walk} min on foot"
    if not own.get("unsure") and "chance" in own:
        zh, en = f"{zh}，到达时有位把握{_percent(own)}", f"{en}, a space {_percent(own)} sure on arrival"
    if "fee" in own:
        zh, en = f"{zh}，停车费{_money_zh(own['fee'])}", f"{en}, {own['fee']}"
    return Name(f"{zh}。", f"{en}.")


def _special(own: _Shown) -> list[Name]:
    said = []
    if own.get("unsure"):
        said.append(
            Name(
                f"附近没有把握充足的停车场，此处最合适，到达时有位把握{_percent(own)}。",
                f"No lot nearby is sure to have a space; this is the best of them, {_percent(own)} sure.",
            )
        )
    if "instead" in own:
        said.append(
            Name(
                "附近没有可保留的无障碍车位，这是普通车位。",
                "No accessible space is to be had: this is a standard one.",
            )
        )
    if "out_by" in own:
        said.append(Name(f"请于{own['out_by']}前离场。", f"Be out by {own['out_by']}."))
    return said


def _not_this(one: _Shown, own: _Shown | None, directory: Directory) -> Name:
    name, reason = _name(one, directory), _left_out(one) if "excluded" in one else _dearer(one, own or {})
    return Name(f"{name.zh}{reason.zh}", f"{name.en} {reason.en}")


def _left_out(one: _Shown) -> Name:
    why_not = Exclusion(one["excluded"])
    free, kept_back = one.get("free"), one.get("kept_back")
    if why_not is Exclusion.FULL and free and kept_back:
        return Name(f"仅余{free}位，须为其自有顾客预留", f"has only {free} left, which it keeps for its own customers")
    if why_not is Exclusion.STAY_TOO_LONG and "out_by" in one:
        return Name(f"须在{one['out_by']}前离场", f"wants cars out by {one['out_by']}")
    return _LEFT_OUT[why_not]


def _dearer(one: _Shown, own: _Shown) -> Name:
    """Say what most makes a candidate come after the chosen lot."""
    words = {
        "failure_s": Name(f"有位把握仅{_percent(one)}", f"is only {_percent(one)} sure to have a space"),
        "instead": Name("只有普通车位", "has only a standard space"),
        "fee_s": Name(f"停车费较高（{_money_zh(one.get('fee', ''))}）", f"costs more ({one.get('fee', '')})"),
        "fill_s": Name("即将停满", "is filling up"),
        "slow_walk_s": Name("步行较远", "is a longer walk"),
        "shadow_s": Name("即将停满", "is filling up"),
        "turn": Name("条件相当，轮到较空的停车场", "is as good, and it is the emptier one's turn"),
    }
    return words[_what_weighs(one, own)]


def _what_weighs(one: _Shown, own: _Shown) -> str:
    if one.get("unsure") and not own.get("unsure"):
        return "failure_s"
    if "instead" in one and "instead" not in own:
        return "instead"
    more = {part: one.get(part, 0) - own.get(part, 0) for part in _PARTS}
    most = max(_PARTS, key=lambda part: more[part])
    return "turn" if one["cost_s"] <= own.get("cost_s", 0) or more[most] <= 0 else most


def _nearer(one: _Shown, own: _Shown) -> bool:
    return "walk_s" in one and _way_s(one) < _way_s(own)


def _way_s(one: _Shown) -> float:
    return float(one.get("drive_s", 0) + one.get("walk_s", math.inf))


def _listed(names: Sequence[Name]) -> Name:
    zh, en = "；".join(one.zh for one in names[:_MOST_NAMED]), "; ".join(one.en for one in names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return Name(f"{zh}；另有{more}处", f"{en}; and {more} more") if more > 0 else Name(zh, en)


def _name(one: _Shown, directory: Directory) -> Name:
    lot = directory.lots.get(LotId(one["lot_id"]))
    return Name(str(one["lot_id"]), str(one["lot_id"])) if lot is None else lot.name


def _minutes(seconds: float) -> int:
    return max(1, math.ceil(seconds / 60))


def _percent(one: _Shown) -> str:
    """Say a chance; never that it is certain."""
    return f"{min(99, round(100 * one.get('chance', 0)))}%"


def _money_zh(fee: str) -> str:
    return fee.replace(" CNY", "元")
