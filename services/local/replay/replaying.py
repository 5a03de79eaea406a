"""Steps through a recording: reports go in as they came, and drivers ask whenever the hospital is full."""

import asyncio
import json
import math
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.choosing import Need
from bowei.domain.lots import DriverId, Hospital, HospitalId, Lot, LotId, LotKind, SpaceClass
from bowei.domain.observations import LotState, Observation
from bowei.domain.places import Point, distance_m
from services.local.replay.accounting import Account
from services.local.replay.recording import Heard, Recording
from services.local.replay.stage import Stage
from services.local.replay.watching import Watching
from services.local.setup_problem import SetupProblem
from services.routing.diverting import Ask


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to replay. `speed` None: as fast as it goes."""

    divert_from: tuple[LotId, ...] = ()
    every: timedelta = timedelta(minutes=5)
    radius_m: int = 1_500
    full_at: int = 0
    origin: Point | None = None
    speed: float | None = None
    report: Path | None = None
    roads: Path | None = None
    progress: Callable[[datetime, int], None] = field(default=lambda _at, _decisions: None)


class UnknownHospital(Exception):
    """The lot to divert from is not in the recording."""


def hospitals_of(recording: Recording, options: ReplayOptions) -> list[Lot]:
    """Find the lots to divert from, each once.

    Raises:
        UnknownHospital: one of them is not a usable lot of the recording.
    """
    wanted = list(dict.fromkeys(options.divert_from))
    for lot_id in wanted:
        if lot_id not in recording.lots:
            raise UnknownHospital(
                f"{lot_id} can't be diverted from: lots.csv has no such lot with a position and a capacity."
            )
    return [recording.lots[lot_id] for lot_id in wanted]


class Replay:
    """One recording on one stage."""

    def __init__(self, recording: Recording, options: ReplayOptions, stage: Stage) -> None:
        self._recording = recording
        self._options = options
        self._stage = stage
        self._hospitals = hospitals_of(recording, options)
        self._shared = {
            lot.lot_id: lot
            for lot in recording.lots.values()
            if lot.kind is not LotKind.HOSPITAL and lot not in self._hospitals
        }
        self._account = Account(self._shared, options.radius_m)
        self._outcomes: Counter[str] = Counter()
        self._watching = Watching({}, ())

    async def run(self) -> dict[str, Any]:
        """Replay all of it; write the report; give the summary."""
        first_at: datetime | None = None
        last_at: datetime | None = None
        with _lines(self._options.report) as write:
            next_ask: datetime | None = None
            for at, together in _by_time(self._recording.reports()):
                if first_at is None or next_ask is None:
                    first_at = next_ask = at
                    await self._stage.open(at)
                    hospitals, agreements = self._implied()
                    await self._stage.register(self._recording.lots.values(), hospitals, agreements)
                    self._watching = Watching(self._recording.lots, agreements)
                while next_ask < at:
                    await self._step_to(next_ask, last_at)
                    someone_asked = await self._ask_all(next_ask, write)
                    last_at, next_ask = next_ask, next_ask + self._options.every
                    if not someone_asked:
                        # Until somebody reports, a hospital with room stays so, and an old report only grows older.
                        next_ask = self._first_tick(next_ask, at)
                await self._step_to(at, last_at)
                await self._report(at, together)
                last_at = at
            if last_at is not None and next_ask == last_at:
                await self._ask_all(last_at, write)
            summary = (
                self._account.summary()
                | self._watching.summary()
                | {
                    "from": _text(first_at),
                    "to": _text(last_at),
                    "reports": dict(self._outcomes.most_common()),
                    "left_out": dict(self._recording.left_out),
                    "roads": self._stage.travel_times_name,
                    "broken_promises": await self._stage.broken_promises() if first_at else 0,
                }
            )
            write({"summary": summary})
        return summary

    def _implied(self) -> tuple[Sequence[Hospital], Sequence[Agreement]]:
        """Give the agreements that a replay implies: every lot in the radius lends all it has, all day, to each."""
        hospitals = [
            Hospital(
                HospitalId(lot.lot_id),
                lot.name,
                lot.lot_id,
                lot.location,
                lot.location,
                radius_m=self._options.radius_m,
            )
            for lot in self._hospitals
        ]
        agreements = [
            Agreement(
                AgreementId(f"implied-{number}-{index}"),
                lot.lot_id,
                hospital.hospital_id,
                (LendingWindow(SpaceClass.STANDARD, lot.capacity),),
            )
            for number, hospital in enumerate(hospitals)
            for index, lot in enumerate(self._shared.values())
            if distance_m(lot.location, hospital.door) <= self._options.radius_m
        ]
        return hospitals, agreements

    async def _step_to(self, at: datetime, last_at: datetime | None) -> None:
        if self._options.speed is not None and last_at is not None:
            await asyncio.sleep((at - last_at).total_seconds() / self._options.speed)
        await self._stage.step_to(at)
        self._options.progress(at, self._account.decisions)

    async def _report(self, at: datetime, together: Sequence[Observation]) -> None:
        verdicts = await self._stage.report(together)
        self._outcomes.update(verdict.code or str(verdict.outcome) for verdict in verdicts)
        self._account.hear(at, together)
        self._watching.look(at, self._stage.shown)
        self._watching.note(together, verdicts)

    def _first_tick(self, tick: datetime, at: datetime) -> datetime:
        """Give the first tick at or after `at`."""
        return tick + max(0, math.ceil((at - tick) / self._options.every)) * self._options.every

    async def _ask_all(self, at: datetime, write: Callable[[Mapping[str, Any]], None]) -> bool:
        """Have a driver ask at each hospital that is full; say whether one was."""
        asked = False
        for lot in self._hospitals:
            free = self._free_of(lot, at)
            if free is None or free > self._options.full_at:
                self._account.free_again(lot.lot_id)
                continue
            asked = True
            diversion_id, driver_id = secrets.token_hex(16), DriverId(secrets.token_hex(8))
            ask = Ask(diversion_id, HospitalId(lot.lot_id), Need(), self._options.origin)
            diversion = await self._stage.diverting.divert(ask, driver_id)
            write(
                self._account.decide(
                    at=at,
                    hospital=lot,
                    hospital_free=free,
                    hold=diversion.decision.hold,
                    answer=diversion.answer or {"considered": []},
                )
            )
            if diversion.decision.hold is not None:
                await self._stage.diverting.give_up(diversion_id, driver_id)
        return asked

    def _free_of(self, lot: Lot, at: datetime) -> int | None:
        report = self._stage.shown(lot.lot_id).report
        if report is None or not report.believed_at(at) or report.state is not LotState.OPEN:
            return None
        return report.countable


def _by_time(reports: Iterable[Heard]) -> Iterator[tuple[datetime, list[Observation]]]:
    for at, together in groupby(reports, key=lambda heard: heard.at):
        yield at, [heard.said for heard in together]


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


@contextmanager
def _lines(path: Path | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Open a file for JSON lines; without one, what is written goes nowhere."""
    if path is None:
        yield lambda _line: None
        return
    with _refusing(path):
        file = path.open("w", encoding="utf-8")

    def write(line: Mapping[str, Any]) -> None:
        with _refusing(path):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    try:
        yield write
    finally:
        with _refusing(path):
            file.close()


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupProblem(
            "report_not_writable",
            f"The report {path} can't be written: {error.strerror}.",
            "Choose another file with --report.",
        ) from error
