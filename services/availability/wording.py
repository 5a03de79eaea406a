"""The gate's sentences, in zh and en: what the board says and the guard reads out.

The numbers are handed in and are the same ones that the lot list shows.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from bowei.domain.choosing import Considered, Exclusion
from bowei.domain.gate import GateState
from bowei.domain.lots import Lot
from bowei.domain.observations import Bound, LotState


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing said in both languages."""

    zh: str
    en: str


class Why(StrEnum):
    """Why this lot and no other."""

    ONLY_ONE = "only_one"
    NEAREST = "nearest"
    EMPTIER = "emptier"
    SURER = "surer"
    CHEAPER = "cheaper"


WHY = {
    Why.ONLY_ONE: Sentence("唯一有可用车位的共享停车场", "the only shared car park with a space to offer"),
    Why.NEAREST: Sentence("有可用车位中最近的", "the nearest with spaces to offer"),
    Why.EMPTIER: Sentence("稍远，但更空", "a little farther, but emptier"),
    Why.SURER: Sentence("稍远，但到达时更有把握有位", "a little farther, but surer to have a space on arrival"),
    Why.CHEAPER: Sentence("稍远，但更便宜", "a little farther, but cheaper"),
}

_NO_DATA = frozenset({Exclusion.STALE_DATA, Exclusion.FAULT})
_CAR_PARK_ZH = ("停车场", "停车楼", "车库", "泊位")


def gate_sentence(
    state: GateState,
    free: int | None,
    bound: Bound,
    lot_state: LotState,
    chosen: tuple[Lot, Considered] | None,
    considered: tuple[Considered, ...],
) -> Sentence:
    """Say what the next driver at a hospital's gate should know; `free` is the room that decided the state."""
    own = _own(state, free, bound, lot_state)
    must_go_on = lot_state is LotState.CLOSED or state in (GateState.FULL, GateState.DIVERTING)
    if chosen is not None and state is not GateState.OPEN:
        return _joined(own, _go_to(*chosen) if must_go_on else _may_go_to(*chosen))
    if must_go_on:
        return _joined(own, _nowhere(considered))
    return Sentence(f"{own.zh}。", f"{own.en}.")


def _own(state: GateState, free: int | None, bound: Bound, lot_state: LotState) -> Sentence:
    if lot_state is LotState.CLOSED:
        return Sentence("本院停车场已关闭", "Hospital car park closed")
    if state is GateState.UNKNOWN:
        return Sentence("本院车位暂无数据", "No data from the hospital's car park")
    if state in (GateState.FULL, GateState.DIVERTING):
        return Sentence("本院车位已满", "Hospital full")
    return _own_count(_count(free or 0, bound), bound, filling=state is GateState.FILLING)


def _own_count(count: Sentence, bound: Bound, *, filling: bool) -> Sentence:
    if bound is Bound.AT_MOST:
        return Sentence(f"本院仅余少量车位，{count.zh}", f"Hospital: few spaces left, {count.en}")
    if filling and bound is Bound.EXACT:
        return Sentence(f"本院仅{count.zh}", f"Hospital: only {count.en} left")
    return Sentence(f"本院{count.zh}", f"Hospital: {count.en} free")


def _go_to(lot: Lot, chosen: Considered) -> Sentence:
    numbers = _numbers(chosen)
    return Sentence(f"请前往{_car_park_zh(lot)}：{numbers.zh}", f"Go to {lot.name.en}: {numbers.en}")


def _may_go_to(lot: Lot, chosen: Considered) -> Sentence:
    numbers = _numbers(chosen)
    return Sentence(f"也可前往{_car_park_zh(lot)}：{numbers.zh}", f"Or go to {lot.name.en}: {numbers.en}")


def _numbers(chosen: Considered) -> Sentence:
    said = _count(chosen.offered or 0, chosen.bound)
    minutes = max(1, math.ceil(chosen.approach.walk_s / 60)) if chosen.approach is not None else None
    zh, en = said.zh, said.en
    return Sentence(zh, en) if minutes is None else Sentence(f"{zh}，步行{minutes}分钟", f"{en}, {minutes} min walk")


def _nowhere(considered: tuple[Considered, ...]) -> Sentence:
    if not considered:
        return Sentence("周边没有共享停车场", "No car park nearby shares its spaces")
    if all(one.excluded is Exclusion.GATE_PAUSED for one in considered):
        return Sentence("暂停引导至其他停车场", "No cars are sent elsewhere for now")
    if all(one.excluded in _NO_DATA for one in considered):
        return Sentence("周边共享停车场暂无数据", "No data from the shared car parks nearby")
    return Sentence("周边共享停车场暂无可用车位", "No shared car park nearby has a space to offer now")


def _joined(first: Sentence, second: Sentence) -> Sentence:
    return Sentence(f"{first.zh}，{second.zh}。", f"{first.en}. {second.en}.")


def _car_park_zh(lot: Lot) -> str:
    return lot.name.zh if any(word in lot.name.zh for word in _CAR_PARK_ZH) else f"{lot.name.zh}停车场"


def _count(count: int, bound: Bound) -> Sentence:
    """Say a number of spaces: 112, or 30+ where it is the fewest that there are; "1+" is only that there is space."""
    if bound is Bound.AT_MOST:
        return Sentence(f"至多{count}位", f"at most {count}")
    if bound is Bound.EXACT:
        return Sentence(f"余{count}位", f"{count} space" if count == 1 else f"{count} spaces")
    return Sentence("有空位", "some spaces") if count == 1 else Sentence(f"余{count}+位", f"{count}+ spaces")
