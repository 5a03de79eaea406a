"""Listening: what a recording's lots said, judged as ingest judges it, and what was believed of all at each step.

Each report is heard when it was received: nothing is known before that.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from bowei.domain.believing import Claim, Known, claimed, judge
from bowei.domain.forecasting import STEP
from bowei.domain.foreseeing import Counted, learnable
from bowei.domain.freshness import FRESH_FLOOR, learn_gap
from bowei.domain.lots import LotId
from bowei.domain.observations import Outcome
from bowei.domain.offering import Report
from services.local.replay.recording import Heard, Recording

STEP_S = int(STEP.total_seconds())


class Listener:
    """Believes what lots say, as ingest and the record do."""

    def __init__(self, recording: Recording) -> None:
        self._lots = recording.lots
        self._ids = tuple(sorted(recording.lots))
        self._zones = tuple(recording.lots[lot_id].timezone for lot_id in self._ids)
        self._capacities = np.array([recording.lots[lot_id].capacity for lot_id in self._ids], dtype=float)
        self._last: dict[LotId, Report] = {}
        self._claims: dict[LotId, Claim] = {}

    def hear(self, heard: Heard) -> None:
        """Hear one report."""
        said, lot_id = heard.said, heard.said.lot_id
        last, claim = self._last.get(lot_id), self._claims.get(lot_id)
        capacity = self._lots[lot_id].capacity
        verdict = judge(said, Known(capacity, heard.at, last=last, claim=claim))
        claim = claimed(said, claim, heard.at)
        if claim is not None and verdict.outcome is not Outcome.REJECTED:
            self._claims[lot_id] = claim
        taken = verdict.belief
        if not verdict.believed or taken is None or (last is not None and taken.observed_at <= last.observed_at):
            return
        self._last[lot_id] = Report(
            observed_at=taken.observed_at,
            received_at=heard.at,
            free=taken.free,
            capacity=taken.capacity,
            state=taken.state,
            bound=taken.bound,
            dirt=taken.dirt,
            said_at=None if said.observed_at == taken.observed_at else said.observed_at,
            usual_gap=FRESH_FLOOR if last is None else learn_gap(last.usual_gap, taken.observed_at - last.observed_at),
        )

    def counted(self, at: datetime) -> Counted:
        """Give what is believed of all lots at an instant."""
        free, observed_s = np.full(len(self._ids), np.nan), np.full(len(self._ids), np.nan)
        for row, lot_id in enumerate(self._ids):
            report = self._last.get(lot_id)
            count = None if report is None else learnable(report.within(self._lots[lot_id].capacity), at)
            if report is not None and count is not None:
                free[row], observed_s[row] = count, report.observed_at.timestamp()
        return Counted(self._ids, self._zones, self._capacities, free, observed_s)


def steps(recording: Recording) -> Iterator[tuple[int, Counted]]:
    """Give each step of a recording in which any lot is believed: the instant (s since 1970), and all lots' counts."""
    listener = Listener(recording)
    next_s: int | None = None
    for heard in recording.reports():
        while next_s is not None and heard.at.timestamp() > next_s:
            yield from _step(listener, next_s)
            next_s += STEP_S
        if next_s is None:
            next_s = (int(heard.at.timestamp()) // STEP_S + 1) * STEP_S
        listener.hear(heard)
    if next_s is not None:
        yield from _step(listener, next_s)


def _step(listener: Listener, at_s: int) -> Iterator[tuple[int, Counted]]:
    counted = listener.counted(datetime.fromtimestamp(at_s, UTC))
    if np.isfinite(counted.free).any():
        yield at_s, counted
