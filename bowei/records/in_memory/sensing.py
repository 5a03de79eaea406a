"""The twin of the spaces with sensors."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from typing_extensions import override

from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import FUTURE_TOLERANCE, Outcome
from bowei.records.in_memory.world import InMemoryRecords
from bowei.records.sensing import SpaceBook, SpaceCount, SpaceSign, SpacesNoted


class InMemorySpaceBook(SpaceBook):
    """The spaces in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records
        self._spaces: dict[tuple[SourceId, str], SpaceSign] = {}
        self._versions: dict[LotId, tuple[int, datetime]] = {}

    @override
    async def note(self, signs: Sequence[SpaceSign], *, silent_after: timedelta) -> SpacesNoted:
        if not signs:
            return SpacesNoted((), {})
        latest = self._records.now + FUTURE_TOLERANCE
        for sign in sorted(signs, key=lambda sign: sign.said_at):
            if sign.said_at <= latest:
                self._versions.setdefault(sign.lot_id, (0, sign.said_at))
        outcomes = [self._note_one(sign) if sign.said_at <= latest else Outcome.REJECTED for sign in signs]
        known = {sign.lot_id for sign in signs if sign.lot_id in self._versions}
        return SpacesNoted(outcomes, {lot_id: self._count(lot_id, silent_after) for lot_id in known})

    def _note_one(self, sign: SpaceSign) -> Outcome:
        last = self._spaces.get((sign.source_id, sign.device_id))
        if last is not None and (sign.said_at, sign.f_cnt) <= (last.said_at, last.f_cnt):
            same = (sign.said_at, sign.f_cnt) == (last.said_at, last.f_cnt)
            return Outcome.DUPLICATE if same else Outcome.STALE
        self._spaces[sign.source_id, sign.device_id] = sign
        version, newest_at = self._versions[sign.lot_id]
        self._versions[sign.lot_id] = (version + 1, max(newest_at, sign.said_at))
        return Outcome.APPLIED

    def _count(self, lot_id: LotId, silent_after: timedelta) -> SpaceCount:
        here = [one for one in self._spaces.values() if one.lot_id == lot_id]
        known = [one for one in here if one.occupied is not None and one.said_at > self._records.now - silent_after]
        version, newest_at = self._versions[lot_id]
        return SpaceCount(
            version=version,
            counted_at=newest_at,
            free=sum(not one.occupied for one in known),
            known=len(known),
            spaces=len(here),
        )
