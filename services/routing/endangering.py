"""What endangers the holds on each lot now, as this process sees it in the live state, and who is told of it."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime

from bowei.domain.clock import Clock
from bowei.domain.dangers import Danger, danger_of, patience_with
from bowei.domain.directory import Directory
from bowei.domain.holds import Hold, HoldState
from bowei.domain.lots import LotId
from bowei.livestate.mirror import LiveMirror
from services.routing.ranking import Ranking
from services.routing.watching import Watching, of_danger_to, of_sight_of

_LOOK_EVERY_S = 1.0
_LOOK_AT_MOST_EVERY_S = 0.2
"""However busy the live state is: a look costs some microseconds for each lot on which something is held."""
_ROADS_EVERY_S = 5.0
"""How often it is asked which lots no road leads to: a tenth of a millisecond for each hospital."""


class Dangers:
    """Looks at the lots on which something is held, whenever the live state changes. Run `run` as a task."""

    def __init__(self, mirror: LiveMirror, ranking: Ranking, watching: Watching, clock: Clock) -> None:
        self._mirror = mirror
        self._ranking = ranking
        self._watching = watching
        self._clock = clock
        self._began: dict[LotId, tuple[Danger, datetime]] = {}
        self._now: dict[LotId, Danger] = {}
        self._cut_off: frozenset[LotId] = frozenset()
        self._held_on: set[LotId] = set()
        self._seen = -1
        self._roads_at = float("-inf")
        self._current = False

    @property
    def now(self) -> Mapping[LotId, Danger]:
        """The lots with holds that are in danger, and have been for longer than noise lasts."""
        return self._now

    @property
    def current(self) -> bool:
        """Whether `now` is what is shown now. With the live state away it is what was last seen."""
        return self._current and self._mirror.is_current()

    def of(self, hold: Hold) -> Danger | None:
        """Say what endangers a hold; None too for one that is not on its way any more."""
        if hold.state is not HoldState.HELD:
            return None
        return Danger.BARRED if hold.barred else self._now.get(hold.lot_id)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self._watching.wake(map(of_sight_of, self._heed_changes()))
            self.look()
            await asyncio.sleep(_LOOK_AT_MOST_EVERY_S)
            await self._mirror.wait_change(self._seen, _LOOK_EVERY_S)

    def _heed_changes(self) -> set[LotId]:
        serial = self._mirror.serial
        changed = self._mirror.changed_since(self._seen) if serial != self._seen else set()
        self._seen = serial
        for lot_id in changed:
            if self._mirror.lot(lot_id).promise.held:
                self._held_on.add(lot_id)
            else:
                self._held_on.discard(lot_id)
        return changed

    def look(self) -> None:
        """Look at every lot on which something is held, and wake those whom a change concerns.

        A copy that is not current shows neither what has happened since nor that nothing has: then all stays.
        """
        self._current = self._mirror.is_current()
        if not self._current:
            return
        now, before = self._clock.now(), self._now
        self._look_at_roads(self._mirror.directory)
        self._began = self._found(self._mirror.directory, now)
        self._now = {
            lot_id: danger
            for lot_id, (danger, since) in self._began.items()
            if now - since >= patience_with(danger, self._mirror.lot(lot_id).report)
        }
        changed = {lot_id for lot_id in before.keys() | self._now.keys() if before.get(lot_id) != self._now.get(lot_id)}
        self._watching.wake(map(of_danger_to, changed))

    def _found(self, directory: Directory, now: datetime) -> dict[LotId, tuple[Danger, datetime]]:
        found = {}
        for lot_id in self._held_on:
            lot = directory.lots.get(lot_id)
            if lot is None:
                continue
            danger = danger_of(lot, self._mirror.lot(lot_id), now, cut_off=lot_id in self._cut_off)
            if danger is not None:
                known, since = self._began.get(lot_id, (None, now))
                found[lot_id] = (danger, since if known is danger else now)
        return found

    def _look_at_roads(self, directory: Directory) -> None:
        if time.monotonic() - self._roads_at < _ROADS_EVERY_S:
            return
        self._roads_at = time.monotonic()
        self._cut_off = self._ranking.cut_off(directory)
