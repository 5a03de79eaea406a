"""What a driver would have read of every lot at every step of a replay, and whether it could have been true.

Each lot is described as availability describes it, and what would have been sent is held against the register: by
itself, without the rules that made it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bowei.domain.agreements import Agreement
from bowei.domain.calendars import LocalTime
from bowei.domain.choosing import LotNow
from bowei.domain.dirt import Dirt
from bowei.domain.lots import Lot, LotId
from bowei.domain.observations import Observation, Verdict
from services.availability.lots import LotStatus, describe_lot
from services.availability.views import LotNowView

_COUNTS = ("capacity", "open", "free", "free_at_most", "occupied", "offered")
_UNKNOWN_STATES = frozenset({"unknown", "out_of_order"})
_MOST_KEPT = 20


class Watching:
    """Looks at all lots after each step; counts dirt with what was shown of its lot right after it."""

    def __init__(self, lots: Mapping[LotId, Lot], agreements: Sequence[Agreement]) -> None:
        self._lots = lots
        self._agreements = {
            lot_id: [agreement for agreement in agreements if agreement.lot_id == lot_id] for lot_id in lots
        }
        self._statuses: dict[LotId, LotStatus] = {}
        self._dirt: Counter[Dirt] = Counter()
        self._shown: dict[Dirt, Counter[str]] = {}
        self._looked_at = 0
        self._impossible = 0
        self._examples: list[dict[str, Any]] = []

    def look(self, at: datetime, shown: Callable[[LotId], LotNow]) -> None:
        """Look at every lot as it is shown at `at`."""
        for lot_id, lot in self._lots.items():
            before = self._statuses.get(lot_id)
            level = None if before is None else before.level
            status = self._statuses[lot_id] = describe_lot(
                lot, LocalTime(lot.zone), shown(lot_id), self._agreements[lot_id], level, at
            )
            sent = LotNowView.of(status, at).model_dump(mode="json", exclude_none=True)
            self._looked_at += 1
            if wrong := impossible(sent, lot.capacity):
                self._impossible += 1
                if len(self._examples) < _MOST_KEPT:
                    self._examples.append({"at": at.isoformat(), "wrong": wrong, "sent": sent})

    def note(self, said: Iterable[Observation], verdicts: Iterable[Verdict]) -> None:
        """Note the dirt of reports, and what is shown of their lots now; `look` was called after them."""
        for one, verdict in zip(said, verdicts, strict=True):
            found = set(one.dirt if verdict.belief is None else verdict.belief.dirt)
            if verdict.code is not None:
                found.add(Dirt(verdict.code))
            for dirt in found:
                self._dirt[dirt] += 1
                words = self._shown.setdefault(dirt, Counter())
                words[_word(self._statuses[one.lot_id], believed=verdict.believed)] += 1

    def summary(self) -> dict[str, Any]:
        """Give how much of each dirt there was with what was shown meanwhile, and how much of all was impossible."""
        return {
            "dirt": {
                str(dirt): {"reports": count, "shown": dict(self._shown[dirt].most_common())}
                for dirt, count in self._dirt.most_common()
            },
            "shown": self._looked_at,
            "impossible_shown": self._impossible,
            "impossible_examples": self._examples,
        }


def impossible(sent: Mapping[str, Any], registered: int) -> list[str]:
    """Name what can't be true of a lot as it was sent to a client."""
    counts = {name: sent[name] for name in _COUNTS if name in sent}
    counts |= {f"free_by_class.{name}": count for name, count in sent.get("free_by_class", {}).items()}
    wrong = [f"{name} {count} of {registered}" for name, count in counts.items() if not 0 <= count <= registered]
    free = sent.get("free")
    if sent.get("queue_vehicles", 0) < 0:
        wrong.append("a negative queue")
    if free is not None and (sent["state"] in _UNKNOWN_STATES or sent["freshness"] == "expired"):
        wrong.append("a number of a lot that says none")
    if free is not None and free + sent.get("occupied", 0) > sent["capacity"]:
        wrong.append("more free and occupied than there are")
    if sent.get("offered", 0) > (free or 0):
        wrong.append("more offered than free")
    if sent["level"] == "full" and free is None and sent["state"] != "full_at_entrance":
        wrong.append("full without a count")
    if (sent["state"] == "closed") != (sent["level"] == "closed"):
        wrong.append("closed, and not closed")
    return wrong


def _word(status: LotStatus, *, believed: bool) -> str:
    """Say what is shown of a lot after a report."""
    if status.level == "closed":
        return "closed"
    if status.free is None and status.free_at_most is None:
        return "nothing"
    if not believed:
        return "the last good count"
    if status.bound is not None:
        return str(status.bound).replace("_", " ")
    return "full" if status.free == 0 else "its count"
