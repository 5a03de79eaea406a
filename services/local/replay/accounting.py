"""The account of a replay: every decision, held against what the recording itself said at that moment."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import mean
from typing import Any

from bowei.domain.believing import Claim, Known, claimed, judge
from bowei.domain.freshness import learn_gap
from bowei.domain.holds import Hold
from bowei.domain.lots import Lot, LotId
from bowei.domain.observations import LotState, Observation, Outcome
from bowei.domain.offering import Report
from bowei.domain.places import distance_m
from bowei.records.holding import Json
from services.routing.explaining import considered_lot


@dataclass(slots=True)
class Account:
    """What was decided, and whether the recording bears it out.

    What each lot last said is reckoned here once more, from the recording alone: no store is asked.
    """

    shared: Mapping[LotId, Lot]
    radius_m: int
    decisions: int = 0
    diverted: int = 0
    none: int = 0
    none_unjustified: int = 0
    """`none` although a lot in the radius had a space by its last believable report."""
    chosen_without_free: int = 0
    """A lot was chosen that had no space by its last believable report."""
    chosen: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)
    episodes: int = 0
    episodes_diverted: int = 0
    """Stretches in which a hospital stayed full, and those of them in which every driver got a lot."""
    _walks_s: list[int] = field(default_factory=list)
    _open_episodes: dict[LotId, bool] = field(default_factory=dict)
    _said: dict[LotId, Report] = field(default_factory=dict)
    _claims: dict[LotId, Claim] = field(default_factory=dict)

    def hear(self, at: datetime, said: Iterable[Observation]) -> None:
        """Note what shared lots say at `at`; what can't be true leaves the report before it standing."""
        for one in said:
            if (lot := self.shared.get(one.lot_id)) is not None:
                self._hear_one(at, one, lot)

    def _hear_one(self, at: datetime, said: Observation, lot: Lot) -> None:
        before = self._said.get(lot.lot_id)
        claim = self._claims.get(lot.lot_id)
        verdict = judge(said, Known(lot.capacity, at, last=before, claim=claim))
        claim = claimed(said, claim, at)
        if claim is not None and verdict.outcome is not Outcome.REJECTED:
            self._claims[lot.lot_id] = claim
        taken = verdict.belief
        if not verdict.believed or taken is None or (before and taken.observed_at < before.observed_at):
            return
        report = Report(
            taken.observed_at,
            at,
            free=taken.free,
            open=taken.open,
            capacity=taken.capacity,
            state=taken.state,
            bound=taken.bound,
            dirt=taken.dirt,
            said_at=said.observed_at,
        )
        if before:
            gap = taken.observed_at - before.observed_at
            report = replace(report, usual_gap=learn_gap(before.usual_gap, gap) if gap else before.usual_gap)
        self._said[lot.lot_id] = report

    def decide(
        self, *, at: datetime, hospital: Lot, hospital_free: int, hold: Hold | None, answer: Json
    ) -> dict[str, Any]:
        """Note one decision and give its line."""
        self.decisions += 1
        line: dict[str, Any] = {
            "at": at.isoformat().replace("+00:00", "Z"),
            "hospital": hospital.lot_id,
            "hospital_free": hospital_free,
            "chosen": hold.lot_id if hold else None,
        }
        if hold:
            way = considered_lot(answer, hold.lot_id)
            self.diverted += 1
            self.chosen[hold.lot_id] += 1
            self.chosen_without_free += not self._has_space(hold.lot_id, at)
            self._walks_s.append(int(str(way["walk_s"])))
            line |= {key: way[key] for key in ("drive_s", "walk_s", "estimated") if key in way}
            line["chosen_free"] = self._said[hold.lot_id].free if hold.lot_id in self._said else None
        else:
            line["overlooked"] = [
                lot.lot_id
                for lot in self.shared.values()
                if self._has_space(lot.lot_id, at) and distance_m(lot.location, hospital.location) <= self.radius_m
            ]
            self.none += 1
            self.none_unjustified += bool(line["overlooked"])
        self.excluded.update(one["excluded"] for one in answer["considered"] if "excluded" in one)
        line["considered"] = answer["considered"]
        self._note_episode(hospital.lot_id, served=hold is not None)
        return line

    def free_again(self, hospital_id: LotId) -> None:
        """Note that a hospital is not full any more: its episode, if any, is over."""
        served = self._open_episodes.pop(hospital_id, None)
        self.episodes_diverted += served is True

    def summary(self) -> dict[str, Any]:
        """Give the summary of all decisions; every episode is over then."""
        for hospital_id in list(self._open_episodes):
            self.free_again(hospital_id)
        return {
            "radius_m": self.radius_m,
            "decisions": self.decisions,
            "diverted": self.diverted,
            "none": self.none,
            "none_share": round(self.none / self.decisions, 4) if self.decisions else None,
            "none_unjustified": self.none_unjustified,
            "chosen_without_free": self.chosen_without_free,
            "episodes": self.episodes,
            "episodes_diverted": self.episodes_diverted,
            "walk_s_mean": round(mean(self._walks_s)) if self._walks_s else None,
            "chosen": dict(self.chosen.most_common()),
            "excluded": dict(self.excluded.most_common()),
        }

    def _note_episode(self, hospital_id: LotId, *, served: bool) -> None:
        if hospital_id not in self._open_episodes:
            self.episodes += 1
        self._open_episodes[hospital_id] = self._open_episodes.get(hospital_id, True) and served

    def _has_space(self, lot_id: LotId, at: datetime) -> bool:
        last = self._said.get(lot_id)
        if last is None or not last.believed_at(at) or last.state is not LotState.OPEN:
            return False
        return bool(last.countable) and last.open != 0
