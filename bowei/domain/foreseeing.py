"""Foreseeing: what the counts of all lots of a city teach, each five minutes, and what is foreseen from it.

One step takes the newest believed counts of all lots. It learns from those that are new (how restless a lot is, what is
usual at this time of its week, what came of forecasts that were made for it), and then forecasts anew. Nothing that was
received later is ever looked at. A count that is not believed is not a number here, and teaches nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bowei.domain.calibrating import BINS, TURNS, Calibration, Cases, bins_of, read, turns_of
from bowei.domain.forecasting import (
    COURSE_FROM,
    COURSE_POINTS,
    COURSE_STEP,
    LEAST_VOLATILITY,
    MOST_GROWTH,
    STEP,
    UNKNOWN_LOT,
    Foreseen,
)
from bowei.domain.lots import LotId
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import Report
from bowei.domain.usual_weeks import NOT_SAID, STEP_S, USUAL, Floats, Rows, UsualWeeks

HORIZONS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60))
"""What is published and scored."""
HORIZONS_S = tuple(int(horizon.total_seconds()) for horizon in HORIZONS)

RESTLESS_HALF_LIFE_S = 3_600.0
"""Of the mean of squared changes: the best of 1, 2 and 4 hours near full, at 15 and 30 minutes, on four recordings."""
LONGEST_GAP_S = 7_200.0
"""What changed in a longer silence says nothing of five minutes."""
LONGEST_LINE_S = 4_500.0
"""Between two counts that are no further apart a straight line is taken for usual: many lots report each half hour."""
TRUE_WITHIN_S = STEP.total_seconds() / 2
"""A count says what was true at most so long before and after it."""

_LEARNED = np.dtype(
    [("observed_s", "<f8"), ("free", "<f4"), ("variance", "<f4"), ("of_lot", "<f4", (BINS, 2)), ("usual", USUAL)]
)
_OFFSETS_S = tuple(int((COURSE_FROM + place * COURSE_STEP).total_seconds()) for place in range(COURSE_POINTS))
_FORGET_AFTER_S = int(LONGEST_LINE_S) + HORIZONS_S[-1] + STEP_S


@dataclass(frozen=True, slots=True)
class Counted:
    """The newest believed count of every lot: not a number where there is none, or none that is believed."""

    lot_ids: tuple[LotId, ...]
    zones: tuple[str, ...]
    capacities: Floats
    free: Floats
    observed_s: Floats
    """When it was counted, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class CityForeseen:
    """What is foreseen of every lot, as arrays with a row for each."""

    at: datetime
    lot_ids: tuple[LotId, ...]
    volatility: Floats
    course: Floats
    """By `COURSE_POINTS`; not numbers where nothing is known to be usual."""
    rates: Floats
    """By turn and `KNOTS`."""

    def by_lot(self) -> dict[LotId, Foreseen]:
        """Give each lot's own."""
        found = {}
        for row, lot_id in enumerate(self.lot_ids):
            course = tuple(self.course[row].tolist()) if np.isfinite(self.course[row]).all() else ()
            rates = tuple(tuple(curve) for curve in self.rates[row].tolist())
            found[lot_id] = Foreseen(float(self.volatility[row]), self.at, course, rates)
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the forecasts that were made at one instant for one horizon, of the lots of `rows`."""

    issued_s: int
    horizon: int
    """Its place in `HORIZONS`."""
    rows: Rows
    free_then: Floats
    """The last count, when it was forecast."""
    last_week: Floats
    """The count of a week before, at the time that was forecast; not a number where there was none."""
    chance: Floats
    mean: Floats
    truth: Floats
    bins: NDArray[np.uint8]
    turns: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Issued:
    """The forecasts of one step: a row for each lot, a column for each horizon."""

    free: Floats
    last_week: Floats
    chance: Floats
    mean: Floats
    bins: NDArray[np.uint8]
    turns: NDArray[np.uint8]


class CityForecast:
    """All that is learned of a city's lots. Not for two threads at once."""

    def __init__(self, city: bytes | None = None) -> None:
        """`city`: what `kept_city` gave."""
        self._lot_ids: tuple[LotId, ...] = ()
        self._zones: tuple[str, ...] = ()
        self._issued: dict[int, _Issued] = {}
        self._at_s: int | None = None
        self._learned = _nothing(0)
        self._usual = UsualWeeks((), self._learned["usual"])
        self._calibration = Calibration(self._learned["of_lot"], _city(city))
        self._course = np.full((0, COURSE_POINTS), np.nan)
        self._rates = self._calibration.rates()

    @property
    def lot_ids(self) -> tuple[LotId, ...]:
        """The lots, in the order of their rows."""
        return self._lot_ids

    def step(self, at_s: int, counted: Counted) -> list[Outcome]:
        """Learn from what is new at an instant (a whole number of steps since 1970), then forecast; give outcomes."""
        self.seat(counted.lot_ids, counted.zones)
        self._calibration.fade(0.0 if self._at_s is None else max(0.0, at_s - self._at_s))
        outcomes = self._learn(at_s, counted)
        for outcome in outcomes:
            self._calibration.learn(Cases(outcome.rows, outcome.bins, outcome.turns, outcome.truth >= 1))
        self._at_s = at_s
        self._course = self._usual.course(at_s, _OFFSETS_S)
        self._rates = self._calibration.rates()
        self._issue(at_s, counted)
        return outcomes

    def foreseen(self) -> CityForeseen:
        """Give what the last step foresaw."""
        at = datetime.fromtimestamp(self._at_s or 0, UTC)
        return CityForeseen(at, self._lot_ids, self._volatility(), self._course, self._rates)

    def seat(
        self, lot_ids: tuple[LotId, ...], zones: tuple[str, ...], kept: Mapping[LotId, bytes] | None = None
    ) -> None:
        """Give each lot a row; what was learned of it goes along, or is what `kept_lots` once gave."""
        if (lot_ids, zones) == (self._lot_ids, self._zones) and not kept:
            return
        learned = _nothing(len(lot_ids))
        row_of = {lot_id: row for row, lot_id in enumerate(lot_ids)}
        moves = [(row_of[lot_id], row) for row, lot_id in enumerate(self._lot_ids) if lot_id in row_of]
        if moves:
            after, before = np.array(moves, dtype=np.intp).T
            learned[after] = self._learned[before]
        readable = {
            row_of[lot_id]: packed
            for lot_id, packed in (kept or {}).items()
            if lot_id in row_of and len(packed) == _LEARNED.itemsize
        }
        if readable:
            learned[list(readable)] = np.frombuffer(b"".join(readable.values()), dtype=_LEARNED)
        self._learned, self._lot_ids, self._zones = learned, lot_ids, zones
        self._usual = UsualWeeks(zones, learned["usual"])
        self._calibration = Calibration(learned["of_lot"], self._calibration.city)
        self._course = np.full((len(lot_ids), COURSE_POINTS), np.nan)
        self._rates = self._calibration.rates()
        # What was forecast in the old order goes unscored.
        self._issued.clear()

    def learn_hours(self, lot_ids: Sequence[LotId], at_s: int, free: Floats) -> None:
        """Learn what is usual from the mean counts of some lots around an instant, oldest first: for a first start."""
        row_of = {lot_id: row for row, lot_id in enumerate(self._lot_ids)}
        known = np.array([lot_id in row_of for lot_id in lot_ids], dtype=bool)
        rows = np.array([row_of[lot_id] for lot_id in lot_ids if lot_id in row_of], dtype=np.intp)
        self._learn_lines(rows, np.full(len(rows), float(at_s)), free[known])
        self._learned["observed_s"][rows], self._learned["free"][rows] = at_s, free[known]

    def kept_lots(self, rows: Rows) -> dict[LotId, bytes]:
        """Pack what is known of the lots of some rows."""
        return {self._lot_ids[row]: self._learned[row].tobytes() for row in rows}

    def kept_city(self) -> bytes:
        """Pack what is known of all lots together."""
        return self._calibration.city.astype("<f8").tobytes()

    def _learn(self, at_s: int, counted: Counted) -> list[Outcome]:
        before_s = self._learned["observed_s"]
        # A clock that was set back, as of a demo: what is known stays, but no count has to wait for the old time.
        before_s[before_s > at_s + LONGEST_LINE_S] = np.nan
        gaps = counted.observed_s - before_s
        rows = np.flatnonzero(np.isfinite(counted.free) & ~(gaps <= 0))
        observed_s, free = counted.observed_s[rows], counted.free[rows]
        outcomes = self._learn_lines(rows, observed_s, free)
        moved = gaps[rows] <= LONGEST_GAP_S
        steps, some = gaps[rows][moved] / STEP_S, rows[moved]
        squares = (free[moved] - self._learned["free"][some]) ** 2 / steps
        stays = 0.5 ** (gaps[some] / RESTLESS_HALF_LIFE_S)
        self._learned["variance"][some] = stays * self._learned["variance"][some] + (1 - stays) * squares
        self._learned["observed_s"][rows], self._learned["free"][rows] = observed_s, free
        return outcomes

    def _learn_lines(self, rows: Rows, observed_s: Floats, free: Floats) -> list[Outcome]:
        """Learn what was free between each lot's last count and its new one, and what came of forecasts for then."""
        before_s, before = self._learned["observed_s"][rows], self._learned["free"][rows].astype(np.float64)
        gaps = observed_s - before_s
        lines = (gaps > 0) & (gaps <= LONGEST_LINE_S)
        if not lines.any():
            return []
        outcomes: list[Outcome] = []
        first_s = (int(before_s[lines].min()) // STEP_S + 1) * STEP_S
        for at_s in range(first_s, int(observed_s[lines].max()) + 1, STEP_S):
            on = np.flatnonzero(lines & (before_s < at_s) & (observed_s >= at_s))
            if not len(on):
                continue
            since, until = at_s - before_s[on], observed_s[on] - at_s
            between = before[on] + (free[on] - before[on]) * since / gaps[on]
            near = np.minimum(since, until) <= TRUE_WITHIN_S
            truth = np.where(since < until, before[on], free[on])[near]
            # First what came true: what is learned from this count must not be in what it is compared with.
            outcomes += self._outcomes(at_s, rows[on][near], truth)
            self._usual.learn(rows[on], at_s, between)
        return outcomes

    def _outcomes(self, at_s: int, rows: Rows, truth: Floats) -> list[Outcome]:
        found = []
        for place, horizon_s in enumerate(HORIZONS_S):
            issued = self._issued.get(at_s - horizon_s)
            if issued is None:
                continue
            told = np.isfinite(issued.free[rows])
            some = rows[told]
            if len(some):
                found.append(
                    Outcome(
                        issued_s=at_s - horizon_s,
                        horizon=place,
                        rows=some,
                        free_then=issued.free[some],
                        last_week=issued.last_week[some, place],
                        chance=issued.chance[some, place],
                        mean=issued.mean[some, place],
                        truth=truth[told],
                        bins=issued.bins[some, place],
                        turns=issued.turns[some, place],
                    )
                )
        return found

    def _issue(self, at_s: int, counted: Counted) -> None:
        ages = np.maximum(at_s - np.nan_to_num(counted.observed_s), 0.0)[:, None]
        ahead, free = np.array(HORIZONS_S, dtype=float)[None, :], counted.free[:, None]
        deviation = self._volatility()[:, None] * np.sqrt((ages + ahead) / STEP_S)
        change = np.nan_to_num(self._at_course(ahead) - self._at_course(-ages))
        z, turns = (free - 0.5) / deviation, turns_of(change, deviation)
        grown = free + np.minimum(change, MOST_GROWTH * free)
        rows = np.arange(len(self._lot_ids))[:, None]
        self._issued[at_s] = _Issued(
            free=counted.free.copy(),
            last_week=self._usual.last_week([at_s + horizon_s for horizon_s in HORIZONS_S]),
            chance=read(self._rates[rows, turns], z),
            mean=np.clip(grown, 0.0, counted.capacities[:, None]),
            bins=bins_of(z),
            turns=turns,
        )
        for old_s in [issued_s for issued_s in self._issued if issued_s < at_s - _FORGET_AFTER_S]:
            del self._issued[old_s]

    def _at_course(self, offset_s: Floats) -> Floats:
        """Read each lot's course at some times (one for all, or one row for each), as `Foreseen.change` does."""
        places = np.clip((offset_s - _OFFSETS_S[0]) / COURSE_STEP.total_seconds(), 0, COURSE_POINTS - 1)
        left = np.minimum(places.astype(np.intp), COURSE_POINTS - 2)
        rows = np.arange(len(self._lot_ids))[:, None]
        start = self._course[rows, left]
        read_at: Floats = start + (places - left) * (self._course[rows, left + 1] - start)
        return read_at

    def _volatility(self) -> Floats:
        return np.sqrt(np.maximum(self._learned["variance"].astype(np.float64), LEAST_VOLATILITY**2))


def _nothing(lots: int) -> NDArray[np.void]:
    """Give rows of lots that nobody has watched yet."""
    rows = np.zeros(lots, dtype=_LEARNED)
    rows["observed_s"] = np.nan
    rows["variance"] = UNKNOWN_LOT.volatility**2
    rows["usual"]["last_week"] = NOT_SAID
    return rows


def _city(packed: bytes | None) -> Floats | None:
    """Unpack what another process packed; nothing where it counted otherwise."""
    whole = (1 + TURNS) * BINS * 2 * 8
    return None if packed is None or len(packed) != whole else np.frombuffer(packed).reshape(-1, BINS, 2).copy()


def learnable(report: Report, now: datetime) -> int | None:
    """Give the count that a report may teach: exact, of an open lot, and believed; None where there is none."""
    taught = report.state is LotState.OPEN and report.bound is Bound.EXACT and report.believed_at(now)
    return report.countable if taught else None
