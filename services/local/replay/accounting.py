"""The account of a replay: every decision, held against what the recording itself said at that moment."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from statistics import mean
from typing import Any

from bowei.domain.holds import Hold
from bowei.domain.lots import Lot, LotId
from bowei.domain.observations import LotState, Observation
from bowei.domain.places import distance_m
from bowei.records.holding import Json
from services.routing.diverting import considered_lot


@dataclass(slots=True)
class Account:
    """What was decided, and whether the recording bears it out."""

    radius_m: int
    decisions: int = 0
    diverted: int = 0
    none: int = 0
    none_unjustified: int = 0
    """`none` although a lot in the radius had a space by its last believable report."""
    chosen_without_free: int = 0
    """A lot was chosen that had no space by its last report."""
    chosen: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)
    episodes: int = 0
    episodes_diverted: int = 0
    """Stretches in which a hospital stayed full, and those of them in which every driver got a lot."""
    walks_s: list[int] = field(default_factory=list)
    _open_episodes: dict[LotId, bool] = field(default_factory=dict)

    def decide(
        self,
        *,
        at: datetime,
        hospital: Lot,
        hospital_free: int,
        hold: Hold | None,
        answer: Json,
        said: Mapping[LotId, Observation],
        shared: Iterable[Lot],
    ) -> dict[str, Any]:
        """Note one decision and give its line."""
        self.decisions += 1
        way = considered_lot(answer, hold.lot_id) if hold else {}
        line: dict[str, Any] = {
            "at": at.isoformat().replace("+00:00", "Z"),
            "hospital": hospital.lot_id,
            "hospital_free": hospital_free,
            "chosen": hold.lot_id if hold else None,
        }
        if hold:
            self.diverted += 1
            self.chosen[hold.lot_id] += 1
            self.walks_s.append(int(str(way["walk_s"])))
            line |= {key: way[key] for key in ("drive_s", "walk_s", "estimated") if key in way}
            line["chosen_free"] = said[hold.lot_id].free
            self.chosen_without_free += not said[hold.lot_id].free
        else:
            overlooked = self._had_space(hospital, said, shared)
            self.none += 1
            self.none_unjustified += bool(overlooked)
            line["overlooked"] = overlooked
        self.excluded.update(one["excluded"] for one in answer["considered"] if "excluded" in one)
        line["considered"] = answer["considered"]
        self._note_episode(hospital.lot_id, served=hold is not None)
        return line

    def free_again(self, hospital_id: LotId) -> None:
        """Note that a hospital is not full any more: its episode, if any, is over."""
        served = self._open_episodes.pop(hospital_id, None)
        self.episodes_diverted += served is True

    def summary(self) -> dict[str, Any]:
        """Give the summary of all decisions."""
        for hospital_id in list(self._open_episodes):
            self.free_again(hospital_id)
        kept = asdict(self)
        for name in ("walks_s", "_open_episodes"):
            kept.pop(name)
        return kept | {
            "none_share": round(self.none / self.decisions, 4) if self.decisions else None,
            "walk_s_mean": round(mean(self.walks_s)) if self.walks_s else None,
            "chosen": dict(self.chosen.most_common()),
            "excluded": dict(self.excluded.most_common()),
        }

    def _note_episode(self, hospital_id: LotId, *, served: bool) -> None:
        if hospital_id not in self._open_episodes:
            self.episodes += 1
        self._open_episodes[hospital_id] = self._open_episodes.get(hospital_id, True) and served

    def _had_space(self, hospital: Lot, said: Mapping[LotId, Observation], shared: Iterable[Lot]) -> list[str]:
        """List the lots in the radius whose last report, read here from the recording alone, shows a space."""
        found: list[str] = []
        for lot in shared:
            last = said.get(lot.lot_id)
            if last is None or last.state is not LotState.OPEN or not last.free:
                continue
            believable = last.free <= (last.capacity if last.capacity is not None else lot.capacity)
            if believable and distance_m(lot.location, hospital.location) <= self.radius_m:
                found.append(lot.lot_id)
        return found
