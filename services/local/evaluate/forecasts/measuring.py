"""Measuring: the online code over a recording, forward in time, and every case that came true."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bowei.domain.forecast_scores import NEAR_FULL, Method, Scores
from bowei.domain.foreseeing import CityForecast, Outcome
from bowei.domain.usual_weeks import Floats
from services.local.evaluate.forecasts.listening import steps
from services.local.replay.recording import Recording

_DAY_S = 86_400
MOST_WARM_SHARE = 1 / 3
"""Of a short recording at most so much warms up."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases that came true after the warm-up; each method's chances and means, not numbers where it had none."""

    horizon: NDArray[np.intp]
    """Place in `HORIZONS`."""
    day: NDArray[np.intp]
    """Of the forecast, UTC, from 1970."""
    row: NDArray[np.intp]
    """Of the lot."""
    near_full: NDArray[np.bool_]
    truth: NDArray[np.float64]
    chance: dict[Method, NDArray[np.float64]]
    mean: dict[Method, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A recording that was measured: from when its cases count, of which lots."""

    name: str
    lots: int
    began: datetime
    scored_from: datetime
    ended: datetime
    cases: Cases


@dataclass(slots=True)
class _Pile:
    columns: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)

    def put(self, name: str, values: NDArray[np.float64]) -> None:
        self.columns.setdefault(name, []).append(values)

    def whole(self, name: str) -> NDArray[np.float64]:
        found = self.columns.get(name)
        return np.concatenate(found) if found else np.zeros(0)


def measure(
    name: str, recording: Recording, warm_up: timedelta, progress: Callable[[datetime], None] | None = None
) -> Measured:
    """Forecast at every step of a recording, and keep what came true of forecasts made after the warm-up.

    Raises:
        BadRecording: a row can't be read.
    """
    city, scores, pile = CityForecast(), Scores(), _Pile()
    first, last = _span(recording)
    scored_from = first + min(warm_up, (last - first) * MOST_WARM_SHARE)
    lots = len(recording.lots)
    for at_s, counted in steps(recording):
        for outcome in city.step(at_s, counted):
            chances = scores.chances(outcome, at_s, lots)
            scores.learn(outcome)
            if outcome.issued_s >= scored_from.timestamp():
                _keep(pile, outcome, chances)
        if progress is not None:
            progress(datetime.fromtimestamp(at_s, UTC))
    cases = Cases(
        horizon=pile.whole("horizon").astype(np.intp),
        day=pile.whole("day").astype(np.intp),
        row=pile.whole("row").astype(np.intp),
        near_full=pile.whole("free_then") <= NEAR_FULL,
        truth=pile.whole("truth"),
        chance={method: pile.whole(f"chance {method}") for method in Method},
        mean={method: pile.whole(f"mean {method}") for method in Method},
    )
    return Measured(name, lots, first, scored_from, last, cases)


def _keep(pile: _Pile, outcome: Outcome, chances: Mapping[Method, Floats]) -> None:
    cases = len(outcome.rows)
    pile.put("horizon", np.full(cases, float(outcome.horizon)))
    pile.put("day", np.full(cases, float(outcome.issued_s // _DAY_S)))
    pile.put("row", outcome.rows.astype(float))
    pile.put("free_then", outcome.free_then)
    pile.put("truth", outcome.truth)
    for method, chance in chances.items():
        pile.put(f"chance {method}", chance)
    for method, mean in (
        (Method.BOWEI, outcome.mean),
        (Method.LAST_VALUE, outcome.free_then),
        (Method.LAST_WEEK, outcome.last_week),
    ):
        pile.put(f"mean {method}", mean)


def _span(recording: Recording) -> tuple[datetime, datetime]:
    first = last = None
    for heard in recording.reports():
        first, last = first or heard.at, heard.at
    if first is None or last is None:
        nothing = datetime.fromtimestamp(0, UTC)
        return nothing, nothing
    return first, last
