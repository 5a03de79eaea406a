"""Barriers: what each is told of the holds on its lot, what it answers, and whose car it was shown a code of."""

import asyncio
import logging
from collections.abc import Sequence

from bowei.domain.dangers import Danger
from bowei.domain.holds import HoldState
from bowei.domain.lots import LotId, SourceId
from bowei.domain.problems import Refused
from bowei.observability.rate_limits import RateLimit
from bowei.records.barriers import BarrierBook, BarrierCommand, CommandKind
from bowei.records.failures import StoreFailure
from bowei.records.holding import Decision, HoldBook, Outcome
from services.routing.measures import Measures
from services.routing.moving import Moving
from services.routing.watching import Watching, of_holds_on

_log = logging.getLogger(__name__)

_WRONG_CODES_PER_MINUTE = 20
"""With 100 live holds one of 10⁸ / 100 guesses is right: at 20 a minute one in 35 days, by each process."""
_WRONG_CODES_OF_SOURCE = 60
"""At all of its lots together: one in 12 days."""


class Barriers:
    """Tells barriers, and heeds them."""

    def __init__(
        self, book: HoldBook, barriers: BarrierBook, watching: Watching, moving: Moving, measures: Measures
    ) -> None:
        self._book = book
        self._barriers = barriers
        self._watching = watching
        self._moving = moving
        self._measures = measures
        self._wrong_at_lot = RateLimit(per_minute=_WRONG_CODES_PER_MINUTE)
        self._wrong_of_source = RateLimit(per_minute=_WRONG_CODES_OF_SOURCE)

    async def commands(self, lot_id: LotId, after: int, wait_s: float) -> Sequence[BarrierCommand]:
        """Give what the lot's barrier has not answered of the commands after `after`; wait for one if there is none.

        Raises:
            StoreFailure: ask again.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        with self._watching.watch(of_holds_on(lot_id)) as watch:
            while True:
                told = [one for one in await self._barriers.commands([lot_id]) if one.command_id > after]
                left_s = until_s - loop.time()
                if told or left_s <= 0 or self._watching.closing or not await watch.wait(left_s):
                    break
        for command in told:
            self._measures.barrier_commands.labels(str(command.kind), "poll").inc()
        return told

    async def answer(self, lot_id: LotId, command_id: int, *, accepted: bool, reason: str | None) -> CommandKind:
        """Keep a barrier's answer. A car that it refuses is moved to the next lot that has room.

        Raises:
            Refused: unknown_command.
            StoreFailure: say it again.
        """
        answered = await self._barriers.answer(lot_id, command_id, accepted=accepted, reason=reason)
        if answered is None:
            raise Refused("unknown_command")
        kind, decision = answered
        self._measures.barrier_answers.labels(str(kind), "accepted" if accepted else "rejected").inc()
        if decision.hold is not None and decision.hold.barred and decision.hold.state is HoldState.HELD:
            await self._move_on(decision)
        return kind

    async def _move_on(self, barred: Decision) -> None:
        try:
            await self._moving.away(barred, Danger.BARRED)
        except (Refused, StoreFailure) as error:
            # The answer is kept, and the guard sees it.
            _log.warning("barred_hold_not_moved", extra={"why": str(error)})

    async def arrive(self, source_id: SourceId, lot_id: LotId, code: str) -> Decision:
        """Let the car arrive whose code the lot was shown.

        Raises:
            Refused: unknown_code, hold_over; too_many_requests after too many wrong ones, whatever this one is.
            StoreFailure: say it again.
        """
        self._take_guess(source_id, lot_id)
        wrong = False
        try:
            decision = await self._book.arrive_by_code(lot_id, code.replace(" ", ""))
            wrong = decision.outcome is Outcome.UNKNOWN_DIVERSION
        finally:
            if not wrong:
                self._wrong_of_source.give_back(source_id)
                self._wrong_at_lot.give_back(lot_id)
        self._measures.hold_ends.labels("arrive_by_code", str(decision.outcome)).inc()
        if wrong:
            raise Refused("unknown_code")
        if decision.outcome is Outcome.HOLD_OVER:
            raise Refused("hold_over")
        return decision

    def _take_guess(self, source_id: SourceId, lot_id: LotId) -> None:
        """Take a code for wrong before the ledger is asked: many sent at once are not one guess."""
        self._wrong_of_source.take(source_id)
        try:
            self._wrong_at_lot.take(lot_id)
        except Refused:
            self._wrong_of_source.give_back(source_id)
            raise
