"""What drivers are told in words about the life of a hold, in zh and en."""

from collections.abc import Mapping

from bowei.domain.announcing import Expectation
from bowei.domain.dangers import CERTAIN, Danger
from bowei.domain.holds import REFUSED_ON_ARRIVAL
from bowei.domain.lots import Name

_WHY: Mapping[str, Name] = {
    str(Danger.PAUSED): Name("已暂停共享", "has paused sharing"),
    str(Danger.CLOSED): Name("已关闭", "has closed"),
    str(Danger.ROAD_CLOSED): Name("前方道路封闭", "can't be reached: the road is closed"),
    str(Danger.BARRED): Name("道闸未放行", "can't let your car in"),
    str(Danger.FEED_LOST): Name("数据中断", "has stopped reporting"),
    str(Danger.DOUBTED): Name("数据存疑", "reports counts that can't be trusted"),
    str(Danger.FULL): Name("车位已满", "has filled up"),
    REFUSED_ON_ARRIVAL: Name("到场无位", "had no space for you"),
}

GATE_PAUSED = Name(
    "医院暂停向周边停车场引导，请稍后再试，或在院门口下客。",
    "The hospital sends nobody elsewhere for now. Try again in a few minutes, or use the drop-off.",
)


def why(reason: str) -> Name:
    """Say a reason as the end of a sentence that begins with the lot's name."""
    return _WHY.get(reason, Name("无法兑现车位", "could not keep the space"))


def moved(left: Name, reason: str, now: Name) -> Name:
    """Say that the driver is sent elsewhere: from which lot, why, and what holds now."""
    because = why(reason)
    return Name(f"{left.zh}{because.zh}，已为您改换车位。{now.zh}", f"{left.en} {because.en}. You are moved. {now.en}")


def endangered(danger: Danger, lot: Name) -> Name:
    """Say that a space may not be there, and that no other was found."""
    because = why(str(danger))
    if danger in CERTAIN:
        return Name(
            f"{lot.zh}{because.zh}，附近暂无其他空位；一有空位即为您改换，请留意。",
            f"{lot.en} {because.en}, and no other lot has a space now. You are moved as soon as one has.",
        )
    return Name(
        f"{lot.zh}{because.zh}，您的车位可能无法兑现；附近暂无更可靠的空位。",
        f"{lot.en} {because.en}: your space may not be there. No other lot is a safer choice now.",
    )


def expected(expectation: Expectation, hospital: Name) -> Name:
    """Say what an announced driver may expect at the hospital."""
    if expectation.full:
        return Name(
            f"{hospital.zh}停车场预计您到达时无空位，请用同一编号再次请求，为您保留附近车位。",
            f"The car park of {hospital.en} will be full when you arrive. Ask again with the same id: a space nearby"
            " is held for you.",
        )
    if expectation.chance is None:
        return Name(
            f"{hospital.zh}停车场暂无数据，无法预计；可先前往，情况有变会通知您。",
            f"The car park of {hospital.en} says nothing now, so nothing can be foreseen. Go on; you are told if it"
            " fills.",
        )
    percent = min(99, int(expectation.chance * 100))
    return Name(
        f"{hospital.zh}停车场预计您到达时有空位（约{percent}%），请直接前往；情况有变会通知您。",
        f"The car park of {hospital.en} should have a space when you arrive ({percent} %). Go there; you are told if"
        " that changes.",
    )
