"""The guard: the follower's second work. It looks after holds whose lots can't keep them any more.

One process of all does it, so that no driver is moved twice for one danger; the ledger would refuse that too.
"""

import asyncio
import logging
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bowei.domain.dangers import Danger, short_by
from bowei.domain.holds import HoldState
from bowei.domain.lots import LotId
from bowei.domain.observations import LotState
from bowei.domain.problems import Refused
from bowei.livestate.mirror import LiveMirror
from bowei.records.failures import StoreFailure
from bowei.records.holding import HoldBook, LiveHold, Outcome
from services.routing.endangering import Dangers
from services.routing.measures import Measures
from services.routing.moving import Moving

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_MOST_AT_ONCE = 40
"""How many drivers are moved in one look: 80 a second. A mall that closes with 300 holds is empty of them in 4 s."""
_AGAIN_AFTER_S = 15.0
"""For whom no other lot has room is asked again only then, unless the danger becomes another."""
_PAUSE_S = 2.0
"""After a look that moved nobody whom it tried: a whole city in danger is not read and ranked twice a second."""
_MOST_FAILURES = 3
"""So many drivers in a row for whom the ledger fails: it is the ledger."""


class Guard:
    """Moves drivers out of danger. Run `run` as a task where this process is the follower."""

    def __init__(
        self, dangers: Dangers, mirror: LiveMirror, book: HoldBook, moving: Moving, measures: Measures
    ) -> None:
        self._dangers = dangers
        self._mirror = mirror
        self._book = book
        self._moving = moving
        self._measures = measures
        self._tried_at: dict[tuple[LiveHold, Danger], float] = {}
        self._seen: frozenset[tuple[LotId, Danger, int]] = frozenset()
        self._again_at = self._pausing_until = 0.0

    async def run(self) -> None:
        """Guard until cancelled."""
        try:
            while True:
                try:
                    await self.look()
                except StoreFailure as error:
                    _log.warning("holds_not_guarded", extra={"why": str(error)})
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            # Who follows now counts them.
            self._measures.endangered.set(0)

    async def look(self) -> None:
        """Move whoever is in danger, as many as are moved at once; nobody while it is not known who is now.

        Raises:
            StoreFailure: the ledger is away, or what it did is not known.
        """
        if not self._dangers.current or time.monotonic() < self._pausing_until:
            return
        seen = self._seen_now()
        if seen == self._seen and time.monotonic() < self._again_at:
            return
        in_danger = await self._in_danger()
        self._measures.endangered.set(len(in_danger))
        due = self._due(in_danger)
        moved = await self._move_some(due[:_MOST_AT_ONCE])
        # Where a whole city is in danger, its holds are not read again and again.
        self._seen, self._again_at = seen, time.monotonic() + (0 if due else _AGAIN_AFTER_S)
        if due and not moved:
            self._pausing_until = time.monotonic() + _PAUSE_S

    def _seen_now(self) -> frozenset[tuple[LotId, Danger, int]]:
        return frozenset(
            (lot_id, danger, self._short_by(lot_id, self._mirror.lot(lot_id).promise.held))
            for lot_id, danger in self._dangers.now.items()
        )

    def _short_by(self, lot_id: LotId, held: int) -> int:
        lot = self._mirror.directory.lots.get(lot_id)
        return 0 if lot is None else short_by(lot, self._mirror.lot(lot_id).report, held)

    async def _in_danger(self) -> Mapping[LiveHold, Danger]:
        endangered = dict(self._dangers.now)
        live_on: dict[LotId, list[LiveHold]] = defaultdict(list)
        for one in await self._book.live_on(endangered) if endangered else ():
            live_on[one.lot_id].append(one)
        found = {
            one: danger
            for lot_id, danger in endangered.items()
            for one in self._to_be_moved(lot_id, danger, live_on[lot_id])
        }
        held_on = [lot_id for lot_id, now in self._mirror.lots.items() if now.promise.held]
        barred = await self._book.barred_on(held_on) if held_on else ()
        return found | dict.fromkeys(barred, Danger.BARRED)

    def _to_be_moved(self, lot_id: LotId, danger: Danger, live: Sequence[LiveHold]) -> Sequence[LiveHold]:
        """Choose whom to move: of a lot that is short of spaces, so many as it is short of, the last ones that came.

        How many are held is counted as the ledger has it: what is shown of that may be from before the last move.
        """
        on_the_way = [one for one in live if one.state is HoldState.HELD]
        report = self._mirror.lot(lot_id).report
        if danger is not Danger.FULL or (report is not None and report.state is LotState.FULL_AT_ENTRANCE):
            # A lot that says "full" at its entrance lets nobody in, whatever it counts.
            return on_the_way
        return on_the_way[: self._short_by(lot_id, len(live))]

    def _due(self, in_danger: Mapping[LiveHold, Danger]) -> list[tuple[LiveHold, Danger]]:
        """Give whom to try now: first who was never tried, then who was tried longest ago; nobody twice in a while."""
        self._tried_at = {
            (one, danger): at for (one, danger), at in self._tried_at.items() if in_danger.get(one) is danger
        }
        tried_by = time.monotonic() - _AGAIN_AFTER_S
        due = [each for each in in_danger.items() if self._tried_at.get(each, -math.inf) <= tried_by]
        return sorted(due, key=lambda each: self._tried_at.get(each, -math.inf))

    async def _move_some(self, due: Iterable[tuple[LiveHold, Danger]]) -> bool:
        """Try to move these; say whether anybody needs no moving any more."""
        settled, failures = False, 0
        for one, danger in due:
            self._tried_at[one, danger] = time.monotonic()
            try:
                settled |= await self._move(one, danger)
                failures = 0
            except StoreFailure as error:
                _log.warning("hold_not_moved", extra={"why": str(error)})
                failures += 1
                if failures == _MOST_FAILURES:
                    raise
        return settled

    async def _move(self, one: LiveHold, danger: Danger) -> bool:
        found = await self._book.find(one.diversion_id, one.driver_id)
        if found.hold is None or (found.hold.ordinal, found.hold.state) != (one.ordinal, HoldState.HELD):
            return True
        try:
            decision = await self._moving.away(found, danger)
        except Refused as refused:
            _log.warning("hold_not_moved", extra={"why": refused.code})
            return False
        return decision.outcome is not Outcome.NONE
