"""Moving: who is on the way to a lot that can't keep the space gets another before the old one is revoked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bowei.domain.choosing import candidates
from bowei.domain.clock import Clock
from bowei.domain.dangers import CERTAIN, Danger
from bowei.domain.holds import LONGEST_LIFETIME, Hold
from bowei.records.holding import Candidate, Decision, HoldBook, Json, Outcome
from services.routing.explaining import explain, need_of
from services.routing.measures import Measures
from services.routing.ranking import Ranking, as_candidates, entrance_of, hospital_of, without

_MOST_MOVES = 3
_MOST_UNCERTAIN_MOVES = 1
"""Nobody is sent around twice for a lot that may yet keep its word, nor for ever for those that don't."""


class Moving:
    """Finds another lot for a hold in danger."""

    def __init__(self, book: HoldBook, ranking: Ranking, clock: Clock, measures: Measures) -> None:
        self._book = book
        self._ranking = ranking
        self._clock = clock
        self._measures = measures

    async def away(self, held: Decision, danger: Danger) -> Decision:
        """Move a held hold to the best other lot with room, seen from the entrance to which the driver is on the way.

        `none`: no other lot has room, or the driver was sent around often enough; the hold stays. No lot that the
        driver was sent away from is chosen again.

        Raises:
            Refused: unknown_hospital.
            StoreAway, OutcomeUnknown: the hold stays, or was moved; ask again.
        """
        hold = held.hold
        if hold is None or _moves(held.answer) >= (_MOST_MOVES if danger in CERTAIN else _MOST_UNCERTAIN_MOVES):
            return replace(held, outcome=Outcome.NONE)
        known = await self._ranking.known()
        hospital = hospital_of(known, hold.hospital_id)
        need = need_of(hold, held.answer)
        now = self._clock.now()
        left_lots = [*held.answer.get("left_lots", ()), hold.lot_id]
        refused_lots = held.answer.get("refused_lots", ())
        here = entrance_of(known, hold.lot_id) or hospital.gate
        ranked = without([*left_lots, *refused_lots], self._ranking.rank(known, hospital, here, need, now))
        chosen = candidates(ranked)
        decision = replace(held, outcome=Outcome.NONE)
        if chosen:
            answer: dict[str, Any] = {
                **explain(ranked, need, now, by=self._ranking.by),
                "left_lots": left_lots,
                "moved_from": {"lot_id": hold.lot_id, "reason": str(danger)},
            }
            decision = await self._book.move(
                hold.diversion_id,
                hold.driver_id,
                hold.ordinal,
                reason=str(danger),
                candidates=_lasting_from(hold, now, as_candidates(chosen, need, hospital.rules)),
                answer=answer if not refused_lots else answer | {"refused_lots": list(refused_lots)},
            )
        self._measures.moves.labels(str(danger), str(decision.outcome)).inc()
        return decision


def _moves(answer: Json) -> int:
    return len(answer.get("left_lots", ()))


def _lasting_from(hold: Hold, now: datetime, chosen: Sequence[Candidate]) -> list[Candidate]:
    """Let each hold last for what was left of the old one too: the driver is on the way to its lot, not yet there."""
    left = hold.expires_at - now
    return [replace(one, lifetime=max(one.lifetime, min(left + one.lifetime / 2, LONGEST_LIFETIME))) for one in chosen]
