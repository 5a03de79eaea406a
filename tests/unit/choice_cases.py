"""Ten cases of a choice, as a driver is told of them: written into docs/choice.md, and compared with it by a test.

python -m tests.unit.choice_cases        writes them anew
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bowei.domain.agreements import EVERY_DAY, Agreement, AgreementId, LendingWindow, MarginRule, QuotaStep
from bowei.domain.choosing import Approach, LotNow, Need, candidates
from bowei.domain.comparing import consider
from bowei.domain.directory import Directory
from bowei.domain.forecasting import Foreseen
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SpaceClass
from bowei.domain.observations import LotState
from bowei.domain.offering import LotPromise, PoolPromise, Report, pool_key
from bowei.domain.places import Point
from bowei.domain.tariffs import Tariff
from services.routing.explaining import explain
from services.routing.reasons import why

PAGE = Path(__file__).parents[2] / "docs" / "choice.md"
BEGIN, END = "<!-- ten cases: begin -->", "<!-- ten cases: end -->"
NINE = datetime(2026, 3, 2, 1, tzinfo=UTC)
"""Monday, 2 March 2026, 09:00 in Hangzhou."""
DOOR = Point(30.2576, 120.1621)
HOSPITAL = Hospital(HospitalId("first"), Name("市一医院", "First Hospital"), LotId("own"), DOOR, DOOR)
STANDARD, DISABLED = SpaceClass.STANDARD, SpaceClass.DISABLED

NAMES = {
    "gonglian": Name("工联CC", "Gonglian CC"),
    "in77": Name("湖滨银泰in77", "in77"),
    "guoda": Name("国大城市广场", "Guoda City Plaza"),
    "tower": Name("示例大厦", "Example Tower"),
}
WAYS = {"gonglian": (90.0, 280.0), "in77": (150.0, 420.0), "guoda": (300.0, 540.0), "tower": (240.0, 660.0)}
"""Drive and walk in seconds."""


@dataclass(frozen=True)
class Case:
    """One case: what is the matter, in both languages, who asks, and how lots differ from empty ones at hand."""

    title: Name
    lots: Mapping[str, Mapping[str, Any]]
    need: Need = field(default_factory=Need)


def lot(**said: Any) -> Mapping[str, Any]:
    """Say how a lot differs: `free`, `held`, `state`, `age`, `volatility`, or what its agreement or the lot states."""
    return said


MORNINGS = (LendingWindow(STANDARD, 80, EVERY_DAY, time(7), time(12), (QuotaStep(time(11), 20),)),)
BOTH = (LendingWindow(STANDARD, 80), LendingWindow(DISABLED, 2))

CASES = (
    Case(Name("最近的有空位", "The nearest has room"), {"gonglian": lot(), "in77": lot()}),
    Case(
        Name("最近的已满，第二近的空位已为他人保留", "The nearest is full, and the next is held for others"),
        {"gonglian": lot(free=0), "in77": lot(free=12, held=11), "guoda": lot()},
    ),
    Case(
        Name("最近的只剩为自有顾客预留的车位", "The nearest has only what it keeps for its own customers"),
        {"gonglian": lot(free=3, volatility=3.0), "in77": lot()},
    ),
    Case(
        Name("停留四小时，最近的商场中午前须离场", "Four hours, and the nearest mall wants cars out by noon"),
        {"gonglian": lot(windows=MORNINGS), "in77": lot()},
        Need(stay=timedelta(hours=4)),
    ),
    Case(
        Name("最近的收费较高", "The nearest is dear"),
        {"gonglian": lot(tariff=Tariff(Decimal(10))), "in77": lot(tariff=Tariff(Decimal(4), free_minutes=60))},
    ),
    Case(
        Name("最近的到达时可能已满", "The nearest may be full on arrival"),
        {"gonglian": lot(free=3, margin_rule=MarginRule.FIXED, volatility=4.0), "in77": lot()},
    ),
    Case(
        Name("没有一处把握充足", "No lot is sure"),
        {
            "gonglian": lot(free=2, margin_rule=MarginRule.FIXED, volatility=4.0),
            "in77": lot(free=3, margin_rule=MarginRule.FIXED, volatility=6.0),
            "tower": lot(state=LotState.CLOSED),
        },
    ),
    Case(
        Name("残疾人司机，附近没有无障碍车位", "A disabled driver, and no accessible space nearby"),
        {"gonglian": lot(windows=BOTH, held_disabled=2), "in77": lot()},
        Need(DISABLED),
    ),
    Case(
        Name("两处相当，轮到较空的一处", "Two are as good, and it is the emptier one's turn"),
        {"gonglian": lot(held=2), "in77": lot(way=(90.0, 290.0))},
    ),
    Case(
        Name("高车，其余数据过旧或道路不通", "A high car, and others that are silent or cut off"),
        {
            "gonglian": lot(max_height_cm=190),
            "in77": lot(age=timedelta(minutes=40)),
            "guoda": lot(way=(None, 300.0)),
            "tower": lot(),
        },
        Need(height_cm=210),
    ),
)


def told(case: Case) -> Name:
    """Give what the driver of a case is told."""
    lots = [_lot(name, said) for name, said in case.lots.items()]
    directory = Directory.of(1, lots, [HOSPITAL], [_agreement(name, said) for name, said in case.lots.items()])
    now_of = {LotId(name): _now(name, said) for name, said in case.lots.items()}
    ways = {one.lot_id: _way(one, case.lots[one.lot_id]) for one in lots}
    ranked = consider(HOSPITAL, directory, now_of, ways, case.need, NINE)
    chosen = next(iter(candidates(ranked)), None)
    answer = explain(ranked, case.need, NINE, by="cch")
    return why(answer, None if chosen is None else chosen.agreement_id, directory)


def page_text() -> str:
    """Give the cases as they stand in the page."""
    parts = []
    for number, case in enumerate(CASES, start=1):
        said = told(case)
        parts.append(f"{number}. **{case.title.en}** · {case.title.zh}\n   > {said.en}\n   >\n   > {said.zh}\n")
    return "\n".join(parts)


def written() -> str:
    """Give the cases that stand in the page."""
    return PAGE.read_text("utf-8").split(BEGIN)[1].split(END)[0].strip("\n") + "\n"


def _lot(name: str, said: Mapping[str, Any]) -> Lot:
    entrance = Entrance("north", Name("北口", "North"), DOOR)
    high = said.get("max_height_cm")
    return Lot(LotId(name), LotKind.MALL, NAMES[name], "Asia/Shanghai", 300, DOOR, (entrance,), max_height_cm=high)


def _agreement(name: str, said: Mapping[str, Any]) -> Agreement:
    terms = {key: said[key] for key in ("margin_rule", "tariff") if key in said}
    windows = said.get("windows", (LendingWindow(STANDARD, 80),))
    return Agreement(AgreementId(f"{name}-first"), LotId(name), HOSPITAL.hospital_id, windows, **terms)


def _now(name: str, said: Mapping[str, Any]) -> LotNow:
    observed_at = NINE - said.get("age", timedelta(seconds=30))
    report = Report(observed_at, observed_at, free=said.get("free", 120), state=said.get("state", LotState.OPEN))
    held, held_disabled = said.get("held", 0), said.get("held_disabled", 0)
    pools = {
        pool_key(f"{name}-first", STANDARD): PoolPromise(held),
        pool_key(f"{name}-first", DISABLED): PoolPromise(held_disabled),
    }
    return LotNow(report, LotPromise(held + held_disabled, pools=pools), Foreseen(said.get("volatility", 2.0)))


def _way(one: Lot, said: Mapping[str, Any]) -> Approach:
    drive_s, walk_s = said.get("way", WAYS[one.lot_id])
    return Approach(one.entrances[0], drive_s, walk_s, walk_s * 1.2, estimated=False)


def main() -> None:
    """Write the cases into the page."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{page_text()}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
